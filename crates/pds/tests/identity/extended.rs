//! What a log shows of an account, and logs that were read twice.

use pds::data::{Map, Value};
use pds::identity::{OperationFault, PlcData, PlcLog};

use super::plc::{Directory, HOUR, START, create, tombstone, update};
use super::{fault, keys, three};

fn parsed(log: &Directory) -> PlcLog {
    PlcLog::parse(&log.json()).unwrap()
}

fn service(kind: &str, endpoint: &str) -> Value {
    Value::from([("type", Value::from(kind)), ("endpoint", Value::from(endpoint))])
}

#[test]
fn an_entry_has_the_whole_account_after_its_operation() {
    let [a, b, signing, other] = keys();
    let mut log = Directory::default();
    let first = log.take(create(&a, &signing), &a, START);
    let mut second = update(&[&b, &a], &signing, Some(first));
    let names = ["at://b.example", "https://b.example", "at://a.example"];
    second.insert("alsoKnownAs", names.into_iter().map(Value::from).collect::<Value>());
    let labeler = other.public_key().did_key();
    let methods = [("atproto", signing.public_key().did_key()), ("atproto_label", labeler.clone())];
    second.insert("verificationMethods", Map::from_iter(methods));
    let services = [
        ("atproto_pds", service("AtprotoPersonalDataServer", "https://pds.example/")),
        ("atproto_labeler", service("AtprotoLabeler", "https://label.example/x")),
    ];
    second.insert("services", Map::from_iter(services));
    let second = log.take(second, &a, START + HOUR);
    log.take(tombstone(second), &b, START + 2 * HOUR);

    let log = parsed(&log);
    let [created, updated, ended] = log.entries() else { panic!("three operations") };
    assert_eq!((created.prev, updated.prev, ended.prev), (None, Some(first), Some(second)));
    let data = created.data.as_ref().unwrap();
    assert_eq!(data.rotation_keys, [a.public_key(), signing.public_key()]);
    assert_eq!(data.handles()[0].as_str(), "alice.example.com");
    assert_eq!(data.pds().as_deref(), Some("https://pds.example.com"));
    assert_eq!(data.signing_key(), Some(signing.public_key()));
    let data = updated.data.as_ref().unwrap();
    assert_eq!(data.rotation_keys, [b.public_key(), a.public_key()]);
    assert_eq!(data.also_known_as, names);
    let handles: Vec<String> = data.handles().iter().map(ToString::to_string).collect();
    assert_eq!(handles, ["b.example", "a.example"]);
    assert_eq!(data.verification_methods["atproto_label"], labeler);
    assert_eq!(data.services["atproto_labeler"].kind, "AtprotoLabeler");
    assert_eq!(data.services["atproto_labeler"].endpoint, "https://label.example/x");
    assert_eq!(data.pds().as_deref(), Some("https://pds.example"));
    assert!(ended.is_tombstone() && !updated.is_tombstone());
    assert_eq!((log.current(), ended.data.as_ref()), (ended, None));
}

#[test]
fn the_host_of_a_log_has_the_right_name_and_type() {
    let of = |name: &str, kind: &str, endpoint: &str| {
        let one = pds::identity::PlcService { kind: kind.into(), endpoint: endpoint.into() };
        PlcData { services: [(name.to_owned(), one)].into(), ..PlcData::default() }.pds()
    };
    let (name, kind) = ("atproto_pds", "AtprotoPersonalDataServer");
    assert_eq!(of(name, kind, "https://a.b").as_deref(), Some("https://a.b"));
    assert_eq!(of("other", kind, "https://a.b"), None);
    assert_eq!(of(name, "Other", "https://a.b"), None);
    assert_eq!(of(name, kind, "https://a.b/c"), None);
}

#[test]
fn names_and_services_have_their_types() {
    let [a, signing] = keys();
    let not_text = Value::List(vec![Value::from(3)]);
    let half = Value::from([("atproto_pds", Value::from([("type", Value::from("x"))]))]);
    for (name, wrong) in [
        ("alsoKnownAs", Value::Null),
        ("alsoKnownAs", not_text.clone()),
        ("services", not_text.clone()),
        ("services", half),
        ("rotationKeys", not_text),
    ] {
        let mut log = Directory::default();
        let mut operation = update(&[&a], &signing, None);
        operation.insert(name, wrong);
        log.take(operation, &a, START);
        let fault = fault(&log);
        assert!(
            matches!(fault, (0, OperationFault::Field { field, .. }) if field == name),
            "{fault:?}"
        );
    }
}

#[test]
fn the_current_operation_is_the_last_in_force() {
    let [a, _, old, _] = keys();
    let (mut log, cids) = three();
    assert_eq!(parsed(&log).current().cid, cids[2]);
    log.nullify(1);
    log.nullify(2);
    let undone = log.take(update(&[&a], &old, Some(cids[0])), &a, START + 3 * HOUR);
    assert_eq!(parsed(&log).current().cid, undone);
}

#[test]
fn a_log_extends_every_beginning_of_it_and_no_other_past() {
    let [a, _, old, new] = keys();
    let (log, cids) = three();
    let mut undone = log.clone();
    undone.nullify(1);
    undone.nullify(2);
    undone.take(update(&[&a], &old, Some(cids[0])), &a, START + 3 * HOUR);
    let [short, undone] = [parsed(&log), parsed(&undone)];
    assert_eq!(short.extends(&short), Ok(()));
    // The operations that the older log has in force were nullified by the rules.
    assert_eq!(undone.extends(&short), Ok(()));

    let changed = short.extends(&undone).unwrap_err();
    assert_eq!((changed.index, &changed.held.cid), (3, &undone.entries()[3].cid));
    assert!(changed.found.is_none());
    let text = changed.to_string();
    assert!(text.ends_with("of 2024-01-01T03:00:00Z, and is missing"), "{text}");

    let mut hidden = Directory { entries: log.entries[..1].to_vec(), ..log.clone() };
    let [_, b] = keys::<2>();
    hidden.take(update(&[&a, &b], &old, Some(cids[0])), &b, START + HOUR);
    let changed = parsed(&hidden).extends(&short).unwrap_err();
    assert_eq!((changed.index, changed.held.cid), (1, cids[1]));
    assert_eq!(changed.found.unwrap().cid, parsed(&hidden).entries()[1].cid);

    let mut later = log.clone();
    later.entries[2]["createdAt"] = serde_json::json!("2024-01-01T02:00:00.001Z");
    let changed = parsed(&later).extends(&short).unwrap_err();
    assert_eq!((changed.index, changed.found.as_ref().unwrap().cid), (2, cids[2]));
    let text = changed.to_string();
    assert!(text.contains("02:00:00Z, and is"), "{text}");
    assert!(text.ends_with("of 2024-01-01T02:00:00.001000Z"), "{text}");

    let mut other = Directory::default();
    other.take(update(&[&a], &new, None), &a, START);
    assert_eq!(parsed(&other).extends(&short).unwrap_err().index, 0);
}
