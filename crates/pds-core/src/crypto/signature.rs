//! Signatures, and what makes them.

use std::fmt;
use std::sync::Arc;

use k256::elliptic_curve::scalar::IsHigh;

use super::{CryptoError, Curve, PublicKey};

/// Makes signatures with a key that it may keep to itself.
///
/// [`SigningKey`](super::SigningKey) is the signer whose key is in memory. A key in hardware or in
/// another process is an implementation elsewhere; one that signs asynchronously can be left out
/// altogether, since anything that needs a signature also takes a finished one.
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
    /// Returns the key that verifies what [`sign`](Self::sign) makes.
    fn public_key(&self) -> PublicKey;

    /// Signs the SHA-256 digest of the message.
    ///
    /// The message is whole and not yet hashed. The signature must be low-S on either curve.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Signer`] with the cause, if the key cannot be reached or declines.
    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError>;

    /// Tells whether what it makes is always a valid low-S signature by its key, as what a
    /// [`SigningKey`](super::SigningKey) makes. What any other signer makes is verified before it is used: a service
    /// may have another key than it says, or not know of low-S.
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

/// Holds the 64 bytes of an ECDSA signature: r, then s, each 32 bytes big-endian.
///
/// It does not know its curve, just as a commit does not. So it is any 64 bytes; whether they are
/// a good signature is for [`PublicKey::verify`] to say.
///
/// Signatures of one message by one key need not be equal when other software made them. Compare by
/// verifying, not by bytes.
///
/// # Example
///
/// ```
/// use pds::crypto::{Curve, Signature, Signer, SigningKey};
///
/// let made = SigningKey::generate(Curve::P256)?.sign(b"message")?;
/// assert!(made.is_low_s(Curve::P256));
/// assert_eq!(Signature::from_bytes(made.as_bytes())?, made);
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the bytes of a signature; only their number is checked.
    ///
    /// # Errors
    ///
    /// [`CryptoError::SignatureLength`] unless there are exactly 64. The DER form is longer, and
    /// always refused.
    ///
    /// # Example
    ///
    /// ```
    /// use pds::crypto::Signature;
    ///
    /// assert!(Signature::from_bytes(&[1; 64]).is_ok());
    /// assert!(Signature::from_bytes(&[1; 71]).is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(CryptoError::SignatureLength { length: bytes.len() }),
        }
    }

    /// Returns r and s, as they stand in a commit.
    ///
    /// # Example
    ///
    /// ```
    /// use pds::crypto::Signature;
    ///
    /// assert_eq!(Signature::from_bytes(&[1; 64])?.as_bytes(), &[1; 64]);
    /// # Ok::<(), pds::crypto::CryptoError>(())
    /// ```
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Tells whether this is a low-S signature on the curve: r in 1..n and s in 1..=n/2.
    ///
    /// [`PublicKey::verify`] checks this too; call it to tell apart what is wrong with a signature
    /// whose key is not at hand.
    ///
    /// # Example
    ///
    /// ```
    /// use pds::crypto::{Curve, Signature};
    ///
    /// let mut bytes = [1; 64];
    /// assert!(Signature::from_bytes(&bytes)?.is_low_s(Curve::K256));
    /// bytes[32] = 0x80; // the first byte of s: half of n starts with 0x7f
    /// assert!(!Signature::from_bytes(&bytes)?.is_low_s(Curve::K256));
    /// # Ok::<(), pds::crypto::CryptoError>(())
    /// ```
    pub fn is_low_s(&self, curve: Curve) -> bool {
        match curve {
            Curve::K256 => self.to_low_s_k256().is_ok(),
            Curve::P256 => self.to_low_s_p256().is_ok(),
        }
    }

    /// Keeps what the curve crate made, low-S.
    pub(super) fn from_k256(made: &k256::ecdsa::Signature) -> Self {
        Self(made.normalize_s().to_bytes().into())
    }

    /// Keeps what the curve crate made, low-S: `p256` leaves half of its signatures high.
    pub(super) fn from_p256(made: &p256::ecdsa::Signature) -> Self {
        Self(made.normalize_s().to_bytes().into())
    }

    /// Reads r and s for secp256k1, refusing high-S.
    pub(super) fn to_low_s_k256(self) -> Result<k256::ecdsa::Signature, CryptoError> {
        let curve = Curve::K256;
        let read = k256::ecdsa::Signature::from_slice(&self.0)
            .map_err(|_| CryptoError::SignatureRange { curve })?;
        if read.s().is_high().into() { Err(CryptoError::HighS { curve }) } else { Ok(read) }
    }

    /// Reads r and s for P-256, refusing high-S, which the `p256` crate would let pass.
    pub(super) fn to_low_s_p256(self) -> Result<p256::ecdsa::Signature, CryptoError> {
        let curve = Curve::P256;
        let read = p256::ecdsa::Signature::from_slice(&self.0)
            .map_err(|_| CryptoError::SignatureRange { curve })?;
        if read.s().is_high().into() { Err(CryptoError::HighS { curve }) } else { Ok(read) }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    const CURVES: [Curve; 2] = [Curve::K256, Curve::P256];

    /// A signature with r = 1 and the given s.
    fn with_s(s_hex: &str) -> Signature {
        let mut bytes = [0; 64];
        bytes[31] = 1;
        bytes[32..].copy_from_slice(&HEXLOWER.decode(s_hex.as_bytes()).unwrap());
        Signature::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn only_64_bytes_are_a_signature() {
        for length in (0..200).filter(|&length| length != 64) {
            assert!(matches!(
                Signature::from_bytes(&vec![1; length]),
                Err(CryptoError::SignatureLength { length: found }) if found == length
            ));
        }
        assert!(Signature::from_bytes(&[1; 64]).is_ok());
    }

    #[test]
    fn low_s_ends_at_half_the_order() {
        // n/2 rounded down, from SEC 2 sections 2.4.1 and 2.4.2.
        let k256 = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
        assert!(with_s(k256).is_low_s(Curve::K256));
        assert!(!with_s(&k256.replace("20a0", "20a1")).is_low_s(Curve::K256));

        let p256 = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
        assert!(with_s(p256).is_low_s(Curve::P256));
        assert!(!with_s(&p256.replace("92a8", "92a9")).is_low_s(Curve::P256));
    }

    #[test]
    fn zero_is_no_low_s() {
        for curve in CURVES {
            assert!(!with_s(&"0".repeat(64)).is_low_s(curve));
            assert!(!Signature([0; 64]).is_low_s(curve));
        }
    }

    #[test]
    fn signers_can_be_lent_boxed_and_shared() {
        fn takes_any(signer: impl Signer) -> PublicKey {
            signer.public_key()
        }
        let key = crate::crypto::SigningKey::generate(Curve::K256).unwrap();
        let shared: Arc<dyn Signer> = Arc::new(key.clone());
        let boxed: Box<dyn Signer> = Box::new(key.clone());
        assert_eq!(takes_any(&key), takes_any(&shared));
        assert_eq!(takes_any(shared), takes_any(boxed));
    }

    #[test]
    fn debug_is_hexadecimal() {
        let shown = format!("{:?}", Signature([0xab; 64]));
        assert_eq!(shown, format!("Signature({})", "ab".repeat(64)));
    }
}
