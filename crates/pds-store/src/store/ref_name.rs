//! Names of refs.

use std::fmt;
use std::str::FromStr;

/// The name of a ref: `HEAD`, `backup`, `phone/offline`.
///
/// 1 to 200 characters of `A-Z a-z 0-9 . _ - / :`, the first one a letter or a digit, no `..` and no
/// empty part between slashes: what can be told from `HEAD~2` and `@{1}`, and typed in a shell.
///
/// ```
/// use pds::store::RefName;
///
/// assert_eq!("phone/offline".parse::<RefName>().unwrap().as_str(), "phone/offline");
/// assert!("HEAD~1".parse::<RefName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Box<str>);

/// A text that cannot be the name of a ref.
///
/// ```
/// use pds::store::RefName;
///
/// let error = "HEAD~1".parse::<RefName>().unwrap_err();
/// assert!(error.to_string().starts_with("not a name for a ref"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name for a ref: {reason}")]
pub struct RefNameError {
    reason: &'static str,
}

impl RefName {
    /// Returns the name of the ref that is meant where none is named.
    #[must_use]
    pub fn head() -> Self {
        Self("HEAD".into())
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/:".contains(&b);
        let reason = if text.is_empty() || text.len() > MAX_LEN {
            "it has 1 to 200 characters"
        } else if !text.bytes().all(allowed) {
            "it has letters, digits and . _ - / : only"
        } else if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            "it starts with a letter or a digit"
        } else if text.contains("..") || text.split('/').any(str::is_empty) {
            "it has no .. and no empty part between slashes"
        } else {
            return Ok(Self(text.into()));
        };
        Err(RefNameError { reason })
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefName({self})")
    }
}

const MAX_LEN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_limited_to_what_can_be_told_from_revisions() {
        let longest = "x".repeat(MAX_LEN);
        for good in ["HEAD", "a", "did:plc:abc/HEAD", "v1.2_x-y", &longest] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        let too_long = "x".repeat(MAX_LEN + 1);
        for bad in ["", "HEAD~1", "@{1}", "-x", ".x", "a..b", "a//b", "a/", "a b", "ä", &too_long]
        {
            assert!(bad.parse::<RefName>().is_err(), "{bad}");
        }
    }
}
