//! Files with a secret key: the forms that are read, and the names of those that are not.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use pds::crypto::{Curve, PublicKey, SigningKey};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::failures::exit::Stated;
use crate::input::stream::open_stream;

/// Reads a secret key from a file or standard input: a multikey, which names its curve, or 64 hexadecimal digits or 32
/// bytes, which do not. A curve that the user gave must match that of a multikey.
pub(crate) fn read_secret(file: &Path, curve: Option<Curve>) -> Result<SigningKey> {
    // Reserves the full size, so that no copy is left behind when the vector grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 1));
    let mut from = open_stream(Some(file))?.take(MAX_SECRET_BYTES as u64);
    from.read_to_end(&mut bytes).context("cannot read the key")?;
    let key = parse(&bytes, curve.unwrap_or(Curve::K256))?;
    match curve.filter(|curve| *curve != key.curve()) {
        Some(curve) => {
            let message = format!("the file has a {} key, but --curve is {curve}", key.curve());
            Stated::usage(message).fail()
        }
        None => Ok(key),
    }
}

fn parse(bytes: &[u8], curve: Curve) -> Result<SigningKey, Stated> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let refused = |error| Stated::bad_input(format!("not a signing key: {error}"));
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(is_binary));
    let Some(text) = text else {
        return match bytes.len() {
            SECRET_BYTES => SigningKey::from_bytes(curve, bytes).map_err(refused),
            _ => Err(Stated::bad_input("not a signing key: the file is neither text nor 32 bytes")),
        };
    };
    let text = text.trim();
    if let Some((kind, way_out)) = other_kind(text) {
        return Err(
            Stated::bad_input(format!("not a signing key: the file is {kind}")).hint(way_out)
        );
    }
    SigningKey::parse(text, curve).map_err(refused)
}

/// Returns the name of another kind of key file, and how to get the key out of it.
fn other_kind(text: &str) -> Option<(&'static str, &'static str)> {
    if text.starts_with("-----BEGIN") {
        return Some(("a PEM file", FROM_PEM));
    }
    if text.parse::<PublicKey>().is_ok() {
        return Some((
            "a public key",
            "the secret key belongs here; pds key show prints the public one",
        ));
    }
    let json = text.starts_with('{').then(|| serde_json::from_str::<Value>(text).ok())??;
    let is_jwk = json.get("kty").is_some();
    match (is_jwk, json.get("d").is_some()) {
        (true, true) => Some(("a JWK", FROM_JWK)),
        (true, false) => {
            Some(("a JWK of a public key", "the secret key belongs here: a JWK with the field d"))
        }
        _ => Some((
            "JSON, but not a JWK",
            "give the key as multikey text, as 64 hexadecimal digits or as 32 bytes",
        )),
    }
}

fn is_binary(c: char) -> bool {
    c.is_control() && !c.is_ascii_whitespace()
}

const FROM_PEM: &str = "openssl ec -in FILE -outform DER | tail -c +8 | head -c 32 | pds key import -    \
    (with --curve p256 for prime256v1)";

const FROM_JWK: &str = "printf '%s=' \"$(jq -r .d FILE)\" | tr '_-' '/+' | base64 -d | pds key import -    \
    (with --curve p256 for P-256)";

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The size of the key files of the reference server.
const SECRET_BYTES: usize = 32;

const MAX_SECRET_BYTES: usize = 4096;
