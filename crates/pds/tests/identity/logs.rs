//! The rules for operation logs, one by one.

use pds::data::{Cid, Value};
use pds::identity::{IdentityError, OperationFault, PlcLog};
use serde_json::json;

use super::plc::{Directory, HOUR, START, create, sign, tombstone, update};
use super::{fault, keys, nullified, three};

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
    // The original form is valid only at the start.
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
        // The log must mark the nullified operations.
        assert_eq!(fault(&log), (1, OperationFault::Nullified { stated: false }));
        log.nullify(1);
        assert_eq!(fault(&log), (2, OperationFault::Nullified { stated: false }));
        log.nullify(2);
        let parsed = PlcLog::parse(&log.json()).unwrap();
        assert_eq!(nullified(&parsed), [false, true, true, false]);
        // A nullified operation was never in force: there is one key from the start.
        let keys = parsed.key_history();
        assert_eq!((keys.periods().len(), keys.periods()[0].from_micros), (1, START));
        assert_eq!(keys.at(START + 2 * HOUR).unwrap().key, Some(old.public_key()));
        // A nullified operation cannot be a predecessor.
        log.take(update(&[&a], &new, Some(cids[2])), &b, recovered + HOUR);
        assert_eq!(fault(&log), (4, OperationFault::NoPredecessor));
    }
    // The same key or a less powerful one nullifies nothing.
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
fn other_json_is_distinguished_from_an_invalid_log() {
    for (text, expected) in [
        ("", "cannot be parsed"),
        ("{}", "not a did:plc audit log: not a list of operations"),
        ("[]", "not a did:plc audit log: it is empty"),
        ("[1]", "not a did:plc audit log: an entry is not an object"),
        (
            r#"[{"type":"plc_operation"}]"#,
            "not a did:plc audit log: operations without times: download the log whose address ends in \
             /log/audit",
        ),
    ] {
        assert_eq!(PlcLog::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(PlcLog::parse(&deep).is_err());
    let long = format!("[{}]", " ".repeat(2 * 1_048_576));
    assert!(matches!(PlcLog::parse(&long), Err(IdentityError::Json(_))));
    let many = format!("[{}]", ["{}"; 5_001].join(","));
    let error = PlcLog::parse(&many).unwrap_err();
    assert!(error.to_string().ends_with("more operations than the limit of 5000"), "{error}");
    // A log may be longer than any value of the data model.
    let entry = format!(r#"{{"operation":{{}},"x":"{}"}}"#, "x".repeat(15_000));
    let large = format!("[{}]", [&*entry; 120].join(","));
    assert!(matches!(PlcLog::parse(&large), Err(IdentityError::Operation { index: 0, .. })));
}

#[test]
fn the_lines_of_an_export_are_read_like_a_log() {
    let (log, cids) = three();
    let lines: Vec<String> = log.entries.iter().map(ToString::to_string).collect();
    for text in [lines.join("\n"), lines.join("\r\n\r\n") + "\n", format!("\n {}", lines.concat())]
    {
        let parsed = PlcLog::parse(&text).unwrap();
        let found: Vec<Cid> = parsed.entries().iter().map(|entry| entry.cid).collect();
        assert_eq!(found, cids);
        assert!(PlcLog::looks_like(&text));
    }
    assert_eq!(PlcLog::parse(&lines[0]).unwrap().entries().len(), 1);
    assert!(PlcLog::looks_like(&log.json()) && !PlcLog::looks_like(r#"{"id":"did:web:a.b"}"#));
    // A line of another account, and a line that is cut.
    let mut other = log.clone();
    other.entries[2]["did"] = json!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    let others: Vec<String> = other.entries.iter().map(ToString::to_string).collect();
    let error = PlcLog::parse(&others.join("\n")).unwrap_err();
    assert!(matches!(error, IdentityError::Operation { index: 2, .. }), "{error}");
    let text = lines.join("\n");
    assert!(matches!(PlcLog::parse(&text[..text.len() - 1]), Err(IdentityError::Json(_))));
    let many = vec![r#"{"operation":{}}"#; 5_001].join("\n");
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
    // The size of an operation without its handle.
    let beside = with_handle(7_000).1 - 7_000;
    let (fits, bytes) = with_handle(7_500 - beside);
    assert_eq!(bytes, 7_500);
    PlcLog::parse(&fits.json()).unwrap();
    let (larger, bytes) = with_handle(7_501 - beside);
    assert_eq!(bytes, 7_501);
    assert_eq!(fault(&larger), (0, OperationFault::TooLarge { bytes: 7_501, limit: 7_500 }));

    for (count, is_valid) in [(10, true), (11, false)] {
        let mut log = Directory::default();
        let mut rotation = vec![&b; count - 1];
        rotation.push(&a);
        log.take(update(&rotation, &old, None), &a, START);
        assert_eq!(PlcLog::parse(&log.json()).is_ok(), is_valid);
    }
}
