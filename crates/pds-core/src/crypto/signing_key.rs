//! Signing keys: generating, parsing, writing and using them.

use data_encoding::HEXLOWER_PERMISSIVE;
use k256::ecdsa::signature::Signer as _;
use k256::elliptic_curve::Generate;
use std::fmt;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::crypto::curve::Curve;
use crate::crypto::curve_point::Point;
use crate::crypto::error::CryptoError;
use crate::crypto::multikey;
use crate::crypto::multikey::{Kind, MAX_KEY_LENGTH};
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::crypto::signer::Signer;

/// A signing key with its secret in memory.
///
/// The secret is overwritten when the value is dropped, and `Debug` shows the public key only.
/// [`to_multikey`](Self::to_multikey) is the only function that returns the secret.
///
/// # Example
///
/// ```
/// use pds::crypto::{Curve, Signer, SigningKey};
///
/// let key = SigningKey::generate(Curve::P256)?;
/// let signature = key.sign(b"message")?;
/// key.public_key().verify(b"message", &signature)?;
///
/// let stored = key.to_multikey();
/// assert_eq!(SigningKey::from_multikey(&stored)?.public_key(), key.public_key());
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Secret);

#[derive(Clone)]
enum Secret {
    K256(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl SigningKey {
    /// Generates a key from the randomness of the operating system.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Random`] if the operating system returns no random bytes.
    pub fn generate(curve: Curve) -> Result<Self, CryptoError> {
        let secret = match curve {
            Curve::K256 => k256::ecdsa::SigningKey::try_generate().map(Secret::K256),
            Curve::P256 => p256::ecdsa::SigningKey::try_generate().map(Secret::P256),
        };
        secret.map(Self).map_err(|error| CryptoError::Random(error.into()))
    }

    /// Returns the key with this secret of 32 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidSigningKey`] if there are not exactly 32 bytes, or if their number is
    /// not in 1..n, where n is the order of the curve.
    pub fn from_bytes(curve: Curve, bytes: &[u8]) -> Result<Self, CryptoError> {
        // The curve crates pad shorter secrets with zeros. Here a short secret is an error.
        if bytes.len() != SECRET_LENGTH {
            return Err(invalid("it is not 32 bytes"));
        }
        let secret = match curve {
            Curve::K256 => k256::ecdsa::SigningKey::from_slice(bytes).map(Secret::K256),
            Curve::P256 => p256::ecdsa::SigningKey::from_slice(bytes).map(Secret::P256),
        };
        secret.map(Self).map_err(|_| invalid("it is out of range for the curve"))
    }

    /// Parses a secret multikey: `z` + base58btc of the prefix for the curve and the 32 bytes.
    ///
    /// The atproto spec defines no text form of secret keys. This form corresponds to its public
    /// keys: the multicodec table lists `secp256k1-priv` and `p256-priv` next to the public ones.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidSigningKey`] for another base, an unknown prefix, a public key, a
    /// wrong length, and a secret that is out of range.
    pub fn from_multikey(text: &str) -> Result<Self, CryptoError> {
        let mut buffer = Zeroizing::new([0; MAX_KEY_LENGTH]);
        let bytes = multikey::decode(text, &mut buffer).map_err(invalid)?;
        match multikey::split(bytes) {
            Some((Kind::Secret, curve, secret)) => Self::from_bytes(curve, secret),
            Some((Kind::Public, ..)) => Err(invalid("it is a public key")),
            None => Err(invalid("its prefix is not that of a known kind of key")),
        }
    }

    /// Parses the 32 bytes of a secret as 64 hexadecimal digits of either case.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidSigningKey`] for any other text, and for a secret that is out of
    /// range.
    pub fn from_hex(curve: Curve, text: &str) -> Result<Self, CryptoError> {
        if text.len() != 2 * SECRET_LENGTH {
            return Err(invalid("it is not 64 hexadecimal digits"));
        }
        let mut bytes = Zeroizing::new([0; SECRET_LENGTH]);
        HEXLOWER_PERMISSIVE
            .decode_mut(text.as_bytes(), &mut bytes[..])
            .map_err(|_| invalid("it is not 64 hexadecimal digits"))?;
        Self::from_bytes(curve, &bytes[..])
    }

    /// Parses a key as users paste it: a secret multikey or hexadecimal, with or without white
    /// space around it.
    ///
    /// A multikey starts with `z`, which is not a hexadecimal digit, so the form is unambiguous.
    /// Hexadecimal does not name its curve, so `default_curve` applies.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidSigningKey`], as for [`from_multikey`](Self::from_multikey) and
    /// [`from_hex`](Self::from_hex).
    ///
    /// # Example
    ///
    /// ```
    /// use pds::crypto::{Curve, SigningKey};
    ///
    /// let key = SigningKey::parse(&format!(" {}\n", "0a".repeat(32)), Curve::K256)?;
    /// let again = SigningKey::parse(&key.to_multikey(), Curve::P256)?;
    /// assert_eq!(again.public_key(), key.public_key());
    /// # Ok::<(), pds::crypto::CryptoError>(())
    /// ```
    pub fn parse(text: &str, default_curve: Curve) -> Result<Self, CryptoError> {
        let text = text.trim();
        if text.starts_with('z') {
            Self::from_multikey(text)
        } else {
            Self::from_hex(default_curve, text)
        }
    }

    /// Returns the secret as a multikey, in a string that is overwritten when it is dropped.
    pub fn to_multikey(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 2 + SECRET_LENGTH]);
        let (prefix, secret) = bytes.split_at_mut(2);
        prefix.copy_from_slice(&multikey::prefix(Kind::Secret, self.curve()));
        match &self.0 {
            Secret::K256(key) => secret.copy_from_slice(&Zeroizing::new(key.to_bytes())[..]),
            Secret::P256(key) => secret.copy_from_slice(&Zeroizing::new(key.to_bytes())[..]),
        }
        let mut text = Zeroizing::new(String::new());
        multikey::encode_onto(&mut text, &bytes[..]);
        text
    }

    /// Returns the curve of the key.
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Secret::K256(_) => Curve::K256,
            Secret::P256(_) => Curve::P256,
        }
    }

    /// Returns the key that verifies the signatures of this key.
    pub fn public_key(&self) -> PublicKey {
        match &self.0 {
            Secret::K256(key) => Point::K256(*key.verifying_key()).into(),
            Secret::P256(key) => Point::P256(*key.verifying_key()).into(),
        }
    }
}

/// Signs with ECDSA over SHA-256, with nonces according to RFC 6979, low-S.
///
/// The nonce is derived from the key and the message. A weak random source therefore cannot reveal
/// the secret, and equal commits have equal bytes.
impl Signer for SigningKey {
    fn public_key(&self) -> PublicKey {
        Self::public_key(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        match &self.0 {
            Secret::K256(key) => key.try_sign(message).map(|made| Signature::from_k256(&made)),
            Secret::P256(key) => key.try_sign(message).map(|made| Signature::from_p256(&made)),
        }
        .map_err(|error| CryptoError::Signer(error.into()))
    }

    fn is_sound(&self) -> bool {
        true
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public_key())
    }
}

impl ZeroizeOnDrop for SigningKey {}

// The implementation above is correct only as long as the key types of both curves have this
// marker.
const _: () = {
    const fn overwritten_on_drop<T: ZeroizeOnDrop>() {}
    overwritten_on_drop::<k256::ecdsa::SigningKey>();
    overwritten_on_drop::<p256::ecdsa::SigningKey>();
};

const fn invalid(reason: &'static str) -> CryptoError {
    CryptoError::InvalidSigningKey { reason }
}

const SECRET_LENGTH: usize = 32;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    const CURVES: [Curve; 2] = [Curve::K256, Curve::P256];

    fn reason(result: Result<SigningKey, CryptoError>) -> &'static str {
        match result {
            Err(CryptoError::InvalidSigningKey { reason }) => reason,
            other => panic!("not a refused key: {other:?}"),
        }
    }

    #[test]
    fn texts_round_trip() {
        for curve in CURVES {
            for _ in 0..20 {
                let key = SigningKey::generate(curve).unwrap();
                let text = key.to_multikey();
                let read = SigningKey::from_multikey(&text).unwrap();
                assert_eq!(read.curve(), curve);
                assert_eq!(read.public_key(), key.public_key());
                assert_eq!(read.to_multikey(), text);
                for default in CURVES {
                    let pasted = format!("\t{}\r\n", *text);
                    let parsed = SigningKey::parse(&pasted, default).unwrap();
                    assert_eq!(parsed.to_multikey(), text);
                }
            }
        }
    }

    #[test]
    fn hexadecimal_of_either_case_reads_as_the_bytes() {
        let bytes = [0xa5; 32];
        for curve in CURVES {
            let expected = SigningKey::from_bytes(curve, &bytes).unwrap().to_multikey();
            for text in ["a5".repeat(32), "A5".repeat(32), "a5A5".repeat(16)] {
                assert_eq!(SigningKey::from_hex(curve, &text).unwrap().to_multikey(), expected);
                let parsed = SigningKey::parse(&format!(" {text}\n"), curve).unwrap();
                assert_eq!(parsed.to_multikey(), expected);
            }
        }
    }

    #[test]
    fn secrets_are_from_one_to_the_order() {
        for (curve, order) in [
            (Curve::K256, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
            (Curve::P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        ] {
            let mut bytes = HEXLOWER.decode(order.as_bytes()).unwrap();
            let out_of_range = "it is out of range for the curve";
            assert_eq!(reason(SigningKey::from_bytes(curve, &bytes)), out_of_range);
            assert_eq!(reason(SigningKey::from_bytes(curve, &[0xff; 32])), out_of_range);
            assert_eq!(reason(SigningKey::from_bytes(curve, &[0; 32])), out_of_range);
            bytes[31] -= 1;
            assert!(SigningKey::from_bytes(curve, &bytes).is_ok());
            let one = [&[0; 31][..], &[1]].concat();
            assert!(SigningKey::from_bytes(curve, &one).is_ok());
        }
    }

    #[test]
    fn short_and_long_secrets_are_refused() {
        for curve in CURVES {
            for length in (0..100).filter(|&length| length != 32) {
                let bytes = vec![1; length];
                assert_eq!(reason(SigningKey::from_bytes(curve, &bytes)), "it is not 32 bytes");
                let mut text = String::new();
                let prefix = multikey::prefix(Kind::Secret, curve);
                multikey::encode_onto(&mut text, &[&prefix[..], &bytes].concat());
                assert!(SigningKey::from_multikey(&text).is_err());
            }
        }
    }

    #[test]
    fn a_public_prefix_is_refused_even_before_32_bytes() {
        for curve in CURVES {
            let mut text = String::new();
            let prefix = multikey::prefix(Kind::Public, curve);
            multikey::encode_onto(&mut text, &[&prefix[..], &[1; 32]].concat());
            assert_eq!(reason(SigningKey::from_multikey(&text)), "it is a public key");
        }
    }

    #[test]
    fn texts_that_are_no_key_are_refused() {
        let digits = "a5".repeat(32);
        for text in [
            String::new(),
            "z".to_owned(),
            digits[1..].to_owned(),
            format!("{digits}0"),
            format!("0x{digits}"),
            format!("0x{}", &digits[2..]),
            format!("{} ", &digits[1..]).repeat(2),
            digits.replacen('a', "g", 1),
            digits.replacen("a5", "é", 1),
            SigningKey::generate(Curve::P256).unwrap().public_key().multikey(),
            SigningKey::generate(Curve::P256).unwrap().public_key().did_key(),
        ] {
            assert!(SigningKey::parse(&text, Curve::K256).is_err(), "{text:?}");
        }
    }

    #[test]
    fn neither_debug_nor_errors_show_the_secret() {
        for curve in CURVES {
            let key = SigningKey::from_bytes(curve, &[0xa5; 32]).unwrap();
            let shown = format!("{key:?} {key:#?}");
            assert!(shown.contains(&key.public_key().did_key()));
            for secret in ["a5a5", "165, 165", &key.to_multikey()[1..]] {
                assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{shown}");
            }
        }
        // One wrong character: neither it nor its neighbours are quoted.
        let mistyped = ["a5".repeat(31), "a!".to_owned()].concat();
        let error = SigningKey::parse(&mistyped, Curve::K256).unwrap_err();
        assert_eq!(error.to_string(), "invalid signing key: it is not 64 hexadecimal digits");
        assert!(!format!("{error:?}").contains('!'));

        let key = SigningKey::from_bytes(Curve::K256, &[0xa5; 32]).unwrap();
        let mistyped = format!("{}!", *key.to_multikey());
        let error = SigningKey::parse(&mistyped, Curve::K256).unwrap_err();
        assert!(!format!("{error:?} {error}").contains('!'));
    }
}
