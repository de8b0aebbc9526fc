//! NSIDs: names of collections and lexicons.

use crate::syntax::label::check_label;

/// A namespaced identifier: the name of a schema and of the collection that holds its records, such
/// as `app.bsky.feed.post`.
///
/// It consists of a domain name in reverse order (the *authority*) and one last segment (the
/// *name*). It has at least three segments. The authority has at most 253 bytes and the name at
/// most 63, so an NSID has at most 317. The name is case-sensitive and the authority is not:
/// [`normalized`](Self::normalized) returns the normal form.
///
/// Spec: [NSID, "NSID Syntax"](https://atproto.com/specs/nsid).
///
/// ```
/// use pds::syntax::Nsid;
///
/// let nsid: Nsid = "com.example.fooBar".parse()?;
/// assert_eq!(nsid.authority(), "com.example");
/// assert_eq!(nsid.name(), "fooBar");
/// assert!("com.example".parse::<Nsid>().is_err());
/// # Ok::<(), pds::syntax::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nsid(Box<str>);

impl Nsid {
    /// Wraps text that [`check`] has accepted.
    pub(crate) fn from_checked(text: &str) -> Self {
        debug_assert_eq!(check(text.as_bytes()), Ok(()));
        Self(text.into())
    }

    /// Returns the authority in its written (reverse) order: all segments but the last.
    pub fn authority(&self) -> &str {
        self.0.rsplit_once('.').unwrap_or_default().0
    }

    /// Returns the name: the last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('.').unwrap_or_default().1
    }

    /// Returns whether the authority is in lower case. A repository requires that.
    pub fn is_normalized(&self) -> bool {
        !self.authority().bytes().any(|byte| byte.is_ascii_uppercase())
    }

    /// Returns the same NSID with its authority in lower case and its name unchanged.
    pub fn normalized(&self) -> Self {
        let authority = self.authority().to_ascii_lowercase();
        Self(format!("{authority}.{}", self.name()).into_boxed_str())
    }
}

checked_text!(Nsid, "NSID", check);

pub(crate) fn check(nsid: &[u8]) -> Result<(), &'static str> {
    if nsid.len() > MAX_BYTES {
        return Err("an NSID has at most 317 bytes");
    }
    let mut halves = nsid.rsplitn(2, |byte| *byte == b'.');
    let (Some(name), Some(authority)) = (halves.next(), halves.next()) else {
        return Err("an NSID has at least three segments");
    };
    check_authority(authority)?;
    check_name(name)
}

fn check_authority(authority: &[u8]) -> Result<(), &'static str> {
    let mut labels = 0;
    for label in authority.split(|byte| *byte == b'.') {
        check_label(label)?;
        labels += 1;
    }
    if labels < 2 {
        return Err("an NSID has at least three segments");
    }
    if !authority.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err("the first segment of an NSID starts with a letter");
    }
    Ok(())
}

fn check_name(name: &[u8]) -> Result<(), &'static str> {
    if name.len() > MAX_NAME_BYTES {
        return Err("the name of an NSID has at most 63 bytes");
    }
    if !name.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err("the name of an NSID starts with a letter");
    }
    if !name.iter().all(u8::is_ascii_alphanumeric) {
        return Err("the name of an NSID holds only letters and digits");
    }
    Ok(())
}

/// The length of the longest domain name, a dot and the longest name.
const MAX_BYTES: usize = 253 + 1 + MAX_NAME_BYTES;
const MAX_NAME_BYTES: usize = 63;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_limits() {
        let of_lengths = |authority: usize, name: usize| {
            let labels = format!("{0}.{0}.{0}.{0}.", "a".repeat(62));
            let last = "b".repeat(authority - labels.len());
            format!("{labels}{last}.{}", "n".repeat(name)).parse::<Nsid>()
        };
        assert_eq!(of_lengths(253, 63).unwrap().as_str().len(), 317);
        assert!(of_lengths(254, 63).is_err());
        assert!(of_lengths(315, 1).is_ok());
        assert!(of_lengths(253, 64).is_err());
        assert!(format!("com.example.{}", "o".repeat(63)).parse::<Nsid>().is_ok());
        assert!(format!("com.example.{}", "o".repeat(64)).parse::<Nsid>().is_err());
        assert!(format!("com.{}.foo", "o".repeat(63)).parse::<Nsid>().is_ok());
        assert!(format!("com.{}.foo", "o".repeat(64)).parse::<Nsid>().is_err());
        assert!("a.b.c".parse::<Nsid>().is_ok());
        assert!("a.b".parse::<Nsid>().is_err());
    }

    #[test]
    fn refusals() {
        let bad = [
            "", ".", "...", "a", "a.b.", ".a.b.c", "1a.b.c", "a.b.3", "a.b.c-d", "a.-b.c",
            "a.b-.c", "a.b.c/d", "a.b.*",
        ];
        for bad in bad {
            assert!(bad.parse::<Nsid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn normalization_leaves_the_name_alone() {
        let nsid: Nsid = "COM.Example.fooBAR".parse().unwrap();
        assert!(!nsid.is_normalized());
        assert_eq!(nsid.normalized().as_str(), "com.example.fooBAR");
        assert!(nsid.normalized().is_normalized());
    }

    proptest! {
        #[test]
        fn round_trip(
            authority in "[a-zA-Z]([a-z0-9-]{0,9}[a-z0-9])?\
                          (\\.[a-zA-Z0-9]([a-z0-9-]{0,9}[a-z0-9])?){1,4}",
            name in "[a-zA-Z][a-zA-Z0-9]{0,20}",
        ) {
            let text = format!("{authority}.{name}");
            let nsid = Nsid::try_from(text.clone()).unwrap();
            prop_assert_eq!(nsid.to_string(), text);
            prop_assert_eq!(nsid.authority(), authority);
            prop_assert_eq!(nsid.name(), name);
            let normalized = nsid.normalized();
            prop_assert!(normalized.is_normalized());
            prop_assert_eq!(normalized.as_str().parse::<Nsid>().unwrap(), normalized.clone());
        }

        #[test]
        fn never_panics(text in any::<String>(), dotted in "[a-z0-9.é-]{0,20}") {
            let _ = text.parse::<Nsid>();
            let _ = dotted.parse::<Nsid>();
        }
    }
}
