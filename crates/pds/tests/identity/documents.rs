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

/// Returns the host of a document with these services.
fn host(services: &Json) -> Option<String> {
    let document = json!({ "id": "did:web:example.com", "service": services });
    DidDocument::parse(&document.to_string()).unwrap().pds().map(ToOwned::to_owned)
}

fn service(id: &str, kind: &str, endpoint: &str) -> Json {
    json!({ "id": id, "type": kind, "serviceEndpoint": endpoint })
}

#[test]
fn the_host_is_the_first_service_with_the_name_and_the_type() {
    let kind = "AtprotoPersonalDataServer";
    let first = || service("#atproto_pds", kind, "https://First.example/");
    let second = || service("did:web:example.com#atproto_pds", kind, "https://second.example:8443");
    for (services, expected) in [
        (json!([first(), second()]), Some("https://first.example")),
        (json!([second(), first()]), Some("https://second.example:8443")),
        (
            json!([service("#atproto_labeler", kind, "https://a.b"), second()]),
            Some("https://second.example:8443"),
        ),
        (
            json!([service("#atproto_pds", "AtprotoLabeler", "https://a.b"), first()]),
            Some("https://first.example"),
        ),
        (json!([service("did:web:other.example#atproto_pds", kind, "https://a.b")]), None),
        (json!([service("atproto_pds", kind, "https://a.b")]), None),
        // The first service counts, even if its endpoint is not an origin.
        (json!([service("#atproto_pds", kind, "https://a.b/xrpc"), first()]), None),
        (json!([{ "id": "#atproto_pds", "type": kind, "serviceEndpoint": ["https://a.b"] }]), None),
        (json!([3, "x", {}, first()]), Some("https://first.example")),
        (json!([]), None),
        (json!(null), None),
        (json!({}), None),
    ] {
        assert_eq!(host(&services).as_deref(), expected, "{services}");
    }
}

#[test]
fn the_handles_are_the_valid_ones_in_order() {
    for (names, expected) in [
        (json!(["at://b.example", "at://a.example"]), vec!["b.example", "a.example"]),
        (json!(["https://a.example", "at://", "at://x", 3, "at://A.example"]), vec!["A.example"]),
        (json!(["at://a.example/app.bsky.feed.post"]), vec![]),
        (json!("at://a.example"), vec![]),
        (json!(null), vec![]),
    ] {
        let document = json!({ "id": "did:web:example.com", "alsoKnownAs": names });
        let document = DidDocument::parse(&document.to_string()).unwrap();
        let found: Vec<&str> = document.handles().iter().map(|handle| handle.as_str()).collect();
        assert_eq!(found, expected, "{names}");
    }
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
