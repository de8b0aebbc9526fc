//! Proofs: a file of valid hashes without a valid signature proves nothing.
#![no_main]

use std::io::Cursor;

use atpds_fuzz::{car_of, linked_blocks};
use libfuzzer_sys::fuzz_target;
use pds::identity::DidDocument;
use pds::transfer::prove::verify_proof;

fuzz_target!(|input: &[u8]| {
    let path = "app.bsky.actor.profile/self".parse().expect("it is a path");
    let document = include_str!("../../testdata/did.json");
    let keys = DidDocument::parse(document).expect("it is one").key_history();
    let _ = verify_proof(Cursor::new(input), &path, &keys);
    if let Ok(proven) = verify_proof(Cursor::new(car_of(&linked_blocks(input))), &path, &keys) {
        // Only the key of the account could make another one.
        assert_eq!(Some(proven.commit.did()), keys.did());
        let key = proven.signed_by.key.expect("it signed");
        assert!(proven.commit.verify(&key).is_ok());
    }
});
