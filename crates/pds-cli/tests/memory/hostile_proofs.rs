//! Proofs and audit logs that try to use too much memory or time.

use pds::car::CarWriter;
use pds::data::{Block, Codec};

use super::bounded;
use crate::common::{Car, Home, note};

const KEY: &str = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";

#[test]
fn a_proof_with_many_other_blocks_needs_little_memory() {
    let home = Home::new();
    let car = Car::of([(b"com.example.note/a".to_vec(), note("a"))]);
    for (count, len) in [(20, 5 << 20), (1_000_000, 10)] {
        let mut file = CarWriter::new(Vec::new(), &[car.commit.cid()]).unwrap();
        file.block(car.commit.block().borrowed()).unwrap();
        for n in 0..u32::try_from(count).unwrap() {
            let mut bytes = vec![0; len];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            file.block(Block::new(Codec::Raw, bytes).borrowed()).unwrap();
        }
        home.write("proof.car", file.finish().unwrap());
        let args = ["verify-proof", "proof.car", "com.example.note/a", "--key", KEY];
        let ended = bounded(home.pds(args), 0);
        assert_eq!(ended.code(), 1);
        assert!(ended.stderr.contains("not signed with"), "{}", ended.stderr);
    }
}

#[test]
fn a_log_takes_no_more_memory_than_its_limit_allows() {
    let home = Home::new();
    home.write("a.car", Car::of([(b"com.example.note/a".to_vec(), note("a"))]).file());
    let mebibyte = 1 << 20;
    for (text, said) in [
        (format!("[{}0]", "0,".repeat(mebibyte - 2)), "more operations than the limit"),
        (format!("[{{\"x\":[{}0]}}]", "0,".repeat(mebibyte - 8)), "operations without times"),
        ("[".repeat(2 * mebibyte), "recursion limit"),
        (" ".repeat(100 * mebibyte), "longer than 2097152 bytes"),
    ] {
        home.write("log.json", &text);
        for args in [
            &["verify-proof", "a.car", "com.example.note/a"][..],
            &["verify", "a.car"],
            &["-R", "a.car", "log"],
        ] {
            let args = args.iter().copied().chain(["--plc-log", "log.json"]);
            let ended = bounded(home.pds(args), text.len().min(2 * mebibyte));
            assert_eq!(ended.code(), 3, "{}", ended.stderr);
            assert!(ended.stderr.contains(said), "{}", ended.stderr);
        }
    }
}
