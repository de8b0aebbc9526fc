//! Arbitrary values of the data model.

use pds::data::{BlobRef, Cid, Codec, Map, Value};
use proptest::prelude::*;

/// Returns any value, including values that break rules of the data model, such as `$link` as a key.
pub(super) fn any_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((any_key(), inner), 0..6)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect())),
        ]
    })
}

/// Returns any value that is a record, or close to one.
pub(super) fn any_record() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        8 => Just(Value::from("com.example.note")),
        1 => Just(Value::from("")),
        1 => leaf(),
    ];
    let pairs = prop::collection::vec((any_key(), any_value()), 0..4);
    (pairs, prop::option::weighted(0.9, name)).prop_map(|(pairs, name)| {
        let mut map: Map = pairs.into_iter().collect();
        if let Some(name) = name {
            map.insert("$type", name);
        }
        Value::Map(map)
    })
}

pub(super) fn any_cid() -> impl Strategy<Value = Cid> {
    let codec = prop_oneof![Just(Codec::Cbor), Just(Codec::Raw)];
    (codec, any::<[u8; 32]>()).prop_map(|(codec, digest)| Cid::from_digest(codec, digest))
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any_int().prop_map(Value::Int),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        any_text().prop_map(Value::Text),
        any_cid().prop_map(Value::Link),
        (any_cid(), any_text(), prop::option::of(0..1_u64 << 40)).prop_map(
            |(cid, mime_type, size_bytes)| {
                let blob = BlobRef { cid, mime_type, size_bytes };
                blob.to_value()
            }
        ),
    ]
}

/// Returns integers of every length in CBOR, and those at the borders between the lengths.
fn any_int() -> impl Strategy<Value = i64> {
    let border = prop::sample::select(vec![
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        4_294_967_295,
        4_294_967_296,
        i64::MAX,
    ]);
    let magnitude = prop_oneof![border, (any::<i64>(), 0..63).prop_map(|(n, by)| n >> by)];
    prop_oneof![
        magnitude.clone(),
        magnitude.prop_map(|n| !n) // the complement of n is -1 - n
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,30}",
        "[a-z]{250,260}",
        ".{0,12}",
        "\\PC{0,6}",
        "[\u{0}-\u{1f}\"\\\\]{0,6}"
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    let special = ["$type", "$link", "$bytes", "", "ref", "mimeType", "size"];
    prop_oneof![
        1 => prop::sample::select(special.map(str::to_owned).to_vec()),
        4 => "[a-c]{1,3}",
        1 => any_text(),
    ]
}
