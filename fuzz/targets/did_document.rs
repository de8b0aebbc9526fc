//! DID documents: a document that is accepted has an account and keys that print and parse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::identity::DidDocument;
use pds::syntax::Did;

fuzz_target!(|text: &str| {
    let Ok(document) = DidDocument::parse(text) else { return };
    let did: Did = document.did().to_string().parse().expect("it was parsed");
    assert_eq!(&did, document.did());
    if let Some(host) = document.pds() {
        assert!(host.starts_with("http") && !host.ends_with('/'));
    }
    let keys = document.key_history();
    assert_eq!(keys.did(), Some(&did));
    let last = keys.periods().last().and_then(|period| period.key.as_ref());
    assert_eq!(last, document.signing_key());
});
