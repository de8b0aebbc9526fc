//! Public keys: parsing, writing, and verifying signatures.

use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

use crate::crypto::curve::Curve;
use crate::crypto::curve_point::{COMPRESSED_LENGTH, Point};
use crate::crypto::error::CryptoError;
use crate::crypto::multikey;
use crate::crypto::multikey::{Kind, MAX_KEY_LENGTH};
use crate::crypto::signature::Signature;

/// A public key: a point on one of the two curves, which verifies signatures.
///
/// Parsing a key costs a few microseconds (a square root). Verifying does not repeat that cost, so
/// keep the value and use it again. A key displays as its `did:key`, and parses with or without `did:key:`.
///
/// # Example
///
/// ```
/// use pds::crypto::{Curve, PublicKey};
///
/// // An account's `verificationMethod` of the type `Multikey` has this text:
/// let key = PublicKey::from_multikey("zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF")?;
/// assert_eq!(key.curve(), Curve::K256);
///
/// let same: PublicKey = "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF".parse()?;
/// assert_eq!(key, same);
/// # Ok::<(), pds::crypto::CryptoError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(Point);

impl PublicKey {
    /// Parses a `did:key`: exactly `did:key:` and a multikey.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidPublicKey`] if the text does not start with `did:key:`, or if
    /// [`from_multikey`] refuses the rest.
    ///
    /// [`from_multikey`]: Self::from_multikey
    pub fn from_did_key(text: &str) -> Result<Self, CryptoError> {
        let multikey =
            text.strip_prefix(DID_KEY).ok_or_else(|| invalid("it does not start with did:key:"))?;
        Self::from_multikey(multikey)
    }

    /// Parses a multikey: `z` + base58btc of the prefix for the curve and the compressed point.
    ///
    /// This is the form of `publicKeyMultibase` if the `type` is `Multikey` (atproto spec,
    /// Cryptography and DID). For the older types see
    /// [`from_legacy_multibase`](Self::from_legacy_multibase).
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidPublicKey`] for another base, an unknown prefix, a wrong length, and a
    /// point that is not on the curve.
    pub fn from_multikey(text: &str) -> Result<Self, CryptoError> {
        // Overwritten, because the text may be a secret key by mistake.
        let mut buffer = Zeroizing::new([0; MAX_KEY_LENGTH]);
        let bytes = multikey::decode(text, &mut buffer).map_err(invalid)?;
        match multikey::split(bytes) {
            Some((Kind::Public, curve, point)) if point.len() == COMPRESSED_LENGTH => {
                Self::from_sec1(curve, point)
            }
            Some((Kind::Public, ..)) => Err(invalid("it has the wrong length")),
            Some((Kind::Secret, ..)) => Err(invalid("it is a signing key, which is secret")),
            None => Err(invalid("its prefix is not that of a known kind of key")),
        }
    }

    /// Parses a curve point in the form of SEC 1: 33 bytes compressed, or 65 bytes uncompressed.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidPublicKey`] for another length, a first byte other than 2, 3 (33
    /// bytes) or 4 (65 bytes), and a point that is not on the curve.
    pub fn from_sec1(curve: Curve, bytes: &[u8]) -> Result<Self, CryptoError> {
        Point::from_sec1(curve, bytes).map(Self).map_err(invalid)
    }

    /// Parses the legacy form: `z` + base58btc of the point alone. The document names the curve.
    ///
    /// This is the form of `publicKeyMultibase` if the `type` is
    /// `EcdsaSecp256k1VerificationKey2019` or `EcdsaSecp256r1VerificationKey2019` (atproto spec,
    /// DID, legacy representation). Documents contain the uncompressed point and test vectors the
    /// compressed one; both are accepted.
    ///
    /// # Errors
    ///
    /// [`CryptoError::InvalidPublicKey`] for another base and for all bytes that
    /// [`from_sec1`](Self::from_sec1) refuses, a multikey included.
    ///
    /// # Example
    ///
    /// ```
    /// use pds::crypto::{Curve, PublicKey};
    ///
    /// let old = "z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t";
    /// let key = PublicKey::from_legacy_multibase(Curve::K256, old)?;
    /// assert_eq!(key.multikey(), "zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc");
    /// # Ok::<(), pds::crypto::CryptoError>(())
    /// ```
    pub fn from_legacy_multibase(curve: Curve, text: &str) -> Result<Self, CryptoError> {
        let mut buffer = Zeroizing::new([0; MAX_KEY_LENGTH]);
        let point = multikey::decode(text, &mut buffer).map_err(invalid)?;
        Self::from_sec1(curve, point)
    }

    /// Returns the curve of the key.
    pub const fn curve(&self) -> Curve {
        self.0.curve()
    }

    /// Returns the key as a `did:key`.
    pub fn did_key(&self) -> String {
        let mut text = DID_KEY.to_owned();
        self.encode_onto(&mut text);
        text
    }

    /// Returns the key as a multikey: the `did:key` without its prefix `did:key:`.
    pub fn multikey(&self) -> String {
        let mut text = String::new();
        self.encode_onto(&mut text);
        text
    }

    /// Returns the compressed point in the form of SEC 1.
    pub fn to_sec1(&self) -> [u8; 33] {
        self.0.to_sec1()
    }

    /// Verifies that the signature is of this message and by this key, in the one form that atproto
    /// allows.
    ///
    /// The message is the signed bytes, not their digest. For a commit these are its DAG-CBOR
    /// without `sig` (atproto spec, Repository, "Commit Objects").
    ///
    /// # Errors
    ///
    /// Checked in this order:
    /// - [`CryptoError::SignatureRange`] if r or s is not in 1..n;
    /// - [`CryptoError::HighS`] if s is above n/2, even if the signature would match;
    /// - [`CryptoError::Mismatch`] if the signature is of another message or by another key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        self.0.verify(message, signature)
    }

    fn encode_onto(&self, text: &mut String) {
        let prefix = multikey::prefix(Kind::Public, self.curve());
        multikey::encode_onto(text, &[&prefix[..], &self.to_sec1()].concat());
    }
}

impl From<Point> for PublicKey {
    fn from(point: Point) -> Self {
        Self(point)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.did_key())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.did_key())
    }
}

impl FromStr for PublicKey {
    type Err = CryptoError;

    /// Parses a `did:key`, or the multikey alone.
    fn from_str(text: &str) -> Result<Self, CryptoError> {
        if text.starts_with('z') { Self::from_multikey(text) } else { Self::from_did_key(text) }
    }
}

const fn invalid(reason: &'static str) -> CryptoError {
    CryptoError::InvalidPublicKey { reason }
}

const DID_KEY: &str = "did:key:";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashSet;

    use super::*;

    const K256_TEXT: &str = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";
    const P256_TEXT: &str = "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo";

    fn multibase(bytes: &[u8]) -> String {
        let mut text = String::new();
        multikey::encode_onto(&mut text, bytes);
        text
    }

    #[test]
    fn every_form_reads_back_as_the_same_key() {
        for (text, curve) in [(K256_TEXT, Curve::K256), (P256_TEXT, Curve::P256)] {
            let key = PublicKey::from_did_key(text).unwrap();
            assert_eq!(key.curve(), curve);
            assert_eq!(key.did_key(), text);
            assert_eq!(key.to_string(), text);
            assert_eq!(format!("did:key:{}", key.multikey()), text);
            assert_eq!(format!("{key:?}"), format!("PublicKey({text})"));

            let others = [
                text.parse().unwrap(),
                key.multikey().parse().unwrap(),
                PublicKey::from_multikey(&key.multikey()).unwrap(),
                PublicKey::from_sec1(curve, &key.to_sec1()).unwrap(),
                PublicKey::from_sec1(curve, &key.0.to_uncompressed()).unwrap(),
                PublicKey::from_legacy_multibase(curve, &multibase(&key.to_sec1())).unwrap(),
                PublicKey::from_legacy_multibase(curve, &multibase(&key.0.to_uncompressed()))
                    .unwrap(),
            ];
            assert_eq!(HashSet::from(others), HashSet::from([key]));
        }
    }

    #[test]
    fn every_change_of_one_character_is_refused_or_another_key() {
        for text in [K256_TEXT, P256_TEXT] {
            let key = PublicKey::from_did_key(text).unwrap();
            let mut others = 0;
            for at in 0..text.len() {
                for character in (0..128).map(char::from).filter(|&c| !text[at..].starts_with(c)) {
                    let mut changed = text.to_owned();
                    changed.replace_range(at..=at, character.encode_utf8(&mut [0; 4]));
                    if let Ok(other) = PublicKey::from_did_key(&changed) {
                        assert_ne!(other, key, "{changed:?}");
                        assert_eq!(other.did_key(), changed);
                        others += 1;
                    }
                }
            }
            assert!(others > 100, "a did:key has no checksum, so many changes are keys");
        }
    }

    #[test]
    fn texts_around_a_did_key_are_refused() {
        let multikey = &K256_TEXT[DID_KEY.len()..];
        for text in [
            String::new(),
            DID_KEY.to_owned(),
            multikey.to_owned(),
            format!(" {K256_TEXT}"),
            format!("{K256_TEXT}\n"),
            format!("{K256_TEXT}#{multikey}"),
            format!("DID:KEY:{multikey}"),
            format!("did:key:1{multikey}"),
            format!("did:key:z1{}", &multikey[1..]),
            format!("{K256_TEXT}1"),
        ] {
            assert!(PublicKey::from_did_key(&text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn multikeys_need_the_right_prefix_and_length() {
        let key = PublicKey::from_did_key(P256_TEXT).unwrap();
        let good = [&[0x80, 0x24][..], &key.to_sec1()].concat();
        assert_eq!(PublicKey::from_multikey(&multibase(&good)).unwrap(), key);

        let trailing = [&good[..], &[0]].concat();
        let prefixed_uncompressed = [&good[..2], &key.0.to_uncompressed()].concat();
        for bytes in [&good[..34], &good[..2], &good[..1], &good[2..], &trailing] {
            assert!(PublicKey::from_multikey(&multibase(bytes)).is_err(), "{bytes:02x?}");
        }
        assert!(PublicKey::from_multikey(&multibase(&prefixed_uncompressed)).is_err());

        for prefix in [[0xed, 0x01], [0x80, 0x25], [0x81, 0x24], [0x00, 0x24], [0x81, 0x26]] {
            let bytes = [&prefix[..], &good[2..]].concat();
            assert!(PublicKey::from_multikey(&multibase(&bytes)).is_err(), "{prefix:02x?}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_public_key_is_named_but_not_quoted() {
        let secret =
            crate::crypto::signing_key::SigningKey::generate(Curve::P256).unwrap().to_multikey();
        let error = PublicKey::from_multikey(&secret).unwrap_err();
        assert_eq!(error.to_string(), "invalid public key: it is a signing key, which is secret");
        assert!(!format!("{error:?}").contains(&secret[1..]));
    }

    proptest! {
        #[test]
        fn a_parsed_key_is_written_back(text in "z(Q3s|Dn)[1-9A-HJ-NP-Za-km-z]{44,46}") {
            if let Ok(key) = PublicKey::from_multikey(&text) {
                prop_assert_eq!(key.multikey(), text);
            }
        }

        #[test]
        fn no_text_panics(text: String, bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            let _ = PublicKey::from_did_key(&text);
            let _ = PublicKey::from_multikey(&format!("z{text}"));
            let _ = PublicKey::from_multikey(&multibase(&bytes));
            let _ = PublicKey::from_legacy_multibase(Curve::P256, &multibase(&bytes));
        }
    }
}
