//! DID documents.

use pds::identity::DidDocument;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::keys;

fn document(methods: &Json) -> Result<DidDocument, String> {
    let document = json!({ "id": "did:web:example.com", "verificationMethod": methods });
    DidDocument::parse(&document.to_string()).map_err(|error| error.to_string())
}

fn method(id: &str, key: &str) -> Json {
    json!({
        "id": id,
        "type": "Multikey",
        "controller": "did:web:example.com",
        "publicKeyMultibase": key,
    })
}

#[test]
fn the_signing_key_is_the_first_that_can_be_used() {
    let [one, two] = keys::<2>().map(|key| key.public_key());
    let (first, second) = (one.multikey(), two.multikey());
    let absolute = "did:web:example.com#atproto";
    for (methods, expected) in [
        (json!([method(absolute, &first), method("#atproto", &second)]), Some(&one)),
        (json!([method("#other", &first), method("#atproto", &second)]), Some(&two)),
        (json!([method("did:web:other.example#atproto", &first)]), None),
        (json!([method(absolute, "z6Mk"), method(absolute, &second)]), Some(&two)),
        (json!([]), None),
        (json!(null), None),
        (json!([3, "x", {}]), None),
    ] {
        let found = document(&methods).unwrap();
        assert_eq!(found.signing_key(), expected, "{methods}");
        let keys = found.key_history();
        assert_eq!(keys.did().unwrap().as_str(), "did:web:example.com");
        assert_eq!(keys.at(0).unwrap().key.as_ref(), expected);
    }
    let mut foreign = method(absolute, &first);
    foreign["controller"] = json!("did:web:other.example");
    assert_eq!(document(&json!([foreign])).unwrap().signing_key(), None);
    let mut unknown = method(absolute, &first);
    unknown["type"] = json!("JsonWebKey2020");
    let refused = document(&json!([unknown])).unwrap_err();
    assert_eq!(refused, "not a DID document: invalid public key: its type is unknown");
}

#[test]
fn other_json_is_refused_as_a_document() {
    for (text, expected) in [
        ("", "cannot be parsed"),
        ("[]", "not a DID document: its id is not a DID"),
        (r#"{"id": 1}"#, "not a DID document: its id is not a DID"),
        (r#"{"id": "example.com"}"#, "not a DID document: its id is not a DID"),
        (r#"{"id": "did:web:a.b", "id": "did:web:c.d"}"#, "cannot be parsed"),
        (
            r#"{"id": "did:web:a.b", "verificationMethod": {}}"#,
            "not a DID document: its verificationMethod is not a list",
        ),
    ] {
        assert_eq!(DidDocument::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(
        text in any::<String>(),
        key in "(z[1-9A-Za-z]{0,120}|.{0,20})",
        kind in "(Multikey|EcdsaSecp256[kr]1VerificationKey2019|.{0,9})",
    )| {
        let _ = DidDocument::parse(&text);
        let mut method = method("#atproto", &key);
        method["type"] = json!(kind);
        let _ = document(&json!([method]));
    });
    let long = format!("{{\"id\": \"did:web:a.b\"{}}}", " ".repeat(262_144));
    assert!(DidDocument::parse(&long).is_err());
}
