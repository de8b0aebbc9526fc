//! Frames of the public event stream, as they were received.

use std::io::Read;

use data_encoding::{BASE64, HEXLOWER};
use flate2::read::GzDecoder;
use pds::crypto::{Curve, PublicKey};
use pds::data::Value;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::event::{Event, link, text as field};
use super::support::{bytes, cid, flag, number, text};

pub(crate) fn unpacked(path: &str) -> Option<String> {
    let packed = bytes(path)?;
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    Some(text)
}

/// Returns the expected facts of each frame, with its header and its body.
fn frames() -> Option<Vec<(Json, Value, Value)>> {
    let lines = unpacked("firehose/relay-frames.jsonl.gz")?;
    let frame = |line| {
        let expected: Json = serde_json::from_str(line).unwrap();
        let frame = BASE64.decode(text(&expected, "frame_b64").as_bytes()).unwrap();
        assert_eq!(frame.len() as u64, number(&expected, "size"));
        let digest = HEXLOWER.encode(&Sha256::digest(&frame));
        assert_eq!(digest, text(&expected, "frame_sha256"));

        // A frame has exactly two items, one after another.
        let (header, rest) = Value::decode_first(&frame).unwrap();
        let (body, rest) = Value::decode_first(rest).unwrap();
        assert!(rest.is_empty());
        assert!([header.encode(), body.encode()].concat() == frame);
        (expected, header, body)
    };
    Some(lines.lines().map(frame).collect())
}

/// Returns the commit events, each with its expected facts and the key of the account's DID document.
pub(crate) fn commits() -> Option<Vec<(Json, Event, PublicKey)>> {
    let documents = unpacked("firehose/relay-frames.did_docs.json.gz")?;
    let documents: Json = serde_json::from_str(&documents).unwrap();
    let commits = frames()?.into_iter().filter_map(|(expected, header, body)| {
        if field(&header, "t") != "#commit" {
            return None;
        }
        let key = key_of(&documents[field(&body, "repo")]);
        Some((expected, Event::read(body), key))
    });
    Some(commits.collect())
}

fn key_of(document: &Json) -> PublicKey {
    let methods = document["verificationMethod"].as_array().unwrap();
    let method = methods.iter().find(|method| text(method, "id").ends_with("#atproto")).unwrap();
    assert_eq!(text(method, "type"), "Multikey");
    PublicKey::from_multikey(text(method, "publicKeyMultibase")).unwrap()
}

#[test]
fn every_frame_decodes_and_says_what_it_is_known_to_say() {
    let Some(frames) = frames() else { return };
    let mut others = 0;
    for (expected, header, body) in &frames {
        let name = format!("frame {}", expected["index"]);
        assert_eq!(header.get("op").and_then(Value::as_int), expected["op"].as_i64(), "{name}");
        assert_eq!(body.get("seq").and_then(Value::as_int), expected["seq"].as_i64(), "{name}");
        let kind = field(header, "t");
        assert_eq!(kind, text(expected, "t"), "{name}");
        // Commit events name the account `repo`, and all others `did`.
        let did = if kind == "#commit" { "repo" } else { "did" };
        assert_eq!(field(body, did), text(expected, "did"), "{name}");
        others += u64::from(kind != "#commit");
    }
    assert!(frames.len() >= 75 && others >= 1);
}

#[test]
fn commit_events_agree_with_the_commits_in_their_slices() {
    let Some(commits) = commits() else { return };
    for (expected, event, _) in &commits {
        let name = format!("frame {}", expected["index"]);
        let (body, commit) = (&event.body, &event.commit);
        assert_eq!(event.text("rev"), text(expected, "rev"), "{name}");
        assert_eq!(event.text("since"), text(expected, "since"), "{name}");
        assert_eq!(link(body, "commit"), Some(cid(expected, "commit")), "{name}");
        assert_eq!(link(body, "prevData"), Some(cid(expected, "prevData")), "{name}");
        assert_eq!(body.get("tooBig"), Some(&Value::Bool(flag(expected, "tooBig"))), "{name}");

        assert_eq!(event.slice_bytes().len() as u64, number(expected, "blocks_bytes"), "{name}");
        assert_eq!(event.slice.len() as u64, number(expected, "blocks"), "{name}");
        let is_root = event.slice.roots() == [cid(expected, "commit")];
        assert_eq!(is_root, flag(expected, "commit_is_car_root"), "{name}");

        assert_eq!(commit.cid(), cid(expected, "commit"), "{name}");
        assert_eq!(commit.did().as_str(), text(expected, "did"), "{name}");
        assert_eq!(commit.rev().unwrap().to_string(), text(expected, "rev"), "{name}");
        assert_eq!(commit.data(), cid(expected, "data"), "{name}");
        assert_eq!(commit.version(), 3, "{name}");
        assert!(commit.deviations().is_empty(), "{name}");
        let since: pds::syntax::Tid = event.text("since").parse().unwrap();
        assert!(commit.rev().unwrap() > since, "{name}");
    }
    assert!(commits.len() >= 70);
}

#[test]
fn commit_events_are_signed_with_the_keys_of_their_did_documents() {
    let Some(commits) = commits() else { return };
    for (expected, event, key) in &commits {
        let name = format!("frame {}", expected["index"]);
        assert_eq!(key.did_key(), text(expected, "key"), "{name}");
        let curve = if text(expected, "curve") == "k256" { Curve::K256 } else { Curve::P256 };
        assert_eq!(key.curve(), curve, "{name}");
        assert_eq!(event.commit.signature().is_low_s(curve), flag(expected, "low_s"), "{name}");
        assert_eq!(event.commit.verify(key).is_ok(), flag(expected, "sig_valid"), "{name}");
        assert_eq!(event.verifies(key), flag(expected, "sig_valid"), "{name}");
    }
}

#[test]
fn operations_hold_and_records_read_as_another_service_serves_them() {
    let Some(commits) = commits() else { return };
    let (mut records, mut deletes) = (0, 0);
    for (expected, event, _) in &commits {
        let name = format!("frame {}", expected["index"]);
        let ops = expected["ops"].as_array().unwrap();
        assert_eq!(event.ops.len(), ops.len(), "{name}");
        for (op, expected) in event.ops.iter().zip(ops) {
            assert_eq!(op.action, text(expected, "action"), "{name}");
            assert_eq!(op.path.to_string(), text(expected, "path"), "{name}");
            let text = |cid: Option<pds::data::Cid>| Json::from(cid.map(|cid| cid.to_string()));
            assert_eq!(text(op.cid), expected["cid"], "{name}");
            assert_eq!(text(op.prev), expected["prev"], "{name}");
            deletes += u64::from(op.cid.is_none());
        }
        event.ops_hold();
        for (path, json) in expected["records_json"].as_object().unwrap() {
            assert_eq!(event.record_json(path).as_ref(), Some(json), "{name}: {path}");
            // In the other direction, their JSON results in our bytes.
            let value: Value = serde_json::from_value(json.clone()).unwrap();
            let op = event.ops.iter().find(|op| op.path.to_string() == *path).unwrap();
            let encoded = pds::data::Block::new(pds::data::Codec::Cbor, value.encode());
            assert_eq!(Some(encoded.cid()), op.cid, "{name}: {path}");
            records += 1;
        }
    }
    assert!(records >= 70 && deletes >= 1, "{records} {deletes}");
}

#[test]
fn undoing_the_operations_gives_the_tree_before() {
    let Some(commits) = commits() else { return };
    for (expected, event, _) in &commits {
        let name = format!("frame {}", expected["index"]);
        let before = event.inverted().unwrap();
        let inverts = Some(before) == link(&event.body, "prevData");
        assert_eq!(inverts, flag(expected, "inverts_to_prevData"), "{name}");
    }
}
