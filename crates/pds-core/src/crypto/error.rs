//! What can go wrong with keys, signatures and key files.

use std::error::Error;

use super::Curve;

/// Says why a key or a signature was refused, or could not be made.
///
/// No message holds any part of a secret, nor of the text that was given as a key: that text may
/// be a secret in the wrong place.
///
/// # Example
///
/// ```
/// use pds::crypto::{CryptoError, PublicKey};
///
/// let error = PublicKey::from_did_key("did:web:example.com").unwrap_err();
/// assert!(matches!(error, CryptoError::InvalidPublicKey { .. }));
/// assert_eq!(error.to_string(), "invalid public key: it does not start with did:key:");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The name is of no curve that atproto uses.
    #[error("unknown curve: expected k256 or p256")]
    UnknownCurve,

    /// The text or the bytes are no public key.
    #[error("invalid public key: {reason}")]
    InvalidPublicKey {
        /// Which rule is broken.
        reason: &'static str,
    },

    /// The text or the bytes are no signing key.
    #[error("invalid signing key: {reason}")]
    InvalidSigningKey {
        /// Which rule is broken.
        reason: &'static str,
    },

    /// The signature is not 64 bytes; 70 to 72 bytes hint at the DER form, which atproto forbids.
    #[error("invalid signature: expected 64 bytes, found {length}")]
    SignatureLength {
        /// How many bytes there are.
        length: usize,
    },

    /// r or s is zero, or not below the order of the curve.
    #[error("invalid signature: r or s is out of range for {curve}")]
    SignatureRange {
        /// The curve of the key.
        curve: Curve,
    },

    /// s is above half the order of the curve. The signature may be good ECDSA; atproto refuses it.
    #[error("invalid signature: high-S on {curve}, only low-S is allowed")]
    HighS {
        /// The curve of the key.
        curve: Curve,
    },

    /// The signature is well formed, but not of this message by this key.
    #[error("signature does not match the message and the key")]
    Mismatch,

    /// The operating system gave no random bytes.
    #[error("no random bytes to make a key from")]
    Random(#[source] Box<dyn Error + Send + Sync>),

    /// A [`Signer`](super::Signer) whose key lives elsewhere could not sign.
    #[error("the signer failed")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
}
