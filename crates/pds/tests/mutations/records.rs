//! Records in every encoding but the right one, and values that break the data model.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use pds::car::CarFile;
use pds::data::limits::{
    MAX_BLOCK_NESTING, MAX_CONTAINER_ENTRIES, MAX_MAP_KEY_BYTES, MAX_NESTING, MAX_RECORD_BYTES,
};
use pds::data::{
    BlobRef, Block, Cid, Codec, MemoryBlocks, Value, check_canonical, check_record, links,
};
use pds::{Snapshot, Stage};

use super::deviant::deviants;
use super::forge::{Forged, Shape, record};
use super::judge::{Judged, judge};
use super::torture::{amount, row};
use crate::properties::Random;
use crate::properties::cbor::mutate;

const PATH: &str = "com.example.note/a";

/// A record with every kind of value, in lists and in maps.
fn rich() -> Value {
    let link = Cid::of(Codec::Cbor, b"somewhere");
    let blob = BlobRef {
        cid: Cid::of(Codec::Raw, b"a blob"),
        mime_type: "image/png".to_owned(),
        size_bytes: Some(6),
    };
    Value::from([
        ("$type", Value::from("com.example.note")),
        ("blob", blob.to_value()),
        ("link", Value::Link(link)),
        ("none", Value::Null),
        ("bytes", Value::from(vec![7; 30])),
        ("empty", Value::from("")),
        (
            "numbers",
            [0, 23, 24, 255, 256, 65_536, -1, -25, 1 << 40].map(Value::Int).to_vec().into(),
        ),
        ("truth", Value::List(vec![Value::from(true), Value::from(false)])),
        ("text", Value::from("ä".repeat(200))),
    ])
}

/// Judges a repository with one record, and checks that the bytes of an admitted one are kept.
fn judged(record: &Block, name: &str, random: &mut Random) -> Judged {
    let records: MemoryBlocks = [record.clone()].into_iter().collect();
    let entries = BTreeMap::from([(PATH.as_bytes().to_vec(), record.cid())]);
    let forged = Forged::of(&Shape::of(&entries), &records);
    let judged = judge(&forged, name, random);
    assert!(judged.is_admitted(), "{name}: one bad record leaves the repository good");
    let file = CarFile::open(Cursor::new(forged.file())).unwrap();
    let snapshot = Snapshot::open(Arc::new(file), forged.commit.cid()).unwrap();
    let found = snapshot.find(&PATH.parse().unwrap()).unwrap().unwrap();
    assert_eq!(&found.block, record, "{name}");
    if let Ok(value) = found.value() {
        assert_eq!(value.encode(), record.bytes(), "{name}: what is decoded encodes to the same");
    }
    judged
}

#[test]
fn a_record_in_another_encoding_is_kept_and_named() {
    let (mut random, mut tried) = (Random(20), 0);
    for (deviation, rule, bytes) in deviants(&rich(), amount(6, 1)) {
        let name = format!("{deviation:?} in a record");
        assert!(check_canonical(&bytes).is_err() && links(&bytes).is_err(), "{name}");
        assert!(Value::decode(&bytes).is_err() && check_record(&bytes).is_err(), "{name}");
        let judged = judged(&Block::new(Codec::Cbor, bytes), &name, &mut random);
        let found: Vec<_> = judged.errors().collect();
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert_eq!(
            (found[0].stage(), found[0].code().as_str()),
            (Stage::Record, "record-undecodable")
        );
        assert!(found[0].message.contains(rule), "{name}: {}", found[0]);
        tried += 1;
    }
    row("mutations: encodings of records", tried, "each kept, and named for its rule");
}

fn typed(more: Vec<(&str, Value)>) -> Value {
    let all = more.into_iter().chain([("$type", Value::from("com.example.note"))]);
    Value::Map(all.collect())
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

/// Values that are encoded as they must be, with the codes of their findings.
fn values() -> Vec<(&'static str, Value, &'static str)> {
    let raw = Value::Link(Cid::of(Codec::Raw, b"a blob"));
    let linked = Value::Link(Cid::of(Codec::Cbor, b"no blob"));
    let blob = |fields: Vec<(&str, Value)>| {
        let all = fields.into_iter().chain([("$type", Value::from("blob"))]);
        typed(vec![("blob", Value::Map(all.collect()))])
    };
    let [png, six] = [Value::from("image/png"), Value::Int(6)];
    let with_type = |value| Value::from([("$type", value)]);
    let (model, undecodable) = ("record-model", "record-undecodable");
    let (missing, unsafe_integer) = ("record-type-missing", "record-unsafe-integer");
    vec![
        ("a rich record", rich(), ""),
        ("an empty map", typed(vec![]), ""),
        ("no type", Value::from([("text", Value::from("x"))]), missing),
        ("a type of null", with_type(Value::Null), model),
        ("a type of a number", with_type(Value::Int(1)), model),
        ("an empty type", with_type(Value::from("")), model),
        ("another type", with_type(Value::from("com.example.other")), "record-type-mismatch"),
        ("an inner type of a number", typed(vec![("x", with_type(Value::Int(1)))]), model),
        ("a list", Value::List(vec![]), model),
        ("a text", Value::from("text"), model),
        ("a link", linked.clone(), model),
        ("null", Value::Null, model),
        ("an empty key", typed(vec![("", Value::Null)]), ""),
        ("a key $link", typed(vec![("x", Value::from([("$link", Value::Null)]))]), model),
        ("a key $bytes", typed(vec![("x", Value::from([("$bytes", Value::from("eA"))]))]), model),
        ("a key $other", typed(vec![("$other", Value::Null)]), ""),
        (
            "a blob",
            blob(vec![("ref", raw.clone()), ("mimeType", png.clone()), ("size", six.clone())]),
            "",
        ),
        (
            "a blob of the wrong codec",
            blob(vec![("ref", linked), ("mimeType", png.clone()), ("size", six.clone())]),
            model,
        ),
        ("a blob without ref", blob(vec![("mimeType", png.clone()), ("size", six.clone())]), model),
        ("a blob without size", blob(vec![("ref", raw.clone()), ("mimeType", png.clone())]), model),
        ("a blob without kind", blob(vec![("ref", raw.clone()), ("size", six.clone())]), model),
        (
            "a blob with an empty kind",
            blob(vec![("ref", raw.clone()), ("mimeType", Value::from("")), ("size", six.clone())]),
            model,
        ),
        (
            "a blob with a size of text",
            blob(vec![("ref", raw.clone()), ("mimeType", png.clone()), ("size", png.clone())]),
            model,
        ),
        (
            "a blob with a ref of text",
            blob(vec![("ref", png.clone()), ("mimeType", png), ("size", six)]),
            model,
        ),
        ("the greatest safe integer", typed(vec![("n", Value::Int((1 << 53) - 1))]), ""),
        ("a greater integer", typed(vec![("n", Value::Int(1 << 53))]), unsafe_integer),
        ("the least safe integer", typed(vec![("n", Value::Int(1 - (1 << 53)))]), ""),
        ("a lesser integer", typed(vec![("n", Value::Int(-(1 << 53)))]), unsafe_integer),
        ("the least integer", typed(vec![("n", Value::Int(i64::MIN))]), unsafe_integer),
        ("levels", typed(vec![("x", nested(MAX_NESTING - 1))]), ""),
        ("one level more", typed(vec![("x", nested(MAX_NESTING))]), "record-deep"),
        (
            "a long list",
            typed(vec![("x", Value::List(vec![Value::Null; MAX_CONTAINER_ENTRIES]))]),
            "",
        ),
        (
            "a longer list",
            typed(vec![("x", Value::List(vec![Value::Null; MAX_CONTAINER_ENTRIES + 1]))]),
            undecodable,
        ),
        ("a long key", typed(vec![(&"k".repeat(MAX_MAP_KEY_BYTES), Value::Null)]), ""),
        (
            "a longer key",
            typed(vec![(&"k".repeat(MAX_MAP_KEY_BYTES + 1), Value::Null)]),
            undecodable,
        ),
        ("every character", typed(vec![("x", Value::from("\0\u{1}\u{7f}\u{202e}\u{10ffff}"))]), ""),
    ]
}

#[test]
fn values_are_judged_by_the_data_model() {
    let (mut random, mut tried) = (Random(21), 0);
    for (name, value, code) in values() {
        let judged = judged(&Block::new(Codec::Cbor, value.encode()), name, &mut random);
        let expected = Some(code).filter(|code| !code.is_empty());
        assert_eq!(
            judged.codes(),
            expected.into_iter().collect(),
            "{name}: {:#?}",
            judged.findings
        );
        tried += 1;
    }
    // A record of the greatest size, and one byte more.
    let empty = typed(vec![("x", Value::from(vec![0; 1 << 16]))]).encode().len() - (1 << 16);
    for (more, codes) in [(0, &[][..]), (1, &["record-too-large"])] {
        let len = MAX_RECORD_BYTES - empty + more;
        let value = typed(vec![("x", Value::from(vec![0; len]))]);
        let judged = judged(&Block::new(Codec::Cbor, value.encode()), "large", &mut random);
        assert_eq!(judged.codes(), codes.iter().copied().collect(), "{more}");
        tried += 1;
    }
    // Levels that no recursion could read.
    for (levels, codes) in [
        (MAX_BLOCK_NESTING - 1, &["record-deep"][..]),
        (MAX_BLOCK_NESTING, &["record-undecodable"]),
        (900_000, &["record-undecodable"]),
    ] {
        // The head of a map with one key, `$type` after the levels.
        let mut bytes = vec![0xa2, 0x61, b'x'];
        bytes.extend(vec![0x81; levels]);
        bytes.extend([0xf6, 0x65]);
        bytes.extend(b"$type");
        bytes.extend(Value::from("com.example.note").encode());
        let name = format!("{levels} levels");
        let judged = judged(&Block::new(Codec::Cbor, bytes), &name, &mut random);
        assert_eq!(
            judged.codes(),
            codes.iter().copied().collect(),
            "{name}: {:#?}",
            judged.findings
        );
        tried += 1;
    }
    row("mutations: values of records", tried, "each judged as expected");
}

/// Many random records in one file: the verdict on each is that of a check by itself, and all bytes are kept.
#[test]
fn random_records_are_judged_as_each_is_by_itself() {
    let (files, of_each) = (amount(20, 1_500), 40);
    let (mut good, mut bad) = (0, 0);
    for seed in 0..files {
        let mut random = Random(3_000_000 + seed as u64);
        let (mut entries, mut records) = (BTreeMap::new(), MemoryBlocks::default());
        let mut expected = 0;
        for n in 0..of_each {
            let mut bytes = match n % 4 {
                0 => record(PATH).bytes().to_vec(),
                _ => rich().encode(),
            };
            for _ in 0..random.below(3) {
                mutate(&mut random, &mut bytes);
            }
            expected += u64::from(check_record(&bytes).is_err());
            let block = Block::new(Codec::Cbor, bytes);
            entries.insert(format!("com.example.note/{n:03}").into_bytes(), block.cid());
            records.insert(block);
        }
        let forged = Forged::of(&Shape::of(&entries), &records);
        let name = format!("seed {seed}");
        let judged = judge(&forged, &name, &mut random);
        assert_eq!(judged.report.errors, expected, "{name}: {:#?}", judged.findings);
        assert!(judged.is_admitted(), "{name}");
        (bad, good) = (bad + expected, good + of_each as u64 - expected);
    }
    assert!(good > 100 && bad > 100, "{good} {bad}");
    let found = format!("{good} valid, {bad} named and kept");
    row("mutations: random records", files * of_each, &found);
}
