//! The errors of keys, signatures and key files.

use std::error::Error;

use crate::crypto::curve::Curve;

/// The error for a key or a signature that is refused or cannot be created.
///
/// A message contains no part of a secret. It also contains no part of the text given as a key,
/// because that text may be a secret by mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The name of the curve is not one that atproto uses.
    #[error("unknown curve: expected k256 or p256")]
    UnknownCurve,

    /// The text or the bytes are not a valid public key.
    #[error("invalid public key: {reason}")]
    InvalidPublicKey {
        /// The broken rule.
        reason: &'static str,
    },

    /// The text or the bytes are not a valid signing key.
    #[error("invalid signing key: {reason}")]
    InvalidSigningKey {
        /// The broken rule.
        reason: &'static str,
    },

    /// The signature is not 64 bytes. A length of 70 to 72 bytes suggests the DER form, which
    /// atproto forbids.
    #[error("invalid signature: expected 64 bytes, found {length}")]
    SignatureLength {
        /// The number of bytes.
        length: usize,
    },

    /// The value of r or s is zero, or not below the order of the curve.
    #[error("invalid signature: r or s is out of range for {curve}")]
    SignatureRange {
        /// The curve of the key.
        curve: Curve,
    },

    /// The value of s is above half the order of the curve. The signature may be valid ECDSA, but
    /// atproto refuses it.
    #[error("invalid signature: high-S on {curve}, only low-S is allowed")]
    HighS {
        /// The curve of the key.
        curve: Curve,
    },

    /// The signature is well formed, but it does not belong to this message and key.
    #[error("signature does not match the message and the key")]
    Mismatch,

    /// The operating system returned no random bytes.
    #[error("no random bytes from the operating system to generate a key")]
    Random(#[source] Box<dyn Error + Send + Sync>),

    /// A [`Signer`](super::signer::Signer) with an external key could not sign.
    #[error("the signer failed")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
}
