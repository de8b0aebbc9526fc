//! The text of a public key, with a checked form but without the decoded point.

use std::fmt;
use std::str::FromStr;

use crate::crypto::error::CryptoError;
use crate::crypto::multikey;
use crate::crypto::multikey::{Kind, MAX_KEY_LENGTH};
use crate::crypto::public_key::PublicKey;

/// A `did:key`: the text of a public key. Its form is checked; its point is not.
///
/// The rows of a store name many keys, and few of them ever verify a signature. Parsing the text
/// takes a fiftieth of the time that decoding the point takes.
///
/// ```
/// use pds::crypto::{Curve, DidKey, Signer, SigningKey};
///
/// let key = SigningKey::generate(Curve::K256)?.public_key();
/// let text = DidKey::from(&key);
/// assert_eq!(text.to_key()?, key);
/// assert!("did:key:zabc".parse::<DidKey>().is_err());
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DidKey(Box<str>);

impl DidKey {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Decodes the key.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] if the text does not encode a point on its curve.
    pub fn to_key(&self) -> Result<PublicKey, CryptoError> {
        PublicKey::from_did_key(&self.0)
    }

    /// Returns whether this is the text of `key`.
    #[must_use]
    pub fn is(&self, key: &PublicKey) -> bool {
        *self.0 == *key.did_key()
    }
}

impl From<&PublicKey> for DidKey {
    fn from(key: &PublicKey) -> Self {
        Self(key.did_key().into())
    }
}

impl FromStr for DidKey {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        let mut buffer = [0; MAX_KEY_LENGTH];
        let multikey = text.strip_prefix(PREFIX);
        let bytes = multikey.and_then(|text| multikey::decode(text, &mut buffer).ok());
        match bytes.and_then(multikey::split) {
            Some((Kind::Public, _, point)) if point.len() == POINT_BYTES => Ok(Self(text.into())),
            // The parser of keys returns the reason.
            _ => PublicKey::from_did_key(text).map(|key| Self::from(&key)),
        }
    }
}

impl fmt::Display for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DidKey({})", self.0)
    }
}

const PREFIX: &str = "did:key:";

/// The length of a compressed point: a byte for the sign, and one coordinate.
const POINT_BYTES: usize = 33;
