//! The trait of signers: the sources of signatures by one key.

use std::sync::Arc;

use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;

/// A source of signatures by one key, which the signer need not reveal.
///
/// [`SigningKey`](super::signing_key::SigningKey) is the signer with a key in memory. A key in hardware or in
/// another process needs its own implementation. An asynchronous signer does not have to implement
/// this trait: every function that needs a signature also accepts a finished one.
///
/// # Example
///
/// ```
/// use pds::crypto::{CryptoError, PublicKey, Signature, Signer, SigningKey};
///
/// /// Asks before it signs.
/// struct Confirming<S>(S, fn(&[u8]) -> bool);
///
/// impl<S: Signer> Signer for Confirming<S> {
///     fn public_key(&self) -> PublicKey {
///         self.0.public_key()
///     }
///     fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
///         if !(self.1)(message) {
///             return Err(CryptoError::Signer("declined".into()));
///         }
///         self.0.sign(message)
///     }
/// }
///
/// let key = SigningKey::generate(pds::crypto::Curve::P256)?;
/// let signer = Confirming(&key, |message| message.len() < 1_000);
/// assert!(signer.sign(b"short").is_ok());
/// # Ok::<(), CryptoError>(())
/// ```
pub trait Signer: Send + Sync {
    /// Returns the key that verifies the signatures of [`sign`](Self::sign).
    fn public_key(&self) -> PublicKey;

    /// Signs the SHA-256 digest of the message.
    ///
    /// The message is whole and not yet hashed. The signature must be low-S on both curves.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Signer`] with the cause, if the key is not available or the signer refuses.
    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError>;

    /// Returns whether every signature is guaranteed to be valid, low-S and by this key, as those
    /// of a [`SigningKey`](super::signing_key::SigningKey) are. The signatures of all other signers are verified
    /// before use: a service may use a key other than the one it claims, or not support low-S.
    fn is_sound(&self) -> bool {
        false
    }
}

impl<S: Signer + ?Sized> Signer for &S {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        (**self).sign(message)
    }

    fn is_sound(&self) -> bool {
        (**self).is_sound()
    }
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        (**self).sign(message)
    }

    fn is_sound(&self) -> bool {
        (**self).is_sound()
    }
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        (**self).sign(message)
    }

    fn is_sound(&self) -> bool {
        (**self).is_sound()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::curve::Curve;
    use crate::crypto::signing_key::SigningKey;

    #[test]
    fn signers_can_be_lent_boxed_and_shared() {
        fn takes_any(signer: impl Signer) -> PublicKey {
            signer.public_key()
        }
        let key = SigningKey::generate(Curve::K256).unwrap();
        let shared: Arc<dyn Signer> = Arc::new(key.clone());
        let boxed: Box<dyn Signer> = Box::new(key.clone());
        assert_eq!(takes_any(&key), takes_any(&shared));
        assert_eq!(takes_any(shared), takes_any(boxed));
    }
}
