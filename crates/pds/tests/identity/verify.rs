//! Commits of different times, verified with the operation log of the account.

use std::io::Cursor;
use std::sync::Arc;

use pds::Snapshot;
use pds::car::CarFile;
use pds::commit::UnsignedCommit;
use pds::crypto::SigningKey;
use pds::data::{Block, Codec, MemoryBlocks};
use pds::identity::{KeyHistory, PlcLog};
use pds::mst::EMPTY_NODE;
use pds::syntax::Tid;
use pds::transfer::export::export_car;
use pds::transfer::prove::{ProofError, verify_proof};
use pds::verify::car::verify_car;
use pds::verify::indexed::verify;
use pds::{Code, Expected, SignatureState};

use super::keys;
use super::plc::{Directory, HOUR, START, tombstone, update};

/// An account whose key changed an hour after its start, and which ended a day later.
fn account() -> (PlcLog, SigningKey, SigningKey) {
    let [rotation, old, new] = keys();
    let mut log = Directory::default();
    let first = log.take(update(&[&rotation], &old, None), &rotation, START);
    let change = log.take(update(&[&rotation], &new, Some(first)), &rotation, START + HOUR);
    log.take(tombstone(change), &rotation, START + 25 * HOUR);
    (PlcLog::parse(&log.json()).unwrap(), old, new)
}

fn snapshot(log: &PlcLog, key: &SigningKey, micros: u64) -> Snapshot {
    let tree = Block::new(Codec::Cbor, EMPTY_NODE);
    let (did, rev) = (log.did().clone(), Tid::new(micros, 0).unwrap());
    let unsigned = UnsignedCommit { did, data: tree.cid(), rev, prev: None };
    let commit = unsigned.sign(key).unwrap();
    let blocks: MemoryBlocks = [tree, commit.block().clone()].into_iter().collect();
    Snapshot::open(Arc::new(blocks), commit.cid()).unwrap()
}

#[test]
fn each_commit_is_held_against_the_key_of_its_time() {
    let (log, old, new) = account();
    let [.., stranger] = keys::<4>();
    let keys: KeyHistory = log.key_history();
    for (key, micros, code) in [
        (&old, START, Code::KeyAtRev),
        (&old, START + HOUR - 1, Code::KeyAtRev),
        (&new, START + 2 * HOUR, Code::KeyAtRev),
        (&old, START + 2 * HOUR, Code::KeyOfAnotherTime),
        (&new, START, Code::KeyOfAnotherTime),
        (&new, START + 26 * HOUR, Code::KeyOfAnotherTime),
        (&stranger, START, Code::SignatureInvalid),
        (&stranger, START + 26 * HOUR, Code::KeyUnknown),
        (&stranger, START - HOUR, Code::SignatureInvalid),
        (&old, START - HOUR, Code::KeyFormer),
        (&new, START - HOUR, Code::KeyFormer),
    ] {
        let snapshot = snapshot(&log, key, micros);
        let is_good = matches!(code, Code::KeyAtRev | Code::KeyFormer);
        // An additional key does not count.
        let present = stranger_key();
        let expected = Expected::default().did(keys.did()).key(Some(&present)).keys(Some(&keys));
        let mut found = Vec::new();
        let report =
            verify(snapshot.blocks(), snapshot.commit().cid(), &expected, &mut |finding| {
                found.push(finding.code());
            })
            .unwrap();
        assert_eq!(found, vec![code], "{micros}");
        let state = if is_good { SignatureState::Valid } else { SignatureState::Invalid };
        assert_eq!((report.signature, report.is_ok()), (state, is_good));

        // The same rules apply to a file and to a proof.
        let mut file = Vec::new();
        export_car(&snapshot, &mut file, &mut |_| {}).unwrap();
        CarFile::open(Cursor::new(file.clone())).unwrap();
        let mut found = Vec::new();
        let of_file = verify_car(Cursor::new(file), &expected, &mut |finding| {
            found.push(finding.code());
        });
        assert_eq!((found, of_file.unwrap().signature), (vec![code], state));
        let path = "com.example.note/a".parse().unwrap();
        let mut proof = Vec::new();
        snapshot.prove(&path).unwrap().write_car(&mut proof).unwrap();
        match verify_proof(Cursor::new(proof), &path, &keys) {
            Ok(proven) => {
                assert!(is_good);
                assert_eq!(proven.signed_by.key, Some(pds::crypto::Signer::public_key(key)));
                let is_former = code == Code::KeyFormer;
                assert_eq!(proven.time_micros, (!is_former).then_some(micros));
                assert_eq!(
                    (proven.may_be_later, proven.require_valid_key().is_err()),
                    (is_former, is_former)
                );
            }
            Err(ProofError::Signature { .. }) => assert!(!is_good),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_finding_says_which_key_it_was_and_whether_it_still_is() {
    let [rotation, old, new] = keys();
    let mut directory = Directory::default();
    let first = directory.take(update(&[&rotation], &old, None), &rotation, START);
    directory.take(update(&[&rotation], &new, Some(first)), &rotation, START + HOUR);
    let log = PlcLog::parse(&directory.json()).unwrap();
    let keys = log.key_history();
    let of_time = ["the key at that time (changed since)", "the key at that time"];
    let timeless = "; rev 2222222222222 is from before the account";
    for (key, micros, ending) in [
        (&old, START, of_time[0].to_owned()),
        (&new, START + 2 * HOUR, of_time[1].to_owned()),
        (
            &old,
            0,
            format!(
                "a former key of the account{timeless}, so the commit may be later than the change of the key"
            ),
        ),
        (&new, 0, format!("the key of the account{timeless}")),
    ] {
        let snapshot = snapshot(&log, key, micros);
        let expected = Expected::default().keys(Some(&keys));
        let mut said = Vec::new();
        let cid = snapshot.commit().cid();
        verify(snapshot.blocks(), cid, &expected, &mut |finding| said.push(finding.message))
            .unwrap();
        let key = pds::crypto::Signer::public_key(key);
        assert_eq!(said, [format!("signed with {key}, {ending}")]);
    }
}

fn stranger_key() -> pds::crypto::PublicKey {
    let [.., stranger] = keys::<4>();
    pds::crypto::Signer::public_key(&stranger)
}
