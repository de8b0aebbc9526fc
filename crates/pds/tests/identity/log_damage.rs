//! Operation logs with a changed part.

use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Cid, Codec, Value};
use pds::identity::{IdentityError, OperationFault, PlcLog};
use serde_json::{Value as Json, json};

use super::plc::{Directory, HOUR, START, sign, update};
use super::{fault, keys, three};

/// Returns every text, number and truth value of a log, except the times, as a JSON pointer.
fn places(json: &Json, at: &str, into: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{key}"), into);
            }
        }
        Json::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), into);
            }
        }
        _ if at.ends_with("createdAt") => {}
        _ => into.push(at.to_owned()),
    }
}

#[test]
fn every_change_of_every_field_is_refused_naming_the_operation() {
    let [a, _, old, _] = keys();
    let (mut log, cids) = three();
    log.nullify(2);
    log.take(update(&[&a], &old, Some(cids[1])), &a, START + 5 * HOUR);
    PlcLog::parse(&log.json()).unwrap();
    let mut all = Vec::new();
    for (index, entry) in log.entries.iter().enumerate() {
        places(entry, &format!("/{index}"), &mut all);
    }
    assert!(all.len() > 4 * 9, "{all:?}");
    let whole = Json::Array(log.entries.clone());
    for place in all {
        let index: usize = place.split('/').nth(1).unwrap().parse().unwrap();
        let mut changes = vec![json!(null), json!(7), json!(""), json!({}), json!(true)];
        if let Some(text) = whole.pointer(&place).unwrap().as_str() {
            for at in 0..text.len() {
                let other = if &text[at..=at] == "a" { "b" } else { "a" };
                changes.push(json!(format!("{}{other}{}", &text[..at], &text[at + 1..])));
            }
            changes.push(json!(format!("{text}=")));
            changes.push(json!(text[..text.len() - 1]));
        } else {
            changes.push(json!(false));
        }
        for change in changes {
            let mut changed = whole.clone();
            let old = std::mem::replace(changed.pointer_mut(&place).unwrap(), change.clone());
            if old == change {
                continue;
            }
            match PlcLog::parse(&changed.to_string()) {
                Err(IdentityError::Operation { index: named, fault }) => {
                    assert_eq!(named, index, "{place} {change} {fault}");
                }
                other => panic!("{place} {change}: {other:?}"),
            }
        }
        // Every field is also required.
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut changed = whole.clone();
        match changed.pointer_mut(parent).unwrap() {
            Json::Object(map) => drop(map.remove(name)),
            Json::Array(list) => drop(list.remove(name.parse().unwrap())),
            other => panic!("{other}"),
        }
        assert!(PlcLog::parse(&changed.to_string()).is_err(), "{place} removed");
    }
}

#[test]
fn an_operation_that_is_changed_with_its_cid_lacks_a_signature() {
    let [_, _, _, new] = keys();
    for index in 0..3 {
        let (mut log, _) = three();
        let mut operation = Value::from_json(&log.entries[index]["operation"].to_string()).unwrap();
        if let Value::Map(map) = &mut operation {
            map.insert("alsoKnownAs", Value::List(vec![Value::from("at://mallory.example.com")]));
        }
        let cid = Cid::of(Codec::Cbor, &operation.encode());
        log.entries[index]["operation"] = serde_json::from_str(&operation.to_json()).unwrap();
        log.entries[index]["cid"] = json!(cid.to_string());
        let (named, fault) = fault(&log);
        assert_eq!(named, index);
        match index {
            0 => assert!(matches!(fault, OperationFault::NotTheGenesis { .. })),
            _ => assert_eq!(fault, OperationFault::Unsigned),
        }
        // A signature by a key without permission does not count.
        if index > 0 {
            let Value::Map(mut map) = operation else { panic!("it is a map") };
            map.remove("sig");
            let signed = Value::Map(sign(map, &new));
            let cid = Cid::of(Codec::Cbor, &signed.encode());
            log.entries[index]["operation"] = serde_json::from_str(&signed.to_json()).unwrap();
            log.entries[index]["cid"] = json!(cid.to_string());
            assert_eq!(super::fault(&log), (index, OperationFault::Unsigned));
        }
    }
}

#[test]
fn the_other_half_of_a_signature_is_refused() {
    // Both s and n - s are mathematically valid. Only the lower one is accepted.
    let order = [
        (Curve::K256, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
        (Curve::P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
    ];
    for (curve, order) in order {
        let order = data_encoding::HEXLOWER.decode(order.as_bytes()).unwrap();
        let key = SigningKey::from_bytes(curve, &[9; 32]).unwrap();
        let operation = update(&[&key], &key, None);
        let signature = key.sign(&Value::Map(operation.clone()).encode()).unwrap();
        let (r, s) = signature.as_bytes().split_at(32);
        let (mut high, mut borrow) = (vec![0; 32], 0_i16);
        for at in (0..32).rev() {
            let digit = i16::from(order[at]) - i16::from(s[at]) - borrow;
            borrow = i16::from(digit < 0);
            high[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
        }
        let mut signed = operation.clone();
        signed.insert("sig", data_encoding::BASE64URL_NOPAD.encode(&[r, &high].concat()));
        let bytes = Value::Map(signed.clone()).encode();
        let cid = Cid::of(Codec::Cbor, &bytes);
        let hash = data_encoding::BASE32_NOPAD.encode(cid.digest()).to_lowercase();
        let mut log = Directory::default();
        log.take(operation, &key, START);
        PlcLog::parse(&log.json()).unwrap();
        log.entries[0]["operation"] = serde_json::from_str(&Value::Map(signed).to_json()).unwrap();
        log.entries[0]["cid"] = json!(cid.to_string());
        log.entries[0]["did"] = json!(format!("did:plc:{}", &hash[..24]));
        assert_eq!(fault(&log), (0, OperationFault::HighS { curve }), "{curve}");
    }
}
