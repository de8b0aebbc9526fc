//! The round trip of generated repositories.

use std::collections::BTreeMap;

use pds::data::{Block, Cid, Codec, Map, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::data;
use crate::common::{Car, DID, Home};

/// Any value of the data model that has a JSON form.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::from),
        any::<u8>().prop_map(|byte| Value::Link(Cid::of(Codec::Cbor, &[byte]))),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let key = any::<String>().prop_filter("a plain key", |key| !key.starts_with('$'));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from_iter),
            prop::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect())),
        ]
    })
}

type Records = BTreeMap<String, Vec<(String, Value)>>;

fn records() -> impl Strategy<Value = Records> {
    let path = (
        "[a-z]{1,3}\\.[a-z0-9]{1,4}(-[a-z])?\\.[a-zA-Z]{1,5}",
        "[A-Za-z0-9.:~_-]{1,9}".prop_filter("no dots alone", |rkey| rkey != "." && rkey != ".."),
    );
    let path = path.prop_map(|(collection, rkey)| format!("{collection}/{rkey}"));
    let fields = prop::collection::vec(("[a-zA-Z.\\\\]{0,6}", value()), 0..6);
    prop::collection::btree_map(path, fields, 1..30)
}

fn block(path: &str, fields: &[(String, Value)]) -> Block {
    let mut map: Map = fields.iter().cloned().collect();
    map.insert("$type", path.split('/').next().unwrap());
    Block::new(Codec::Cbor, Value::Map(map).encode())
}

#[test]
fn generated_repositories_come_back_with_the_same_root() {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&records(), |records| {
        let home = Home::in_memory();
        let blocks =
            records.iter().map(|(path, fields)| (path.clone().into_bytes(), block(path, fields)));
        let car = Car::of(blocks);
        home.write("a.car", car.file());
        let expected = car.commit.data().to_string();
        let export = ["-R", "a.car", "export", "--format"];
        home.pds(export.into_iter().chain(["ndjson", "-o", "lines"])).ended().done();
        home.pds(["-R", "a.car", "unpack", "plain"]).ok();
        home.pds(["-R", "a.car", "unpack", "portable", "--portable"]).ok();
        for (at, from) in ["lines", "plain", "portable"].into_iter().enumerate() {
            let repo = format!("r{at}");
            home.pds(["init", &repo, "--did", DID]).ok();
            home.pds(["-R", &repo, "apply", from, "--allow-missing-blobs"]).ok();
            prop_assert_eq!(&data(&home, &repo), &expected, "{}", from);
        }
        // Every record has a row, and the reader finds every cell.
        home.pds(export.into_iter().chain(["csv", "-o", "tables"])).ended().done();
        let mut rows = 0;
        for file in home.list("tables") {
            let mut reader = csv::Reader::from_path(home.path(&format!("tables/{file}"))).unwrap();
            let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
            let different: std::collections::BTreeSet<&String> = names.iter().collect();
            prop_assert_eq!(different.len(), names.len());
            rows += reader.records().filter(|row| row.is_ok()).count();
        }
        prop_assert_eq!(rows, records.len());
        Ok(())
    });
    result.unwrap();
}
