//! Events of commits, compared with ordered maps.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pds::car::CarWriter;
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::limits::MAX_RECORD_BYTES;
use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::{EMPTY_NODE, Key, proof};
use pds::sync::{
    Action, BuildError, CommitEvent, Event, EventFault, Frame, RecordOp, State, build_commit,
    build_sync, check_commit, check_sync,
};
use pds::syntax::{Datetime, Tid};
use proptest::prelude::*;

use super::{Entries, built, config, mined_keys};

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(mined_keys);

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(Curve::K256, &[7; 32]).unwrap()
}

pub(crate) fn now() -> Datetime {
    "2026-11-21T23:38:15.863Z".parse().unwrap()
}

/// A commit with all blocks of its repository.
pub(crate) struct Made {
    pub(crate) commit: Commit,
    pub(crate) blocks: MemoryBlocks,
}

impl Made {
    /// Makes a repository of records, with a rev of this number.
    pub(crate) fn of(records: &BTreeMap<Key, Block>, number: u64) -> Self {
        let entries: Entries =
            records.iter().map(|(key, record)| (key.clone(), record.cid())).collect();
        let (data, nodes) = built(&entries);
        let mut blocks: MemoryBlocks = nodes.into_iter().collect();
        blocks.insert(Block::new(Codec::Cbor, EMPTY_NODE));
        blocks.extend(records.values().cloned());
        let unsigned = UnsignedCommit {
            did: "did:web:alice.example.com".parse().unwrap(),
            data,
            rev: Tid::new(1_000_000 + number, 0).unwrap(),
            prev: None,
        };
        Self { commit: unsigned.sign(&signing_key()).unwrap(), blocks }
    }

    pub(crate) fn state(&self) -> State<'_> {
        State { commit: &self.commit, blocks: &self.blocks }
    }

    pub(crate) fn event_after(&self, before: &Self) -> Result<CommitEvent, BuildError> {
        build_commit(Some(before.state()), self.state(), 1, &now())
    }
}

pub(crate) fn record(number: u8) -> Block {
    let value = Value::from([("n", Value::from(i32::from(number)))]);
    Block::new(Codec::Cbor, value.encode())
}

fn any_records() -> impl Strategy<Value = BTreeMap<Key, Block>> {
    let key = (0..KEYS.len()).prop_map(|at| KEYS[at].clone());
    prop::collection::btree_map(key, (0..3_u8).prop_map(record), 0..40)
}

/// Some records after a few changes.
fn changed_records() -> impl Strategy<Value = [BTreeMap<Key, Block>; 2]> {
    let key = (0..KEYS.len()).prop_map(|at| KEYS[at].clone());
    let change = (key, prop::option::weighted(0.6, (0..3_u8).prop_map(record)));
    (any_records(), prop::collection::vec(change, 0..12)).prop_map(|(before, changes)| {
        let mut after = before.clone();
        for (key, value) in changes {
            match value {
                Some(value) => drop(after.insert(key, value)),
                None => drop(after.remove(&key)),
            }
        }
        [before, after]
    })
}

/// Compares two maps key by key.
fn naive_ops(before: &BTreeMap<Key, Block>, after: &BTreeMap<Key, Block>) -> Vec<RecordOp> {
    let mut keys: Vec<&Key> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let op = |key: &Key| {
        let [prev, cid] = [before, after].map(|map| map.get(key).map(Block::cid));
        let action = match (prev, cid) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        };
        (prev != cid).then(|| RecordOp {
            action,
            path: key.to_string().parse().unwrap(),
            cid,
            prev,
        })
    };
    keys.into_iter().filter_map(op).collect()
}

fn decoded(frame: &[u8]) -> CommitEvent {
    match Frame::decode(frame).unwrap() {
        Frame::Event(Event::Commit(event)) => event,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn an_event_of_two_states_has_their_difference_and_passes_the_check(maps in changed_records()) {
        let key = signing_key().public_key();
        let [before, after] = [(&maps[0], 1), (&maps[1], 2)].map(|(map, rev)| Made::of(map, rev));
        let event = after.event_after(&before).unwrap();
        prop_assert_eq!(&event.ops, &naive_ops(&maps[0], &maps[1]));
        prop_assert_eq!(event.prev_data, Some(before.commit.data()));
        prop_assert_eq!(event.since, before.commit.rev());
        let read = decoded(&Frame::from(Event::Commit(event.clone())).encode());
        prop_assert_eq!(&read, &event);
        let checked = check_commit(&read, Some(&key)).unwrap();
        prop_assert_eq!(&checked.commit, &after.commit);
        // The root is there even if nothing has changed, and common verifiers find all that they look for.
        prop_assert!(checked.blocks.contains(&after.commit.data()));
        for op in &event.ops {
            proof(&checked.blocks, after.commit.data(), &op.path.to_key()).unwrap();
        }
        for block in checked.blocks.iter() {
            let is_commit = block.cid() == event.commit;
            prop_assert!(is_commit || after.blocks.contains(&block.cid()));
        }
    }

    #[test]
    fn an_event_from_the_empty_tree_needs_no_prev_data(records in any_records()) {
        let made = Made::of(&records, 2);
        let event = build_commit(None, made.state(), 1, &now()).unwrap();
        prop_assert_eq!((event.since, event.prev_data), (None, None));
        prop_assert_eq!(&event.ops, &naive_ops(&BTreeMap::new(), &records));
        check_commit(&event, Some(&signing_key().public_key())).unwrap();
        // The same event after an earlier commit must name the tree before.
        let later = CommitEvent { since: Tid::new(1, 0), ..event.clone() };
        prop_assert!(matches!(check_commit(&later, None), Err(EventFault::NoPrevData)));
        let without_one = event.ops.len().checked_sub(1);
        if let Some(rest) = without_one {
            let short = CommitEvent { ops: event.ops[..rest].to_vec(), ..event };
            prop_assert!(check_commit(&short, None).is_err());
        }
    }

    /// Any list of operations is accepted only if it is the difference.
    #[test]
    fn only_the_difference_is_accepted(maps in changed_records(), other in changed_records()) {
        let [before, after] = [(&maps[0], 1), (&maps[1], 2)].map(|(map, rev)| Made::of(map, rev));
        let event = after.event_after(&before).unwrap();
        // With the whole repository at hand, no node is missing.
        let event = CommitEvent { blocks: car_of(&after), ..event };
        check_commit(&event, None).unwrap();
        let ops = naive_ops(&other[0], &other[1]);
        let is_same = ops == event.ops;
        let claimed = CommitEvent { ops, ..event.clone() };
        prop_assert_eq!(check_commit(&claimed, None).is_ok(), is_same);
        let another = Made::of(&other[0], 1).commit.data();
        let is_same = Some(another) == event.prev_data;
        let claimed = CommitEvent { prev_data: Some(another), ..event };
        prop_assert_eq!(check_commit(&claimed, None).is_ok(), is_same);
    }
}

#[test]
fn larger_changes_and_records_are_over_a_limit() {
    let path = |n: usize| Key::new(format!("com.example.note/{n:04}").into_bytes()).unwrap();
    let empty = Made::of(&BTreeMap::new(), 1);
    let records = |n: usize| -> BTreeMap<Key, Block> {
        (0..n).map(|n| (path(n), record(u8::try_from(n % 100).unwrap()))).collect()
    };
    Made::of(&records(200), 2).event_after(&empty).unwrap();
    let over = Made::of(&records(201), 2).event_after(&empty).unwrap_err();
    assert_eq!(over.to_string(), "the event is over a limit: operations: 201, the limit is 200");

    let sized = |bytes: usize, fill: char| {
        let value = Value::from([("t", Value::from(fill.to_string().repeat(bytes - 8)))]);
        Block::new(Codec::Cbor, value.encode())
    };
    let large = |bytes| Made::of(&[(path(0), sized(bytes, 'a'))].into(), 2).event_after(&empty);
    assert_eq!(sized(1_000_000, 'a').bytes().len(), 1_000_000);
    large(1_000_000).unwrap();
    let over = large(1_000_001).unwrap_err().to_string();
    assert!(over.ends_with("bytes of a record: 1000001, the limit is 1000000"), "{over}");

    let many = ['a', 'b', 'c'].into_iter().enumerate();
    let many = many.map(|(n, fill)| (path(n), sized(700_000, fill))).collect();
    let over = Made::of(&many, 2).event_after(&empty).unwrap_err().to_string();
    assert!(over.contains("bytes of blocks: 2") && over.ends_with("is 2000000"), "{over}");
}

/// Returns a CAR file with a repository and its commit as the root.
pub(crate) fn car_of(made: &Made) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[made.commit.cid()]).unwrap();
    let all = made.blocks.iter().chain([made.commit.block()]);
    all.for_each(|block| car.block(block.borrowed()).unwrap());
    car.finish().unwrap()
}

#[test]
fn an_event_of_others_may_have_a_larger_record() {
    let path = Key::new(*b"com.example.note/1").unwrap();
    for (bytes, is_accepted) in [(MAX_RECORD_BYTES, true), (MAX_RECORD_BYTES + 1, false)] {
        let value = Value::from([("t", Value::from("a".repeat(bytes - 8)))]);
        let record = Block::new(Codec::Cbor, value.encode());
        assert_eq!(record.bytes().len(), bytes);
        let made = Made::of(&[(path.clone(), record.clone())].into(), 2);
        let op = RecordOp {
            action: Action::Create,
            path: path.to_string().parse().unwrap(),
            cid: Some(record.cid()),
            prev: None,
        };
        let event = CommitEvent {
            seq: 1,
            repo: made.commit.did().clone(),
            rev: made.commit.rev().unwrap(),
            since: None,
            commit: made.commit.cid(),
            prev_data: None,
            ops: vec![op],
            blocks: car_of(&made),
            time: now().to_string(),
        };
        let checked = check_commit(&event, None);
        assert_eq!(checked.is_ok(), is_accepted, "{checked:?}");
        assert!(is_accepted || matches!(checked, Err(EventFault::OverLimit(_))));
    }
}

/// Returns a commit with more fields, or with fewer if a value is null. Its signature is another one.
fn altered(commit: &Commit, changes: &[(&str, Value)]) -> Commit {
    let Ok(Value::Map(mut fields)) = Value::decode(commit.block().bytes()) else { panic!("a map") };
    for (field, value) in changes {
        match value {
            Value::Null => drop(fields.remove(field)),
            value => drop(fields.insert(*field, value.clone())),
        }
    }
    Commit::decode(&Block::new(Codec::Cbor, Value::Map(fields).encode())).unwrap()
}

#[test]
fn old_and_oversized_commits_have_no_event() {
    let made = Made::of(&BTreeMap::new(), 1);
    let old = altered(&made.commit, &[("rev", Value::Null), ("version", Value::from(2))]);
    let state = State { commit: &old, blocks: &made.blocks };
    let later = Made::of(&BTreeMap::new(), 2);
    let [alone, before] =
        [build_commit(None, state, 1, &now()), build_commit(Some(state), later.state(), 1, &now())];
    assert!(matches!(alone, Err(BuildError::NoRev)) && matches!(before, Err(BuildError::NoRev)));
    assert!(matches!(build_sync(&old, 1, &now()), Err(BuildError::NoRev)));
    let sized = |bytes: usize| {
        let commit = altered(&made.commit, &[("more", Value::from("x".repeat(bytes)))]);
        build_sync(&commit, 1, &now()).map(|event| {
            assert_eq!(check_sync(&event, None).unwrap(), commit);
            event.blocks.len()
        })
    };
    let beside = sized(9_000).unwrap() - 9_000;
    assert_eq!(sized(10_000 - beside).unwrap(), 10_000);
    let over = sized(10_001 - beside).unwrap_err().to_string();
    assert!(over.ends_with("bytes of blocks: 10001, the limit is 10000"), "{over}");
}

#[test]
fn commits_that_do_not_follow_each_other_have_no_event() {
    let records: BTreeMap<Key, Block> = [(KEYS[0].clone(), record(1))].into();
    let (old, new) = (Made::of(&BTreeMap::new(), 1), Made::of(&records, 2));
    let refused = old.event_after(&new).unwrap_err().to_string();
    assert_eq!(refused, "the commit does not follow the one before: its rev is not later");
    assert!(matches!(new.event_after(&new), Err(BuildError::NotASuccessor { .. })));
    let unsigned = UnsignedCommit {
        did: "did:web:bob.example.com".parse().unwrap(),
        data: new.commit.data(),
        rev: Tid::new(2_000_000, 0).unwrap(),
        prev: None,
    };
    let foreign = unsigned.sign(&signing_key()).unwrap();
    let state = State { commit: &foreign, blocks: &new.blocks };
    let refused = build_commit(Some(old.state()), state, 1, &now()).unwrap_err().to_string();
    assert!(refused.ends_with("it belongs to another account"), "{refused}");

    let cid: Cid = records.values().next().unwrap().cid();
    let mut without = Made::of(&records, 2);
    without.blocks.remove(&cid);
    let missing = without.event_after(&old).unwrap_err();
    assert!(matches!(missing, BuildError::Missing { cid: found } if found == cid), "{missing}");
    let mut without = Made::of(&records, 2);
    without.blocks.remove(&new.commit.data());
    let missing = without.event_after(&old).unwrap_err();
    assert!(matches!(missing, BuildError::Tree(_)), "{missing}");
    let odd = Made::of(&[(Key::new(*b"odd").unwrap(), record(1))].into(), 2);
    let refused = odd.event_after(&old).unwrap_err().to_string();
    assert_eq!(refused, "the tree has a key that is not a record path: odd");
}
