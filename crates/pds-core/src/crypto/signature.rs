//! Signatures: their bytes, and the low-S form.

use k256::elliptic_curve::scalar::IsHigh;
use std::fmt;

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;

/// The 64 bytes of an ECDSA signature: r, then s, each 32 bytes big-endian.
///
/// A signature does not name its curve, and neither does a commit. So any 64 bytes are a
/// `Signature`; [`PublicKey::verify`](super::public_key::PublicKey::verify) decides whether they are valid.
///
/// Other software may make different signatures of one message with one key. Compare signatures by
/// verifying them, not by their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Returns the signature with these bytes. Only their number is checked.
    ///
    /// # Errors
    ///
    /// [`CryptoError::SignatureLength`] if there are not exactly 64. The DER form is longer and
    /// always refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(CryptoError::SignatureLength { length: bytes.len() }),
        }
    }

    /// Returns 64 zero bytes, which are not a valid signature of any key.
    pub(crate) const fn zero() -> Self {
        Self([0; 64])
    }

    /// Returns r and s, as in a commit.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Returns whether this is a low-S signature on the curve: r in 1..n and s in 1..=n/2.
    ///
    /// [`PublicKey::verify`](super::public_key::PublicKey::verify) also checks this. This function is useful if the key
    /// of the signature is unknown.
    pub fn is_low_s(&self, curve: Curve) -> bool {
        match curve {
            Curve::K256 => self.to_low_s_k256().is_ok(),
            Curve::P256 => self.to_low_s_p256().is_ok(),
        }
    }

    /// Returns the low-S form of a high-S signature, to explain why it is refused. Returns `None` for other signatures.
    pub(crate) fn lowered(self, curve: Curve) -> Option<Self> {
        let lowered = match curve {
            Curve::K256 => Self::from_k256(&k256::ecdsa::Signature::from_slice(&self.0).ok()?),
            Curve::P256 => Self::from_p256(&p256::ecdsa::Signature::from_slice(&self.0).ok()?),
        };
        (lowered != self).then_some(lowered)
    }

    /// Converts a signature of the curve crate and makes it low-S.
    pub(crate) fn from_k256(made: &k256::ecdsa::Signature) -> Self {
        Self(made.normalize_s().to_bytes().into())
    }

    /// Converts a signature of the curve crate and makes it low-S: half of those of `p256` are
    /// high-S.
    pub(crate) fn from_p256(made: &p256::ecdsa::Signature) -> Self {
        Self(made.normalize_s().to_bytes().into())
    }

    /// Converts r and s for secp256k1, and refuses high-S.
    pub(crate) fn to_low_s_k256(self) -> Result<k256::ecdsa::Signature, CryptoError> {
        let curve = Curve::K256;
        let read = k256::ecdsa::Signature::from_slice(&self.0)
            .map_err(|_| CryptoError::SignatureRange { curve })?;
        if read.s().is_high().into() { Err(CryptoError::HighS { curve }) } else { Ok(read) }
    }

    /// Converts r and s for P-256, and refuses high-S, which the `p256` crate would accept.
    pub(crate) fn to_low_s_p256(self) -> Result<p256::ecdsa::Signature, CryptoError> {
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
    fn debug_is_hexadecimal() {
        let shown = format!("{:?}", Signature([0xab; 64]));
        assert_eq!(shown, format!("Signature({})", "ab".repeat(64)));
    }
}
