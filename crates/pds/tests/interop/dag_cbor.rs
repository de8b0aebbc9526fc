//! DAG-CBOR vectors of other projects, and single blocks of real repositories.

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use pds::data::{Cid, Codec, DataError, Value, check_canonical, check_record};
use pds::mst::{Node, Position};
use serde_json::{Value as Json, json};

use super::{cid, read, read_json_lines, text};
use crate::fixtures;

fn cases(name: &str) -> Vec<Json> {
    let Some(dir) = fixtures() else {
        return Vec::new();
    };
    let cases = read_json_lines(&dir.join("dag-cbor").join(name));
    assert!(!cases.is_empty());
    cases
}

fn hex(case: &Json) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(text(&case["hex"]).as_bytes()).unwrap()
}

#[test]
fn every_vector_is_taken_or_refused_as_expected() {
    for name in ["vectors.jsonl", "codec-fixtures.jsonl"] {
        for case in cases(name) {
            let id = text(&case["id"]);
            let bytes = hex(&case);
            let decoded = Value::decode(&bytes);
            // One function builds the value, and the other only checks the bytes. They must report the same byte
            // offset.
            let checked = check_canonical(&bytes);
            let expected = text(&case["atproto_expect"]);
            if expected != "limit" {
                assert_eq!(checked, decoded.clone().map(drop), "{id}");
            }
            match expected {
                "accept" => assert_eq!(decoded.expect(id).encode(), bytes, "{id}"),
                "reject" => assert!(matches!(decoded, Err(DataError::Cbor { .. })), "{id}"),
                "limit" => {
                    let Err(DataError::Cbor { reason, .. }) = decoded else {
                        panic!("{id}: {decoded:?}");
                    };
                    assert_eq!(reason, "nested deeper than the limit of 64 levels", "{id}");
                    // Blocks that are only checked may be nested deeper, unless that is an attack.
                    if let Err(DataError::Cbor { reason, .. }) = checked {
                        assert_eq!(reason, "nested deeper than the limit of 65,535 levels", "{id}");
                    }
                }
                other => panic!("{id}: an expectation named {other}"),
            }
        }
    }
}

#[test]
fn codec_fixtures_have_their_cids_and_the_values_of_their_dag_json() {
    for case in cases("codec-fixtures.jsonl") {
        let id = text(&case["id"]);
        let bytes = hex(&case);
        assert_eq!(Cid::of(Codec::Cbor, &bytes), cid(&case["cid"]), "{id}");
        if case["atproto_expect"] == "accept" {
            let expected: Json = serde_json::from_str(text(&case["dag_json"])).unwrap();
            assert_eq!(dag_json(&Value::decode(&bytes).unwrap()), expected, "{id}");
        }
    }
}

/// Converts from DAG-JSON, which writes links and bytes differently from atproto.
fn dag_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(n) => json!(n),
        Value::Bytes(bytes) => json!({"/": {"bytes": BASE64_NOPAD.encode(bytes)}}),
        Value::Text(text) => json!(text),
        Value::List(list) => list.iter().map(dag_json).collect(),
        Value::Map(map) => {
            let pairs = map.iter();
            pairs.map(|(key, value)| (key, dag_json(value))).collect()
        }
        Value::Link(cid) => json!({"/": cid}),
    }
}

#[test]
fn single_blocks_are_read_as_what_they_are() {
    let Some(dir) = fixtures() else { return };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.join("dag-cbor/records")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = read(&path);
        let value = Value::decode(&bytes).expect(&name);
        assert_eq!(value.encode(), bytes, "{name}");
        assert_eq!(value.check(), Ok(()), "{name}");
        let facts = check_record(&bytes);
        if name.contains("post") {
            assert_eq!(facts.expect(&name).record_type, Some("app.bsky.feed.post"));
            assert_eq!(Value::from_json(&value.to_json()), Ok(value), "{name}");
        } else {
            // Commits and tree nodes have no $type.
            assert_eq!(facts.expect(&name).record_type, None, "{name}");
        }
        if name.contains("mst_node") {
            let cid = Cid::of(Codec::Cbor, &bytes);
            let node = Node::read(cid, &bytes, Position::Root).unwrap();
            assert_eq!(node.len(), 33, "{name}");
        }
        names.push(name);
    }
    assert_eq!(names.len(), 5);
}
