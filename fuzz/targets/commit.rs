//! Commits: what is decoded has the bytes that it encodes to, and malformed fields are named.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::commit::Commit;
use pds::data::{Block, Codec, check_canonical};

fuzz_target!(|bytes: &[u8]| {
    let block = Block::new(Codec::Cbor, bytes);
    let (strict, lenient) = (Commit::decode(&block), Commit::decode_with_faults(&block));
    let Ok(commit) = lenient else {
        assert!(strict.is_err(), "what the lenient reader refuses, the strict one does too");
        return;
    };
    assert_eq!(commit.faults().is_empty(), strict.is_ok());
    check_canonical(bytes).expect("commits are canonical");
    assert_eq!(commit.block(), &block);
    // Without a field `sig`, which is a fault, they are the whole block.
    assert!(commit.signing_bytes().len() < bytes.len() || !commit.is_well_formed("sig"));
});
