//! Keys and their height.

use sha2::{Digest, Sha256};
use std::fmt;

use crate::data::limits::MAX_TREE_KEY_BYTES;
use crate::mst::error::MstError;

/// A key of a tree: 1 to 1,024 bytes, in practice a record path.
///
/// ```
/// use pds::mst::Key;
///
/// let key = Key::new(*b"app.bsky.feed.post/454397e440ec")?;
/// assert_eq!(key.height(), 4);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Makes a key from bytes.
    ///
    /// # Errors
    ///
    /// [`MstError::Key`] if there are no bytes, or more than 1,024.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, MstError> {
        let bytes = bytes.into();
        check_len(&bytes).map_err(|reason| MstError::Key { reason })?;
        Ok(Self(bytes))
    }

    /// Makes a key from bytes that are already checked.
    pub(super) fn checked(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the level of the node that this key belongs to.
    #[must_use]
    pub fn height(&self) -> u8 {
        height(&self.0)
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Computes the height of a key: half the number of leading zero bits of its SHA-256, rounded down.
///
/// A quarter of the keys that reach one height also reach the next. (Specification "Repository": fanout 4.)
///
/// ```
/// assert_eq!(pds::mst::height(b"blue"), 1);
/// assert_eq!(pds::mst::height(b"2653ae71"), 0);
/// ```
#[must_use]
pub fn height(key: &[u8]) -> u8 {
    let mut zeros = 0;
    for byte in Sha256::digest(key) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    u8::try_from(zeros / 2).unwrap_or(u8::MAX)
}

/// Returns the number of bytes that two keys have in common at their start.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    // The keys are compared eight bytes at a time, and the last few bytes one by one.
    let (chunks_a, chunks_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let equal = 8 * chunks_a.iter().zip(chunks_b).take_while(|(a, b)| a == b).count();
    let [a, b] = [a, b].map(|key| key.get(equal..).unwrap_or_default());
    equal + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

pub(super) fn check_len(key: &[u8]) -> Result<(), &'static str> {
    match key.len() {
        0 => Err("a key is empty"),
        1..=MAX_TREE_KEY_BYTES => Ok(()),
        _ => Err("a key is longer than 1024 bytes"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn known_heights() {
        for (key, expected) in [
            ("2653ae71", 0),
            ("blue", 1),
            ("app.bsky.feed.post/454397e440ec", 4),
            ("app.bsky.feed.post/9adeb165882c", 8),
            ("key1", 0),
            ("key7", 1),
            ("key515", 4),
        ] {
            assert_eq!(height(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn key_lengths_are_limited() {
        assert!(Key::new(*b"").is_err());
        assert!(Key::new(vec![b'x'; MAX_TREE_KEY_BYTES]).is_ok());
        assert!(Key::new(vec![b'x'; MAX_TREE_KEY_BYTES + 1]).is_err());
    }

    #[test]
    fn a_key_is_its_bytes() {
        let key = Key::new(*b"a/\x01").unwrap();
        assert_eq!((key.as_ref(), key.to_string()), (&b"a/\x01"[..], "a/\\x01".to_owned()));
    }
}
