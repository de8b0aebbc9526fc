//! The two curves.

use std::fmt;
use std::str::FromStr;

use super::CryptoError;

/// Names one of the two elliptic curves that atproto keys lie on.
///
/// Accounts may use either, and a reader must support both (atproto spec, Cryptography).
///
/// # Example
///
/// ```
/// use pds::crypto::Curve;
///
/// let curve: Curve = "p256".parse()?;
/// assert_eq!(curve, Curve::P256);
/// assert_eq!(curve.to_string(), "p256");
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256k1, in the spec "k256": what most accounts use.
    K256,
    /// NIST P-256, also called secp256r1, in the spec "p256": what hardware and browsers offer.
    P256,
}

impl Curve {
    /// Returns the short name that the spec uses: `k256` or `p256`.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(pds::crypto::Curve::K256.as_str(), "k256");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::K256 => "k256",
            Self::P256 => "p256",
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Curve {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        match text {
            "k256" => Ok(Self::K256),
            "p256" => Ok(Self::P256),
            _ => Err(CryptoError::UnknownCurve),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for curve in [Curve::K256, Curve::P256] {
            assert_eq!(curve.to_string().parse::<Curve>().unwrap(), curve);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for text in ["", "K256", "secp256k1", "k256 ", "ed25519"] {
            assert!(matches!(text.parse::<Curve>(), Err(CryptoError::UnknownCurve)), "{text:?}");
        }
    }
}
