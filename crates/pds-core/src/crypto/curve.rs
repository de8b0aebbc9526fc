//! The two elliptic curves of atproto keys.

use std::fmt;
use std::str::FromStr;

use crate::crypto::error::CryptoError;

/// The name of one of the two elliptic curves of atproto keys.
///
/// An account may use either curve, and a reader must support both (atproto spec, Cryptography).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256k1, named "k256" in the spec: the curve of most accounts.
    K256,
    /// NIST P-256, also called secp256r1, named "p256" in the spec: the curve of hardware and
    /// browsers.
    P256,
}

impl Curve {
    /// Returns the short name in the spec: `k256` or `p256`.
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
