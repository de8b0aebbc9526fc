//! DID documents with one changed part, and random documents compared with a second formulation of the rule.

use data_encoding::BASE32_NOPAD;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::identity::DidDocument;
use pds::syntax::Did;
use serde_json::{Value as Json, json};

use super::torture::{amount, row};
use crate::properties::Random;
use crate::properties::cbor::mutate;

const DID: &str = "did:web:alice.example.com";

fn public(curve: Curve, byte: u8) -> PublicKey {
    SigningKey::from_bytes(curve, &[byte; 32]).unwrap().public_key()
}

fn method(id: &str, key: &str) -> Json {
    json!({ "id": id, "type": "Multikey", "controller": DID, "publicKeyMultibase": key })
}

fn document(methods: &Json) -> Json {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": DID,
        "alsoKnownAs": ["at://alice.example.com"],
        "verificationMethod": methods,
        "service": [{
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": "https://pds.example.com",
        }],
    })
}

/// What a document is.
#[derive(Debug, PartialEq)]
enum Verdict {
    Key(PublicKey),
    NoKey,
    NoDocument,
}

fn parse(text: &str) -> Verdict {
    match DidDocument::parse(text) {
        Ok(document) => {
            assert_eq!(document.did().to_string().parse::<Did>().as_ref(), Ok(document.did()));
            let keys = document.key_history();
            assert_eq!(keys.did(), Some(document.did()));
            let last = keys.periods().last().and_then(|period| period.key.as_ref());
            assert_eq!(last, document.signing_key());
            document.signing_key().cloned().map_or(Verdict::NoKey, Verdict::Key)
        }
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "{error}");
            Verdict::NoDocument
        }
    }
}

/// Encodes a key with a change of its bytes.
fn bent(key: &PublicKey, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = base58_decode(&key.multikey()[1..]);
    change(&mut bytes);
    format!("z{}", base58_encode(&bytes))
}

const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn base58_decode(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for letter in text.bytes() {
        let mut carry = ALPHABET.iter().position(|known| *known == letter).unwrap();
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap();
            carry /= 256;
        }
        while carry > 0 {
            bytes.insert(0, u8::try_from(carry % 256).unwrap());
            carry /= 256;
        }
    }
    bytes
}

fn base58_encode(bytes: &[u8]) -> String {
    let mut digits: Vec<usize> = Vec::new();
    for byte in bytes {
        let mut carry = usize::from(*byte);
        for digit in digits.iter_mut().rev() {
            carry += *digit * 256;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.insert(0, carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| 0);
    zeros.chain(digits).map(|digit| char::from(ALPHABET[digit])).collect()
}

/// Forms of the key itself: only one of them is the key.
#[test]
fn every_form_of_a_key_has_its_verdict() {
    let mut tried = 0;
    for curve in [Curve::K256, Curve::P256] {
        let key = public(curve, 5);
        let right = key.multikey();
        let base32 = BASE32_NOPAD.encode(&base58_decode(&right[1..])).to_lowercase();
        let secret = SigningKey::from_bytes(curve, &[5; 32]).unwrap().to_multikey().to_string();
        let cases = [
            ("the right one", right.clone(), true),
            ("encoded again", bent(&key, |_| {}), true),
            ("no text", String::new(), false),
            ("only the base", "z".to_owned(), false),
            ("without the base", right[1..].to_owned(), false),
            ("another base", format!("b{base32}"), false),
            ("a base that names another", format!("f{}", &right[1..]), false),
            ("with did:key", format!("did:key:{right}"), false),
            ("a space after it", format!("{right} "), false),
            ("a line end after it", format!("{right}\n"), false),
            (
                "a letter that is not in the alphabet",
                format!("{}0", &right[..right.len() - 1]),
                false,
            ),
            ("a leading zero", format!("z1{}", &right[1..]), false),
            ("one byte less", bent(&key, |bytes| bytes.truncate(34)), false),
            ("one byte more", bent(&key, |bytes| bytes.push(0)), false),
            ("no prefix", bent(&key, |bytes| drop(bytes.drain(..2))), false),
            ("the prefix of Ed25519", bent(&key, |bytes| bytes[0] = 0xed), false),
            ("an uncompressed point", bent(&key, |bytes| bytes[2] = 4), false),
            ("no point", bent(&key, |bytes| bytes[3..].fill(0xff)), false),
            ("the zero point", bent(&key, |bytes| bytes[2..].fill(0)), false),
            ("the secret key", secret, false),
            ("very long", format!("z{}", "1".repeat(100_000)), false),
        ];
        for (name, text, is_key) in cases {
            let found = parse(&document(&json!([method("#atproto", &text)])).to_string());
            let expected = if is_key { Verdict::Key(key.clone()) } else { Verdict::NoDocument };
            assert_eq!(found, expected, "{curve}: {name}");
            tried += 1;
        }
        // The other half of the curve is another key.
        let other = parse(
            &document(&json!([method("#atproto", &bent(&key, |bytes| bytes[2] ^= 1))])).to_string(),
        );
        assert!(matches!(other, Verdict::Key(found) if found != key), "{curve}");
        tried += 1;
    }
    row("mutations: keys of documents", tried, "each judged as expected");
}

/// Parts of a document, each of another type or another value.
#[test]
fn every_part_of_a_document_has_its_verdict() {
    let (key, second) = (public(Curve::K256, 5), public(Curve::P256, 6));
    let (text, other) = (key.multikey(), second.multikey());
    let own = || Verdict::Key(key.clone());
    let absolute = format!("{DID}#atproto");
    let good = || method("#atproto", &text);
    let with = |field: &str, value: Json| {
        let mut method = good();
        method[field] = value;
        json!([method])
    };
    let without = |field: &str| {
        let mut method = good();
        method.as_object_mut().unwrap().remove(field);
        json!([method])
    };
    let mut tried = 0;
    for (name, methods, expected) in [
        ("relative", json!([good()]), own()),
        ("absolute", json!([method(&absolute, &text)]), own()),
        ("two, the first counts", json!([good(), method("#atproto", &other)]), own()),
        ("a bad one before", json!([method("#atproto", "z0"), good()]), own()),
        (
            "a foreign one before",
            json!([method("did:web:b.example#atproto", &other), good()]),
            own(),
        ),
        ("another name before", json!([method("#atproto2", &other), good()]), own()),
        ("upper case", json!([method("#Atproto", &text)]), Verdict::NoKey),
        ("no sharp", json!([method("atproto", &text)]), Verdict::NoKey),
        ("two sharps", json!([method("##atproto", &text)]), Verdict::NoKey),
        ("a longer DID", json!([method(&format!("{DID}x#atproto"), &text)]), Verdict::NoKey),
        ("a path", json!([method(&format!("{DID}/#atproto"), &text)]), Verdict::NoKey),
        ("an id of a number", with("id", json!(1)), Verdict::NoKey),
        ("no id", without("id"), Verdict::NoKey),
        ("another controller", with("controller", json!("did:web:b.example")), Verdict::NoKey),
        ("controllers", with("controller", json!([DID])), Verdict::NoKey),
        ("no controller", without("controller"), Verdict::NoKey),
        ("another type", with("type", json!("JsonWebKey")), Verdict::NoDocument),
        ("a type of a list", with("type", json!(["Multikey"])), Verdict::NoDocument),
        ("no type", without("type"), Verdict::NoDocument),
        ("no key", without("publicKeyMultibase"), Verdict::NoDocument),
        ("a key of null", with("publicKeyMultibase", json!(null)), Verdict::NoDocument),
        ("a key of a list", with("publicKeyMultibase", json!([text])), Verdict::NoDocument),
        ("a further field", with("x", json!({"y": [1]})), own()),
        ("no methods", json!([]), Verdict::NoKey),
        ("methods of null", json!(null), Verdict::NoKey),
        ("methods of other types", json!([1, "x", null, [], {}, good()]), own()),
        ("a map of methods", json!({"#atproto": good()}), Verdict::NoDocument),
        ("methods of text", json!(text), Verdict::NoDocument),
        ("a thousand others", json!(vec![method("#x", &other); 500]), Verdict::NoKey),
    ] {
        assert_eq!(parse(&document(&methods).to_string()), expected, "{name}");
        tried += 1;
    }
    let whole = document(&json!([good()])).to_string();
    let id = format!("\"id\":\"{DID}\"");
    let replaced = |with: &str| {
        let at = whole.rfind(&id).unwrap();
        format!("{}{with}{}", &whole[..at], &whole[at + id.len()..])
    };
    for (name, text, expected) in [
        ("as it is", whole.clone(), own()),
        ("white space", format!(" \n\t{whole}\r\n "), own()),
        ("a byte order mark", format!("\u{feff}{whole}"), Verdict::NoDocument),
        ("text after it", format!("{whole}x"), Verdict::NoDocument),
        ("twice", format!("{whole}{whole}"), Verdict::NoDocument),
        ("cut", whole[..whole.len() - 1].to_owned(), Verdict::NoDocument),
        ("two ids", replaced(&format!("{id},{id}")), Verdict::NoDocument),
        ("an id of null", replaced("\"id\":null"), Verdict::NoDocument),
        ("an id of a number", replaced("\"id\":1"), Verdict::NoDocument),
        ("no DID", replaced("\"id\":\"alice.example.com\""), Verdict::NoDocument),
        ("an id with a fragment", replaced(&format!("\"id\":\"{DID}#x\"")), Verdict::NoDocument),
        ("another DID", replaced("\"id\":\"did:web:b.example\""), Verdict::NoKey),
        ("escaped", replaced(&id.replace("did:web", "did\\u003aweb")), own()),
        ("a fraction", replaced(&format!("{id},\"x\":1.5")), Verdict::NoDocument),
        ("deep", replaced(&format!("{id},\"x\":{}", "[".repeat(100_000))), Verdict::NoDocument),
        (
            "large",
            replaced(&format!("{id},\"x\":\"{}\"", "x".repeat(300_000))),
            Verdict::NoDocument,
        ),
    ] {
        assert_eq!(parse(&text), expected, "{name}");
        tried += 1;
    }
    row("mutations: parts of documents", tried, "each judged as expected");
}

/// The rule once more: the first usable key among the methods of that name.
fn expected(document: &Json) -> Verdict {
    let Some(did) = document["id"].as_str().filter(|did| did.parse::<Did>().is_ok()) else {
        return Verdict::NoDocument;
    };
    let methods = match &document["verificationMethod"] {
        Json::Array(methods) => methods.clone(),
        Json::Null => Vec::new(),
        _ => return Verdict::NoDocument,
    };
    let (short, long) = ("#atproto".to_owned(), format!("{did}#atproto"));
    let is_meant = |method: &&Json| {
        let id = method["id"].as_str();
        id.is_some_and(|id| id == short || id == long) && method["controller"] == json!(did)
    };
    let meant: Vec<&Json> = methods.iter().filter(is_meant).collect();
    let key = |method: &&Json| {
        let text = method["publicKeyMultibase"].as_str()?;
        let is_multikey = method["type"] == json!("Multikey");
        PublicKey::from_multikey(text).ok().filter(|_| is_multikey)
    };
    match meant.iter().find_map(key) {
        Some(key) => Verdict::Key(key),
        None if meant.is_empty() => Verdict::NoKey,
        None => Verdict::NoDocument,
    }
}

#[test]
fn random_documents_are_judged_by_the_rule() {
    let keys = [public(Curve::K256, 5), public(Curve::P256, 6)].map(|key| key.multikey());
    let tried = amount(3_000, 300_000);
    let (mut with_key, mut none) = (0, 0);
    for seed in 0..tried {
        let mut random = Random(5_000_000 + seed as u64);
        let ids = [
            "#atproto",
            "did:web:alice.example.com#atproto",
            "#other",
            "did:web:b.example#atproto",
        ];
        let mut methods = Vec::new();
        for _ in 0..random.below(4) {
            let mut one = method(random.pick(&ids), &keys[random.below(2)]);
            if random.below(3) == 0 {
                let field = random.pick(&["id", "type", "controller", "publicKeyMultibase"]);
                one[field] =
                    [json!(null), json!("x"), json!(7), json!("z11")][random.below(4)].clone();
            }
            methods.push(one);
        }
        let text = document(&Json::Array(methods)).to_string();
        let found = parse(&text);
        assert_eq!(found, expected(&serde_json::from_str(&text).unwrap()), "seed {seed}: {text}");
        with_key += usize::from(matches!(found, Verdict::Key(_)));
        none += usize::from(found == Verdict::NoDocument);
        // The same text with changed bytes: if it is still JSON, the rule decides.
        let mut bytes = text.into_bytes();
        mutate(&mut random, &mut bytes);
        if let Ok(text) = String::from_utf8(bytes) {
            let found = parse(&text);
            if let (Ok(json), false) = (serde_json::from_str(&text), found == Verdict::NoDocument) {
                assert_eq!(found, expected(&json), "seed {seed}: {text}");
            }
        }
    }
    assert!(with_key > tried / 5 && none > tried / 50, "{with_key} {none}");
    let found = format!("{with_key} with a key, {none} refused, all by the rule");
    row("mutations: random documents", 2 * tried, &found);
}
