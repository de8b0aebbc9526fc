//! Types of the caller as values.

use super::*;
use crate::data::cid::Codec;
use serde::{Deserialize, Serialize};
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
struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
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
    assert_eq!(Value::from_serialize(&Bytes(b"hi")).unwrap(), Value::Bytes(b"hi".to_vec()));
    let nested = Value::from_serialize(&[Value::Bytes(b"hi".to_vec())]).unwrap();
    assert_eq!(nested, Value::List(vec![Value::Bytes(b"hi".to_vec())]));
}

#[cfg(feature = "cid")]
#[test]
fn the_cid_of_the_cid_crate_becomes_a_link() {
    let ours = Cid::of(Codec::Cbor, b"x");
    let wrapped = BTreeMap::from([("ref", ::cid::Cid::from(ours))]);
    let value = Value::from_serialize(&wrapped).unwrap();
    assert_eq!(value.get("ref"), Some(&Value::Link(ours)));
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
    assert_eq!(refused(Value::from_serialize(&numbers)), "a map key that is no text");
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
    let value = Value::from([("text", Value::from(5))]);
    assert!(matches!(value.deserialize_to::<Note>(), Err(DataError::Type(_))));
    assert!(matches!(Value::Int(300).deserialize_to::<u8>(), Err(DataError::Type(_))));
}
