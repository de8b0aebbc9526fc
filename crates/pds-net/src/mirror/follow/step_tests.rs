//! Events of a host repository, taken by a mirror of it.

use std::ops::ControlFlow;
use std::path::Path;

use pds::data::Value;
use pds::local::directory::create_with_key;
use pds::{Repo, Write};
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::cid::Cid;
use pds_core::sync::build::{State, build_commit, build_sync};
use pds_core::sync::event::{Action, CommitEvent};
use pds_core::syntax::datetime::Datetime;
use pds_core::syntax::record_path::RecordPath;
use pds_core::syntax::tid::Tid;
use pds_store::refs::Expect;
use proptest::prelude::*;

use super::*;
use crate::mirror::upstream::Upstream;
use crate::net::Net;
use crate::options::NetOptions;
use crate::progress::Progress;

/// A repository that plays the host, and a mirror of it.
struct Pair {
    host: Repo,
    mirror: Mirror,
    net: Net,
    account: Account,
    key: SigningKey,
    seq: u64,
    _dir: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [host, copy] = ["host", "copy"].map(|name| dir.path().join(name));
        let did = "did:web:host.example.com".parse().unwrap();
        let signing_key = SigningKey::generate(Curve::P256).unwrap();
        let host_repo = create_with_key(&host, &did, &signing_key).unwrap();
        let key = signing_key.public_key();
        let head = host_repo.head().unwrap().unwrap();
        let document = serde_json::json!({
            "id": did.to_string(),
            "verificationMethod": [{
                "id": "#atproto", "type": "Multikey", "controller": did.to_string(),
                "publicKeyMultibase": key.multikey(),
            }],
            "service": [{
                "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": "https://host.example.com",
            }],
        });
        let net = Net::new(NetOptions::default()).unwrap();
        let account = Account::stored(&net, &did, None, document.to_string(), None).unwrap();
        copy_store(&host, &copy);
        let upstream = Upstream::new(did, account.host.clone());
        upstream.write(&copy).unwrap();
        let mirror = Mirror::open(&copy).unwrap().unwrap();
        mirror.repo.history().set_ref(&origin(), head, Expect::Absent, "clone").unwrap();
        Self { host: host_repo, mirror, net, account, key: signing_key, seq: 0, _dir: dir }
    }

    fn host_state(&self) -> Commit {
        self.host.snapshot().unwrap().commit().clone()
    }

    /// Writes on the host, and returns the event of the commit.
    fn write(&mut self, writes: &[Write]) -> CommitEvent {
        let before = self.host_state();
        self.host.write(writes).unwrap();
        self.event(&before)
    }

    /// Makes a commit on the host that changes no record.
    fn commit_unchanged(&self) {
        let state = self.host_state();
        let rev = Tid::next(0, 0, state.rev()).unwrap();
        let commit = self.signed(state.data(), rev);
        let blocks: MemoryBlocks = [commit.block().clone()].into_iter().collect();
        self.host.transfer().admit(&blocks, commit.cid(), &pds::Expected::default()).unwrap();
    }

    fn signed(&self, data: Cid, rev: Tid) -> Commit {
        let did = self.account.did.clone();
        UnsignedCommit { did, data, rev, prev: None }.sign(&self.key).unwrap()
    }

    /// Returns an event with the rev of another one, and without its changes.
    fn twin_of(&self, event: &CommitEvent) -> CommitEvent {
        let before = self.mirror.state().unwrap();
        let commit = self.signed(before.data(), event.rev);
        let sync = build_sync(&commit, event.seq, &now()).unwrap();
        CommitEvent {
            commit: commit.cid(),
            prev_data: Some(before.data()),
            ops: Vec::new(),
            blocks: sync.blocks,
            ..event.clone()
        }
    }

    /// Returns the event from a state to the present one.
    fn event(&mut self, before: &Commit) -> CommitEvent {
        self.seq += 1;
        let store = self.host.store();
        let [before, after] = [before.clone(), self.host_state()];
        let state = |commit| State { commit, blocks: store.as_ref() };
        build_commit(Some(state(&before)), state(&after), self.seq, &now()).unwrap()
    }

    fn take(&mut self, event: &CommitEvent) -> Result<Step, EventRefused> {
        let report = |_: Progress| ControlFlow::Continue(());
        let options = FetchOptions::default();
        let judge =
            Judge { net: &self.net, report: &report, options: &options, account: &self.account };
        self.mirror.step(event, judge)
    }

    fn renew(&mut self, event: &SyncEvent) -> Result<Step, EventRefused> {
        let report = |_: Progress| ControlFlow::Continue(());
        let options = FetchOptions::default();
        let judge =
            Judge { net: &self.net, report: &report, options: &options, account: &self.account };
        self.mirror.renew(event, judge)
    }

    fn assert_equal(&self) {
        let head = self.host.head().unwrap();
        assert_eq!(self.mirror.repo.head().unwrap(), head);
        assert_eq!(self.mirror.repo.get_ref(&origin()).unwrap(), head);
        let expected = pds::Expected::default();
        let mut found = |finding| panic!("{finding}");
        self.mirror.repo.verify().present(&expected, &mut found).unwrap();
        assert!(!self.mirror.dir.join("fetch").exists());
    }
}

/// Copies the files of a repository whose process has closed nothing: the database with its log.
fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy_store(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn now() -> Datetime {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn path(number: u8) -> RecordPath {
    format!("com.example.note/n{number}").parse().unwrap()
}

fn note(text: &str) -> Value {
    Value::from([("$type", Value::from("com.example.note")), ("text", Value::from(text))])
}

fn put(number: u8, text: &str) -> Write {
    Write::put(path(number), note(text))
}

#[test]
fn each_kind_of_change_is_taken_from_its_event() {
    let mut pair = Pair::new();
    let event = pair.write(&[put(1, "a"), put(2, "b"), put(3, "c")]);
    assert!(matches!(pair.take(&event), Ok(Step::Taken(pulled)) if pulled.changes.len() == 3));
    pair.assert_equal();
    let event = pair.write(&[put(1, "changed"), Write::delete(path(2)), put(4, "d")]);
    let Ok(Step::Taken(pulled)) = pair.take(&event) else { panic!("not taken") };
    assert!(pulled.moves_head && pulled.warnings.is_empty());
    assert_eq!(pulled.changes.len(), 3);
    pair.assert_equal();
    // The same event again, and an older one.
    assert!(matches!(pair.take(&event), Ok(Step::Old)));
}

#[test]
fn a_state_is_behind_if_an_event_is_missing() {
    let mut pair = Pair::new();
    let skipped = pair.write(&(0..50).map(|number| put(number, "first")).collect::<Vec<_>>());
    let event = pair.write(&[put(60, "second")]);
    let before = pair.mirror.repo.head().unwrap();
    assert!(matches!(pair.take(&event), Ok(Step::Behind)));
    assert_eq!(pair.mirror.repo.head().unwrap(), before);
    assert!(matches!(pair.take(&skipped), Ok(Step::Taken(_))));
    assert!(matches!(pair.take(&event), Ok(Step::Taken(_))));
    pair.assert_equal();
}

#[test]
fn an_event_over_several_states_is_taken_if_it_has_all_blocks() {
    let mut pair = Pair::new();
    let start = pair.host_state();
    let first = pair.write(&[put(1, "a")]);
    pair.take(&first).unwrap();
    pair.write(&[put(2, "b")]);
    // The mirror has the first of two states, and the event begins before both.
    let over_both = pair.event(&start);
    let Ok(Step::Taken(pulled)) = pair.take(&over_both) else { panic!("not taken") };
    assert_eq!(pulled.changes.len(), 1);
    let next = pair.write(&[put(3, "c")]);
    assert!(matches!(pair.take(&next), Ok(Step::Taken(_))));
    pair.assert_equal();
}

#[test]
fn a_commit_without_changes_is_taken_without_a_node() {
    let mut pair = Pair::new();
    let event = pair.write(&[put(1, "a")]);
    pair.take(&event).unwrap();
    let before = pair.host_state();
    pair.commit_unchanged();
    let mut event = pair.event(&before);
    assert!(event.ops.is_empty());
    // Real hosts send the commit alone.
    let sync = build_sync(&pair.host_state(), 9, &now()).unwrap();
    event.blocks.clone_from(&sync.blocks);
    let Ok(Step::Taken(pulled)) = pair.take(&event) else { panic!("not taken") };
    assert!(pulled.changes.is_empty());
    pair.assert_equal();
    pair.commit_unchanged();
    let sync = build_sync(&pair.host_state(), 10, &now()).unwrap();
    assert!(matches!(pair.renew(&sync), Ok(Step::Taken(_))));
    assert!(matches!(pair.renew(&sync), Ok(Step::Old)));
    pair.assert_equal();
}

#[test]
fn a_sync_event_with_other_records_is_behind() {
    let mut pair = Pair::new();
    pair.write(&[put(1, "a")]);
    let sync = build_sync(&pair.host_state(), 1, &now()).unwrap();
    assert!(matches!(pair.renew(&sync), Ok(Step::Behind)));
}

type Lie<'a> = &'a dyn Fn(&mut CommitEvent);

#[test]
fn lies_are_refused_and_change_nothing() {
    let mut pair = Pair::new();
    let event = pair.write(&[put(1, "a"), put(2, "b")]);
    let before = pair.mirror.repo.head().unwrap();
    let lies: [(&str, Lie<'_>); 6] = [
        ("event-operation", &|event| event.ops[0].cid = None),
        ("event-not-inverted", &|event| event.ops.truncate(1)),
        ("event-operation", &|event| event.ops[0].action = Action::Update),
        ("event-invalid", &|event| event.repo = "did:web:other.example.com".parse().unwrap()),
        ("event-no-prev-data", &|event| event.prev_data = None),
        ("event-invalid", &|event| {
            let at = event.blocks.len() - 3;
            event.blocks[at] ^= 1;
        }),
    ];
    for (code, lie) in lies {
        let mut lied = event.clone();
        lie(&mut lied);
        let refused = pair.take(&lied).err().map(|why| why.code());
        assert_eq!(refused, Some(code));
        assert_eq!(pair.mirror.repo.head().unwrap(), before);
    }
    pair.take(&event).unwrap();
    pair.assert_equal();
}

#[test]
fn a_commit_of_another_key_is_refused() {
    let (mut pair, mut other) = (Pair::new(), Pair::new());
    let event = other.write(&[put(1, "forged")]);
    assert!(matches!(pair.take(&event), Err(why) if why.code() == "wrong-key"));
}

#[test]
fn two_commits_of_one_rev_are_kept_as_evidence() {
    let mut pair = Pair::new();
    let event = pair.write(&[put(1, "one")]);
    let twin = pair.twin_of(&event);
    pair.take(&event).unwrap();
    assert!(matches!(pair.take(&twin), Err(why) if why.code() == "equivocation"));
    assert_eq!(std::fs::read_dir(pair.mirror.dir.join("evidence")).unwrap().count(), 2);
    pair.assert_equal();
}

/// What happens to the events of one write.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    Once,
    Twice,
    Never,
}

fn deliveries() -> impl Strategy<Value = Vec<(Vec<(u8, bool)>, Delivery)>> {
    let writes = prop::collection::vec((0..40_u8, any::<bool>()), 1..8);
    let delivery = prop_oneof![4 => Just(Delivery::Once), 1 => Just(Delivery::Twice), 1 => Just(Delivery::Never)];
    prop::collection::vec((writes, delivery), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_mirror_has_the_state_of_each_event_that_it_took(rounds in deliveries()) {
        let mut pair = Pair::new();
        for (round, (writes, delivery)) in rounds.into_iter().enumerate() {
            let mut by_path = std::collections::BTreeMap::new();
            for (number, deletes) in writes {
                let exists = pair.host.find(&path(number)).unwrap().is_some();
                let write = match deletes && exists {
                    true => Write::delete(path(number)),
                    false => put(number, &format!("round {round}")),
                };
                by_path.insert(number, write);
            }
            let event = pair.write(&by_path.into_values().collect::<Vec<_>>());
            let times = match delivery {
                Delivery::Once => 1,
                Delivery::Twice => 2,
                Delivery::Never => 0,
            };
            for _ in 0..times {
                let before = pair.mirror.repo.head().unwrap();
                match pair.take(&event) {
                    Ok(Step::Taken(_)) => pair.assert_equal(),
                    Ok(Step::Old | Step::Behind) => {
                        prop_assert_eq!(pair.mirror.repo.head().unwrap(), before);
                    }
                    Err(why) => panic!("{why}"),
                }
            }
        }
    }
}
