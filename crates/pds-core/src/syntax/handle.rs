//! Handles: domain names of accounts.

use crate::syntax::label::check_label;

/// A handle: the current domain name of an account, such as `alice.example.com`.
///
/// A handle has at least two labels and at most 253 bytes. Its last label starts with a letter, so
/// that no IP address is a handle. Case has no meaning in a handle, but the original case is kept:
/// compare handles by their [`normalized`](Self::normalized) form.
///
/// Spec: [Handle, "Handle Identifier Syntax"](https://atproto.com/specs/handle).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(Box<str>);

impl Handle {
    /// Returns the same handle in lower case.
    ///
    /// ```
    /// use pds::syntax::Handle;
    ///
    /// let handle: Handle = "Alice.Example.com".parse()?;
    /// assert_eq!(handle.normalized().as_str(), "alice.example.com");
    /// # Ok::<(), pds::syntax::SyntaxError>(())
    /// ```
    pub fn normalized(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into_boxed_str())
    }
}

checked_text!(Handle, "handle", check);

fn check(handle: &[u8]) -> Result<(), &'static str> {
    if handle.len() > MAX_BYTES {
        return Err("a handle has at most 253 bytes");
    }
    let mut labels = 0;
    let mut top = None;
    for label in handle.split(|byte| *byte == b'.') {
        check_label(label)?;
        labels += 1;
        top = label.first();
    }
    if labels < 2 {
        return Err("a handle has at least two labels");
    }
    if !top.is_some_and(u8::is_ascii_alphabetic) {
        return Err("the last label of a handle starts with a letter");
    }
    Ok(())
}

const MAX_BYTES: usize = 253;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_limits() {
        let of_length = |len: usize| {
            let text = format!("{}.{}.{}.", "a".repeat(63), "b".repeat(63), "c".repeat(63));
            let last = "d".repeat(len - text.len());
            format!("{text}{last}").parse::<Handle>()
        };
        assert!(of_length(253).is_ok());
        assert!(of_length(254).is_err());
        assert!(format!("{}.test", "o".repeat(63)).parse::<Handle>().is_ok());
        assert!(format!("{}.test", "o".repeat(64)).parse::<Handle>().is_err());
        assert!("a.b".parse::<Handle>().is_ok());
    }

    #[test]
    fn refusals() {
        for bad in ["", ".", "a", "a.", ".a", "a..b", "a.1b", "127.0.0.1", "a b.c", "a.b\n"] {
            assert!(bad.parse::<Handle>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            text in "([a-zA-Z0-9]([a-z0-9-]{0,9}[a-z0-9])?\\.){1,5}[a-zA-Z][a-z0-9]{0,9}"
        ) {
            let handle = Handle::try_from(text.clone()).unwrap();
            prop_assert_eq!(handle.to_string(), text);
            let normalized = handle.normalized();
            prop_assert_eq!(normalized.as_str().parse::<Handle>().unwrap(), normalized.clone());
            prop_assert_eq!(normalized.normalized(), normalized);
        }

        #[test]
        fn never_panics(text in any::<String>(), dotted in "[a-z0-9.é-]{0,20}") {
            let _ = text.parse::<Handle>();
            let _ = dotted.parse::<Handle>();
        }
    }
}
