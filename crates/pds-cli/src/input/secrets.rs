//! Secret keys that users give in place of a name or a public key: no message repeats them.

use std::borrow::Cow;
use std::ffi::OsStr;

use pds::crypto::PublicKey;

/// Replaces each argument of this process, and each part of one, that may be a secret key.
pub(crate) fn hide_secrets(text: &str) -> Cow<'_, str> {
    hide_those_of(std::env::args_os().skip(1), text)
}

fn hide_those_of(args: impl Iterator<Item = impl AsRef<OsStr>>, text: &str) -> Cow<'_, str> {
    let mut hidden = Cow::Borrowed(text);
    for arg in args {
        let arg = arg.as_ref().to_string_lossy();
        for secret in secrets_in(&arg) {
            if hidden.contains(secret) {
                hidden = Cow::Owned(hidden.replace(secret, HIDDEN));
            }
        }
    }
    hidden
}

/// Tells whether a text may be a secret key, or contain one.
pub(crate) fn may_be_secret(text: &str) -> bool {
    secrets_in(text).next().is_some()
}

/// Returns the advice for a secret that was given as an argument.
pub(crate) fn hint_of_secret() -> &'static str {
    "a secret key belongs in a file: pds key import FILE; the shell may have recorded this command"
}

/// Returns the parts of an argument that may be secret keys: multikeys that are not public, 64 hexadecimal digits, and
/// long words of a PEM file or a JWK.
fn secrets_in(arg: &str) -> impl Iterator<Item = &str> {
    let is_file = arg.contains("-----BEGIN") || arg.contains("\"kty\"");
    let is_part = move |c: char| c.is_ascii_alphanumeric() || is_file && "+/=_-".contains(c);
    arg.split(move |c| !is_part(c)).filter(move |word| match is_file {
        true => word.len() >= MIN_WORD_CHARS && !word.starts_with("-----"),
        false => {
            let key = word.strip_prefix("0x").unwrap_or(word);
            is_multikey_of_a_secret(key) || is_hex(key)
        }
    })
}

/// A word that is nearly a multikey counts too: a secret with one wrong letter is still a secret.
fn is_multikey_of_a_secret(word: &str) -> bool {
    word.starts_with('z')
        && word.len() >= MIN_MULTIKEY_CHARS
        && PublicKey::from_multikey(word).is_err()
}

fn is_hex(word: &str) -> bool {
    word.len() == HEX_CHARS && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

const HIDDEN: &str = "[hidden: it may be a secret key]";

/// A secret multikey has 47 to 50 characters.
const MIN_MULTIKEY_CHARS: usize = 40;

/// The number of hexadecimal digits of a secret.
const HEX_CHARS: usize = 64;

/// The shortest word of a PEM file or a JWK that is hidden.
const MIN_WORD_CHARS: usize = 20;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pds::crypto::{Curve, SigningKey};

    use super::*;

    #[test]
    fn only_secrets_are_hidden() {
        for curve in [Curve::K256, Curve::P256] {
            let key = SigningKey::generate(curve).unwrap();
            let (secret, public) = (key.to_multikey(), key.public_key().did_key());
            let hex = "0123456789abcdefABCDEF0123456789".repeat(2);
            for secret in [secret.as_str(), &secret[..45], &hex] {
                for arg in [
                    secret.to_owned(),
                    format!("--key={secret}"),
                    format!("did:key:{secret}"),
                    format!("./{secret}"),
                    format!("0x{secret}\n"),
                ] {
                    let said = format!("error: {arg} is not a file");
                    let hidden = hide_those_of([&arg].into_iter(), &said);
                    assert!(!hidden.contains(secret) && hidden.contains(HIDDEN), "{hidden}");
                }
            }
            let cid = "bafyreihwwfaslz5hbdkdg5rx2xqpaqvw4fo5ezzreigjawwoqzzi27r7hi";
            for arg in
                [public.as_str(), &public[8..], cid, "com.example.note/3ls6wdhff2f27", "z", ""]
            {
                let said = format!("error: {arg} {secret:?}");
                assert_eq!(hide_those_of([arg].into_iter(), &said), said);
            }
        }
    }

    #[test]
    fn the_words_of_other_key_files_are_hidden() {
        let word = "MHQCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5oNtRYTFWgQvE";
        let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{word}\n-----END EC PRIVATE KEY-----");
        let jwk = format!("{{\"kty\":\"EC\",\"d\":\"{word}\"}}");
        for arg in [pem, jwk] {
            let said = format!("unexpected argument {arg}");
            assert!(!hide_those_of([&arg].into_iter(), &said).contains(word));
        }
    }
}
