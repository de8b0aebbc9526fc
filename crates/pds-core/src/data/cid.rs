//! Content identifiers (CIDs), which name blocks and blobs by their hash.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::data::error::DataError;

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

    /// Returns the CID with this binary form of 36 bytes.
    ///
    /// # Errors
    ///
    /// [`DataError::Cid`] if the bytes are not the binary form of a supported CID.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DataError> {
        let fixed: [u8; Self::LEN] =
            bytes.try_into().map_err(|_| cid_error(bytes, "a binary CID has 36 bytes"))?;
        if !Self::has_form(&fixed) {
            return Err(cid_error(bytes, "not CIDv1 with SHA-256 and codec dag-cbor or raw"));
        }
        Ok(Self(fixed))
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

impl FromStr for Cid {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let refused = |reason| cid_error(text.as_bytes(), reason);
        if text.len() != Self::TEXT_LEN {
            return Err(refused("a CID has 59 characters"));
        }
        let Some(base32) = text.strip_prefix('b') else {
            return Err(refused("a CID is base32 text that starts with b"));
        };
        if base32.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused("a CID is in lower case"));
        }
        let mut bytes = [0; Self::LEN];
        let upper = base32.to_ascii_uppercase();
        match BASE32_NOPAD.decode_mut(upper.as_bytes(), &mut bytes) {
            Ok(Self::LEN) => Self::from_bytes(&bytes),
            _ => Err(refused("not base32")),
        }
    }
}

impl serde::Serialize for Cid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Cid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "cid")]
impl From<Cid> for ::cid::Cid {
    fn from(cid: Cid) -> Self {
        Self::try_from(cid.0.as_slice()).expect("the binary form of a Cid is valid CIDv1")
    }
}

#[cfg(feature = "cid")]
impl TryFrom<&::cid::Cid> for Cid {
    type Error = DataError;

    fn try_from(cid: &::cid::Cid) -> Result<Self, DataError> {
        Self::from_bytes(&cid.to_bytes())
    }
}

/// Returns an error that shows the input, cut to a bounded length: as text if it is text, otherwise
/// in hexadecimal.
fn cid_error(given: &[u8], reason: &'static str) -> DataError {
    let shown = given.get(..SHOWN_BYTES).unwrap_or(given);
    let given = match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => data_encoding::HEXLOWER.encode(shown),
    };
    DataError::Cid { given, reason }
}

const SHOWN_BYTES: usize = 80;

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
    }

    #[test]
    fn other_cids_are_refused() {
        let good = Cid::of(Codec::Raw, b"x");
        let text = good.to_string();
        for bad in [
            String::new(),
            text.to_uppercase(),
            text[..58].to_owned(),
            format!("{text}a"),
            text.replacen('b', "z", 1),
            // The last character carries two bits that must be zero.
            format!("{}b", &text[..58]),
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".to_owned(),
        ] {
            assert!(bad.parse::<Cid>().is_err(), "{bad}");
        }
        let mut bytes = *good.as_bytes();
        for (at, wrong) in [(0, 0), (1, 0x70), (2, 0x13), (3, 0x21)] {
            let kept = std::mem::replace(&mut bytes[at], wrong);
            assert!(Cid::from_bytes(&bytes).is_err());
            bytes[at] = kept;
        }
        assert!(Cid::from_bytes(&bytes[..35]).is_err());
        assert!(Cid::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert_eq!(Cid::from_bytes(&bytes).unwrap(), good);
    }

    #[cfg(feature = "cid")]
    #[test]
    fn converts_to_the_cid_crate_and_back() {
        let ours = Cid::of(Codec::Cbor, b"x");
        let theirs = ::cid::Cid::from(ours);
        assert_eq!(theirs.to_string(), ours.to_string());
        assert_eq!(Cid::try_from(&theirs).unwrap(), ours);
    }
}
