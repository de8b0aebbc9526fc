//! CIDs parsed from their binary form and from text.

use data_encoding::BASE32_NOPAD;
use std::str::FromStr;

use crate::data::cid::Cid;
use crate::data::error::DataError;

impl Cid {
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
        Ok(Self::from_checked(&fixed))
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

impl<'de> serde::Deserialize<'de> for Cid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "cid")]
impl TryFrom<&::cid::Cid> for Cid {
    type Error = DataError;

    fn try_from(cid: &::cid::Cid) -> Result<Self, DataError> {
        Self::from_bytes(&cid.to_bytes())
    }
}

#[cfg(feature = "cid")]
impl TryFrom<::cid::Cid> for Cid {
    type Error = DataError;

    fn try_from(cid: ::cid::Cid) -> Result<Self, DataError> {
        Self::try_from(&cid)
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
    use crate::data::cid::Codec;

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

    #[test]
    fn an_error_shows_text_as_text_and_all_else_in_hexadecimal() {
        for (given, shown) in [
            (&b"no CID"[..], "no CID".to_owned()),
            (b"a\nb", "610a62".to_owned()),
            (b"\xff", "ff".to_owned()),
            (&[b'x'; 100], "x".repeat(SHOWN_BYTES)),
        ] {
            let refused = Cid::from_bytes(given).unwrap_err();
            assert!(
                matches!(&refused, DataError::Cid { given, .. } if *given == shown),
                "{refused}"
            );
        }
    }

    #[cfg(feature = "cid")]
    #[test]
    fn converts_to_the_cid_crate_and_back() {
        let ours = Cid::of(Codec::Cbor, b"x");
        let theirs = ::cid::Cid::from(ours);
        assert_eq!(theirs.to_string(), ours.to_string());
        assert_eq!(Cid::try_from(&theirs).unwrap(), ours);
        assert_eq!(Cid::try_from(theirs).unwrap(), ours);
    }
}
