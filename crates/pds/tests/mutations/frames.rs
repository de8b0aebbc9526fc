//! Frames with one changed part: each is refused, or says the same.

use std::collections::BTreeMap;

use pds::crypto::{Curve, SigningKey};
use pds::data::limits::{MAX_EVENT_BLOCKS_BYTES, MAX_MESSAGE_BYTES, MAX_SYNC_BLOCKS_BYTES};
use pds::data::{Block, Map, Value};
use pds::mst::Key;
use pds::sync::{
    Action, CommitEvent, Event, EventFault, Frame, FrameError, build_sync, check_commit, check_sync,
};

use crate::properties::sync::{Made, now, record, signing_key};

fn path(n: usize) -> Key {
    Key::new(format!("com.example.note/{n:04}").into_bytes()).unwrap()
}

/// An event that creates, updates and deletes a record of forty.
fn event() -> CommitEvent {
    let before: BTreeMap<Key, Block> = (0..40).map(|n| (path(n), record(0))).collect();
    let mut after = before.clone();
    after.insert(path(50), record(1));
    after.insert(path(20), record(2));
    after.remove(&path(30));
    Made::of(&after, 2).event_after(&Made::of(&before, 1)).unwrap()
}

fn frame(event: &CommitEvent) -> Vec<u8> {
    Frame::from(Event::Commit(event.clone())).encode()
}

#[test]
fn no_changed_byte_changes_what_is_accepted() {
    let (event, key) = (event(), signing_key().public_key());
    let frame = frame(&event);
    let (mut accepted, mut refused, mut unknown) = (0, 0, 0);
    for at in 0..frame.len() {
        // Each byte has one bit changed, so that all bits are tried in turn.
        let mut changed = frame.clone();
        changed[at] ^= 1 << (at % 8);
        let found = match Frame::decode(&changed) {
            Ok(Frame::Event(Event::Commit(event))) => event,
            Ok(Frame::Unknown { .. }) => {
                unknown += 1;
                continue;
            }
            Ok(other) => panic!("byte {at}: {other:?}"),
            Err(_) => {
                refused += 1;
                continue;
            }
        };
        if check_commit(&found, Some(&key)).is_err() {
            refused += 1;
            continue;
        }
        // The commit does not cover these fields.
        let CommitEvent { seq, since, ref time, .. } = found;
        let expected = CommitEvent { seq, since, time: time.clone(), ..event.clone() };
        assert_eq!(found, expected, "byte {at}");
        accepted += 1;
    }
    assert!(accepted < 80 && unknown < 20 && refused > 1_000, "{accepted} {unknown} {refused}");
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    let frame = frame(&event());
    for length in 0..frame.len() {
        assert!(Frame::decode(&frame[..length]).is_err(), "{length}");
    }
    for more in [&[0][..], &[0xf6], &[0xa0]] {
        assert!(Frame::decode(&[&frame, more].concat()).is_err());
    }
}

#[test]
fn each_lie_of_an_event_is_named() {
    let truth = event();
    let key = signing_key().public_key();
    check_commit(&truth, Some(&key)).unwrap();
    let judge = |change: &dyn Fn(&mut CommitEvent)| {
        let mut event = truth.clone();
        change(&mut event);
        let error = check_commit(&event, Some(&key)).unwrap_err();
        // What the check says also holds after the way over the network.
        if let Ok(Frame::Event(Event::Commit(sent))) = Frame::decode(&frame(&event)) {
            let again = check_commit(&sent, Some(&key)).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
        }
        error.to_string()
    };
    let at = |action: Action| truth.ops.iter().position(|op| op.action == action).unwrap();
    let (created, updated, deleted) = (at(Action::Create), at(Action::Update), at(Action::Delete));
    let name = |op: usize| truth.ops[op].path.to_string();
    let other = record(9).cid();
    let another_tree =
        "com.example.note/0050: the tree of the commit has another record at this path";
    let cases: Vec<(String, String)> = vec![
        (
            "did: not that of the commit".into(),
            judge(&|e| e.repo = "did:web:bob.example.com".parse().unwrap()),
        ),
        (
            "rev: not that of the commit".into(),
            judge(&|e| e.rev = pds::syntax::Tid::new(5_000_000, 0).unwrap()),
        ),
        ("since: not before the rev".into(), judge(&|e| e.since = Some(e.rev))),
        (
            "the blocks of the event do not have the commit as their root".into(),
            judge(&|e| e.commit = other),
        ),
        ("the event has no prevData".into(), judge(&|e| e.prev_data = None)),
        (format!("{}: no prev", name(updated)), judge(&|e| e.ops[updated].prev = None)),
        (format!("{}: no prev", name(deleted)), judge(&|e| e.ops[deleted].prev = None)),
        (format!("{}: no cid", name(created)), judge(&|e| e.ops[created].cid = None)),
        (
            format!("{}: updated, but with the same record", name(updated)),
            judge(&|e| e.ops[updated].prev = e.ops[updated].cid),
        ),
        (format!("{}: no cid", name(updated)), judge(&|e| e.ops[updated].cid = None)),
        (
            format!("{}: created, but with a prev", name(created)),
            judge(&|e| e.ops[created].prev = Some(other)),
        ),
        (
            format!("{}: deleted, but with a cid", name(deleted)),
            judge(&|e| e.ops[deleted].cid = Some(other)),
        ),
        (
            format!("{}: its record is not among the blocks", name(created)),
            judge(&|e| e.ops[created].cid = Some(other)),
        ),
        (
            format!("{}: a second operation on this path", name(0)),
            judge(&|e| e.ops.push(e.ops[0].clone())),
        ),
        (another_tree.into(), judge(&|e| e.ops[created].cid = e.ops[updated].cid)),
    ];
    for (expected, found) in &cases {
        assert_eq!(found, expected);
    }
    let inverted = |change: &dyn Fn(&mut CommitEvent)| {
        let found = judge(change);
        assert!(found.starts_with("undoing the operations gives the tree "), "{found}");
    };
    inverted(&|e| e.prev_data = Some(other));
    inverted(&|e| e.ops[updated].prev = Some(other));
    inverted(&|e| e.ops[deleted].prev = Some(other));
    inverted(&|e| drop(e.ops.remove(deleted)));
    let stranger = SigningKey::from_bytes(Curve::P256, &[3; 32]).unwrap().public_key();
    let error = check_commit(&truth, Some(&stranger)).unwrap_err();
    assert!(matches!(error, EventFault::Signature(_)), "{error}");
    let many = CommitEvent { ops: vec![truth.ops[0].clone(); 201], ..truth.clone() };
    assert!(matches!(check_commit(&many, None), Err(EventFault::OverLimit(_))));
    let error = Frame::decode(&frame(&many)).unwrap_err();
    assert_eq!((error.seq(), error.did()), (Some(1), Some(&truth.repo)));
    let text = "the event is over a limit: operations: 201, the limit is 200";
    assert_eq!(error.to_string(), text);
}

/// Returns the body of a frame as a value.
fn body(frame: &[u8]) -> (Value, Map) {
    let (header, rest) = Value::decode_first(frame).unwrap();
    let (Value::Map(body), _) = Value::decode_first(rest).unwrap() else { panic!("a map") };
    (header, body)
}

#[test]
fn each_field_is_required_and_has_its_type() {
    let sync = build_sync(&Made::of(&BTreeMap::new(), 1).commit, 4, &now()).unwrap();
    let did = sync.did.clone();
    let time = now().to_string();
    let identity = pds::sync::IdentityEvent {
        seq: 2,
        did: did.clone(),
        handle: Some("alice.example.com".parse().unwrap()),
        time: time.clone(),
    };
    let account = pds::sync::AccountEvent {
        seq: 3,
        did,
        active: true,
        status: Some("throttled".to_owned()),
        time,
    };
    let info =
        pds::sync::InfoEvent { name: "OutdatedCursor".to_owned(), message: Some("x".to_owned()) };
    let optional = [
        "handle", "status", "message", "since", "prevData", "cid", "prev", "blobs", "rebase",
        "tooBig",
    ];
    let mut tried = 0;
    for event in [
        Event::Commit(event()),
        Event::Sync(sync),
        Event::Identity(identity),
        Event::Account(account),
        Event::Info(info),
    ] {
        let numbered = !matches!(event, Event::Info(_));
        assert_eq!((event.seq().is_some(), event.did().is_some()), (numbered, numbered));
        let frame = Frame::from(event.clone()).encode();
        assert_eq!(Frame::decode(&frame).unwrap(), Frame::Event(event));
        let (header, body) = body(&frame);
        for field in body.keys() {
            let changed = |value: Option<Value>| {
                let mut body = body.clone();
                match value {
                    Some(value) => drop(body.insert(field, value)),
                    None => drop(body.remove(field)),
                }
                Frame::decode(&[header.encode(), Value::Map(body).encode()].concat())
            };
            let ignored = ["blobs", "rebase", "tooBig"].contains(&field);
            assert_eq!(changed(None).is_ok(), optional.contains(&field), "{field}");
            for wrong in
                [Value::Int(-1), Value::from(vec![1, 2_u8]), Value::from([("a", Value::Null)])]
            {
                let is_bytes = field == "blocks" && wrong.as_bytes().is_some();
                assert_eq!(changed(Some(wrong)).is_ok(), ignored || is_bytes, "{field}");
                tried += 1;
            }
            if !["time", "name", "message", "status"].contains(&field) {
                let text = changed(Some(Value::from("no\u{1b}where")));
                assert_eq!(text.is_ok(), ignored, "{field}");
            }
        }
        // Fields that are not known have any value.
        let mut more = body.clone();
        more.insert("later", Value::from([("x", Value::Null)]));
        let more = [header.encode(), Value::Map(more).encode()].concat();
        assert_eq!(Frame::decode(&more).unwrap(), Frame::decode(&frame).unwrap());
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn numbers_sizes_and_kinds_have_their_bounds() {
    let with_seq = |seq: i64| {
        let (header, mut body) = body(&frame(&event()));
        body.insert("seq", seq);
        Frame::decode(&[header.encode(), Value::Map(body).encode()].concat())
    };
    assert!(with_seq(0).is_ok() && with_seq((1 << 53) - 1).is_ok());
    for seq in [-1, 1 << 53, 1 << 62, i64::MAX, i64::MIN] {
        assert!(matches!(with_seq(seq), Err(FrameError::Field { field: "seq", .. })), "{seq}");
    }
    let sized = |bytes: usize| {
        let event = CommitEvent { blocks: vec![0; bytes], ..event() };
        (Frame::decode(&frame(&event)), check_commit(&event, None))
    };
    let (read, checked) = sized(MAX_EVENT_BLOCKS_BYTES);
    assert!(read.is_ok() && matches!(checked, Err(EventFault::Blocks(_))));
    let (read, checked) = sized(MAX_EVENT_BLOCKS_BYTES + 1);
    assert!(matches!(read, Err(FrameError::OverLimit { .. })));
    assert!(matches!(checked, Err(EventFault::OverLimit(_))));
    let mut sync = build_sync(&Made::of(&BTreeMap::new(), 1).commit, 4, &now()).unwrap();
    sync.blocks = vec![0; MAX_SYNC_BLOCKS_BYTES + 1];
    assert!(matches!(check_sync(&sync, None), Err(EventFault::OverLimit(_))));
    assert!(Frame::decode(&Frame::from(Event::Sync(sync)).encode()).is_err());

    let unknown = |op: i64, kind: Option<&str>, body: Value| {
        let mut header = Map::from_iter([("op", op)]);
        kind.into_iter().for_each(|kind| drop(header.insert("t", kind)));
        Frame::decode(&[Value::Map(header).encode(), body.encode()].concat())
    };
    let text = |bytes: usize| Value::from([("x", Value::from("a".repeat(bytes)))]);
    let is_unknown = |frame| matches!(frame, Ok(Frame::Unknown { .. }));
    assert!(is_unknown(unknown(1, Some("#later"), text(4_999_000))));
    let large = unknown(1, Some("#later"), text(MAX_MESSAGE_BYTES));
    assert!(matches!(large, Err(FrameError::Undecodable(_))));
    assert!(
        is_unknown(unknown(2, Some("#commit"), text(1))) && is_unknown(unknown(2, None, text(1)))
    );
    assert!(unknown(1, None, text(1)).is_err());
    let seq = unknown(1, Some("#later"), Value::from([("seq", Value::from(7))])).unwrap();
    assert_eq!(seq, Frame::Unknown { op: 1, kind: "#later".to_owned(), seq: Some(7) });
    assert_eq!(Frame::decode(&seq.encode()).unwrap(), seq);
    let error = Frame::Error { name: "FutureCursor".to_owned(), message: Some("no".to_owned()) };
    assert_eq!(Frame::decode(&error.encode()).unwrap(), error);
    assert!(unknown(-1, None, text(1)).is_err());
    let undecodable = Frame::decode(&[0xa0]).unwrap_err();
    assert_eq!((undecodable.seq(), undecodable.did()), (None, None));
    let deep = [&[0xa1, 0x62, b'o', b'p', 0x01][..], &[0x81; 70_000], &[0xf6]].concat();
    assert!(Frame::decode(&deep).is_err());
}
