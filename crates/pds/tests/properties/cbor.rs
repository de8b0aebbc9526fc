//! CBOR: round trips, and the decoder compared with the checks.

use pds::data::{Map, Value, check_canonical, check_record, links};
use proptest::prelude::*;

use super::values::{any_record, any_value};
use super::{Random, config};

/// Checks that all readers agree about arbitrary bytes.
fn assert_consistent(bytes: &[u8]) {
    let decoded = Value::decode(bytes);
    assert_eq!(check_canonical(bytes), decoded.clone().map(drop));
    let Ok(value) = decoded else { return };
    assert_eq!(value.encode(), bytes);
    assert_eq!(links(bytes).unwrap(), value.links().collect::<Vec<_>>());
    let is_record = value.as_map().is_some() && value.check().is_ok();
    let facts = check_record(bytes);
    assert_eq!(facts.is_ok(), is_record, "{value:?}");
    if let Ok(facts) = facts {
        assert_eq!(facts.record_type, value.get("$type").and_then(Value::as_text));
    }
}

/// Changes bytes at random places.
pub(crate) fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.insert(at, random.byte()),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 if at < bytes.len() => bytes[at] = random.byte(),
            _ => {
                // This repeats a piece of the input in another place.
                let from = random.below(bytes.len() + 1);
                let piece = bytes[from..bytes.len().min(from + 9)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn an_encoded_value_decodes_to_the_same_value(value in any_value()) {
        let bytes = value.encode();
        prop_assert_eq!(Value::decode(&bytes).unwrap(), value.clone());
        assert_consistent(&bytes);
        let two = [&bytes[..], &bytes].concat();
        prop_assert_eq!(Value::decode_first(&two).unwrap(), (value, &bytes[..]));
        prop_assert!(Value::decode(&two).is_err());
        for len in 0..bytes.len() {
            prop_assert!(Value::decode(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn maps_encode_alike_in_whatever_order_they_were_filled(value in any_record(), by in 0..9_usize) {
        let map = value.as_map().unwrap();
        let mut pairs: Vec<(String, Value)> = map.clone().into_iter().collect();
        let by = by % pairs.len().max(1);
        pairs.rotate_left(by);
        pairs.reverse();
        let other = Value::Map(pairs.into_iter().collect::<Map>());
        prop_assert_eq!(&other, &value);
        prop_assert_eq!(other.encode(), value.encode());
        let encoded: Vec<Vec<u8>> = map.keys().map(|key| Value::from(key).encode()).collect();
        prop_assert!(encoded.is_sorted());
    }

    #[test]
    fn both_readers_agree_on_records_and_on_damaged_ones(record in any_record(), seed in any::<u64>()) {
        let bytes = record.encode();
        assert_consistent(&bytes);
        let mut random = Random(seed);
        for _ in 0..20 {
            let mut damaged = bytes.clone();
            mutate(&mut random, &mut damaged);
            assert_consistent(&damaged);
        }
    }

    #[test]
    fn both_readers_agree_on_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        assert_consistent(&bytes);
    }
}
