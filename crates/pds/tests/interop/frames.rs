//! Frames of others, read and checked by the library, and the events that it makes of the same commits.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use pds::car::CarReader;
use pds::crypto::PublicKey;
use pds::data::{Block, Blocks, Cid, MemoryBlocks, Value};
use pds::identity::DidDocument;
use pds::sync::{
    CommitEvent, Event, EventFault, Frame, FrameError, State, build_commit, build_sync,
    check_commit, check_sync,
};
use serde_json::Value as Json;

use super::firehose::unpacked;
use super::support::{bytes, cid, flag, json, text};

fn event(frame: &[u8]) -> Event {
    match Frame::decode(frame).unwrap() {
        Frame::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// A stream of the reference server: each frame with its facts, and the key of the only account.
struct Stream {
    frames: Vec<(Vec<u8>, Json)>,
    key: PublicKey,
}

fn reference() -> Option<Stream> {
    let document = bytes("reference-pds/alice/did-doc.json")?;
    let document = DidDocument::parse(std::str::from_utf8(&document).unwrap()).unwrap();
    let stream = bytes("reference-pds/alice/firehose.bin").unwrap();
    let facts = String::from_utf8(bytes("reference-pds/alice/firehose.jsonl").unwrap()).unwrap();
    let (mut rest, mut frames) = (&stream[..], Vec::new());
    for line in facts.lines() {
        let (length, after) = rest.split_first_chunk::<4>().unwrap();
        let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        frames.push((frame.to_vec(), serde_json::from_str(line).unwrap()));
        rest = after;
    }
    assert!(rest.is_empty());
    Some(Stream { frames, key: document.signing_key().unwrap().clone() })
}

fn cids(blocks: &MemoryBlocks) -> BTreeSet<Cid> {
    blocks.iter().map(Block::cid).collect()
}

#[test]
fn every_frame_of_the_reference_server_is_read_and_written_alike() {
    let Some(Stream { frames, key }) = reference() else { return };
    let (mut commits, mut others) = (0, 0);
    for (frame, facts) in &frames {
        let name = format!("frame {}", facts["seq"]);
        let event = event(frame);
        assert_eq!(Frame::from(event.clone()).encode(), *frame, "{name}");
        assert_eq!(event.seq(), facts["seq"].as_u64(), "{name}");
        let did = facts.get("repo").or(facts.get("did")).unwrap();
        assert_eq!(event.did().unwrap().as_str(), did.as_str().unwrap(), "{name}");
        match event {
            Event::Commit(event) => {
                let checked = check_commit(&event, Some(&key)).unwrap();
                assert_eq!(checked.commit.cid().to_string(), text(&facts["commit"], "/"));
                assert_eq!(event.ops.len(), facts["ops"].as_array().unwrap().len(), "{name}");
                commits += 1;
            }
            Event::Sync(event) => {
                let commit = check_sync(&event, Some(&key)).unwrap();
                assert_eq!(commit.rev().unwrap().to_string(), text(facts, "rev"), "{name}");
                others += 1;
            }
            Event::Identity(event) => {
                assert_eq!(event.handle.unwrap().as_str(), text(facts, "handle"), "{name}");
                others += 1;
            }
            Event::Account(event) => {
                assert_eq!(Json::from(event.active), facts["active"], "{name}");
                others += 1;
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(commits >= 90 && others >= 3, "{commits} {others}");
}

#[test]
fn events_made_of_the_commits_of_the_reference_server_say_the_same() {
    let Some(Stream { frames, key }) = reference() else { return };
    let mut stored = MemoryBlocks::default();
    let mut before: Option<CommitEvent> = None;
    let mut made = 0;
    for (frame, _) in &frames {
        let Event::Commit(theirs) = event(frame) else { continue };
        let checked = check_commit(&theirs, Some(&key)).unwrap();
        stored.extend(checked.blocks.iter().cloned());
        let decoded = |event: &CommitEvent| {
            let block = stored.get(&event.commit).unwrap().unwrap();
            pds::commit::Commit::decode(&block).unwrap()
        };
        let (commit, last) = (decoded(&theirs), before.as_ref().map(decoded));
        let of = |commit| State { commit, blocks: &stored };
        let time = theirs.time.parse().unwrap();
        let ours = build_commit(last.as_ref().map(of), of(&commit), theirs.seq, &time).unwrap();
        let ours_checked = check_commit(&ours, Some(&key)).unwrap();
        let first = CarReader::new(&ours.blocks[..]).unwrap().next().unwrap().unwrap();
        assert_eq!(first.cid(), theirs.commit);
        // The order of operations and blocks may be another, and a server may add nodes that nothing needs.
        let sorted = |event: &CommitEvent| {
            let mut event = CommitEvent { blocks: Vec::new(), ..event.clone() };
            event.ops.sort_by(|a, b| a.path.cmp(&b.path));
            event
        };
        assert_eq!(sorted(&ours), sorted(&theirs));
        assert!(cids(&ours_checked.blocks).is_subset(&cids(&checked.blocks)), "{}", ours.seq);
        let sync = build_sync(&commit, ours.seq, &time).unwrap();
        assert_eq!(check_sync(&sync, Some(&key)).unwrap(), commit);
        before = Some(theirs);
        made += 1;
    }
    assert!(made >= 90, "{made}");
}

#[test]
fn every_frame_of_the_relay_passes_the_check() {
    let Some(lines) = unpacked("firehose/relay-frames.jsonl.gz") else { return };
    let mut commits = 0;
    for line in lines.lines() {
        let facts: Json = serde_json::from_str(line).unwrap();
        let frame = BASE64.decode(text(&facts, "frame_b64").as_bytes()).unwrap();
        let name = format!("frame {}", facts["index"]);
        let event = event(&frame);
        assert_eq!(Frame::from(event.clone()).encode(), frame, "{name}");
        let Event::Commit(event) = event else { continue };
        let key = PublicKey::from_did_key(text(&facts, "key")).unwrap();
        let checked = check_commit(&event, Some(&key)).unwrap();
        assert_eq!(checked.commit.cid(), cid(&facts, "commit"), "{name}");
        assert_eq!(event.prev_data, Some(cid(&facts, "prevData")), "{name}");
        commits += 1;
    }
    assert!(commits >= 70, "{commits}");
}

#[test]
fn messages_of_the_scenarios_pass_unless_they_are_older_than_sync_1_1() {
    let Some(expected) = json("firehose/expected.json") else { return };
    let frame = |kind: &str, body: &Json| {
        let header = Value::from([("op", Value::from(1)), ("t", Value::from(kind))]);
        [header.encode(), Value::from_json(&body.to_string()).unwrap().encode()].concat()
    };
    let (mut passed, mut old) = (0, 0);
    for name in expected.as_object().unwrap().keys() {
        let scenario = json(&format!("firehose/{name}")).unwrap();
        let Some(messages) = scenario["messages"].as_array() else {
            let Event::Commit(event) = event(&frame("#commit", &scenario)) else {
                panic!("{name}")
            };
            // Without since, it could be a first commit. But its operations do not start from nothing.
            match check_commit(&event, None).unwrap_err() {
                EventFault::NoPrevData => assert!(event.since.is_some(), "{name}"),
                EventFault::Tree(error) => {
                    assert!(event.since.is_none() && error.missing().is_some(), "{name}");
                }
                other => panic!("{name}: {other}"),
            }
            old += 1;
            continue;
        };
        for message in messages {
            let (kind, body) = (text(&message["frame"]["header"], "t"), &message["frame"]["body"]);
            let read = match Frame::decode(&frame(kind, body)) {
                Ok(Frame::Event(event)) => event,
                // One rev is not a TID. A relay drops that message.
                other => {
                    assert!(matches!(other, Err(FrameError::Field { field: "rev", .. })), "{name}");
                    assert!(flag(message, "drop"), "{name}");
                    continue;
                }
            };
            match read {
                Event::Commit(event) if flag(&scenario, "lenient") => {
                    let fault = check_commit(&event, None).unwrap_err();
                    assert!(matches!(fault, EventFault::NoPrevData), "{name}: {fault}");
                    old += 1;
                }
                // The revs of two messages that a relay drops are right in themselves.
                Event::Commit(event) => match check_commit(&event, None) {
                    Ok(_) => {}
                    Err(EventFault::Differs { field: "rev", .. }) if flag(message, "drop") => {}
                    Err(other) => panic!("{name}: {other}"),
                },
                Event::Sync(event) => drop(check_sync(&event, None).unwrap()),
                _ => {}
            }
            passed += 1;
        }
    }
    assert!(passed >= 14 && old >= 3, "{passed} {old}");
}
