//! Operation logs of did:plc with one broken rule, hashed and signed again.

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use pds::crypto::{Signature, Signer, SigningKey};
use pds::data::{Cid, Codec, Map, Value};
use pds::identity::{IdentityError, OperationFault, PlcLog};
use serde_json::{Value as Json, json};

use super::signatures::{der, high};
use super::torture::{amount, row};
use crate::identity::keys;
use crate::identity::plc::{Directory, HOUR, START, create, sign, time, tombstone, update};
use crate::properties::Random;

/// Reads a log in both of its forms. Returns the flags of its operations, or the index and the name of the fault.
fn parse(log: &Directory) -> Result<Vec<bool>, (usize, String)> {
    let lines: Vec<String> = log.entries.iter().map(Json::to_string).collect();
    let both = [log.json(), lines.join("\n")].map(|text| {
        assert!(PlcLog::looks_like(&text));
        match PlcLog::parse(&text) {
            Ok(log) => {
                let keys = log.key_history();
                assert_eq!(keys.did(), Some(log.did()));
                assert!(keys.periods().iter().map(|period| period.from_micros).is_sorted());
                Ok(log.entries().iter().map(|entry| entry.nullified).collect())
            }
            Err(IdentityError::Operation { index, fault }) => Err((index, fault_name(&fault))),
            Err(error) => Err((usize::MAX, error.to_string())),
        }
    });
    let [list, lines] = both;
    assert_eq!(list, lines);
    list
}

fn fault_name(fault: &OperationFault) -> String {
    match fault {
        OperationFault::Field { field, .. } => (*field).to_owned(),
        other => format!("{other:?}").split([' ', '(', '{']).next().unwrap().to_owned(),
    }
}

/// Adds an operation that is signed already, whatever it is.
fn add(log: &mut Directory, operation: Map, micros: u64) -> Cid {
    let value = Value::Map(operation);
    let cid = Cid::of(Codec::Cbor, &value.encode());
    log.entries.push(json!({
        "did": log.did,
        "operation": serde_json::from_str::<Json>(&value.to_json()).unwrap(),
        "cid": cid.to_string(),
        "nullified": false,
        "createdAt": time(micros),
    }));
    cid
}

/// An account with three rotation keys, and two operations by the last one.
struct Account {
    log: Directory,
    rotation: [SigningKey; 3],
    first: Cid,
    second: Cid,
}

impl Account {
    fn new() -> Self {
        let rotation: [SigningKey; 3] = keys();
        let [a, b, c] = &rotation;
        let mut log = Directory::default();
        let first = log.take(update(&[a, b, c], a, None), c, START);
        let second = log.take(update(&[a, b, c], b, Some(first)), c, START + HOUR);
        Self { log, rotation, first, second }
    }

    fn update(&self, prev: Cid) -> Map {
        let [a, b, c] = &self.rotation;
        update(&[a, b, c], c, Some(prev))
    }

    /// Returns the log with a third operation.
    fn with(&self, operation: Map, signer: usize, micros: u64) -> Directory {
        let mut log = self.log.clone();
        add(&mut log, sign(operation, &self.rotation[signer]), micros);
        log
    }
}

fn nullified(mut log: Directory, indexes: &[usize]) -> Directory {
    indexes.iter().for_each(|index| log.nullify(*index));
    log
}

type Expected = Result<Vec<bool>, (usize, &'static str)>;

fn check(cases: Vec<(&str, Directory, Expected)>) -> usize {
    let tried = cases.len();
    for (name, log, expected) in cases {
        let expected = expected.map_err(|(index, fault)| (index, fault.to_owned()));
        assert_eq!(parse(&log), expected, "{name}");
    }
    tried
}

#[test]
fn forks_and_orders_have_their_verdicts() {
    let account = Account::new();
    let (first, second) = (account.first, account.second);
    let after =
        |hours: u64, prev, signer| account.with(account.update(prev), signer, START + hours * HOUR);
    let at = |micros, signer| account.with(account.update(first), signer, micros);
    let limit = START + 73 * HOUR;
    let dead = account.with(tombstone(second), 2, START + 2 * HOUR);
    let end = Cid::of(Codec::Cbor, &operation_bytes(&dead, 2));
    let undone = |mut log: Directory, signer: usize, prev| {
        add(&mut log, sign(account.update(prev), &account.rotation[signer]), START + 3 * HOUR);
        log
    };
    let mut swapped = account.log.clone();
    swapped.entries.swap(0, 1);
    let mut twice = account.log.clone();
    twice.entries.push(twice.entries[1].clone());
    let mut alone = account.log.clone();
    alone.entries.remove(0);
    let mut foreign = account.log.clone();
    foreign.entries[1]["did"] = json!("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    let tried = check(vec![
        ("as it is", account.log.clone(), Ok(vec![false; 2])),
        ("one more", after(2, second, 2), Ok(vec![false; 3])),
        ("at the same time", after(1, second, 2), Ok(vec![false; 3])),
        ("earlier", after(0, second, 2), Err((2, "OutOfOrder"))),
        (
            "a fork by a stronger key",
            nullified(after(2, first, 1), &[1]),
            Ok(vec![false, true, false]),
        ),
        (
            "a fork by the strongest",
            nullified(after(2, first, 0), &[1]),
            Ok(vec![false, true, false]),
        ),
        (
            "a fork by the same key",
            nullified(after(2, first, 2), &[1]),
            Err((2, "NotMorePowerful")),
        ),
        ("at the limit", nullified(at(limit, 0), &[1]), Ok(vec![false, true, false])),
        ("after the limit", nullified(at(limit + 1_000, 0), &[1]), Err((2, "TooLate"))),
        ("no flag", after(2, first, 0), Err((1, "Nullified"))),
        ("the wrong flag", nullified(after(2, first, 0), &[2]), Err((1, "Nullified"))),
        ("both flags", nullified(after(2, first, 0), &[1, 2]), Err((2, "Nullified"))),
        ("a flag for nothing", nullified(after(2, second, 2), &[1]), Err((1, "Nullified"))),
        (
            "after a nullified one",
            nullified(undone(after(2, first, 0), 2, second), &[1]),
            Err((3, "NoPredecessor")),
        ),
        (
            "after an unknown one",
            after(2, Cid::of(Codec::Cbor, b"?"), 2),
            Err((2, "NoPredecessor")),
        ),
        (
            "a second beginning",
            account.with(
                update(&[&account.rotation[2]], &account.rotation[2], None),
                2,
                START + 2 * HOUR,
            ),
            Err((2, "NoPredecessor")),
        ),
        ("a tombstone", dead.clone(), Ok(vec![false; 3])),
        ("after a tombstone", undone(dead.clone(), 2, end), Err((3, "AfterTombstone"))),
        (
            "a tombstone undone",
            nullified(undone(dead.clone(), 1, second), &[2]),
            Ok(vec![false, false, true, false]),
        ),
        (
            "two operations undone",
            nullified(undone(dead, 0, first), &[1, 2]),
            Ok(vec![false, true, true, false]),
        ),
        ("swapped", swapped, Err((0, "NoPredecessor"))),
        ("twice", twice, Err((2, "NotMorePowerful"))),
        ("without the beginning", alone, Err((0, "NoPredecessor"))),
        ("of another account", foreign, Err((1, "WrongDid"))),
    ]);
    row("mutations: order of operations", tried, "each judged as expected");
}

fn operation_bytes(log: &Directory, index: usize) -> Vec<u8> {
    Value::from_json(&log.entries[index]["operation"].to_string()).unwrap().encode()
}

#[test]
fn only_a_permitted_key_signs_in_one_form() {
    let account = Account::new();
    let strangers: [SigningKey; 5] = keys();
    let operation = account.update(account.second);
    let key = &account.rotation[2];
    let message = Value::Map(operation.clone()).encode();
    let right = key.sign(&message).unwrap();
    let bytes = right.as_bytes();
    let with = |sig: Value| {
        let (mut log, mut operation) = (account.log.clone(), operation.clone());
        operation.insert("sig", sig);
        add(&mut log, operation, START + 2 * HOUR);
        log
    };
    let text = |text: String| with(Value::from(text));
    let encoded = BASE64URL_NOPAD.encode(bytes);
    let url = |bytes: &[u8]| text(BASE64URL_NOPAD.encode(bytes));
    let by = |key: &SigningKey| url(key.sign(&message).unwrap().as_bytes());
    let of_other: Signature = key.sign(b"another message").unwrap();
    let (sig, unsigned) = (Err((2, "sig")), Err((2, "Unsigned")));
    let tried = check(vec![
        ("the right one", text(encoded.clone()), Ok(vec![false; 3])),
        ("by the first key", by(&account.rotation[0]), Ok(vec![false; 3])),
        ("by a stranger", by(&strangers[4]), unsigned.clone()),
        ("of another message", url(of_other.as_bytes()), unsigned.clone()),
        ("high-S", url(&high(key.public_key().curve(), &right)), Err((2, "HighS"))),
        ("zeros", url(&[0; 64]), unsigned.clone()),
        ("ones", url(&[0xff; 64]), unsigned),
        ("DER", url(&der(&right)), sig.clone()),
        ("63 bytes", url(&bytes[..63]), sig.clone()),
        ("65 bytes", url(&[&bytes[..], &[0]].concat()), sig.clone()),
        ("padded", text(BASE64URL.encode(bytes)), sig.clone()),
        ("in the other alphabet", text(BASE64.encode(&[0xfb; 64]).replace('=', "")), sig.clone()),
        ("a line end", text(format!("{encoded}\n")), sig.clone()),
        ("a space", text(format!(" {encoded}")), sig.clone()),
        ("empty", text(String::new()), sig.clone()),
        ("null", with(Value::Null), sig.clone()),
        ("bytes", with(Value::from(&bytes[..])), sig.clone()),
        ("a number", with(Value::Int(1)), sig.clone()),
        (
            "absent",
            {
                let mut log = account.log.clone();
                add(&mut log, operation.clone(), START + 2 * HOUR);
                log
            },
            sig,
        ),
    ]);
    // A key counts from the operation after the one that adds it, and up to the one that removes it.
    let [a, b, c] = &account.rotation;
    let new = &strangers[3];
    let mut adding = account.log.clone();
    let added = update(&[new, a], b, Some(account.second));
    let third = add(&mut adding, sign(added.clone(), c), START + 2 * HOUR);
    let then = |signer: &SigningKey| {
        let mut log = adding.clone();
        add(&mut log, sign(update(&[new], b, Some(third)), signer), START + 3 * HOUR);
        log
    };
    let mut itself = account.log.clone();
    add(&mut itself, sign(added, new), START + 2 * HOUR);
    let tried = tried
        + check(vec![
            ("by the new key", then(new), Ok(vec![false; 4])),
            ("by a kept key", then(a), Ok(vec![false; 4])),
            ("by a removed key", then(c), Err((3, "Unsigned"))),
            ("by the key that it adds", itself, Err((2, "Unsigned"))),
        ]);
    row("mutations: signatures of operations", tried, "each judged as expected");
}

#[test]
fn every_field_of_an_operation_has_its_verdict() {
    let account = Account::new();
    let [a, ..] = &account.rotation;
    let (did_key, prev) = (a.public_key().did_key(), account.second.to_string());
    let with = |field: &str, value: Option<Value>| {
        let mut operation = account.update(account.second);
        match value {
            Some(value) => drop(operation.insert(field, value)),
            None => drop(operation.remove(field)),
        }
        account.with(operation, 2, START + 2 * HOUR)
    };
    let some = |field, value: Value| with(field, Some(value));
    let list = |count| Value::List(vec![Value::from(did_key.as_str()); count]);
    let methods = |name: &str, key: &str| Value::from([(name, Value::from(key))]);
    let ed25519 = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    let ok = || Ok(vec![false; 3]);
    let fault = |field: &'static str| Err((2, field));
    let mut cases = vec![
        ("a further field", some("x", Value::from("y")), ok()),
        ("no rotation keys", some("rotationKeys", list(0)), ok()),
        ("ten", some("rotationKeys", list(10)), ok()),
        ("eleven", some("rotationKeys", list(11)), fault("rotationKeys")),
        (
            "another curve",
            some("rotationKeys", Value::List(vec![Value::from(ed25519)])),
            fault("rotationKeys"),
        ),
        (
            "a bare multikey",
            some("rotationKeys", Value::List(vec![Value::from(&did_key[8..])])),
            fault("rotationKeys"),
        ),
        ("no methods", some("verificationMethods", Value::Map(Map::new())), ok()),
        ("another method", some("verificationMethods", methods("x", &did_key)), ok()),
        ("another kind of key", some("verificationMethods", methods("atproto", ed25519)), ok()),
        (
            "no key",
            some("verificationMethods", methods("atproto", "zQ3")),
            fault("verificationMethods"),
        ),
        ("another type", some("type", Value::from("plc_other")), fault("type")),
        ("create, but later", some("type", Value::from("create")), fault("type")),
        ("prev with a space", some("prev", Value::from(format!("{prev} "))), fault("prev")),
        ("prev as a link", some("prev", Value::Link(account.second)), fault("prev")),
        ("prev of null", some("prev", Value::Null), fault("NoPredecessor")),
        (
            "a long name",
            some("alsoKnownAs", Value::List(vec![Value::from("x".repeat(9_000))])),
            fault("TooLarge"),
        ),
    ];
    for field in ["type", "rotationKeys", "verificationMethods", "prev"] {
        cases.push(("absent", with(field, None), fault(field)));
        for value in [Value::Int(1), Value::from(true), Value::from(vec![1])] {
            cases.push(("of another type", some(field, value), fault(field)));
        }
    }
    let tried = check(cases);
    // The original form of the first operation.
    let (recovery, signing) = (&account.rotation[0], &account.rotation[1]);
    let begun = |signer: &SigningKey, change: fn(&mut Map)| {
        let mut operation = create(recovery, signing);
        change(&mut operation);
        let mut log = Directory::default();
        log.take(operation, signer, START);
        log
    };
    let tried = tried
        + check(vec![
            ("by the recovery key", begun(recovery, |_| {}), Ok(vec![false])),
            ("by the signing key", begun(signing, |_| {}), Ok(vec![false])),
            ("by another", begun(&account.rotation[2], |_| {}), Err((0, "Unsigned"))),
            (
                "no recovery key",
                begun(signing, |it| drop(it.remove("recoveryKey"))),
                Err((0, "recoveryKey")),
            ),
            (
                "no signing key",
                begun(recovery, |it| drop(it.remove("signingKey"))),
                Err((0, "signingKey")),
            ),
            ("no prev", begun(recovery, |it| drop(it.remove("prev"))), Err((0, "prev"))),
        ]);
    row("mutations: fields of operations", tried, "each judged as expected");
}

/// Random changes of the entries of random logs: what is accepted in one form is accepted in the other, and the log
/// without its last operation is still one.
#[test]
fn random_logs_are_read_alike_and_so_are_their_beginnings() {
    let tried = amount(150, 10_000);
    let mut valid = 0;
    for seed in 0..tried {
        let mut random = Random(7_000_000 + seed as u64);
        let Account { mut log, rotation, first, second } = Account::new();
        let mut cids = vec![first, second];
        for n in 2..2 + random.below(4) as u64 {
            let [a, b, c] = &rotation;
            let prev = cids[cids.len() - 1 - random.below(8) / 7];
            let mut operation = update(&[a, b, c], a, Some(prev));
            operation.insert("n", i64::try_from(n).unwrap());
            let signed = sign(operation, &rotation[random.below(3)]);
            cids.push(add(&mut log, signed, START + n * HOUR));
        }
        for _ in 0..random.below(2) {
            let at = random.below(log.entries.len());
            match random.below(4) {
                0 => drop(log.entries.remove(at)),
                1 => log.entries.swap(0, at),
                2 => log.nullify(at),
                _ => log.entries[at]["createdAt"] = json!(time(START)),
            }
        }
        let Ok(flags) = parse(&log) else { continue };
        valid += 1;
        log.entries.pop();
        if !flags.contains(&true) && !log.entries.is_empty() {
            assert_eq!(parse(&log), Ok(vec![false; flags.len() - 1]), "seed {seed}");
        }
    }
    assert!(valid > tried / 10 && valid < tried, "{valid}");
    row("mutations: random logs", tried, &format!("{valid} valid, each alike in both forms"));
}
