//! Types of the caller as values.

use super::*;
use crate::data::cid::Codec;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    #[serde(rename = "$type")]
    kind: String,
    text: Option<String>,
    counts: (i64, u8, bool),
    letters: BTreeMap<String, char>,
    shape: Vec<Shape>,
    link: Value,
    subject: Cid,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(i32),
    Two(i32, i32),
    Named { n: i32 },
}

/// Bytes as serde has them, which derived types write as lists.
#[derive(Debug, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfBytes;

        impl Visitor<'_> for OfBytes {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        deserializer.deserialize_byte_buf(OfBytes)
    }
}

fn note() -> Note {
    Note {
        kind: "com.example.note".to_owned(),
        text: None,
        counts: (i64::MIN, 7, true),
        letters: [("b".to_owned(), 'é')].into(),
        shape: vec![Shape::Nothing, Shape::One(1), Shape::Two(1, 2), Shape::Named { n: 3 }],
        link: Value::Link(Cid::of(Codec::Cbor, b"x")),
        subject: Cid::of(Codec::Cbor, b"y"),
    }
}

#[test]
fn a_type_becomes_the_value_of_its_json_and_comes_back() {
    let value = Value::from_serialize(&note()).unwrap();
    let json = serde_json::to_string(&note()).unwrap();
    assert_eq!(value, Value::from_json(&json).unwrap());
    assert!(matches!(value.get("link"), Some(Value::Link(_))));
    assert!(matches!(value.get("subject"), Some(Value::Text(_))));
    assert_eq!(Value::decode(&value.encode()).unwrap().deserialize_to::<Note>().unwrap(), note());
    assert_eq!(Value::from_serialize(&value).unwrap(), value);
}

#[test]
fn bytes_stay_bytes() {
    let bytes = Value::Bytes(b"hi".to_vec());
    assert_eq!(Value::from_serialize(&Bytes(b"hi".to_vec())).unwrap(), bytes);
    assert_eq!(bytes.deserialize_to::<Bytes>().unwrap(), Bytes(b"hi".to_vec()));
    #[derive(Serialize, Deserialize)]
    struct Wrapped(Bytes);
    assert_eq!(Value::from_serialize(&Wrapped(Bytes(b"hi".to_vec()))).unwrap(), bytes);
    assert_eq!(bytes.deserialize_to::<Wrapped>().unwrap().0, Bytes(b"hi".to_vec()));
    let in_json = BTreeMap::from([("$bytes".to_owned(), "aGk".to_owned())]);
    assert_eq!(bytes.deserialize_to::<BTreeMap<String, String>>().unwrap(), in_json);
    let nested = Value::from_serialize(&[Value::Bytes(b"hi".to_vec())]).unwrap();
    assert_eq!(nested, Value::List(vec![Value::Bytes(b"hi".to_vec())]));
}

#[test]
fn a_link_in_a_type_of_any_other_name_is_its_json() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(BTreeMap<String, Cid>);
    let cid = Cid::of(Codec::Cbor, b"x");
    let found = Value::Link(cid).deserialize_to::<Wrapped>().unwrap();
    assert_eq!(found.0, BTreeMap::from([("$link".to_owned(), cid)]));
}

#[cfg(feature = "cid")]
#[test]
fn the_cid_of_the_cid_crate_becomes_a_link() {
    let ours = Cid::of(Codec::Cbor, b"x");
    let wrapped = BTreeMap::from([("ref".to_owned(), ::cid::Cid::from(ours))]);
    let value = Value::from_serialize(&wrapped).unwrap();
    assert_eq!(value.get("ref"), Some(&Value::Link(ours)));
    assert_eq!(value.deserialize_to::<BTreeMap<String, ::cid::Cid>>().unwrap(), wrapped);
    let other = ::cid::Cid::new_v1(0x70, *::cid::Cid::from(ours).hash());
    assert!(matches!(Value::from_serialize(&other), Err(DataError::Type(_))));
}

#[test]
fn types_without_a_value_are_refused() {
    let refused = |result: Result<Value, DataError>| match result {
        Err(DataError::Type(reason)) => reason,
        other => panic!("{other:?}"),
    };
    for float in [0.5, 1.0, f64::NAN, f64::INFINITY] {
        let reason = refused(Value::from_serialize(&vec![float]));
        assert_eq!(reason, "a float, which the data model does not have");
    }
    assert!(refused(Value::from_serialize(&1.0_f32)).starts_with("a float"));
    let too_large = "an integer outside the signed 64-bit range";
    assert_eq!(refused(Value::from_serialize(&u64::MAX)), too_large);
    assert_eq!(refused(Value::from_serialize(&i128::MIN)), too_large);
    assert_eq!(Value::from_serialize(&(1_u128 << 62)).unwrap(), Value::Int(1 << 62));
    let numbers = BTreeMap::from([(1, "a")]);
    assert_eq!(refused(Value::from_serialize(&numbers)), "a map key must be text");
    let mixed = BTreeMap::from([("$link", "x")]);
    assert_eq!(
        refused(Value::from_serialize(&mixed)),
        "the $link of a link is not a supported CID"
    );

    #[derive(Serialize)]
    struct Twice {
        a: i32,
        #[serde(flatten)]
        more: BTreeMap<&'static str, i32>,
    }
    let twice = Twice { a: 1, more: [("a", 2)].into() };
    assert_eq!(refused(Value::from_serialize(&twice)), "duplicate key \"a\"");
    let no_blob = BTreeMap::from([("$type", "blob")]);
    assert!(matches!(Value::from_serialize(&no_blob), Err(DataError::Model { .. })));
}

#[test]
fn nesting_has_a_limit() {
    #[derive(Serialize)]
    struct Deep(Option<Box<[Self; 1]>>);

    let deep = |levels| (0..levels).fold(Deep(None), |inner, _| Deep(Some(Box::new([inner]))));
    assert!(Value::from_serialize(&deep(MAX_NESTING)).is_ok());
    for levels in [MAX_NESTING + 1, MAX_NESTING + 2, 5_000] {
        assert!(Value::from_serialize(&deep(levels)).is_err(), "{levels}");
    }
    let link = (0..MAX_NESTING)
        .fold(Value::from(Cid::of(Codec::Cbor, b"x")), |inner, _| Value::List(vec![inner]));
    assert_eq!(Value::from_serialize(&link).unwrap(), link);
}

#[test]
fn a_value_that_does_not_fit_is_an_error() {
    fn refused<T: DeserializeOwned + fmt::Debug>(json: &str) -> String {
        match Value::from_json(json).unwrap().deserialize_to::<T>() {
            Err(DataError::Type(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }
    type Lists = BTreeMap<String, Vec<u8>>;
    let number = "invalid value: integer `300`, expected u8";
    assert_eq!(refused::<u8>("300"), format!("/: {number}"));
    assert_eq!(refused::<Lists>(r#"{"a":[1],"b":[1,300]}"#), format!("/b/1: {number}"));
    let text = "/0/text: invalid type: integer `5`, expected a string";
    assert_eq!(refused::<Vec<Note>>(r#"[{"text":5}]"#), text);
    assert_eq!(refused::<Note>(r#"{"text":null}"#), "/: missing field `$type`");
    let more = "/: invalid length 3, expected fewer entries";
    assert_eq!(refused::<(u8, u8)>("[1,2,3]"), more);
    assert_eq!(
        refused::<Shape>(r#"{"Two":[1,true]}"#),
        "/Two/1: invalid type: boolean `true`, expected i32"
    );
    assert!(refused::<Shape>(r#""Other""#).starts_with("/: unknown variant `Other`"));
    let unit = "/Nothing: invalid type: integer `1`, expected unit";
    assert_eq!(refused::<Shape>(r#"{"Nothing":1}"#), unit);
    assert!(refused::<Shape>(r#""One""#).starts_with("/: invalid type: unit variant"));
    assert_eq!(
        refused::<Vec<Shape>>("[1]"),
        "/0: expected the name of a variant, or a map with one"
    );
}
