//! `put` accepts everything that `get` prints.

use pds::data::Value;

use crate::common::TestRepo;

/// Puts a record, prints it, puts what was printed, and compares.
fn goes_round(value: &Value) {
    let repo = TestRepo::new();
    let bytes = value.encode();
    assert!(bytes.len() <= 1_000_000, "{}", bytes.len());
    repo.pds(["put", "com.example.note/a", "--cbor"]).stdin(bytes).ok();
    let line = "pds -R alice get com.example.note/a | pds -R alice put com.example.note/b";
    repo.home.sh(line).ok();
    let cid = |name: &str| repo.json(["get", &format!("com.example.note/{name}")])["cid"].clone();
    assert_eq!(cid("a"), cid("b"));
}

fn record(values: Vec<Value>) -> Value {
    Value::from([("$type", Value::from("com.example.note")), ("a", Value::List(values))])
}

#[test]
fn a_record_of_many_small_values_goes_round() {
    goes_round(&record(vec![Value::List(vec![Value::Int(0); 130_000]); 5]));
    goes_round(&record(vec![Value::List(vec![Value::Bytes(Vec::new()); 90_000]); 11]));
    goes_round(&record(vec![Value::from("\u{1}".repeat(300_000)); 3]));
}

#[test]
fn a_deep_record_goes_round_for_all_its_indentation() {
    let mut deep = Value::List(vec![Value::Bool(false); 100_000]);
    for _ in 0..60 {
        deep = Value::List(vec![deep]);
    }
    goes_round(&record(vec![deep; 5]));
}
