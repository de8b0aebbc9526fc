//! The names of refs.

use std::fmt;
use std::str::FromStr;

/// The name of a ref: `HEAD`, `backup`, `phone/offline`.
///
/// A name has 1 to 200 characters of `A-Z a-z 0-9 . _ - / :`. It starts with a letter or a digit,
/// and contains no `..` and no empty part between slashes. Names therefore differ from revisions
/// such as `HEAD~2` and `@{1}`, and need no quoting in a shell.
///
/// ```
/// use pds::store::RefName;
///
/// assert_eq!("phone/offline".parse::<RefName>().unwrap().as_str(), "phone/offline");
/// assert!("HEAD~1".parse::<RefName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Box<str>);

/// The error for a text that is not a valid name of a ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid ref name: {reason}")]
pub struct RefNameError {
    reason: &'static str,
}

impl RefName {
    /// Returns the name of the default ref.
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
            "a name has 1 to 200 characters"
        } else if !text.bytes().all(allowed) {
            "a name has only letters, digits and . _ - / :"
        } else if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            "a name starts with a letter or a digit"
        } else if text.contains("..") || text.split('/').any(str::is_empty) {
            "a name has no .. and no empty part between slashes"
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
    fn names_differ_from_revisions() {
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
