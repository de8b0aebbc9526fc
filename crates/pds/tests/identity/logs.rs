//! Operation logs: the rules one by one, and at random against rules written down another way.

use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Cid, Value};
use pds::identity::{IdentityError, OperationFault, PlcLog};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::keys;
use super::plc::{Directory, HOUR, START, create, sign, tombstone, update};

fn fault(log: &Directory) -> (usize, OperationFault) {
    match PlcLog::parse(&log.json()) {
        Err(IdentityError::Operation { index, fault }) => (index, fault),
        other => panic!("{other:?}"),
    }
}

fn nullified(log: &PlcLog) -> Vec<bool> {
    log.entries().iter().map(|entry| entry.nullified).collect()
}

/// Three operations, the second of which changes the signing key, all by the second rotation key.
fn three() -> (Directory, [Cid; 3]) {
    let [a, b, old, new] = keys();
    let mut log = Directory::default();
    let first = log.take(update(&[&a, &b], &old, None), &b, START);
    let second = log.take(update(&[&a, &b], &new, Some(first)), &b, START + HOUR);
    let third = log.take(update(&[&a, &b], &new, Some(second)), &b, START + 2 * HOUR);
    (log, [first, second, third])
}

#[test]
fn a_chain_of_operations_gives_each_key_its_time() {
    let [_, b, old, new] = keys();
    let (directory, cids) = three();
    let log = PlcLog::parse(&directory.json()).unwrap();
    assert_eq!(log.did().as_str(), directory.did);
    let found: Vec<Cid> = log.entries().iter().map(|entry| entry.cid).collect();
    assert_eq!(found, cids);
    assert!(log.entries().iter().all(|entry| entry.signed_by == b.public_key()));
    let keys = log.key_history();
    let periods: Vec<_> = keys
        .periods()
        .iter()
        .map(|period| (period.key.clone().unwrap(), period.from_micros, period.until_micros))
        .collect();
    assert_eq!(
        periods,
        [(old.public_key(), START, Some(START + HOUR)), (new.public_key(), START + HOUR, None)]
    );
    assert_eq!(keys.at(START - 1), None);
    for (micros, key) in [(START, &old), (START + HOUR - 1, &old), (START + HOUR, &new)] {
        assert_eq!(keys.at(micros).unwrap().key, Some(key.public_key()));
    }
}

#[test]
fn the_first_form_of_an_account_is_read_and_its_recovery_key_is_the_more_powerful() {
    let [recovery, signing, next, stranger] = keys();
    let mut log = Directory::default();
    let first = log.take(create(&recovery, &signing), &signing, START);
    log.take(update(&[&recovery], &next, Some(first)), &signing, START + HOUR);
    let periods = PlcLog::parse(&log.json()).unwrap().key_history();
    assert_eq!(periods.at(START).unwrap().key, Some(signing.public_key()));
    assert_eq!(periods.at(START + HOUR).unwrap().key, Some(next.public_key()));

    log.nullify(1);
    log.take(update(&[&recovery], &signing, Some(first)), &recovery, START + 2 * HOUR);
    let parsed = PlcLog::parse(&log.json()).unwrap();
    assert_eq!(nullified(&parsed), [false, true, false]);

    let mut log = Directory::default();
    log.take(create(&recovery, &signing), &stranger, START);
    assert_eq!(fault(&log), (0, OperationFault::Unsigned));
    // It stands only at the start.
    let mut log = Directory::default();
    let first = log.take(create(&recovery, &signing), &signing, START);
    let mut late = create(&recovery, &signing);
    late.insert("prev", first.to_string());
    log.take(late, &signing, START);
    assert!(matches!(fault(&log), (1, OperationFault::Field { field: "type", .. })));
}

#[test]
fn a_more_powerful_key_undoes_what_a_lesser_one_did_within_72_hours() {
    let [a, b, old, new] = keys();
    for (late, is_valid) in [(0, true), (1_000, false)] {
        let (mut log, cids) = three();
        let recovered = START + HOUR + 72 * HOUR + late;
        log.take(update(&[&a], &old, Some(cids[0])), &a, recovered);
        if !is_valid {
            assert_eq!(fault(&log), (3, OperationFault::TooLate { disputed: 1 }));
            continue;
        }
        // The log must say what it has undone.
        assert_eq!(fault(&log), (1, OperationFault::Nullified { stated: false }));
        log.nullify(1);
        assert_eq!(fault(&log), (2, OperationFault::Nullified { stated: false }));
        log.nullify(2);
        let parsed = PlcLog::parse(&log.json()).unwrap();
        assert_eq!(nullified(&parsed), [false, true, true, false]);
        // What was undone never counted: there is one key, from the start on.
        let keys = parsed.key_history();
        assert_eq!((keys.periods().len(), keys.periods()[0].from_micros), (1, START));
        assert_eq!(keys.at(START + 2 * HOUR).unwrap().key, Some(old.public_key()));
        // What was undone is nothing to follow on.
        log.take(update(&[&a], &new, Some(cids[2])), &b, recovered + HOUR);
        assert_eq!(fault(&log), (4, OperationFault::NoPredecessor));
    }
    // The same key, or a lesser one, undoes nothing.
    let (mut log, cids) = three();
    log.take(update(&[&a], &old, Some(cids[0])), &b, START + 3 * HOUR);
    assert_eq!(fault(&log), (3, OperationFault::NotMorePowerful { disputed: 1 }));
    let (mut log, _) = three();
    log.nullify(2);
    assert_eq!(fault(&log), (2, OperationFault::Nullified { stated: true }));
}

#[test]
fn a_tombstone_ends_an_account_unless_it_is_undone_in_time() {
    let [a, b, old, _] = keys();
    let (mut log, cids) = three();
    let end = log.take(tombstone(cids[2]), &b, START + 3 * HOUR);
    let keys = PlcLog::parse(&log.json()).unwrap().key_history();
    let ended = keys.at(START + 3 * HOUR).unwrap();
    assert_eq!((&ended.key, ended.from_micros), (&None, START + 3 * HOUR));

    let mut after = log.clone();
    after.take(update(&[&a, &b], &old, Some(end)), &a, START + 4 * HOUR);
    assert_eq!(fault(&after), (4, OperationFault::AfterTombstone));

    log.nullify(3);
    log.take(update(&[&a, &b], &old, Some(cids[2])), &a, START + 4 * HOUR);
    let keys = PlcLog::parse(&log.json()).unwrap().key_history();
    assert_eq!(keys.periods().last().unwrap().key, Some(old.public_key()));

    let mut log = Directory::default();
    let mut alone = tombstone(cids[0]);
    alone.insert("prev", Value::Null);
    log.take(alone, &a, START);
    assert_eq!(fault(&log), (0, OperationFault::NoPredecessor));
}

#[test]
fn an_account_without_a_key_for_commits_has_none() {
    let [a, b, old, new] = keys();
    let other_kind = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    for (methods, is_valid) in [
        (Value::Map(pds::data::Map::new()), true),
        (Value::from([("atproto", Value::from(other_kind))]), true),
        (Value::from([("atproto", Value::from("z6Mkha"))]), false),
        (Value::from([("atproto", Value::Null)]), false),
        (Value::Null, false),
        (
            (0..11)
                .map(|n| (n.to_string(), old.public_key().did_key()))
                .collect::<pds::data::Map>()
                .into(),
            false,
        ),
    ] {
        let mut log = Directory::default();
        let first = log.take(update(&[&a, &b], &new, None), &b, START);
        let mut without = update(&[&a, &b], &old, Some(first));
        without.insert("verificationMethods", methods);
        log.take(without, &a, START + HOUR);
        if is_valid {
            let keys = PlcLog::parse(&log.json()).unwrap().key_history();
            assert_eq!(keys.at(START + HOUR).unwrap().key, None);
        } else {
            let wrong = fault(&log);
            assert!(
                matches!(wrong, (1, OperationFault::Field { field: "verificationMethods", .. })),
                "{wrong:?}"
            );
        }
    }
}

/// Every text, number and truth of a log, except the times, as a JSON pointer.
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
        // And every field is needed.
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
fn who_changes_an_operation_with_its_cid_lacks_the_signature() {
    let [_, _, _, new] = keys();
    for index in 0..3 {
        let (mut log, _) = three();
        let mut operation = Value::from_json(&log.entries[index]["operation"].to_string()).unwrap();
        if let Value::Map(map) = &mut operation {
            map.insert("alsoKnownAs", Value::List(vec![Value::from("at://mallory.example.com")]));
        }
        let cid = Cid::of(pds::data::Codec::Cbor, &operation.encode());
        log.entries[index]["operation"] = serde_json::from_str(&operation.to_json()).unwrap();
        log.entries[index]["cid"] = json!(cid.to_string());
        let (named, fault) = fault(&log);
        assert_eq!(named, index);
        match index {
            0 => assert!(matches!(fault, OperationFault::NotTheGenesis { .. })),
            _ => assert_eq!(fault, OperationFault::Unsigned),
        }
        // A signature by a key that may not sign is none.
        if index > 0 {
            let Value::Map(mut map) = operation else { panic!("it is a map") };
            map.remove("sig");
            let signed = Value::Map(sign(map, &new));
            let cid = Cid::of(pds::data::Codec::Cbor, &signed.encode());
            log.entries[index]["operation"] = serde_json::from_str(&signed.to_json()).unwrap();
            log.entries[index]["cid"] = json!(cid.to_string());
            assert_eq!(self::fault(&log), (index, OperationFault::Unsigned));
        }
    }
}

#[test]
fn the_other_half_of_a_signature_is_refused() {
    // s and n - s both sign; only the lower one is taken.
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
        let cid = Cid::of(pds::data::Codec::Cbor, &bytes);
        let hash = data_encoding::BASE32_NOPAD.encode(cid.digest()).to_lowercase();
        let mut log = Directory::default();
        log.take(operation, &key, START);
        PlcLog::parse(&log.json()).unwrap();
        log.entries[0]["operation"] = serde_json::from_str(&Value::Map(signed).to_json()).unwrap();
        log.entries[0]["cid"] = json!(cid.to_string());
        log.entries[0]["did"] = json!(format!("did:plc:{}", &hash[..24]));
        assert_eq!(fault(&log), (0, OperationFault::Unsigned), "{curve}");
    }
}

#[test]
fn times_order_and_places_must_fit() {
    let (log, _) = three();
    let mut turned = log.clone();
    turned.entries.swap(1, 2);
    assert_eq!(fault(&turned), (1, OperationFault::NoPredecessor));
    let mut early = log.clone();
    early.entries[1]["createdAt"] = json!("2023-01-01T00:00:00.000Z");
    assert_eq!(fault(&early), (1, OperationFault::OutOfOrder));
    let mut twice = log.clone();
    twice.entries.push(log.entries[2].clone());
    assert!(matches!(fault(&twice), (3, OperationFault::NotMorePowerful { .. })));
    let mut again = log.clone();
    again.entries.push(log.entries[0].clone());
    again.entries[3]["createdAt"] = again.entries[2]["createdAt"].clone();
    assert_eq!(fault(&again), (3, OperationFault::NoPredecessor));
    for gone in 0..2 {
        let mut cut = log.clone();
        cut.entries.remove(gone);
        let (index, fault) = fault(&cut);
        assert_eq!((index, fault), (gone, OperationFault::NoPredecessor));
    }
    let mut other = log.clone();
    other.entries[2]["did"] = json!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    assert!(matches!(fault(&other), (2, OperationFault::WrongDid { .. })));
}

#[test]
fn what_is_no_log_is_told_apart_from_one_that_is_not_valid() {
    for (text, expected) in [
        ("", "cannot be read"),
        ("{}", "not a did:plc audit log: not a list of operations"),
        ("[]", "not a did:plc audit log: it is empty"),
        ("[1]", "not a did:plc audit log: an entry that is no object"),
        (
            r#"[{"type":"plc_operation"}]"#,
            "not a did:plc audit log: operations without times; the one with times ends in \
             /log/audit",
        ),
    ] {
        assert_eq!(PlcLog::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(PlcLog::parse(&deep).is_err());
    let long = format!("[{}]", " ".repeat(4 * 1_048_576));
    assert!(matches!(PlcLog::parse(&long), Err(IdentityError::Json(_))));
    let many = format!("[{}]", ["{}"; 5_001].join(","));
    let error = PlcLog::parse(&many).unwrap_err();
    assert!(error.to_string().ends_with("more operations than the limit of 5000"), "{error}");
}

#[test]
fn sizes_and_numbers_of_keys_are_limited() {
    let [a, b, old, _] = keys();
    let with_handle = |len: usize| {
        let mut log = Directory::default();
        let mut operation = update(&[&a], &old, None);
        operation.insert("alsoKnownAs", Value::List(vec![Value::from("x".repeat(len))]));
        let signed = Value::Map(sign(operation.clone(), &a)).encode().len();
        log.take(operation, &a, START);
        (log, signed)
    };
    // What an operation has beside its handle.
    let beside = with_handle(7_000).1 - 7_000;
    let (fits, bytes) = with_handle(7_500 - beside);
    assert_eq!(bytes, 7_500);
    PlcLog::parse(&fits.json()).unwrap();
    let (larger, bytes) = with_handle(7_501 - beside);
    assert_eq!(bytes, 7_501);
    assert_eq!(fault(&larger), (0, OperationFault::TooLarge { bytes: 7_501, limit: 7_500 }));

    for (count, is_valid) in [(5, true), (6, false)] {
        let mut log = Directory::default();
        let mut rotation = vec![&b; count - 1];
        rotation.push(&a);
        log.take(update(&rotation, &old, None), &a, START);
        assert_eq!(PlcLog::parse(&log.json()).is_ok(), is_valid);
    }
}

/// An operation of a random log: what it follows on, who signs it, how long after the one before.
#[derive(Clone, Debug)]
struct Step {
    prev: prop::sample::Index,
    signer: usize,
    hours: u64,
    is_end: bool,
}

fn any_step() -> impl Strategy<Value = Step> {
    let hours = prop::sample::select(vec![0, 1, 24, 48, 73]);
    let is_end = prop::bool::weighted(0.1);
    (any::<prop::sample::Index>(), 0..3_usize, hours, is_end)
        .prop_map(|(prev, signer, hours, is_end)| Step { prev, signer, hours, is_end })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rules once more, as questions on the tree of operations instead of on a chain: an operation
    /// is undone by a later sibling of it or of what it follows on.
    #[test]
    fn random_logs_are_judged_by_the_rules(steps in prop::collection::vec(any_step(), 0..7)) {
        let rotation: [SigningKey; 3] = keys();
        let [a, b, c] = &rotation;
        let signing = |n: usize| {
            SigningKey::from_bytes(Curve::K256, &[u8::try_from(50 + n).unwrap(); 32]).unwrap()
        };
        let mut log = Directory::default();
        let mut cids = vec![log.take(update(&[a, b, c], &signing(0), None), c, START)];
        let (mut parents, mut signers, mut times) = (vec![usize::MAX], vec![2], vec![START]);
        let mut ends = vec![false];
        let mut undone = vec![false];
        let mut wrong = None;
        for (n, step) in steps.iter().enumerate() {
            // Mostly near the end, as in life.
            let near = cids.len().saturating_sub(3);
            let parent = near + step.prev.index(cids.len() - near);
            let time = times[n] + step.hours * HOUR;
            let operation = match step.is_end {
                true => tombstone(cids[parent]),
                false => update(&[a, b, c], &signing(n + 1), Some(cids[parent])),
            };
            let cid = log.take(operation, &rotation[step.signer], time);
            let siblings: Vec<usize> =
                (0..=n).filter(|at| parents[*at] == parent && !undone[*at]).collect();
            let may = !undone[parent]
                && !ends[parent]
                && siblings.iter().all(|at| {
                    step.signer < signers[*at] && time - times[*at] <= 72 * HOUR
                });
            if !may {
                wrong = Some(n + 1);
                break;
            }
            for at in 0..=n {
                let mut of = at;
                while of != usize::MAX && !siblings.contains(&of) {
                    of = parents[of];
                }
                if of != usize::MAX {
                    undone[at] = true;
                    log.nullify(at);
                }
            }
            cids.push(cid);
            parents.push(parent);
            signers.push(step.signer);
            times.push(time);
            ends.push(step.is_end);
            undone.push(false);
        }
        match (PlcLog::parse(&log.json()), wrong) {
            (Ok(parsed), None) => {
                prop_assert_eq!(nullified(&parsed), undone.clone());
                let history = parsed.key_history();
                for at in 0..cids.len() {
                    // The last one that counts and is not later.
                    let last = (0..cids.len()).rfind(|n| !undone[*n] && times[*n] <= times[at]);
                    let key = last.filter(|n| !ends[*n]).map(|n| signing(n).public_key());
                    let found = history.at(times[at]).and_then(|period| period.key.clone());
                    prop_assert_eq!(found, key);
                }
            }
            (Err(IdentityError::Operation { index, .. }), Some(wrong)) => {
                prop_assert_eq!(index, wrong);
            }
            (found, wrong) => prop_assert!(false, "{found:?}, expected {wrong:?}"),
        }
    }
}
