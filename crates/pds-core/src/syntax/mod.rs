//! Names: each kind of identifier the protocol writes as text is parsed once, here, into a type of
//! its own.
//!
//! # Vocabulary
//!
//! - A [`Did`] is the permanent name of an account; a [`Handle`] is the domain name it goes by;
//!   an [`AtIdentifier`] is either.
//! - An [`Nsid`] names a kind of record; used as part of a path it is called a *collection*.
//! - A [`RecordKey`] (*rkey*) names one record in a collection. Most of them are [`Tid`]s:
//!   timestamps whose text sorts by age.
//! - A [`RecordPath`] is `collection/rkey`, the key of a record in the tree of a repository.
//! - An [`AtUri`] is the address of an account, a collection or a record, valid anywhere.
//! - [`Datetime`], [`Language`], [`Uri`] and [`CidText`] are the remaining string formats that
//!   record schemas use.
//!
//! # Invariants
//!
//! - A value exists only if its text is valid: parsing is the only public way in, and nothing is
//!   mutable. (The fields of `RecordPath` may be exchanged, for other valid ones.)
//! - Text is kept exactly as it was written; nothing is trimmed, folded or normalized on the way
//!   in. Two spellings of a name that normalize to the same one are different values.
//! - Order is the byte order of the text, so that sorting names sorts the tree. For a [`Tid`]
//!   this is also the order of its integers.
//! - Everything is bounded: a check refuses what is longer than the limit of its kind before it
//!   reads any of it, does not recurse, and never panics.
//! - Accepted text is ASCII, so bytes and characters count the same.
//!
//! ```
//! use pds::syntax::{AtUri, Did, RecordPath};
//!
//! let did: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?;
//! let path: RecordPath = "app.bsky.feed.post/3jzfcijpj2z2a".parse()?;
//! let uri = AtUri::record(&did, &path);
//! assert_eq!(
//!     uri.as_str(),
//!     "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a"
//! );
//! # Ok::<(), pds::syntax::SyntaxError>(())
//! ```

/// Implements what every name has in common: `Display`, `AsRef<str>` and `TryFrom<&str>`, by way
/// of its `as_str` and `FromStr`.
macro_rules! text_conversions {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::syntax::SyntaxError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

/// Implements the way in and out of a `struct Name(Box<str>)` whose rules are in
/// `fn check(&[u8]) -> Result<(), &'static str>`.
macro_rules! checked_text {
    ($name:ident, $expected:literal, $check:path) => {
        impl $name {
            /// Returns the text exactly as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::syntax::SyntaxError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match $check(text.as_bytes()) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(reason) => Err(Self::Err::new($expected, text, reason)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::syntax::SyntaxError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                match $check(text.as_bytes()) {
                    Ok(()) => Ok(Self(text.into_boxed_str())),
                    Err(reason) => Err(Self::Error::new($expected, &text, reason)),
                }
            }
        }

        text_conversions!($name);
    };
}

mod at_uri;
mod cid_text;
mod datetime;
mod did;
mod error;
mod handle;
mod language;
mod nsid;
mod record_key;
mod record_path;
mod tid;
mod uri;

pub use at_uri::{AtIdentifier, AtUri};
pub use cid_text::CidText;
pub use datetime::Datetime;
pub use did::Did;
pub use error::SyntaxError;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use record_key::RecordKey;
pub use record_path::RecordPath;
pub use tid::Tid;
pub use uri::Uri;

/// Checks that `path` is the text of a [`RecordPath`], without making one.
///
/// Verifying a repository asks this of every key of its tree: it allocates only to say no.
pub fn check_record_path(path: &[u8]) -> Result<(), SyntaxError> {
    record_path::check(path)
        .map_err(|reason| SyntaxError::from_bytes(record_path::EXPECTED, path, reason))
}

/// Checks one label of a domain name, which handles and NSID authorities are both made of.
fn check_label(label: &[u8]) -> Result<(), &'static str> {
    let (Some(first), Some(last)) = (label.first(), label.last()) else {
        return Err("a domain label is not empty");
    };
    if label.len() > MAX_LABEL_BYTES {
        return Err("a domain label has at most 63 bytes");
    }
    if *first == b'-' || *last == b'-' {
        return Err("a domain label does not start or end with a hyphen");
    }
    if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Err("a domain label holds only letters, digits and hyphens");
    }
    Ok(())
}

/// RFC 1035, section 2.3.4.
const MAX_LABEL_BYTES: usize = 63;

#[cfg(test)]
mod tests {
    use super::check_label;

    #[test]
    fn label_limits() {
        for good in ["a", "0", "a-b", "a--b", "A9", &"o".repeat(63)] {
            assert_eq!(check_label(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "a_b", "a b", "é", &"o".repeat(64)] {
            assert!(check_label(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
