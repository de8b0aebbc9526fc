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

#[test]
fn canonical_bytes_have_no_more_rules() {
    assert_eq!(check_canonical(&Value::from("text").encode()), Ok(()));
    assert!(check_canonical(&[0xf6, 0]).is_err());
    assert!(check_canonical(&[0x18, 0]).is_err());
}

#[test]
fn the_size_of_a_record_is_limited() {
    let sized = |bytes: usize| {
        let empty = record(&[("text", Value::from("x".repeat(70_000)))]).len() - 70_000;
        record(&[("text", Value::from("x".repeat(bytes - empty)))])
    };
    let (largest, larger) = (sized(MAX_RECORD_BYTES), sized(MAX_RECORD_BYTES + 1));
    assert!(!check_record(&largest).unwrap().has_blobs);
    assert_eq!(blobs_in(&largest), Ok(Vec::new()));
    let refused = DataError::TooLarge { bytes: MAX_RECORD_BYTES + 1, limit: MAX_RECORD_BYTES };
    assert_eq!(check_record(&larger), Err(refused.clone()));
    assert_eq!(blobs_in(&larger), Err(refused));
}

#[test]
fn values_have_the_limits_of_the_decoder() {
    let list = |entries: usize| Value::List(vec![Value::Null; entries]);
    let key = |len: usize| Value::from([("k".repeat(len), Value::Null)]);
    let deep = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    for (limit, value) in [
        (MAX_CONTAINER_ENTRIES, &list as &dyn Fn(usize) -> Value),
        (MAX_MAP_KEY_BYTES, &key),
        (MAX_NESTING, &deep),
    ] {
        assert_eq!(value(limit).check(), Ok(()));
        assert!(matches!(value(limit + 1).check(), Err(DataError::Model { .. })));
    }
}

#[test]
fn the_place_of_an_error_is_known_up_to_the_nesting_of_values() {
    let bad = Value::from([("$type", Value::Null)]);
    for (levels, is_known) in [(MAX_NESTING - 1, true), (MAX_NESTING, false)] {
        let place = match check_record(&nested(levels, &bad)) {
            Err(DataError::Model { place, .. }) => place,
            other => panic!("{other:?}"),
        };
        assert_eq!(place.starts_with("/n/0/0"), is_known, "{place}");
    }
}

#[test]
fn the_links_of_a_value_are_those_of_its_bytes() {
    let cid = |n: u8| Cid::of(Codec::Cbor, &[n]);
    let inner = Value::from([("a", Value::Link(cid(1))), ("b", Value::Link(cid(2)))]);
    let value = Value::List(vec![inner, Value::from("no link"), Value::Link(cid(3))]);
    assert_eq!(links(&value.encode()), Ok(vec![cid(1), cid(2), cid(3)]));
    assert_eq!(value.links().collect::<Vec<_>>(), [1, 2, 3].map(cid));
}
