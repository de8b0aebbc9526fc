//! Imports of every state over every other one: later, older, with the same rev, and without local records.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarWriter};
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec};
use pds::merge::commit::{MergeBase, MergeKind, MergeOptions};
use pds::mst::{Builder, Key};
use pds::store::MemoryStore;
use pds::syntax::Tid;
use pds::{Code, Error, Repo, Write};

use super::{did, moves, note, path, refs};
use crate::properties::Random;

/// The records of a state: the key of each record, and its text.
type Records = BTreeMap<&'static str, String>;

const RKEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A signed state of the account, as a file.
#[derive(Clone)]
struct State {
    cid: Cid,
    rev: Tid,
    /// The states that this one descends from, as far as `prev` shows.
    ancestors: BTreeSet<Cid>,
    records: Records,
    file: Vec<u8>,
}

impl State {
    /// Signs some records. A server names no `prev`.
    fn signed(key: &SigningKey, rev: Tid, prev: Option<&Self>, records: Records) -> Self {
        let mut blocks = Vec::new();
        let mut builder = Builder::default();
        for (rkey, text) in &records {
            let mut value = note(text).as_map().unwrap().clone();
            value.insert("$type", "com.example.note");
            let bytes = pds::data::Value::Map(value).encode();
            let record = Block::new(Codec::Cbor, bytes);
            let at = Key::new(format!("com.example.note/{rkey}").into_bytes()).unwrap();
            builder.push(at.as_bytes(), record.cid(), |node| blocks.push(node)).unwrap();
            blocks.push(record);
        }
        let data = builder.finish(|node| blocks.push(node));
        let unsigned = UnsignedCommit { did: did(), data, rev, prev: prev.map(|prev| prev.cid) };
        let commit = unsigned.sign(key).unwrap();
        let mut file = Vec::new();
        let mut car = CarWriter::new(&mut file, &[commit.cid()]).unwrap();
        car.block(commit.block().borrowed()).unwrap();
        for block in &blocks {
            car.block(block.borrowed()).unwrap();
        }
        car.finish().unwrap();
        let mut ancestors = prev.map(|prev| prev.ancestors.clone()).unwrap_or_default();
        ancestors.extend(prev.map(|prev| prev.cid));
        // An export is in streamable order.
        let repo = mirror(key);
        repo.transfer().import_file(Cursor::new(file), None).unwrap();
        let file = exported(&repo);
        Self { cid: commit.cid(), rev, ancestors, records, file }
    }
}

/// Returns a rev a little in the future, where local revs come directly after those of the present state.
fn rev(number: u64) -> Tid {
    static START: LazyLock<u64> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(now.as_micros()).unwrap() + 100_000_000
    });
    Tid::new(*START + number, 7).unwrap()
}

/// Changes a few records.
fn changed(records: &Records, random: &mut Random) -> Records {
    let mut records = records.clone();
    for _ in 0..=random.below(3) {
        let rkey = RKEYS[random.below(RKEYS.len())];
        if random.below(3) == 0 {
            records.remove(rkey);
        } else {
            records.insert(rkey, format!("{}", random.below(4)));
        }
    }
    records
}

/// Returns states of one account: lines of a server that was restored from backups, some with `prev`.
fn account(key: &SigningKey, random: &mut Random) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for _ in 0..5 {
        let from = states.get(random.below(states.len().max(1))).cloned();
        let records =
            changed(&from.as_ref().map(|s| s.records.clone()).unwrap_or_default(), random);
        let number = from.as_ref().map_or(0, |from| from.rev.micros() - rev(0).micros());
        // A small step: two lines often come to the same rev.
        let rev = rev(number + 2 + 2 * random.below(2) as u64);
        let prev = from.filter(|_| random.below(2) == 0);
        let state = State::signed(key, rev, prev.as_ref(), records);
        if states.iter().all(|other| other.cid != state.cid) {
            states.push(state);
        }
    }
    states
}

fn mirror(key: &SigningKey) -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key.clone())
}

fn exported(repo: &Repo) -> Vec<u8> {
    let mut file = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
    file
}

fn content(repo: &Repo) -> Records {
    let snapshot = repo.snapshot().unwrap();
    let text = |entry: pds::RecordEntry| {
        let value = snapshot.find(&entry.path).unwrap().unwrap().value().unwrap();
        let rkey = RKEYS.iter().find(|rkey| **rkey == entry.path.rkey.as_str()).unwrap();
        (*rkey, value.get("text").unwrap().as_text().unwrap().to_owned())
    };
    snapshot.records().map(|entry| text(entry.unwrap())).collect()
}

/// The expected mirror: its head, and the state from elsewhere that its local commits are based on.
struct Model {
    head: State,
    base: Option<State>,
}

/// The expected answer of an import.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Same,
    SameRev,
    Older,
    Lost(u64),
    Moved { lost: u64, returned: u64 },
}

impl Model {
    fn import(&mut self, state: &State, older: bool, loss: bool) -> Answer {
        if state.cid == self.head.cid {
            return Answer::Same;
        }
        if state.rev == self.head.rev {
            return Answer::SameRev;
        }
        if state.rev < self.head.rev && !older {
            return Answer::Older;
        }
        let (mut lost, mut returned) = (0, 0);
        if let Some(base) = &self.base
            && state.rev > self.head.rev
            && !state.ancestors.contains(&self.head.cid)
        {
            for rkey in RKEYS {
                let [ours, theirs, base] =
                    [&self.head, state, base].map(|state| state.records.get(rkey));
                lost += u64::from(ours.is_some() && ours != base && ours != theirs);
                returned += u64::from(ours.is_none() && base.is_some() && base == theirs);
            }
        }
        if lost > 0 && !loss {
            return Answer::Lost(lost);
        }
        *self = Self { head: state.clone(), base: None };
        Answer::Moved { lost, returned }
    }
}

fn import(repo: &Repo, state: &State, older: bool, loss: bool, in_order: bool) -> Answer {
    let before = (refs(repo), moves(repo));
    let transfer = repo.transfer().allow_older(older).allow_loss(loss);
    let mut file = state.file.clone();
    if !in_order {
        file = super::seam::reversed(&file);
    }
    let answer = match transfer.import_file(Cursor::new(file), None) {
        Ok(imported) if imported.before.as_ref().is_some_and(|b| b.cid() == state.cid) => {
            Answer::Same
        }
        Ok(imported) => Answer::Moved { lost: imported.lost, returned: imported.returned },
        Err(Error::SameRev { .. }) => Answer::SameRev,
        Err(Error::Older { .. }) => Answer::Older,
        Err(Error::LocalLoss { lost, .. }) => Answer::Lost(lost),
        Err(error) => panic!("{error}"),
    };
    if !matches!(answer, Answer::Moved { .. }) {
        assert!(before == (refs(repo), moves(repo)), "a refused import changes nothing");
    }
    answer
}

/// Writes records locally, and returns the new state.
fn write_locally(repo: &Repo, head: &State, random: &mut Random) -> Option<State> {
    let records = changed(&head.records, random);
    let writes = RKEYS.iter().filter(|rkey| records.get(**rkey) != head.records.get(**rkey));
    let write = |rkey: &&'static str| {
        let path = path(&format!("com.example.note/{rkey}"));
        match records.get(*rkey) {
            Some(text) => Write::put(path, note(text)),
            None => Write::delete(path),
        }
    };
    let writes: Vec<Write> = writes.map(write).collect();
    if writes.is_empty() {
        return None;
    }
    let commit = repo.write(pds::Batch::new(&writes)).unwrap().commit;
    let file = exported(repo);
    let mut ancestors = head.ancestors.clone();
    ancestors.insert(head.cid);
    Some(State { cid: commit.cid(), rev: commit.rev().unwrap(), ancestors, records, file })
}

#[test]
fn every_pair_of_states_is_imported_as_a_simple_model_says() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..25 {
        let mut random = Random(seed);
        let states = account(&key, &mut random);
        for (first, second) in states.iter().flat_map(|a| states.iter().map(move |b| (a, b))) {
            for (older, loss) in [(false, false), (true, false), (false, true)] {
                let repo = mirror(&key);
                repo.transfer().import_file(Cursor::new(&first.file), None).unwrap();
                let mut model = Model { head: first.clone(), base: None };
                // A host may sign later revs than the local clock, so the local commit may be between two states.
                let writes_locally = random.below(2) == 0;
                if writes_locally && let Some(head) = write_locally(&repo, first, &mut random) {
                    model = Model { head, base: Some(first.clone()) };
                }
                let expected = model.import(second, older, loss);
                let answer = import(&repo, second, older, loss, random.below(2) == 0);
                assert_eq!(answer, expected, "seed {seed}");
                assert_eq!(repo.head().unwrap(), Some(model.head.cid));
                assert_eq!(content(&repo), model.head.records);
                let kind = format!("{answer:?}");
                *seen.entry(kind.split([' ', '(']).next().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.values().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn two_commits_with_one_rev_are_refused_and_named_by_the_check_of_the_history() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let [one, two] = ["1", "2"]
        .map(|text| State::signed(&key, rev(1), None, Records::from([("a", text.to_owned())])));
    let repo = mirror(&key);
    repo.transfer().import_file(Cursor::new(&one.file), None).unwrap();
    assert_eq!(import(&repo, &two, true, true, true), Answer::SameRev);
    let car = CarFile::open(Cursor::new(&two.file)).unwrap();
    let base = MergeOptions::default().base(MergeBase::Empty);
    let refused = repo.merge().car(&car, &base);
    assert!(matches!(refused, Err(Error::SameRev { .. })), "{refused:?}");

    // Another ref may keep the other commit, and a user may move to it.
    let fork = repo.on("fork".parse().unwrap());
    fork.transfer().import_file(Cursor::new(&two.file), None).unwrap();
    let refused = repo.merge().revision(&"fork".parse().unwrap(), &base);
    assert!(matches!(refused, Err(Error::SameRev { .. })), "{refused:?}");
    let same_revs = || {
        let mut found = Vec::new();
        let check = |finding: pds::Finding| found.push((finding.code(), finding.cid));
        repo.verify().history(&Default::default(), &mut { check }).unwrap();
        found
    };
    assert_eq!(same_revs(), [(Code::RevNotAscending, Some(two.cid))]);
    repo.transfer().allow_any().import_file(Cursor::new(&two.file), None).unwrap();
    assert_eq!(same_revs(), [(Code::RevNotAscending, Some(one.cid))]);
}

#[test]
fn a_merged_version_of_a_record_is_not_local() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let records = |list: &[(&'static str, &str)]| -> Records {
        list.iter().map(|(rkey, text)| (*rkey, (*text).to_owned())).collect()
    };
    let state = |number, list| State::signed(&key, rev(number), None, records(list));
    let start = state(0, &[("a", "server"), ("b", "server")]);
    let repo = mirror(&key);
    repo.transfer().import_file(Cursor::new(&start.file), None).unwrap();
    repo.put(&path("com.example.note/c"), &note("here")).unwrap();
    repo.delete(&path("com.example.note/b")).unwrap();
    let next = state(1_000, &[("a", "server"), ("b", "server"), ("d", "server")]);
    let base = MergeOptions::default().base(MergeBase::Commit(start.cid));
    let merged = repo.merge().car(&CarFile::open(Cursor::new(&next.file)).unwrap(), &base).unwrap();
    assert_eq!(merged.how, MergeKind::Commit);

    // The server has deleted `d`, which came from there, and does not know of `b` and `c`.
    let last = state(2_000, &[("a", "server"), ("b", "server")]);
    assert_eq!(import(&repo, &last, false, false, true), Answer::Lost(1));
    let moved = Answer::Moved { lost: 1, returned: 1 };
    assert_eq!(import(&repo, &last, false, true, true), moved);
    assert_eq!(repo.history().changes(Some(start.cid), repo.head().unwrap()).unwrap(), []);
}

#[test]
fn a_mirror_follows_deletions_and_a_damaged_local_state_is_not_dropped_in_silence() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let all: Records = RKEYS.iter().map(|rkey| (*rkey, "server".to_owned())).collect();
    let (first, second) =
        (State::signed(&key, rev(0), None, all), State::signed(&key, rev(9), None, Records::new()));
    let repo = mirror(&key);
    repo.transfer().import_file(Cursor::new(&first.file), None).unwrap();
    let followed = import(&repo, &second, false, false, true);
    assert_eq!(followed, Answer::Moved { lost: 0, returned: 0 });

    let repo = mirror(&key);
    repo.transfer().import_file(Cursor::new(&first.file), None).unwrap();
    repo.put(&path("com.example.note/mine"), &note("here")).unwrap();
    super::lose(&repo, repo.snapshot().unwrap().commit().data());
    let fresh = repo.clone();
    let refused = fresh.transfer().import_file(Cursor::new(&second.file), None).unwrap_err();
    assert!(refused.is_corrupt() || refused.is_not_found(), "{refused}");
    repo.transfer().allow_loss(true).import_file(Cursor::new(&second.file), None).unwrap();
}

#[test]
fn revs_ascend_over_all_refs_and_after_a_reset() {
    // The first state has a rev ahead of the clock, so every later rev depends on the ones before.
    let key = SigningKey::generate(Curve::K256).unwrap();
    let start = State::signed(&key, rev(0), None, Records::new());
    let store: Arc<dyn pds::store::Store> = Arc::new(MemoryStore::default());
    // Each handle is another process, with another clock ID.
    let open = |name: &str| {
        let repo = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
        repo.signing_with(key.clone()).on(name.parse().unwrap())
    };
    open("HEAD").transfer().import_file(Cursor::new(&start.file), None).unwrap();
    open("HEAD")
        .history()
        .set_ref(&"side".parse().unwrap(), start.cid, pds::store::Expect::Absent, "")
        .unwrap();
    let (mut random, mut last) = (Random(7), start.rev);
    for step in 0..200 {
        let repo = open(["HEAD", "side"][random.below(2)]);
        match random.below(3) {
            0 => repo.history().set_head(start.cid, pds::store::Expect::Any, "").unwrap(),
            1 => {
                let at = repo.history().log(1).unwrap()[0].before.unwrap_or(start.cid);
                repo.history().set_head(at, pds::store::Expect::Any, "").unwrap();
            }
            _ => {
                let text = note(&step.to_string());
                let commit = repo.put(&path("com.example.note/a"), &text).unwrap().commit;
                assert!(commit.rev().unwrap() > last, "step {step}");
                last = commit.rev().unwrap();
            }
        }
    }
}
