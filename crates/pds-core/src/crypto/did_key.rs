//! The text of a public key, checked for its form.

use std::fmt;
use std::str::FromStr;

use super::multikey::{self, Kind, MAX_KEY_LENGTH};
use super::{CryptoError, PublicKey};

/// A `did:key`: the text of a public key, whose form is checked and whose point is not.
///
/// Rows of a store name many keys, and few of them are ever verified with: reading the text takes a
/// fiftieth of the time that the point takes.
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

    /// Reads the key.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the text names no point of its curve.
    pub fn to_key(&self) -> Result<PublicKey, CryptoError> {
        PublicKey::from_did_key(&self.0)
    }

    /// Tells whether this is the text of a key.
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
            // The reader of keys names the reason.
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

/// A compressed point: a byte for the sign, and one coordinate.
const POINT_BYTES: usize = 33;
