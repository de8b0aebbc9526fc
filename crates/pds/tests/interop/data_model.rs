//! The official data model files: JSON, its CBOR and its CID.

use data_encoding::BASE64_NOPAD;
use pds::data::{Cid, Codec, DataError, Value, check_canonical, check_record, links};
use serde_json::Value as Json;

use super::{cid, each, read_json, text};
use crate::fixtures;

fn cases(name: &str) -> Vec<Json> {
    let Some(dir) = fixtures() else {
        return Vec::new();
    };
    let cases = read_json(&dir.join("atproto-interop/data-model").join(name));
    assert!(!each(&cases).as_slice().is_empty());
    each(&cases).cloned().collect()
}

#[test]
fn json_becomes_the_expected_bytes_and_comes_back() {
    for case in cases("data-model-fixtures.json") {
        let expected = BASE64_NOPAD.decode(text(&case["cbor_base64"]).as_bytes()).unwrap();
        let value = Value::from_json(&case["json"].to_string()).unwrap();
        let bytes = value.encode();
        assert_eq!(bytes, expected);
        assert_eq!(Cid::of(Codec::Cbor, &bytes), cid(&case["cid"]));
        assert_eq!(Value::decode(&expected).unwrap(), value);
        assert_eq!(check_canonical(&expected), Ok(()));
        assert_eq!(links(&expected).unwrap(), value.links().collect::<Vec<_>>());
        for json in [value.to_json(), value.to_json_pretty()] {
            let json: Json = serde_json::from_str(&json).unwrap();
            assert_eq!(json, case["json"]);
        }
    }
}

#[test]
fn valid_json_is_taken_and_survives_both_encodings() {
    for case in cases("data-model-valid.json") {
        let note = text(&case["note"]);
        let value = Value::from_json(&case["json"].to_string()).expect(note);
        assert_eq!(value.check(), Ok(()), "{note}");
        assert_eq!(Value::decode(&value.encode()), Ok(value.clone()), "{note}");
        assert_eq!(Value::from_json(&value.to_json()), Ok(value), "{note}");
    }
}

#[test]
fn invalid_json_is_refused() {
    for case in cases("data-model-invalid.json") {
        let note = text(&case["note"]);
        let read = Value::from_json(&case["json"].to_string());
        if note == "top-level not an object" {
            // A text is a value, but not a record.
            let bytes = read.expect(note).encode();
            assert!(matches!(check_record(&bytes), Err(DataError::Model { .. })));
            continue;
        }
        assert!(read.is_err(), "{note}: {read:?}");
    }
}
