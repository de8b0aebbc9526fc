//! The text form of keys: multibase base58btc of a multicodec prefix and the key.
//!
//! Decoding base58 takes quadratic time, so the length of a text is checked first. Base58 is a
//! bijection between texts and byte strings, so strict decoding makes key texts unique.

use crate::crypto::curve::Curve;

/// The length of the longest key: an uncompressed point, in the legacy form.
pub(crate) const MAX_KEY_LENGTH: usize = 65;

/// The kind of key that a multicodec prefix names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A compressed point, which verifies.
    Public,
    /// A scalar, which signs.
    Secret,
}

/// Decodes `z` + base58btc into `buffer`, and returns the filled part.
///
/// The caller provides the buffer, so that it can be one that is overwritten afterwards. The error
/// is the reason text of the two key errors.
pub(crate) fn decode<'b>(
    text: &str,
    buffer: &'b mut [u8; MAX_KEY_LENGTH],
) -> Result<&'b [u8], &'static str> {
    if text.len() > MAX_TEXT_LENGTH {
        return Err(TOO_LONG);
    }
    let digits = text.strip_prefix('z').ok_or("it is not multibase base58btc (z...)")?;
    match bs58::decode(digits).onto(&mut buffer[..]) {
        Ok(length) => Ok(&buffer[..length]),
        Err(bs58::decode::Error::BufferTooSmall) => Err(TOO_LONG),
        // The error of bs58 quotes the character, which may be part of a secret.
        Err(_) => Err("it contains a character that is not base58btc"),
    }
}

/// Appends `z` + base58btc of the bytes to the text.
pub(crate) fn encode_onto(text: &mut String, bytes: &[u8]) {
    // The full capacity: a string that grows would leave copies of a secret behind.
    text.reserve_exact(MAX_TEXT_LENGTH);
    text.push('z');
    bs58::encode(bytes).onto(text).expect("a String grows as needed");
}

/// Returns the multicodec prefix of a kind of key on a curve, a varint of two bytes.
pub(crate) const fn prefix(kind: Kind, curve: Curve) -> [u8; 2] {
    match (kind, curve) {
        (Kind::Public, Curve::K256) => K256_PUBLIC,
        (Kind::Public, Curve::P256) => P256_PUBLIC,
        (Kind::Secret, Curve::K256) => K256_SECRET,
        (Kind::Secret, Curve::P256) => P256_SECRET,
    }
}

/// Splits off the prefix, or returns `None` if it is not one of the four.
pub(crate) fn split(bytes: &[u8]) -> Option<(Kind, Curve, &[u8])> {
    let (prefix, key) = bytes.split_first_chunk()?;
    let (kind, curve) = match *prefix {
        K256_PUBLIC => (Kind::Public, Curve::K256),
        P256_PUBLIC => (Kind::Public, Curve::P256),
        K256_SECRET => (Kind::Secret, Curve::K256),
        P256_SECRET => (Kind::Secret, Curve::P256),
        _ => return None,
    };
    Some((kind, curve, key))
}

/// A limit above every valid key: 65 bytes take 90 characters.
const MAX_TEXT_LENGTH: usize = 128;
const TOO_LONG: &str = "it is too long";

// Multicodec names: secp256k1-pub 0xe7, p256-pub 0x1200, secp256k1-priv 0x1301, p256-priv 0x1306.
const K256_PUBLIC: [u8; 2] = [0xe7, 0x01];
const P256_PUBLIC: [u8; 2] = [0x80, 0x24];
const K256_SECRET: [u8; 2] = [0x81, 0x26];
const P256_SECRET: [u8; 2] = [0x86, 0x26];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_the_varints_of_the_multicodec_table() {
        for (kind, curve, code) in [
            (Kind::Public, Curve::K256, 0xe7_u16),
            (Kind::Public, Curve::P256, 0x1200),
            (Kind::Secret, Curve::K256, 0x1301),
            (Kind::Secret, Curve::P256, 0x1306),
        ] {
            let [low, high] = prefix(kind, curve);
            assert_eq!(low & 0x80, 0x80);
            assert_eq!(u16::from(low & 0x7f) | u16::from(high) << 7, code);
            assert_eq!(split(&[low, high, 9]), Some((kind, curve, &[9_u8][..])));
        }
        assert_eq!(split(&[0xed, 0x01, 9]), None, "ed25519-pub");
        assert_eq!(split(&[0xe7]), None);
        assert_eq!(split(&[]), None);
    }

    #[test]
    fn the_longest_key_passes_and_one_byte_more_does_not() {
        let mut buffer = [0; MAX_KEY_LENGTH];
        let mut text = String::new();
        encode_onto(&mut text, &[0xff; MAX_KEY_LENGTH]);
        assert!(text.len() <= MAX_TEXT_LENGTH);
        assert_eq!(decode(&text, &mut buffer).unwrap(), [0xff; MAX_KEY_LENGTH]);

        text.clear();
        encode_onto(&mut text, &[0xff; MAX_KEY_LENGTH + 1]);
        assert_eq!(decode(&text, &mut buffer), Err(TOO_LONG));
    }

    #[test]
    fn huge_texts_are_refused_without_decoding() {
        let mut buffer = [0; MAX_KEY_LENGTH];
        for digit in ["1", "2", "z", "l"] {
            let text = format!("z{}", digit.repeat(10_000_000));
            assert_eq!(decode(&text, &mut buffer), Err(TOO_LONG));
        }
    }

    #[test]
    fn other_bases_and_characters_are_refused() {
        let mut buffer = [0; MAX_KEY_LENGTH];
        for text in ["", "m1234", "Z1234", "12", "z0", "zO", "zI", "zl", "z1 ", " z1", "zé", "z\0"]
        {
            assert!(decode(text, &mut buffer).is_err(), "{text:?}");
        }
        assert_eq!(decode("z", &mut buffer).unwrap(), b"");
    }
}
