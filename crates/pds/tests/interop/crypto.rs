//! Keys and signatures of other software: the atproto interop vectors, DID documents, a PLC log.

#![allow(clippy::unwrap_used)]

use std::fs;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use pds::crypto::{CryptoError, Curve, PublicKey, Signature, Signer, SigningKey};
use serde_json::Value;

/// Reads a file of the fixtures, or returns `None` if there are no fixtures.
fn json(path: &str) -> Option<Value> {
    let bytes = fs::read(crate::fixtures()?.join(path)).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_else(|| panic!("{field} in {object}"))
}

fn base64(object: &Value, field: &str) -> Vec<u8> {
    BASE64_NOPAD.decode(text(object, field).trim_end_matches('=').as_bytes()).unwrap()
}

fn curve_of_suite(suite: &str) -> Curve {
    match suite {
        "EcdsaSecp256k1VerificationKey2019" => Curve::K256,
        "EcdsaSecp256r1VerificationKey2019" => Curve::P256,
        other => panic!("unknown suite {other}"),
    }
}

#[test]
fn signature_vectors_are_judged_as_labelled() {
    let Some(cases) = json("atproto-interop/crypto/signature-fixtures.json") else {
        return;
    };
    let (mut valid, mut high_s, mut der) = (0, 0, 0);
    for case in cases.as_array().unwrap() {
        let comment = text(case, "comment");
        let curve = curve_of_suite(text(case, "didDocSuite"));
        let algorithm = if curve == Curve::K256 { "ES256K" } else { "ES256" };
        assert_eq!(text(case, "algorithm"), algorithm, "{comment}");

        let key = PublicKey::from_did_key(text(case, "publicKeyDid")).unwrap();
        assert_eq!(key.curve(), curve, "{comment}");
        assert_eq!(key.did_key(), text(case, "publicKeyDid"));
        let multibase = text(case, "publicKeyMultibase");
        let legacy = PublicKey::from_legacy_multibase(curve, multibase).unwrap();
        assert_eq!(legacy, key, "{comment}");
        assert!(PublicKey::from_multikey(multibase).is_err(), "{comment}: it has no prefix");

        let message = base64(case, "messageBase64");
        let verify = |key: &PublicKey| {
            let signature = Signature::from_bytes(&base64(case, "signatureBase64"))?;
            key.verify(&message, &signature)
        };
        for key in [&key, &legacy] {
            let verdict = verify(key);
            assert_eq!(verdict.is_ok(), case["validSignature"].as_bool().unwrap(), "{comment}");
            let tags: Vec<&str> =
                case["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
            match (tags.as_slice(), verdict) {
                ([], Ok(())) => valid += 1,
                (["high-s"], Err(CryptoError::HighS { .. })) => high_s += 1,
                (["der-encoded"], Err(CryptoError::SignatureLength { .. })) => der += 1,
                (tags, verdict) => panic!("{comment}: {tags:?} {verdict:?}"),
            }
        }
    }
    assert!(valid >= 4 && high_s >= 4 && der >= 4, "{valid} {high_s} {der}");
}

#[test]
fn k256_secrets_give_the_did_keys_of_w3c() {
    let Some(cases) = json("atproto-interop/crypto/w3c_didkey_K256.json") else {
        return;
    };
    let cases = cases.as_array().unwrap();
    for case in cases {
        let key = SigningKey::from_hex(Curve::K256, text(case, "privateKeyBytesHex")).unwrap();
        check_pair(&key, text(case, "publicDidKey"));
    }
    assert!(cases.len() >= 5);
}

#[test]
fn p256_secrets_give_the_did_keys_of_w3c() {
    let Some(cases) = json("atproto-interop/crypto/w3c_didkey_P256.json") else {
        return;
    };
    let cases = cases.as_array().unwrap();
    for case in cases {
        let secret = bs58_decode(text(case, "privateKeyBytesBase58"));
        let key = SigningKey::from_bytes(Curve::P256, &secret).unwrap();
        check_pair(&key, text(case, "publicDidKey"));
    }
    assert!(!cases.is_empty());
}

fn check_pair(key: &SigningKey, did_key: &str) {
    assert_eq!(key.public_key().did_key(), did_key);
    let read = PublicKey::from_did_key(did_key).unwrap();
    assert_eq!(read, key.public_key());
    read.verify(b"message", &key.sign(b"message").unwrap()).unwrap();
}

/// Encodes 32 bytes as base58btc, by long multiplication. This oracle is independent of the library.
fn bs58_decode(digits: &str) -> Vec<u8> {
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![0_u8; 32];
    for digit in digits.chars() {
        let mut carry = ALPHABET.find(digit).unwrap();
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xff).unwrap();
            carry >>= 8;
        }
        assert_eq!(carry, 0, "more than 32 bytes");
    }
    bytes
}

#[test]
fn did_documents_of_both_kinds_hold_the_same_key() {
    let mut keys = Vec::new();
    for name in ["did_plc_doc.json", "did_plc_doc_legacy.json", "did_web_doc.json"] {
        let Some(document) = json(&format!("identity/{name}")) else {
            return;
        };
        for method in document["verificationMethod"].as_array().unwrap() {
            let multibase = text(method, "publicKeyMultibase");
            keys.push(match text(method, "type") {
                "Multikey" => PublicKey::from_multikey(multibase).unwrap(),
                suite => {
                    PublicKey::from_legacy_multibase(curve_of_suite(suite), multibase).unwrap()
                }
            });
        }
    }
    // One account occurs before and after the change of the form. The did:web document has no key.
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn operations_of_a_plc_log_verify_with_one_of_the_rotation_keys() {
    let Some(log) = json("identity/plc_audit_log_bsky.json") else {
        return;
    };
    let Some(expected) = json("identity/expected.json") else {
        return;
    };
    let expected = expected["plc_audit_log_bsky.json"]["operations"].as_array().unwrap().clone();
    let log = log.as_array().unwrap();
    assert!(log.len() >= 4);
    assert_eq!(log.len(), expected.len());

    for (entry, expected) in log.iter().zip(&expected) {
        let mut operation = entry["operation"].clone();
        let sig = operation.as_object_mut().unwrap().remove("sig").unwrap();
        let sig = BASE64URL_NOPAD.decode(sig.as_str().unwrap().as_bytes()).unwrap();
        let signature = Signature::from_bytes(&sig).unwrap();
        let message = serde_ipld_dagcbor::to_vec(&operation).unwrap();

        let signer = PublicKey::from_did_key(text(&expected["verified_by"], "did_key")).unwrap();
        signer.verify(&message, &signature).unwrap();
        assert!(signature.is_low_s(signer.curve()));

        for key in operation["rotationKeys"].as_array().unwrap() {
            let key: PublicKey = key.as_str().unwrap().parse().unwrap();
            assert_eq!(key.verify(&message, &signature).is_ok(), key == signer);
        }
        for key in operation["verificationMethods"].as_object().unwrap().values() {
            let key: PublicKey = key.as_str().unwrap().parse().unwrap();
            assert_eq!(key.did_key().parse::<PublicKey>().unwrap(), key);
        }
    }
}

#[test]
fn commits_of_the_scale_recipe_get_the_same_signatures() {
    let Some(expected) = json("scale/expected.json") else {
        return;
    };
    let recipe = &expected["recipe"];
    let key = SigningKey::from_hex(Curve::K256, text(recipe, "signing_key_secret_hex")).unwrap();
    check_pair(&key, text(recipe, "signing_key"));

    let (did, rev) = (text(recipe, "did"), text(&recipe["commit"], "rev"));
    let repositories = expected["repositories"].as_array().unwrap();
    for repository in repositories {
        let message = unsigned_commit(did, rev, text(repository, "mst_root"));
        let signature = key.sign(&message).unwrap();
        // Other software makes the same bytes (RFC 6979).
        assert_eq!(HEXLOWER.encode(signature.as_bytes()), text(repository, "commit_sig_hex"));
        key.public_key().verify(&message, &signature).unwrap();
    }
    assert!(repositories.len() >= 3);
}

/// Encodes the bytes that a commit signs. They are written out so that this test depends on `crypto` only.
fn unsigned_commit(did: &str, rev: &str, data: &str) -> Vec<u8> {
    let cid = BASE32_NOPAD.decode(data[1..].to_uppercase().as_bytes()).unwrap();
    assert_eq!(cid.len(), 36);
    let (did_length, rev_length) = (u8::try_from(did.len()).unwrap(), rev.len());
    assert!((24..=255).contains(&did_length) && rev_length == 13);
    [
        b"\xa5\x63did\x78",
        &[did_length][..],
        did.as_bytes(),
        b"\x63rev\x6d",
        rev.as_bytes(),
        b"\x64data\xd8\x2a\x58\x25\x00",
        &cid,
        b"\x64prev\xf6\x67version\x03",
    ]
    .concat()
}
