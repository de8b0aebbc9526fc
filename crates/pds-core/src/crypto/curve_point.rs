//! Points on either curve: the value of a public key, without its text form.

use k256::ecdsa::signature::Verifier;
use std::hash::{Hash, Hasher};

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;
use crate::crypto::signature::Signature;

/// A point that was checked to be on its curve and is never the point at infinity.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Point {
    K256(k256::ecdsa::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl Point {
    /// Parses the compressed or the uncompressed form of SEC 1. The error is the reason text of the
    /// key error.
    pub(crate) fn from_sec1(curve: Curve, bytes: &[u8]) -> Result<Self, &'static str> {
        // The curve crates also accept the "compact" form (33 bytes, first byte 5), which
        // determines y by convention. It would be a second text of the same key.
        match (bytes.len(), bytes.first()) {
            (COMPRESSED_LENGTH, Some(2 | 3)) | (UNCOMPRESSED_LENGTH, Some(4)) => {}
            (COMPRESSED_LENGTH | UNCOMPRESSED_LENGTH, _) => {
                return Err("its first byte is not that of a point");
            }
            _ => return Err("it has the wrong length"),
        }
        let point = match curve {
            Curve::K256 => k256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(Self::K256),
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(Self::P256),
        };
        point.map_err(|_| "it is not a point on the curve")
    }

    pub(crate) const fn curve(&self) -> Curve {
        match self {
            Self::K256(_) => Curve::K256,
            Self::P256(_) => Curve::P256,
        }
    }

    /// Returns the compressed form of SEC 1.
    pub(crate) fn to_sec1(&self) -> [u8; COMPRESSED_LENGTH] {
        match self {
            Self::K256(key) => k256::CompressedPoint::from(key).into(),
            Self::P256(key) => p256::CompressedPoint::from(key).into(),
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        match self {
            Self::K256(key) => key.verify(message, &signature.to_low_s_k256()?),
            Self::P256(key) => key.verify(message, &signature.to_low_s_p256()?),
        }
        .map_err(|_| CryptoError::Mismatch)
    }

    #[cfg(test)]
    pub(crate) fn to_uncompressed(&self) -> Vec<u8> {
        match self {
            Self::K256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Self::P256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
        }
    }
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.curve(), self.to_sec1()).hash(state);
    }
}

pub(crate) const COMPRESSED_LENGTH: usize = 33;
const UNCOMPRESSED_LENGTH: usize = 65;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn points() -> [Point; 2] {
        let secret = [0xa5; 32];
        [
            Point::K256(*k256::ecdsa::SigningKey::from_slice(&secret).unwrap().verifying_key()),
            Point::P256(*p256::ecdsa::SigningKey::from_slice(&secret).unwrap().verifying_key()),
        ]
    }

    #[test]
    fn points_in_other_forms_are_refused() {
        for point in points() {
            let curve = point.curve();
            let (short, long) = (point.to_sec1(), point.to_uncompressed());
            for tag in (0..=255).filter(|tag| ![2, 3].contains(tag)) {
                let bytes = [&[tag], &short[1..]].concat();
                assert!(Point::from_sec1(curve, &bytes).is_err(), "{tag} short");
            }
            // The tags 6 and 7 are the hybrid form, which some other software accepts.
            for tag in (0..=255).filter(|&tag| tag != 4) {
                let bytes = [&[tag], &long[1..]].concat();
                assert!(Point::from_sec1(curve, &bytes).is_err(), "{tag} long");
            }
            for bytes in [&[][..], &[0], &short[..32], &short[1..], &long[..64], &long[1..]] {
                assert!(Point::from_sec1(curve, bytes).is_err(), "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        for point in points() {
            let mut bytes = point.to_uncompressed();
            bytes[64] ^= 1;
            assert!(Point::from_sec1(point.curve(), &bytes).is_err());
        }
        // No point of secp256k1 has x = 5, and no point of P-256 has x = 1.
        let with_x = |x| [&[2][..], &[0; 31], &[x]].concat();
        assert!(Point::from_sec1(Curve::K256, &with_x(5)).is_err());
        assert!(Point::from_sec1(Curve::K256, &with_x(1)).is_ok());
        assert!(Point::from_sec1(Curve::P256, &with_x(1)).is_err());
        assert!(Point::from_sec1(Curve::P256, &with_x(5)).is_ok());
    }

    #[test]
    fn coordinates_are_below_the_field_prime() {
        // The primes plus an x that is valid by itself: the same point modulo p, in other bytes.
        for (curve, x, p_plus_x) in [
            (Curve::K256, 1, "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30"),
            (Curve::P256, 5, "ffffffff00000001000000000000000000000001000000000000000000000004"),
        ] {
            let good = [&[2][..], &[0; 31], &[x]].concat();
            assert!(Point::from_sec1(curve, &good).is_ok());
            let bad = [&[2][..], &HEXLOWER.decode(p_plus_x.as_bytes()).unwrap()].concat();
            assert!(Point::from_sec1(curve, &bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_decoded_point_is_encoded_back(x in prop::array::uniform32(any::<u8>()), odd: bool) {
            let bytes = [&[2 + u8::from(odd)][..], &x].concat();
            for curve in [Curve::K256, Curve::P256] {
                if let Ok(point) = Point::from_sec1(curve, &bytes) {
                    prop_assert_eq!(&point.to_sec1()[..], &bytes);
                    let long = point.to_uncompressed();
                    prop_assert!(Point::from_sec1(curve, &long).unwrap() == point);
                }
            }
        }
    }
}
