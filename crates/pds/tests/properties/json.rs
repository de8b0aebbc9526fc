//! JSON: round trips, and conversions between the two encodings.

use pds::data::limits::{
    MAX_CONTAINER_ENTRIES, MAX_JSON_BYTES, MAX_MAP_KEY_BYTES, MAX_NESTING, MAX_RECORD_BYTES,
    MAX_SAFE_INTEGER, MAX_WRITTEN_RECORD_BYTES,
};
use pds::data::{DataError, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::values::{any_cid, any_record, any_value};
use super::{Random, config};

/// Returns JSON text with the special objects, well formed and malformed.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?[0-9]{1,20}",
        "-?[0-9]{1,3}\\.[0-9]{1,2}(e[0-9]{1,2})?",
        prop::sample::select(vec!["null", "true", "\"\"", "\"a\"", "[]", "{}"])
            .prop_map(str::to_owned),
        any_cid().prop_map(|cid| format!("{{\"$link\":\"{cid}\"}}")),
        "\\{\"\\$bytes\":\"[a-zA-Z0-9+/]{0,6}={0,2}\"\\}",
        any_value().prop_map(|value| value.to_json()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop::sample::select(vec!["a", "bb", "$type", "$link", "$bytes", "", "\\u0061"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((key, inner), 0..4).prop_map(|pairs| {
                let pairs = pairs.iter().map(|(key, value)| format!("\"{key}\": {value}"));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_value_written_as_json_is_read_as_the_same_value(value in prop_oneof![any_value(), any_record()]) {
        let json = value.to_json();
        if value.has_json_form() {
            prop_assert_eq!(Value::parse_json(&json), Ok(value.clone()));
        } else {
            prop_assert_ne!(Value::parse_json(&json), Ok(value.clone()));
        }
        match value.check() {
            Ok(()) => {
                prop_assert_eq!(Value::from_json(&json).unwrap(), value.clone());
                prop_assert_eq!(Value::from_json(&value.to_json_pretty()).unwrap(), value.clone());
            }
            // Such a value is refused, or is read as another value, for example as a link.
            Err(_) => prop_assert_ne!(Value::from_json(&json), Ok(value.clone())),
        }
        // Another library reads the same JSON from one line and from several.
        let [one, several] = [json.clone(), value.to_json_pretty()]
            .map(|json| serde_json::from_str::<Json>(&json).unwrap());
        prop_assert_eq!(one, several);
        prop_assert!(!json.contains('\n'));
    }

    #[test]
    fn whatever_is_read_from_json_goes_through_cbor_and_back(text in any_json()) {
        let read = Value::from_json(&text);
        let Ok(value) = read else {
            assert!(matches!(read, Err(DataError::Json(_) | DataError::Model { .. })));
            return Ok(());
        };
        prop_assert_eq!(value.check(), Ok(()));
        prop_assert_eq!(Value::decode(&value.encode()), Ok(value.clone()));
        prop_assert_eq!(Value::from_json(&value.to_json()), Ok(value));
    }

    #[test]
    fn any_text_is_read_or_refused_without_harm(text in "[\\[\\]{}\":,$a\\\\0-9.eE+-]{0,40}") {
        let _ = Value::from_json(&text);
    }

    #[test]
    fn integers_keep_all_their_digits(n in any::<i64>()) {
        prop_assert_eq!(Value::from_json(&n.to_string()), Ok(Value::Int(n)));
        prop_assert_eq!(Value::Int(n).to_json(), n.to_string());
    }

    #[test]
    fn a_number_with_a_point_is_read_where_its_digits_are_certain(n in any::<i64>(), by in 0..63) {
        let n: i64 = n >> by;
        let read = Value::from_json(&format!("{n}.0"));
        if n.abs() <= MAX_SAFE_INTEGER {
            prop_assert_eq!(read, Ok(Value::Int(n)));
        } else {
            prop_assert!(read.is_err(), "{} read as {:?}", n, read);
        }
    }
}

#[test]
fn json_meets_the_limits_that_decoding_has() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let list = |len: usize| format!("[{}0]", "0,".repeat(len - 1));
    let map = |len: usize| format!("{{\"{}\":0}}", "x".repeat(len));
    for (text, limit) in [
        (&nested as &dyn Fn(usize) -> String, MAX_NESTING),
        (&list, MAX_CONTAINER_ENTRIES),
        (&map, MAX_MAP_KEY_BYTES),
    ] {
        let value = Value::from_json(&text(limit)).unwrap();
        assert_eq!(Value::decode(&value.encode()), Ok(value));
        let refused = Value::from_json(&text(limit + 1));
        assert!(matches!(refused, Err(DataError::Model { .. })), "{limit}");
    }
    let text = |len: usize| format!("{}0", " ".repeat(len - 1));
    assert!(Value::from_json(&text(MAX_JSON_BYTES)).is_ok());
    assert_eq!(
        Value::from_json(&text(MAX_JSON_BYTES + 1)),
        Err(DataError::TooLarge { bytes: MAX_JSON_BYTES + 1, limit: MAX_JSON_BYTES })
    );
}

#[test]
fn a_text_that_says_more_than_a_record_can_have_is_refused() {
    let list = |len: usize| format!("[{}0]", "0,".repeat(len - 1));
    let lists = |count: usize| format!("[{}[]]", (list(100_000) + ",").repeat(count));
    assert!(Value::from_json(&lists(10)).is_ok());
    let text = |len: usize| format!("\"{}\"", "x".repeat(len));
    assert!(Value::from_json(&text(MAX_RECORD_BYTES - 1)).is_ok());
    let keys = format!("{{\"{}\":0}}", "x".repeat(MAX_RECORD_BYTES));
    for more in [lists(11), text(MAX_RECORD_BYTES), keys] {
        let refused = Value::from_json(&more).unwrap_err().to_string();
        assert!(refused.contains("more values than a record can have"), "{refused}");
    }
}

#[test]
fn whatever_a_record_may_be_is_read_from_the_json_it_is_written_as() {
    let lists = |value: &Value| {
        let list = Value::List(vec![value.clone(); 100_000]);
        Value::from([("a", Value::List(vec![list; 9]))])
    };
    let fits = |value: &Value| value.encode().len() <= MAX_WRITTEN_RECORD_BYTES;
    for value in [Value::Bytes(Vec::new()), Value::Bool(false), Value::List(Vec::new())] {
        let record = lists(&value);
        assert!(fits(&record));
        let (line, lines) = (record.to_json(), record.to_json_pretty());
        let without_indentation: String =
            lines.lines().flat_map(|line| [line.trim_start(), "\n"]).collect();
        for text in [line, without_indentation] {
            assert_eq!(Value::from_json(&text).unwrap(), record);
        }
    }
}

/// No float equals 2^53 + 1: the nearest is 2^53. So neither number may be read from a text with a point.
#[test]
fn a_number_whose_digits_a_float_loses_is_refused() {
    for n in [1_i64 << 53, (1 << 53) + 1, (1 << 53) + 2, i64::MAX] {
        for text in [format!("{n}.0"), format!("-{n}.0"), format!("{n}e0")] {
            assert!(Value::from_json(&text).is_err(), "{text}");
        }
        assert_eq!(Value::from_json(&n.to_string()), Ok(Value::Int(n)));
    }
    // Up to this limit, every integer has its own float, however it is written.
    let mut random = Random(1);
    for by in (11..64).flat_map(|by| [by; 50]) {
        let n = i64::try_from(random.next() >> by).unwrap().max(1);
        for n in [n, MAX_SAFE_INTEGER - n, n - MAX_SAFE_INTEGER] {
            for text in [format!("{n}.0"), format!("{n}.000"), format!("{n}0e-1")] {
                assert_eq!(Value::from_json(&text), Ok(Value::Int(n)), "{text}");
            }
        }
    }
}
