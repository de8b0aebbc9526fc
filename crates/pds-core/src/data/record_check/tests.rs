//! Tests of the checks of records.

use super::*;

fn record(pairs: &[(&str, Value)]) -> Vec<u8> {
    let mut map: Map = pairs.iter().cloned().collect();
    map.insert("$type", "com.example.note");
    Value::Map(map).encode()
}

fn refused(pairs: &[(&str, Value)]) -> (String, &'static str) {
    match check_record(&record(pairs)) {
        Err(DataError::Model { place, reason }) => (place, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_blob_reference_is_named_with_its_place() {
    let blob = |cid: Cid, mime: &str, size: i64| {
        Value::from([
            ("$type", Value::from("blob")),
            ("ref", Value::Link(cid)),
            ("mimeType", Value::from(mime)),
            ("size", Value::Int(size)),
        ])
    };
    let (raw, cbor) = (Cid::of(Codec::Raw, b"x"), Cid::of(Codec::Cbor, b"x"));
    let facts_of = record(&[("embed", blob(raw, "image/png", 0))]);
    let facts = check_record(&facts_of).unwrap();
    assert!(facts.has_blobs && facts.has_media_types);
    let within = |value| Value::from_iter([Value::from([("image", value)])]);
    let (place, _) = refused(&[("embed", within(blob(cbor, "image/png", 1)))]);
    assert_eq!(place, "/embed/0/image");
    refused(&[("embed", blob(raw, "", 1))]);
    refused(&[("embed", blob(raw, "image/png", -1))]);
}

#[test]
fn reserved_keys_and_types_are_checked_at_any_depth() {
    let inner = |key: &str, value: Value| Value::from([(key, value)]);
    assert_eq!(refused(&[("a", inner("$type", Value::Null))]).0, "/a");
    assert_eq!(refused(&[("a", inner("$type", Value::from("")))]).0, "/a");
    assert_eq!(refused(&[("a", inner("$link", Value::from("x")))]).0, "/a");
    assert_eq!(refused(&[("a", inner("$bytes", Value::from("x")))]).0, "/a");
    assert!(check_record(&record(&[("a", inner("$other", Value::Null))])).is_ok());
}

#[test]
fn a_record_is_a_map_and_its_own_type_counts() {
    for bad in [
        Value::from("text"),
        Value::from_iter([Value::from([("$type", Value::from("x"))])]),
        Value::from([("$type", Value::from(""))]),
        Value::from([("$type", Value::Null)]),
    ] {
        assert!(matches!(check_record(&bad.encode()), Err(DataError::Model { .. })), "{bad:?}");
    }
    let inner = Value::from([("a", Value::from([("$type", Value::from("x"))]))]);
    for untyped in [Value::Map(Map::new()), inner] {
        assert_eq!(check_record(&untyped.encode()).unwrap().record_type, None);
    }
}

#[test]
fn integers_beyond_two_to_the_53_are_noted() {
    for (n, noted) in [(MAX_SAFE_INTEGER, false), (-MAX_SAFE_INTEGER - 1, true)] {
        let bytes = record(&[("n", Value::Int(n))]);
        assert_eq!(check_record(&bytes).unwrap().has_unsafe_integers, noted);
    }
}

/// A record with lists in each other around a value.
fn nested(levels: usize, inner: &Value) -> Vec<u8> {
    let mut bytes = vec![0xa2, 0x61, b'n'];
    bytes.extend(vec![0x81; levels - 1]);
    bytes.extend(inner.encode());
    bytes.extend(b"\x65$type\x61t");
    bytes
}

#[test]
fn a_record_may_be_nested_deeper_than_a_value() {
    for levels in [MAX_NESTING, MAX_NESTING + 1, 4_394, MAX_BLOCK_NESTING] {
        let bytes = nested(levels, &Value::Null);
        let facts = check_record(&bytes).unwrap();
        assert_eq!((facts.nesting, facts.record_type), (levels, Some("t")));
        assert_eq!(check_canonical(&bytes), Ok(()));
        assert_eq!(Value::decode(&bytes).is_ok(), levels <= MAX_NESTING);
        assert_eq!(blobs_in(&bytes), Ok(Vec::new()));
    }
    let refused =
        DataError::Cbor { offset: 65_537, reason: "nested deeper than the limit of 65,535 levels" };
    let bytes = nested(MAX_BLOCK_NESTING + 1, &Value::Null);
    assert_eq!(check_canonical(&bytes), Err(refused.clone()));
    assert_eq!(check_canonical(&vec![0x81; 5_000_000]).unwrap_err().to_string(), {
        let reason = "nested deeper than the limit of 65,535 levels";
        DataError::Cbor { offset: MAX_BLOCK_NESTING, reason }.to_string()
    });
}

#[test]
fn the_data_model_holds_at_any_depth() {
    let blob = |size: i64| {
        Value::from([
            ("$type", Value::from("blob")),
            ("ref", Value::Link(Cid::of(Codec::Raw, b"x"))),
            ("mimeType", Value::from("image/png")),
            ("size", Value::Int(size)),
        ])
    };
    let legacy = Value::from([
        ("cid", Value::from(Cid::of(Codec::Raw, b"y").to_string())),
        ("mimeType", Value::from("image/png")),
    ]);
    for levels in [10, 1_000] {
        let bytes = nested(levels, &blob(1));
        assert!(check_record(&bytes).unwrap().has_blobs);
        assert_eq!(blobs_in(&bytes).unwrap()[0].cid, Cid::of(Codec::Raw, b"x"));
        assert_eq!(links(&bytes).unwrap(), [Cid::of(Codec::Raw, b"x")]);
        let both = Value::from([("blob", blob(1)), ("legacy", legacy.clone())]);
        assert_eq!(blobs_in(&nested(levels, &both)).unwrap().len(), 2);
        for bad in [
            blob(-1),
            Value::from([("$type", Value::Null)]),
            Value::from([("$link", Value::from("x"))]),
        ] {
            let checked = check_record(&nested(levels, &bad)).map(drop);
            assert!(matches!(checked, Err(DataError::Model { .. })), "{levels} {bad:?}");
        }
    }
}
