//! Trees and proofs of other software.

use std::sync::Arc;

use pds::Snapshot;
use pds::car::CarReader;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid};
use pds::identity::{KeyHistory, PlcLog};

use super::support::{bytes, open};
use super::{cid, cid_or_null, each, read_car, read_json, sorted, text};
use crate::fixtures;
use crate::repo::proofs::{assert_all_of_it_counts, in_turns, proven};

#[test]
fn proofs_of_real_trees_have_the_nodes_that_are_expected_and_the_record() {
    let Some(dir) = fixtures() else { return };
    let key = SigningKey::from_bytes(Curve::K256, &[5; 32]).unwrap();
    let (mut files, mut with_record, mut no_paths) = (0, 0, 0);
    for entry in std::fs::read_dir(dir.join("mst-ops")).unwrap() {
        let file = entry.unwrap().path();
        if !file.to_str().unwrap().ends_with(".proofs.json") {
            continue;
        }
        files += 1;
        let file = read_json(&file);
        let (_, mut blocks) = read_car(&dir.join("cars").join(text(&file["car"])));
        // The keys of these accounts' commits are not known here.
        let unsigned = UnsignedCommit {
            did: "did:web:alice.example.com".parse().unwrap(),
            data: cid(&file["data_root"]),
            rev: "3jzfcijpj2z2a".parse().unwrap(),
            prev: None,
        };
        let commit = unsigned.sign(&key).unwrap();
        blocks.insert(commit.block().clone());
        let snapshot = Snapshot::open(Arc::new(blocks), commit.cid()).unwrap();
        for case in each(&file["proofs"]) {
            // Some keys are not those of records. `mst_ops` proves them absent.
            let Ok(path) = text(&case["path"]).parse() else {
                assert!(case["record"].is_null());
                no_paths += 1;
                continue;
            };
            let expected = cid_or_null(&case["record"]);
            let chain: Vec<Cid> = each(&case["nodes"]).map(cid).collect();
            let proof = snapshot.prove(&path).unwrap();
            let written: Vec<Cid> = proof.blocks().map(Block::cid).collect();
            let all: Vec<Cid> = [commit.cid()].into_iter().chain(chain).chain(expected).collect();
            assert_eq!(written, all, "{path}");
            let mut car = Vec::new();
            proof.write_car(&mut car).unwrap();
            let found = proven(&car, &path, &key.public_key().into()).unwrap();
            assert_eq!(found.record.map(|record| record.cid()), expected, "{path}");
            assert_all_of_it_counts(&car, &path, &key.public_key().into(), in_turns);
            with_record += usize::from(expected.is_some());
        }
    }
    assert_eq!(files, 2);
    assert_eq!((with_record, no_paths), (64, 2));
}

#[test]
fn proofs_of_another_server_are_read_with_the_operation_log_of_the_account() {
    let Some(dir) = fixtures() else { return };
    let dir = dir.join("reference-pds/alice");
    let log = std::fs::read_to_string(dir.join("plc-log-audit.json")).unwrap();
    let keys: KeyHistory = PlcLog::parse(&log).unwrap().key_history();
    let car = open(&bytes("reference-pds/alice/repo.car").unwrap()).unwrap();
    let root = car.roots()[0];
    let snapshot = Snapshot::open(Arc::new(car), root).unwrap();
    let (mut present, mut absent) = (0, 0);
    for case in each(&read_json(&dir.join("proofs/index.json"))) {
        let name = text(&case["file"]);
        let path = format!("{}/{}", text(&case["collection"]), text(&case["rkey"]));
        let path = path.parse().unwrap();
        let expected = cid_or_null(&case["cid"]);
        let car = std::fs::read(dir.join(name)).unwrap();
        let blocks = CarReader::new(&car[..]).unwrap().map(Result::unwrap);
        let theirs = sorted(blocks.map(|block| block.cid()));
        let ours = sorted(snapshot.prove(&path).unwrap().blocks().map(Block::cid));
        let found = proven(&car, &path, &keys).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.require_exact().unwrap();
        assert_eq!(found.record.map(|record| record.cid()), expected, "{name}");
        assert_eq!(ours, theirs, "{name}");
        assert_all_of_it_counts(&car, &path, &keys, in_turns);
        match expected {
            Some(_) => present += 1,
            None => absent += 1,
        }
    }
    assert_eq!((present, absent), (40, 4));
}
