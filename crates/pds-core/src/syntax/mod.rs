//! Names: one type for each kind of identifier that the protocol writes as text, parsed once and
//! valid from then on.
//!
//! # Vocabulary
//!
//! - A [`Did`] is the permanent name of an account. A [`Handle`] is its current domain name. An
//!   [`AtIdentifier`] is either of the two.
//! - An [`Nsid`] names a kind of record. As a part of a path it is called a *collection*.
//! - A [`RecordKey`] (*rkey*) names one record in a collection. Most record keys are [`Tid`]s:
//!   timestamps whose text sorts by age.
//! - A [`RecordPath`] is `collection/rkey`, the key of a record in the tree of a repository.
//! - An [`AtUri`] is the global address of an account, a collection or a record.
//! - [`Datetime`], [`Language`], [`Uri`] and [`CidText`] are the remaining string formats that
//!   record schemas use.
//!
//! # Invariants
//!
//! - A value exists only if its text is valid. Parsing is the only public constructor, and values
//!   are immutable. (The fields of `RecordPath` can be replaced by other valid values.)
//! - The text is kept unchanged: nothing is trimmed, folded or normalized. Two spellings with the
//!   same normal form are different values.
//! - The order of values is the byte order of their texts, so that sorted names are in tree order.
//!   For a [`Tid`] this is also the order of its integers.
//! - Every check is bounded: it refuses text over the limit of its kind before it reads the text.
//!   No check recurses or panics.
//! - Valid text is ASCII, so its length in bytes is its length in characters.
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

/// Implements the traits common to all names (`Display`, `AsRef<str>` and `TryFrom<&str>`) with
/// `as_str` and `FromStr`.
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

/// Implements parsing and `as_str` for a `struct Name(Box<str>)` whose rules are in `fn
/// check(&[u8]) -> Result<(), &'static str>`.
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

/// Checks that `path` is the text of a [`RecordPath`], without constructing one.
///
/// Verifying a repository calls this for every key of the tree. It allocates only for the error.
pub fn check_record_path(path: &[u8]) -> Result<(), SyntaxError> {
    record_path::check(path)
        .map_err(|reason| SyntaxError::from_bytes(record_path::EXPECTED, path, reason))
}

/// Checks one label of a domain name: the part of a handle or of an NSID authority between dots.
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

/// The limit of RFC 1035, section 2.3.4.
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
