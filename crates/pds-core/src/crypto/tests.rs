//! Tests of signing and verifying together, on both curves.

#![allow(clippy::unwrap_used)]

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::crypto::signer::Signer;
use crate::crypto::signing_key::SigningKey;

const CURVES: [Curve; 2] = [Curve::K256, Curve::P256];

/// The orders of the curves, from SEC 2 sections 2.4.1 and 2.4.2.
const ORDERS: [&str; 2] = [
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
];

/// Returns the other signature of the same message: (r, n - s).
fn flip_s(curve: Curve, signature: &Signature) -> Signature {
    let bytes = signature.as_bytes();
    let flipped: [u8; 64] = match curve {
        Curve::K256 => {
            let read = k256::ecdsa::Signature::from_slice(bytes).unwrap();
            k256::ecdsa::Signature::from_scalars(read.r(), -read.s()).unwrap().to_bytes().into()
        }
        Curve::P256 => {
            let read = p256::ecdsa::Signature::from_slice(bytes).unwrap();
            p256::ecdsa::Signature::from_scalars(read.r(), -read.s()).unwrap().to_bytes().into()
        }
    };
    Signature::from_bytes(&flipped).unwrap()
}

fn from_halves(r: &[u8], s: &[u8]) -> Signature {
    Signature::from_bytes(&[r, s].concat()).unwrap()
}

#[test]
fn signatures_verify_and_are_always_low_s() {
    for curve in CURVES {
        let key = SigningKey::generate(curve).unwrap();
        for number in 0..150_u32 {
            let message = number.to_be_bytes();
            let signature = key.sign(&message).unwrap();
            assert!(signature.is_low_s(curve));
            key.public_key().verify(&message, &signature).unwrap();
        }
    }
}

#[test]
fn signatures_are_deterministic() {
    for curve in CURVES {
        let key = SigningKey::generate(curve).unwrap();
        let again = SigningKey::from_multikey(&key.to_multikey()).unwrap();
        for message in [&b""[..], b"a", &[0; 1000]] {
            let signature = key.sign(message).unwrap();
            assert_eq!(key.sign(message).unwrap(), signature);
            assert_eq!(again.sign(message).unwrap(), signature);
            assert_ne!(key.sign(b"other").unwrap(), signature);
        }
    }
}

#[test]
fn p256_signatures_are_those_of_rfc_6979_made_low() {
    // Appendix A.2.5 with SHA-256. The s of "sample" is high there; n - s is used here.
    let secret = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    let key = SigningKey::from_hex(Curve::P256, secret).unwrap();
    for (message, expected) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        let signature = key.sign(message.as_bytes()).unwrap();
        assert_eq!(HEXLOWER.encode(signature.as_bytes()), expected);
    }
}

#[test]
fn high_s_is_refused_although_it_would_match() {
    for curve in CURVES {
        let key = SigningKey::generate(curve).unwrap();
        for number in 0..20_u8 {
            let signature = key.sign(&[number]).unwrap();
            let high = flip_s(curve, &signature);
            assert!(!high.is_low_s(curve));
            let refused = key.public_key().verify(&[number], &high);
            assert!(matches!(refused, Err(CryptoError::HighS { curve: at }) if at == curve));
            assert_eq!(flip_s(curve, &high), signature);
        }
    }
}

#[test]
fn tampering_is_a_mismatch() {
    for curve in CURVES {
        let key = SigningKey::generate(curve).unwrap();
        let public = key.public_key();
        let message = b"a message of some length".to_vec();
        let signature = key.sign(&message).unwrap();
        for at in 0..message.len() {
            let mut tampered = message.clone();
            tampered[at] ^= 1;
            let refused = public.verify(&tampered, &signature);
            assert!(matches!(refused, Err(CryptoError::Mismatch)));
        }
        for at in 0..64 {
            let mut bytes = *signature.as_bytes();
            bytes[at] ^= 1;
            let tampered = Signature::from_bytes(&bytes).unwrap();
            assert!(public.verify(&message, &tampered).is_err());
        }
        let other = SigningKey::generate(curve).unwrap().public_key();
        assert!(matches!(other.verify(&message, &signature), Err(CryptoError::Mismatch)));
    }
}

#[test]
fn a_digest_is_not_a_message() {
    // SHA-256 of the empty message. Signing it again would be a double hash.
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let digest = HEXLOWER.decode(digest.as_bytes()).unwrap();
    for curve in CURVES {
        let key = SigningKey::generate(curve).unwrap();
        let signature = key.sign(&digest).unwrap();
        assert!(key.public_key().verify(b"", &signature).is_err());
    }
}

#[test]
fn r_and_s_out_of_range_are_refused() {
    for (curve, order) in CURVES.into_iter().zip(ORDERS) {
        let key = SigningKey::generate(curve).unwrap();
        let signature = key.sign(b"message").unwrap();
        let (r, s) = signature.as_bytes().split_at(32);
        let order = HEXLOWER.decode(order.as_bytes()).unwrap();
        let zero = [0; 32];
        for bad in [
            from_halves(&zero, s),
            from_halves(r, &zero),
            from_halves(&zero, &zero),
            from_halves(&order, s),
            from_halves(r, &order),
            from_halves(&[0xff; 32], s),
            from_halves(r, &[0xff; 32]),
        ] {
            let refused = key.public_key().verify(b"message", &bad);
            assert!(
                matches!(refused, Err(CryptoError::SignatureRange { curve: at }) if at == curve),
                "{bad:?}: {refused:?}"
            );
            assert!(!bad.is_low_s(curve));
        }

        // One below the order is in range.
        let mut last = order.clone();
        last[31] -= 1;
        let refused = key.public_key().verify(b"message", &from_halves(&last, s));
        assert!(matches!(refused, Err(CryptoError::Mismatch)));
        let refused = key.public_key().verify(b"message", &from_halves(r, &last));
        assert!(matches!(refused, Err(CryptoError::HighS { .. })));
    }
}

#[test]
fn keys_of_the_two_curves_are_not_interchangeable() {
    let secret = [7; 32];
    let [k256, p256] = CURVES.map(|curve| SigningKey::from_bytes(curve, &secret).unwrap());
    assert_ne!(k256.public_key(), p256.public_key());
    assert_ne!(k256.to_multikey(), p256.to_multikey());
    let signature = k256.sign(b"message").unwrap();
    assert!(p256.public_key().verify(b"message", &signature).is_err());
}

#[test]
fn keys_and_signatures_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<SigningKey>();
    crosses::<PublicKey>();
    crosses::<Signature>();
    crosses::<CryptoError>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_key_verifies_its_own_signatures(
        secret in prop::array::uniform32(1_u8..0xff),
        message in prop::collection::vec(any::<u8>(), 0..300),
        k256: bool,
    ) {
        let curve = if k256 { Curve::K256 } else { Curve::P256 };
        let key = SigningKey::from_bytes(curve, &secret).unwrap();
        let signature = key.sign(&message).unwrap();
        prop_assert!(key.public_key().verify(&message, &signature).is_ok());
    }

    #[test]
    fn no_signature_panics(bytes in prop::collection::vec(any::<u8>(), 64), k256: bool) {
        let curve = if k256 { Curve::K256 } else { Curve::P256 };
        let public = SigningKey::from_bytes(curve, &[7; 32]).unwrap().public_key();
        let signature = Signature::from_bytes(&bytes).unwrap();
        prop_assert!(public.verify(b"message", &signature).is_err());
    }
}
