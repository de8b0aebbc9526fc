//! Test scenarios of a Go relay, and single events from before the last change of the protocol. The messages are in
//! JSON form.

use std::collections::{BTreeSet, HashMap};

use pds::crypto::PublicKey;
use pds::data::Value;
use pds::syntax::Tid;
use serde_json::Value as Json;

use super::event::{Event, link, text as field};
use super::support::{cid, flag, json, number, text};

/// Returns the files of one family that `expected.json` describes. No other file may exist.
fn files(prefix: &str) -> Option<Vec<(String, Json, Json)>> {
    let dir = crate::fixtures()?.join("firehose");
    let expected = json("firehose/expected.json")?;
    let of_family = |name: &String| name.starts_with(prefix) && name.ends_with(".json");
    let there: BTreeSet<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(of_family)
        .collect();
    let named = expected.as_object().unwrap().keys().cloned();
    assert_eq!(there, named.filter(of_family).collect());
    let read = |name: String| {
        let content = json(&format!("firehose/{name}")).unwrap();
        (name.clone(), content, expected[&name].clone())
    };
    Some(there.into_iter().map(read).collect())
}

/// Converts the body of a message from JSON to the data model.
fn body(json: &Json) -> Value {
    let body = Value::from_json(&json.to_string()).unwrap();
    assert_eq!(Value::decode(&body.encode()).unwrap(), body);
    body
}

fn keys(scenario: &Json) -> HashMap<String, PublicKey> {
    let accounts = scenario["accounts"].as_array().unwrap().iter();
    accounts
        .map(|account| {
            let key = &account["identity"]["keys"]["atproto"];
            assert_eq!(text(key, "type"), "Multikey");
            let key = PublicKey::from_multikey(text(key, "publicKeyMultibase")).unwrap();
            (text(&account["identity"], "did").to_owned(), key)
        })
        .collect()
}

/// Checks the known facts of a commit: in an event, or alone.
fn facts_agree(name: &str, event: &Event, expected: &Json) {
    assert_eq!(event.commit.cid(), cid(expected, "commit"), "{name}");
    assert_eq!(event.commit.rev().unwrap().to_string(), text(expected, "rev"), "{name}");
    assert_eq!(u64::from(event.commit.version()), number(expected, "version"), "{name}");
    assert_eq!(event.commit.data(), cid(expected, "data"), "{name}");
    assert_eq!(event.commit.did().as_str(), text(expected, "did"), "{name}");
    assert_eq!(event.slice.len() as u64, number(expected, "blocks"), "{name}");
    let ops = event.ops.iter().map(|op| Json::from(vec![op.action.clone(), op.path.to_string()]));
    let expected_ops = expected.get("ops").cloned().unwrap_or(Json::Array(Vec::new()));
    assert_eq!(Json::from_iter(ops), expected_ops, "{name}");
}

#[test]
fn every_message_of_the_scenarios_agrees_with_what_is_known_of_it() {
    let Some(files) = files("relay-") else { return };
    let (mut commits, mut syncs, mut others) = (0, 0, 0);
    for (file, scenario, expected) in &files {
        let keys = keys(scenario);
        let messages = scenario["messages"].as_array().unwrap();
        let facts = expected["messages"].as_array().unwrap();
        assert_eq!(messages.len(), facts.len(), "{file}");
        assert_eq!(flag(scenario, "lenient"), flag(expected, "lenient"), "{file}");
        for (index, (message, facts)) in messages.iter().zip(facts).enumerate() {
            let name = format!("{file}, message {index}");
            for mark in ["drop", "invalid", "update"] {
                assert_eq!(message[mark], facts[mark], "{name}");
            }
            assert_eq!(number(&message["frame"]["header"], "op"), 1, "{name}");
            let kind = text(&message["frame"]["header"], "t");
            assert_eq!(kind, text(facts, "t"), "{name}");
            let body = body(&message["frame"]["body"]);
            if facts.get("commit").is_none() {
                assert!(keys.contains_key(field(&body, "did")), "{name}");
                assert!(matches!(kind, "#identity" | "#account"), "{name}");
                others += 1;
                continue;
            }
            let event = Event::read(body);
            facts_agree(&name, &event, facts);
            let key = &keys[event.commit.did().as_str()];
            assert_eq!(event.commit.verify(key).is_ok(), flag(facts, "sig_valid"), "{name}");
            assert_eq!(event.commit.signature().is_low_s(key.curve()), flag(facts, "low_s"));
            assert!(event.verifies(key), "{name}");
            if kind == "#sync" {
                // The message contains only the commit. The repository has to be fetched.
                assert_eq!(event.slice.len(), 1, "{name}");
                syncs += 1;
                continue;
            }
            event.ops_hold();
            assert_eq!(link(&event.body, "commit"), Some(event.commit.cid()), "{name}");
            let before = event.inverted().unwrap();
            assert_eq!(before, cid(facts, "inverted_root"), "{name}");
            let prev_data = link(&event.body, "prevData");
            assert_eq!(prev_data.map(|cid| cid.to_string()).as_deref(), facts["prevData"].as_str());
            let inverts = prev_data.map(|said| said == before);
            assert_eq!(Json::from(inverts), facts["inverts_to_prevData"], "{name}");
            commits += 1;
        }
    }
    assert!(commits >= 10 && syncs >= 1 && others >= 4, "{commits} {syncs} {others}");
}

#[test]
fn the_revs_alone_tell_which_messages_a_relay_drops() {
    let Some(files) = files("relay-") else { return };
    let mut dropped = 0;
    for (file, scenario, _) in &files {
        let mut last: HashMap<String, Tid> = HashMap::new();
        for (index, message) in scenario["messages"].as_array().unwrap().iter().enumerate() {
            if text(&message["frame"]["header"], "t") != "#commit" {
                assert!(!flag(message, "drop"), "{file}, message {index}");
                continue;
            }
            let event = Event::read(body(&message["frame"]["body"]));
            let did = event.text("repo").to_owned();
            // The rev of the event is a TID, equals that of the commit, and is later than the previous one.
            let rev = event.text("rev").parse::<Tid>().ok();
            let rev = rev.filter(|rev| event.commit.rev() == Some(*rev));
            let rev = rev.filter(|rev| last.get(&did).is_none_or(|last| last < rev));
            assert_eq!(rev.is_none(), flag(message, "drop"), "{file}, message {index}");
            match rev {
                Some(rev) => drop(last.insert(did, rev)),
                None => dropped += 1,
            }
        }
    }
    assert!(dropped >= 2);
}

#[test]
fn events_before_the_last_change_lack_what_undoing_needs() {
    let Some(files) = files("indigo-commit-") else {
        return;
    };
    for (name, message, expected) in &files {
        let event = Event::read(body(message));
        facts_agree(name, &event, expected);
        assert_eq!(event.text("rev"), text(expected, "rev"), "{name}");
        assert_eq!(event.text("repo"), text(expected, "did"), "{name}");
        assert_eq!(link(&event.body, "prevData"), None, "{name}");
        event.ops_hold();

        let error = event.inverted().unwrap_err();
        let missing = error.missing().unwrap_or_else(|| panic!("{name}: {error}"));
        let said = text(expected, "inversion_error");
        assert_eq!(said, format!("Missing {missing}"), "{name}");
    }
    assert!(files.len() >= 2);
}
