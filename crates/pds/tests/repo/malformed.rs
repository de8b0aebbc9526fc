//! Commits with one malformed field: everything else is checked and read as if the field were right.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarWriter};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, PublicKey, Signer, SigningKey};
use pds::data::{Block, Cid, Codec, Value};
use pds::mst::{Builder, Key};
use pds::store::MemoryStore;
use pds::verify::car::verify_car;
use pds::{Code, Error, Expected, Finding, Repo, Report, SignatureState, Snapshot};

use super::{did, note, path};
use crate::properties::Random;

/// Returns the tree and the records of a random repository. Some records are invalid.
fn tree(random: &mut Random) -> (Cid, Vec<Block>) {
    let mut blocks = Vec::new();
    let mut builder = Builder::default();
    for n in 0..random.below(30) {
        let bytes = match random.below(6) {
            0 => note("without a type").encode(),
            1 => Value::from([("$type", Value::from("com.example.b")), ("$link", Value::Null)])
                .encode(),
            2 => b"\xff".to_vec(),
            _ => {
                Value::from([("$type", Value::from("com.example.a")), ("n", Value::from(n as i64))])
                    .encode()
            }
        };
        let record = Block::new(Codec::Cbor, bytes);
        let key = Key::new(format!("com.example.a/{n:03}").into_bytes()).unwrap();
        builder.push(key.as_bytes(), record.cid(), |node| blocks.push(node)).unwrap();
        if random.below(20) > 0 {
            blocks.push(record);
        }
    }
    let root = builder.finish(|node| blocks.push(node));
    (root, blocks)
}

fn file(commit: &Block, blocks: &[Block]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut car = CarWriter::new(&mut file, &[commit.cid()]).unwrap();
    for block in [commit].into_iter().chain(blocks) {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap();
    file
}

/// Returns a commit with one changed field, signed with the change.
fn with_field(good: &Commit, key: &SigningKey, field: &str, value: Option<&Value>) -> Block {
    let Value::Map(mut fields) = Value::decode(good.block().bytes()).unwrap() else { panic!() };
    fields.remove("sig");
    let change = |fields: &mut pds::data::Map| match value {
        Some(value) => drop(fields.insert(field, value.clone())),
        None => drop(fields.remove(field)),
    };
    if field != "sig" {
        change(&mut fields);
    }
    let signature = key.sign(&Value::Map(fields.clone()).encode()).unwrap();
    fields.insert("sig", signature.as_bytes().as_slice());
    if field == "sig" {
        change(&mut fields);
    }
    Block::new(Codec::Cbor, Value::Map(fields).encode())
}

fn check(file: &[u8], key: &PublicKey) -> (Report, Vec<Finding>) {
    let mut found = Vec::new();
    let did = did();
    let expected = Expected::default().did(&did).key(key);
    let report = verify_car(Cursor::new(file), &expected, &mut |finding| found.push(finding));
    (report.unwrap(), found)
}

/// Returns the fields that may be malformed, each with a malformed value.
fn malformed(random: &mut Random) -> (&'static str, Option<Value>) {
    let values = [
        None,
        Some(Value::from("3jzfcijpj2z2")),
        Some(Value::from(vec![7; 7])),
        Some(Value::from(4)),
        Some(Value::Link(Cid::of(Codec::Raw, b"x"))),
        Some(Value::from([("x", Value::Null)])),
    ];
    loop {
        let field = random.pick(&["did", "rev", "sig", "prev", "version"]);
        let value = values[random.below(values.len())].clone();
        // A commit without `prev` was allowed once.
        if (field, value.is_none()) != ("prev", true) {
            let field = ["did", "rev", "sig", "prev", "version"].into_iter().find(|f| *f == field);
            return (field.unwrap(), value);
        }
    }
}

#[test]
fn one_malformed_field_is_one_finding_and_hides_nothing() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let public = key.public_key();
    for seed in 0..300 {
        let mut random = Random(seed);
        let (data, blocks) = tree(&mut random);
        let rev = "3jzfcijpj2z2a".parse().unwrap();
        let good = UnsignedCommit { did: did(), data, rev, prev: None }.sign(&key).unwrap();
        let (field, value) = malformed(&mut random);
        let bad = with_field(&good, &key, field, value.as_ref());
        let (sound, faulty) = (file(good.block(), &blocks), file(&bad, &blocks));
        let ((report, findings), (bad_report, bad_findings)) =
            (check(&sound, &public), check(&faulty, &public));
        let (fields, others): (Vec<&Finding>, Vec<&Finding>) =
            bad_findings.iter().partition(|finding| finding.code() == Code::CommitField);
        assert_eq!((fields.len(), fields[0].cid), (1, Some(bad.cid())), "seed {seed}: {field}");
        assert!(fields[0].message.starts_with(&format!("{field}: ")), "{}", fields[0]);
        // A file with an invalid record or a missing one is read in another way, so the order may differ.
        let sorted = |findings: Vec<&Finding>| {
            let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(others), sorted(findings.iter().collect()), "seed {seed}: {field}");
        let counts = |it: &Report| (it.records, it.nodes, it.blocks, it.missing, it.unreadable);
        assert_eq!(counts(&bad_report), counts(&report));
        assert_eq!(report.signature, SignatureState::Valid);
        let signature =
            if field == "sig" { SignatureState::Invalid } else { SignatureState::Valid };
        assert_eq!(bad_report.signature, signature);

        // The records are the same, and no repository takes the commit.
        let car = Arc::new(CarFile::open(Cursor::new(faulty.clone())).unwrap());
        let read = Snapshot::open_with_faults(car.clone(), bad.cid()).unwrap();
        let whole = Arc::new(CarFile::open(Cursor::new(sound)).unwrap());
        let expected = Snapshot::open(whole, good.cid()).unwrap();
        let entries = |of: &Snapshot| of.records().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(entries(&read), entries(&expected));
        let strict = Snapshot::open(car, bad.cid());
        assert!(matches!(strict, Err(Error::Commit(_))));
        assert!(matches!(read.prove(&path("com.example.a/x")), Err(Error::Commit(_))));
        let mirror = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        let refused = mirror.transfer().import_file(Cursor::new(faulty), None);
        assert!(matches!(refused, Err(Error::Commit(_))), "{refused:?}");
        assert_eq!(mirror.head().unwrap(), None);
    }
}
