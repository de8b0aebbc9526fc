//! Content identifiers (CIDs), which name blocks and blobs by their hash.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};

/// The content identifier of bytes: CIDv1 with SHA-256, for DAG-CBOR or raw bytes.
///
/// An AT Protocol repository contains no other kind of CID, so this type represents no other. The
/// binary form always has 36 bytes and the text form 59 characters. CIDs sort by their bytes.
/// (Specification "Data Model", section "Link and CID Formats"; DASL "CIDs".)
///
/// ```
/// use pds::data::{Cid, Codec};
///
/// let cid = Cid::of(Codec::Raw, b"hello");
/// assert_eq!(cid.to_string(), "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
/// assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cid([u8; Self::LEN]);

/// The type of the bytes that a [`Cid`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// DAG-CBOR (0x71): commits, tree nodes and records.
    Cbor,
    /// Raw bytes (0x55): blobs.
    Raw,
}

impl Cid {
    /// The length of the binary form in bytes.
    pub const LEN: usize = 36;

    /// The number of bytes before the digest.
    pub(crate) const PREFIX_LEN: usize = 4;

    /// The length of the text form in characters.
    pub const TEXT_LEN: usize = 59;

    /// Returns the CID of these bytes.
    #[must_use]
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self::from_digest(codec, Sha256::digest(bytes).into())
    }

    /// Returns the CID of bytes with this SHA-256. Callers that hash while they stream use it.
    #[must_use]
    pub fn from_digest(codec: Codec, sha256: [u8; 32]) -> Self {
        let mut bytes = [0; Self::LEN];
        let (prefix, digest) = bytes.split_at_mut(Self::PREFIX_LEN);
        prefix.copy_from_slice(&codec.prefix());
        digest.copy_from_slice(&sha256);
        Self(bytes)
    }

    /// Returns the CID with this binary form, which [`has_form`](Self::has_form) has accepted.
    #[inline]
    pub(crate) fn from_checked(bytes: &[u8; Self::LEN]) -> Self {
        debug_assert!(Self::has_form(bytes), "not the binary form of a CID");
        Self(*bytes)
    }

    /// Returns whether this is the binary form of a supported CID.
    #[inline]
    pub(crate) fn has_form(bytes: &[u8; Self::LEN]) -> bool {
        matches!(bytes, [1, 0x71 | 0x55, 0x12, 0x20, ..])
    }

    /// Returns the binary form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Returns the type of the named bytes.
    #[must_use]
    pub fn codec(&self) -> Codec {
        let [_, codec, ..] = self.0;
        if codec == 0x71 { Codec::Cbor } else { Codec::Raw }
    }

    /// Returns the SHA-256 of the named bytes.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        self.0.last_chunk().expect("36 bytes end in 32")
    }

    /// Returns whether this is the CID of these bytes.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        self.digest() == &<[u8; 32]>::from(Sha256::digest(bytes))
    }
}

impl Codec {
    /// The bytes before the digest: version 1, codec, SHA-256, 32 bytes.
    const fn prefix(self) -> [u8; Cid::PREFIX_LEN] {
        match self {
            Self::Cbor => [1, 0x71, 0x12, 0x20],
            Self::Raw => [1, 0x55, 0x12, 0x20],
        }
    }
}

/// Hashes a quarter of the digest. A digest is distributed evenly, so a quarter distinguishes CIDs
/// as well as the whole. The secret of each map keeps attackers from choosing the bucket.
impl Hash for Cid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(start) = self.digest().first_chunk() {
            state.write_u64(u64::from_ne_bytes(*start));
        }
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::TEXT_LEN];
        let (first, rest) = text.split_at_mut(1);
        first.copy_from_slice(b"b");
        BASE32_NOPAD.encode_mut(&self.0, rest);
        text.make_ascii_lowercase();
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl serde::Serialize for Cid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "cid")]
impl From<Cid> for ::cid::Cid {
    fn from(cid: Cid) -> Self {
        Self::try_from(cid.0.as_slice()).expect("the binary form of a Cid is valid CIDv1")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_its_known_name() {
        let cid = Cid::of(Codec::Cbor, &[0xa2, 0x61, 0x65, 0x80, 0x61, 0x6c, 0xf6]);
        assert_eq!(cid.to_string(), "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm");
        assert_eq!(cid.codec(), Codec::Cbor);
        assert!(cid.names(&[0xa2, 0x61, 0x65, 0x80, 0x61, 0x6c, 0xf6]));
        assert!(!cid.names(&[0xa2]));
    }
}
