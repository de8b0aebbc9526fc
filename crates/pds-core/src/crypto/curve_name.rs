//! Curves parsed from their names.

use std::str::FromStr;

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;

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
