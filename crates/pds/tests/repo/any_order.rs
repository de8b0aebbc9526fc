//! Files with blocks in any order, verified with the same result as in the order of the tree.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pds::car::{CarFile, CarReader, CarWriter};
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Codec, MemoryBlocks, Value};
use pds::mst::Builder;
use pds::syntax::Tid;
use pds::transfer::export::export_car;
use pds::verify::car::verify_car;
use pds::verify::indexed::verify;
use pds::{Expected, Finding, Report};
use pds::{Jobs, Snapshot};

use super::did;

/// Returns a file in the order of the tree. It has more types than one byte can number, and records that cause
/// findings.
fn file() -> Vec<u8> {
    let typed = |name: &str, text: &str| {
        Value::from([("$type", Value::from(name)), ("text", Value::from(text))])
    };
    let mut records = BTreeMap::new();
    for n in 0..400 {
        let name = format!("com.example.kind{n}");
        for rkey in 0..3 {
            let value = typed(&name, &format!("{n} {rkey} {}", "-".repeat(900)));
            records.insert(format!("{name}/{rkey}"), value);
        }
    }
    for rkey in ["a", "b", "c"] {
        let mut odd = |kind: &str, value| {
            records.insert(format!("com.example.odd/{kind}-{rkey}"), value);
        };
        odd("untyped", Value::from([("text", Value::from(rkey))]));
        odd("mistyped", typed("com.example.kind7", rkey));
        odd("same", typed("com.example.odd", "the same"));
        odd("large", typed("com.example.other", &"x".repeat(40_000)));
        odd("long", typed(&"t".repeat(1_000), rkey));
        // This record starts with the same bytes as a node.
        odd("node", Value::from([("e", Value::List(Vec::new())), ("l", Value::Null)]));
    }
    let mut blocks = MemoryBlocks::default();
    let mut tree = Builder::default();
    for (path, value) in records {
        let record = Block::new(Codec::Cbor, value.encode());
        tree.push(path.as_bytes(), record.cid(), |node| _ = blocks.insert(node)).unwrap();
        blocks.insert(record);
    }
    let data = tree.finish(|node| _ = blocks.insert(node));
    let commit = UnsignedCommit {
        did: did(),
        data,
        rev: Tid::new(1_700_000_000_000_000, 7).unwrap(),
        prev: None,
    };
    let commit = commit.sign(&SigningKey::generate(Curve::P256).unwrap()).unwrap();
    blocks.insert(commit.block().clone());
    let mut file = Vec::new();
    let snapshot = Snapshot::open(Arc::new(blocks), commit.cid()).unwrap();
    export_car(&snapshot, &mut file, &mut |_| {}).unwrap();
    file
}

fn sorted(file: &[u8], but: impl Fn(&Block) -> bool) -> Vec<u8> {
    let reader = CarReader::new(file).unwrap();
    let roots = reader.roots().to_vec();
    let mut blocks: Vec<Block> = reader.collect::<Result<_, _>>().unwrap();
    blocks.sort_unstable_by_key(Block::cid);
    let mut writer = CarWriter::new(Vec::new(), &roots).unwrap();
    for block in blocks.iter().filter(|block| !but(block)) {
        writer.block(block.borrowed()).unwrap();
    }
    writer.finish().unwrap()
}

fn check(file: &[u8], jobs: usize) -> (Report, Vec<Finding>) {
    let jobs = Jobs::new(NonZeroUsize::new(jobs).unwrap());
    let expected = Expected::default().jobs(jobs);
    let mut findings = Vec::new();
    let report = verify_car(Cursor::new(file), &expected, &mut |found| findings.push(found));
    (report.unwrap(), findings)
}

#[test]
fn the_order_of_the_blocks_makes_no_difference() {
    let file = file();
    let sorted = sorted(&file, |_| false);
    assert!(sorted.len() > 1024 * 1024, "large enough for two threads");
    let (report, findings) = check(&file, 1);
    assert!(report.is_ok() && findings.len() >= 15, "{findings:#?}");
    let commit = report.commit.as_ref().unwrap().cid();
    for jobs in [1, 2] {
        let (other, others) = check(&sorted, jobs);
        assert_eq!(others, findings);
        assert_eq!((other.nodes, other.records), (report.nodes, report.records));
        assert_eq!((other.blocks, other.commit.unwrap().cid()), (report.blocks, commit));
    }
    let car = CarFile::open(Cursor::new(&sorted)).unwrap();
    let mut slowly = Vec::new();
    verify(&car, commit, &Expected::default(), &mut |found| slowly.push(found)).unwrap();
    assert_eq!(slowly, findings);
}

#[test]
fn whatever_is_left_out_is_missed() {
    let file = file();
    let blocks: Vec<Block> = CarReader::new(&file[..]).unwrap().collect::<Result<_, _>>().unwrap();
    for absent in blocks.iter().skip(1).step_by(97) {
        let without = sorted(&file, |block| block.cid() == absent.cid());
        let (report, findings) = check(&without, 2);
        assert!(!report.is_ok() && report.missing > 0, "{}", absent.cid());
        assert!(findings.iter().any(|found| found.cid == Some(absent.cid())));
    }
}
