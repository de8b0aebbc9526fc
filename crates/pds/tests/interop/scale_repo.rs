//! Repositories of up to 100,000 records, built by a recipe with known results.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use pds::Snapshot;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::Builder;
use pds::syntax::Tid;
use pds::transfer::export::export_car;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::support::{cid, empty_mirror, export, json, number, text};

fn record(collection: &str, n: u64) -> Block {
    let value = Value::from([
        ("$type", Value::from(collection)),
        ("n", Value::Int(n.try_into().unwrap())),
        ("text", Value::from(format!("entry {n}"))),
    ]);
    Block::new(Codec::Cbor, value.encode())
}

fn key(collection: &str, n: u64) -> String {
    let micros = 1_700_000_000_000_000 + n * 1_000_003;
    let rkey = Tid::from_u64((micros << 10) | (n % 1024));
    format!("{collection}/{rkey}")
}

/// Returns the repository with this many records in memory, and the number of its nodes.
fn built(recipe: &Json, n: u64) -> (Snapshot, u64) {
    let collection = text(recipe, "collection");
    let mut blocks = MemoryBlocks::default();
    let (mut tree, mut nodes) = (Builder::default(), Vec::new());
    for n in 0..n {
        let record = record(collection, n);
        let key = key(collection, n);
        tree.push(key.as_bytes(), record.cid(), |node| nodes.push(node)).unwrap();
        blocks.insert(record);
    }
    let data = tree.finish(|node| nodes.push(node));
    let count = nodes.len() as u64;
    blocks.extend(nodes);

    let unsigned = UnsignedCommit {
        did: text(recipe, "did").parse().unwrap(),
        data,
        rev: text(&recipe["commit"], "rev").parse().unwrap(),
        prev: None,
    };
    let secret = text(recipe, "signing_key_secret_hex");
    let signer = SigningKey::from_hex(Curve::K256, secret).unwrap();
    assert_eq!(signer.public_key().did_key(), text(recipe, "signing_key"));
    let commit = unsigned.sign(&signer).unwrap();
    blocks.insert(commit.block().clone());
    (Snapshot::open(Arc::new(blocks), commit.cid()).unwrap(), count)
}

#[test]
fn the_recipe_gives_the_known_repositories_to_the_byte() {
    let Some(expected) = json("scale/expected.json") else {
        return;
    };
    let repositories = expected["repositories"].as_array().unwrap();
    for repository in repositories {
        let n = number(repository, "n");
        let (snapshot, nodes) = built(&expected["recipe"], n);
        let commit = snapshot.commit();
        assert_eq!(commit.data(), cid(repository, "mst_root"), "{n} records");
        assert_eq!(nodes, number(repository, "mst_nodes"), "{n} records");
        let signature = HEXLOWER.encode(commit.signature().as_bytes());
        assert_eq!(signature, text(repository, "commit_sig_hex"), "{n} records");
        assert_eq!(commit.cid(), cid(repository, "commit_cid"), "{n} records");

        let (mut file, mut sizes) = (Vec::new(), 0);
        let exported = export_car(&snapshot, &mut file, &mut |size| sizes += size).unwrap();
        assert_eq!(exported.blocks, 1 + nodes + n);
        assert_eq!(exported.bytes, number(repository, "car_preorder_bytes"), "{n} records");
        assert!(sizes < exported.bytes, "the framing counts too");
        let digest = HEXLOWER.encode(&Sha256::digest(&file));
        assert_eq!(digest, text(repository, "car_preorder_sha256"), "{n} records");
    }
    assert!(repositories.len() >= 5);
}

#[test]
fn the_example_of_the_recipe_is_the_first_record() {
    let Some(expected) = json("scale/expected.json") else {
        return;
    };
    let collection = text(&expected["recipe"], "collection");
    assert_eq!(key(collection, 0), text(&expected, "example_key_0"));
    let bytes = HEXLOWER.encode(record(collection, 0).bytes());
    assert_eq!(bytes, text(&expected, "example_record_0_hex"));
}

#[test]
fn a_thousand_records_go_through_a_store_and_come_out_the_same() {
    let Some(expected) = json("scale/expected.json") else {
        return;
    };
    let (snapshot, _) = built(&expected["recipe"], 1_000);
    let file = export(&snapshot);
    let repo = empty_mirror();
    let signer = text(&expected["recipe"], "signing_key").parse().unwrap();
    let imported = super::support::import(&repo, &file, Some(&signer)).unwrap();
    assert_eq!(imported.records, 1_000);
    assert!(imported.findings.is_empty());
    assert!(export(&repo.snapshot().unwrap()) == file);
    let path = key(text(&expected["recipe"], "collection"), 999).parse().unwrap();
    let record: Option<Cid> = repo.find(&path).unwrap().map(|record| record.cid());
    assert_eq!(record, snapshot.find_cid(&path).unwrap());
}
