//! Forgetting: what is gone is gone from every file, and what stays reads as before.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{BlobRef, Cid, Value};
use pds::repo::verify::Expected;
use pds::repo::{Error, Forget, Forgotten, Repo, Revision, Write, WriteOptions};
use pds::store::{Expect, MemoryStore, RefName, StoreError};
use pds::syntax::RecordPath;
use proptest::prelude::*;

use super::{did, in_memory, note, path};

const MARKER: &str = "the-marker-that-must-go";

fn records(paths: &[&str]) -> Forget {
    Forget::Records(paths.iter().map(|text| path(text)).collect())
}

fn forget(repo: &Repo, what: &Forget) -> Forgotten {
    let forgotten = repo.forget(what, &mut |_| {}).unwrap();
    assert!(forgotten.swept.remains.is_none(), "{:?}", forgotten.swept.remains);
    assert!(!repo.is_erasing().unwrap());
    forgotten
}

/// Every state that the log names reads whole, and so does every ref.
fn assert_whole(repo: &Repo) {
    let moves = repo.store().moves().unwrap();
    let named = moves.iter().flat_map(|entry| [entry.before, entry.after]).flatten();
    for commit in named.chain(repo.refs().unwrap().into_iter().map(|(_, cid)| cid)) {
        let mut panic = |finding| panic!("{commit}: {finding}");
        let blocks = repo.blocks();
        let report =
            pds::repo::verify::verify(blocks.as_ref(), commit, &Expected::default(), &mut panic);
        assert!(report.unwrap().is_complete());
    }
}

/// The files below a directory that hold some bytes.
fn files_with(dir: &Path, marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(marker.len()).any(|window| window == marker.as_bytes()) {
                found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn blob_ref(cid: Cid) -> Value {
    let blob = BlobRef { cid, mime_type: "text/plain".to_owned(), size_bytes: Some(1) };
    Value::from([("file", blob.to_value())])
}

#[test]
fn the_states_that_had_a_record_leave_and_the_log_closes_the_gap() {
    let repo = in_memory();
    let put = |key: &str, text: &str| {
        repo.put(&path(&format!("com.example.note/{key}")), &note(text)).unwrap().commit.cid()
    };
    let early = put("a", "1");
    let secret = [put("secret", MARKER), put("b", "2"), put("secret", "other")];
    repo.delete(&path("com.example.note/secret")).unwrap();
    let after = repo.head().unwrap().unwrap();
    let late = put("c", "3");
    let moves = repo.log(99).unwrap();
    let versions: Vec<Cid> = secret
        .iter()
        .map(|at| repo.checkout(&(*at).into()).unwrap())
        .filter_map(|at| at.find_cid(&path("com.example.note/secret")).unwrap())
        .collect();

    let weighed = repo.forgettable(&records(&["com.example.note/secret"]), &mut |_| {}).unwrap();
    let forgotten = forget(&repo, &records(&["com.example.note/secret"]));
    assert_eq!((forgotten.written.len(), forgotten.swept.states), (0, 3));
    assert_eq!((weighed.swept.states, weighed.swept.blocks), (3, forgotten.swept.blocks));
    assert_eq!(repo.head().unwrap(), Some(late), "only the past was forgotten");
    for gone in secret.iter().chain(&versions) {
        assert!(repo.store().get(gone).unwrap().is_none(), "{gone}");
    }
    let log = repo.log(99).unwrap();
    assert_eq!((log[0].before, log[0].after), (Some(after), Some(late)));
    assert_eq!((log[1].before, log[1].after), (Some(early), Some(after)));
    assert_eq!((log[1].at_micros, &log[1].note), (moves[1].at_micros, &moves[1].note));
    assert_eq!(log.len(), moves.len() - 3);
    assert_eq!(repo.resolve(&"@{2}".parse().unwrap()).unwrap(), early);
    assert_eq!(repo.resolve(&"HEAD~2".parse().unwrap()).unwrap(), early);
    let error = repo.resolve(&secret[0].into()).unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("have been forgotten"), "{error}");
    assert_whole(&repo);
    // Once more there is nothing to do.
    assert_eq!(forget(&repo, &records(&["com.example.note/secret"])).swept.states, 0);
    assert_eq!(repo.log(99).unwrap()[1..], log[1..]);
}

#[test]
fn a_record_that_refs_still_have_is_deleted_there_first() {
    let repo = in_memory();
    repo.put(&path("com.example.note/secret"), &note(MARKER)).unwrap();
    let [with, without] = ["with", "without"].map(|name| name.parse::<RefName>().unwrap());
    repo.set_ref(&with, repo.head().unwrap().unwrap(), Expect::Absent, "branch").unwrap();
    let first = repo.resolve(&"HEAD~1".parse().unwrap()).unwrap();
    repo.set_ref(&without, first, Expect::Absent, "branch").unwrap();
    repo.put(&path("com.example.note/other"), &note("x")).unwrap();
    let what = records(&["com.example.note/secret", "com.example.note/secret"]);

    let weighed = repo.forgettable(&what, &mut |_| {}).unwrap();
    assert_eq!(weighed.written.len(), 2);
    let forgotten = forget(&repo, &what);
    let names: Vec<&str> = forgotten.written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["HEAD", "with"]);
    assert_eq!(weighed.swept.states, forgotten.swept.states);
    assert_eq!(repo.on(without).head().unwrap(), Some(first), "it never had it");
    for (name, commit) in forgotten.written {
        let on = repo.on(name);
        assert_eq!(on.head().unwrap(), Some(commit));
        assert_eq!(on.log(9).unwrap()[0].note, "forget");
        assert!(on.find(&path("com.example.note/secret")).unwrap().is_none());
    }
    assert!(repo.find(&path("com.example.note/other")).unwrap().is_some());
    assert_whole(&repo);
}

#[test]
fn without_a_key_the_refs_that_have_the_record_are_named_and_nothing_happens() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let store = Arc::new(MemoryStore::default());
    let mirror = Repo::with(store, Arc::new(MemoryBlobs::default()));
    let owner = mirror.clone().signing_with(key);
    owner.init(&did()).unwrap();
    owner.put(&path("com.example.note/secret"), &note(MARKER)).unwrap();
    owner
        .set_ref(&"side".parse().unwrap(), owner.head().unwrap().unwrap(), Expect::Any, "")
        .unwrap();
    let (refs, moves) = (mirror.store().refs().unwrap(), mirror.store().moves().unwrap());
    let what = records(&["com.example.note/secret"]);
    let error = mirror.forget(&what, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "HEAD, side still have it, and there is no key to sign a commit without it"
    );
    assert!(matches!(error, Error::StillHeld { refs } if refs.len() == 2));
    assert_eq!(mirror.forgettable(&what, &mut |_| {}).unwrap().written.len(), 2);
    assert_eq!((mirror.store().refs().unwrap(), mirror.store().moves().unwrap()), (refs, moves));
    // What is past can be forgotten without.
    owner.delete(&path("com.example.note/secret")).unwrap();
    mirror.remove_ref(&"side".parse().unwrap()).unwrap();
    assert_eq!(forget(&mirror, &what).swept.states, 1);
}

#[test]
fn what_is_older_than_a_state_or_a_time_goes() {
    for by_time in [false, true] {
        let repo = in_memory();
        let mut commits = vec![repo.head().unwrap().unwrap()];
        for n in 1..10 {
            let written = repo.put(&path("com.example.note/a"), &note(&n.to_string())).unwrap();
            commits.push(written.commit.cid());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let old: RefName = "old".parse().unwrap();
        repo.set_ref(&old, commits[2], Expect::Absent, "branch").unwrap();
        // To and fro: the first arrival counts.
        repo.set_head(commits[6], Expect::Any, "reset").unwrap();
        repo.set_head(commits[9], Expect::Any, "reset").unwrap();
        let what = match by_time {
            false => Forget::BeforeState(commits[6].into()),
            true => Forget::BeforeTime(repo.log(99).unwrap()[5].at_micros),
        };
        let weighed = repo.forgettable(&what, &mut |_| {}).unwrap();
        let forgotten = forget(&repo, &what);
        assert_eq!((weighed.swept.states, forgotten.swept.states), (5, 5));
        assert_eq!(repo.head().unwrap(), Some(commits[9]), "the present stays");
        let states: Vec<Option<Cid>> =
            repo.log(99).unwrap().iter().map(|entry| entry.after).collect();
        assert_eq!(states, [9, 6, 9, 8, 7, 6].map(|n| Some(commits[n])));
        assert_eq!(repo.on(old).head().unwrap(), Some(commits[2]), "what a ref names stays");
        for n in [0, 1, 3, 4, 5] {
            assert!(repo.store().get(&commits[n]).unwrap().is_none(), "{n}");
        }
        assert_whole(&repo);
        let error = repo.forget(&Forget::BeforeState(commits[0].into()), &mut |_| {}).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[test]
fn blobs_go_at_once_with_the_only_states_that_refer_to_them() {
    let repo = in_memory();
    let put = |text: &str| repo.put_blob(&mut text.as_bytes()).unwrap().cid;
    let [secret, shared, young] = ["secret", "shared", "young"].map(put);
    repo.put(&path("com.example.file/a"), &blob_ref(secret)).unwrap();
    repo.put(&path("com.example.file/b"), &blob_ref(shared)).unwrap();
    repo.put(&path("com.example.file/a"), &blob_ref(shared)).unwrap();
    let what = records(&["com.example.file/a"]);
    assert_eq!(repo.forgettable(&what, &mut |_| {}).unwrap().swept.blobs, 1);
    let forgotten = forget(&repo, &what);
    assert_eq!((forgotten.swept.blobs, forgotten.swept.blob_bytes), (1, 6));
    let listed: HashSet<Cid> = repo.blobs().list().unwrap().iter().map(|blob| blob.cid).collect();
    assert_eq!(listed, [shared, young].into());
    assert!(repo.missing_blobs().unwrap().missing.is_empty());
}

#[test]
fn no_file_holds_the_record_its_key_its_note_or_its_blob() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    let secret = path(&format!("com.example.note/{MARKER}"));
    let fill = |from: usize| {
        let writes: Vec<Write> = (from..from + 300)
            .map(|n| Write::put(path(&format!("com.example.note/{n:04}")), note(&"x".repeat(n))))
            .collect();
        repo.write(&writes).unwrap();
    };
    fill(0);
    // Small ones stand in a page, large ones in many.
    let blob = repo.put_blob(&mut MARKER.as_bytes()).unwrap().cid;
    // An upload that was interrupted two hours ago, and one that goes on.
    for (name, content, age_hours) in [("old", MARKER, 2), ("young", "somebody else's", 0)] {
        let path = dir.join(format!("blobs/.incoming-{name}"));
        fs::write(&path, content).unwrap();
        let age = std::time::Duration::from_secs(age_hours * 60 * 60);
        let file = fs::File::open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    for size in [1, 300, 40_000] {
        let value = Value::from([
            ("text", Value::from(MARKER.repeat(size).as_str())),
            ("file", blob_ref(blob)),
        ]);
        let options = WriteOptions { note: format!("wrote {secret}"), ..WriteOptions::default() };
        repo.write_with(&[Write::put(secret.clone(), value)], &options).unwrap();
        fill(size % 1_000);
    }
    // An open reader, as another process is one, in the middle of nothing.
    let reader = Repo::open_without_key(&dir).unwrap();
    assert!(reader.find(&secret).unwrap().is_some());
    let options = WriteOptions { note: format!("took {secret} away"), ..WriteOptions::default() };
    repo.write_with(&[Write::delete(secret.clone())], &options).unwrap();
    assert!(files_with(&dir, MARKER).len() >= 2, "it is there before");

    let (head, records) = (repo.head().unwrap(), repo.snapshot().unwrap().records().count());
    let forgotten = forget(&repo, &Forget::Records(vec![secret.clone()]));
    assert_eq!(forgotten.swept.blobs, 1);
    assert_eq!(files_with(&dir, MARKER), Vec::<String>::new());
    assert_eq!(repo.head().unwrap(), head, "only the past was forgotten");
    assert!(dir.join("blobs/.incoming-young").exists());
    assert_eq!(reader.snapshot().unwrap().records().count(), records);
    assert_whole(&reader);
    drop((repo, reader));
    assert_eq!(files_with(&dir, MARKER), Vec::<String>::new());
    let repo = Repo::open(&dir).unwrap();
    repo.put(&path("com.example.note/new"), &note("x")).unwrap();
    assert_whole(&repo);
}

#[test]
fn what_others_deleted_without_care_goes_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    for n in 0..50 {
        repo.put(&path(&format!("com.example.note/{n}")), &note("x")).unwrap();
    }
    // A tool that leaves in free pages, and between rows, what it deletes.
    let other = rusqlite::Connection::open(dir.join("pds.db")).unwrap();
    let run = |sql: &str| other.execute_batch(sql).unwrap();
    run("PRAGMA secure_delete = OFF");
    for (cid, times) in [(1_u8, 2_000), (2, 1)] {
        let row = rusqlite::params![[cid], MARKER.repeat(times).into_bytes()];
        other.execute("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)", row).unwrap();
    }
    run("DELETE FROM blocks WHERE length(cid) = 1");
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    drop(other);
    assert_eq!(files_with(&dir, MARKER), ["pds.db"]);
    forget(&repo, &records(&["com.example.note/7"]));
    assert_eq!(files_with(&dir, MARKER), Vec::<String>::new());
    assert_whole(&repo);
}

#[test]
fn a_reader_in_the_way_is_told_of_and_a_later_collection_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    repo.put(&path("com.example.note/secret"), &note(MARKER)).unwrap();
    // A backup that takes its time, say.
    let mut reader = rusqlite::Connection::open(dir.join("pds.db")).unwrap();
    let reading = reader.transaction().unwrap();
    let count = || reading.query_row("SELECT count(*) FROM blocks", [], |row| row.get::<_, i64>(0));
    let blocks = count().unwrap();

    let what = records(&["com.example.note/secret"]);
    let forgotten = repo.forget(&what, &mut |_| {}).unwrap();
    assert!(matches!(forgotten.swept.remains, Some(StoreError::Busy)));
    assert!(repo.is_erasing().unwrap());
    assert!(repo.find(&path("com.example.note/secret")).unwrap().is_none());
    assert_eq!(count().unwrap(), blocks, "whoever reads is not disturbed");
    assert!(!files_with(&dir, MARKER).is_empty());
    drop(reading);
    let swept = repo.gc(&Default::default(), &mut |_| {}).unwrap();
    assert!(swept.remains.is_none() && !repo.is_erasing().unwrap());
    assert_eq!(files_with(&dir, MARKER), Vec::<String>::new());
}

/// What a test does next; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, text: u8 },
    Delete { key: u8 },
    Reset { back: u8 },
    Branch { name: u8 },
    RemoveBranch { name: u8 },
    Gc,
    GcKeep { states: u8 },
    Forget { key: u8 },
    ForgetBefore { back: u8 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let (key, text) = (0..6_u8, 0..4_u8);
    prop_oneof![
        8 => (key.clone(), text).prop_map(|(key, text)| Step::Put { key, text }),
        3 => key.clone().prop_map(|key| Step::Delete { key }),
        2 => (1..5_u8).prop_map(|back| Step::Reset { back }),
        2 => (0..2_u8).prop_map(|name| Step::Branch { name }),
        1 => (0..2_u8).prop_map(|name| Step::RemoveBranch { name }),
        1 => Just(Step::Gc),
        1 => (1..6_u8).prop_map(|states| Step::GcKeep { states }),
        2 => key.prop_map(|key| Step::Forget { key }),
        1 => (0..5_u8).prop_map(|back| Step::ForgetBefore { back }),
        1 => Just(Step::Reopen),
    ]
}

type Records = BTreeMap<String, String>;

/// The repository as a list of states for each ref, the newest at the end; nothing else.
#[derive(Default)]
struct Model {
    /// Of removed refs, too, whose last state is none.
    refs: BTreeMap<String, Vec<Option<(Cid, u64)>>>,
    states: BTreeMap<Cid, Records>,
    /// Counts the moves of all refs.
    clock: u64,
}

impl Model {
    fn arrive(&mut self, name: &str, at: Option<Cid>) {
        let states = self.refs.entry(name.to_owned()).or_default();
        if states.last().copied().flatten().map(|(cid, _)| cid) != at {
            self.clock += 1;
            states.push(at.map(|cid| (cid, self.clock)));
        }
    }

    fn stands(&self, name: &str) -> Option<Cid> {
        self.refs.get(name)?.last().copied().flatten().map(|(cid, _)| cid)
    }

    /// Keeps some of the states, and what the refs name; a ref does not move to where it stands.
    fn keep(&mut self, stays: impl Fn(&Records, u64, usize) -> bool) {
        for states in self.refs.values_mut() {
            let last = states.len() - 1;
            let mut kept: Vec<Option<(Cid, u64)>> = Vec::new();
            for (n, state) in states.iter().enumerate() {
                let stays = match state {
                    Some((cid, at)) => n == last || stays(&self.states[cid], *at, last - n),
                    None => true,
                };
                let before = kept.last().copied().flatten().map(|(cid, _)| cid);
                if stays && state.map(|(cid, _)| cid) != before {
                    kept.push(*state);
                }
            }
            *states = kept;
        }
        self.refs.retain(|_, states| !states.is_empty());
    }
}

fn check(repo: &Repo, model: &Model, forgotten: &HashSet<Cid>) {
    for (name, states) in &model.refs {
        let on = repo.on(name.parse().unwrap());
        assert_eq!(on.head().unwrap(), model.stands(name));
        let log = on.log(usize::MAX).unwrap();
        let told: Vec<Option<Cid>> = log.iter().rev().map(|entry| entry.after).collect();
        let expected: Vec<Option<Cid>> =
            states.iter().map(|state| state.map(|(cid, _)| cid)).collect();
        assert_eq!(told, expected, "{name}");
        for (n, state) in states.iter().rev().enumerate() {
            let Some((cid, _)) = state else { continue };
            let at: Revision = format!("{name}@{{{n}}}").parse().unwrap();
            assert_eq!(repo.resolve(&at).unwrap(), *cid, "{at}");
            let snapshot = repo.checkout(&at).unwrap();
            let found: Records = snapshot
                .records()
                .map(|entry| {
                    let path = entry.unwrap().path;
                    let value = snapshot.find(&path).unwrap().unwrap().value().unwrap();
                    let text = value.get("text").unwrap().as_text().unwrap().to_owned();
                    (path.rkey.to_string(), text)
                })
                .collect();
            assert_eq!(found, model.states[cid], "{at}");
        }
        let beyond: Revision = format!("{name}@{{{}}}", states.len()).parse().unwrap();
        assert!(repo.resolve(&beyond).unwrap_err().is_not_found());
    }
    let live: HashSet<Cid> = model.refs.values().flatten().flatten().map(|(cid, _)| *cid).collect();
    for cid in forgotten.difference(&live) {
        assert!(repo.store().get(cid).unwrap().is_none(), "{cid}");
    }
    assert_whole(repo);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_are_as_a_plain_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("alice");
        let mut repo = Repo::create(&dir, &did()).unwrap();
        let (mut model, mut forgotten) = (Model::default(), HashSet::new());
        let first = repo.head().unwrap().unwrap();
        model.states.insert(first, Records::new());
        model.arrive("HEAD", Some(first));
        for step in steps {
            let place = |key: u8| -> RecordPath { path(&format!("com.example.note/key-{key}-of")) };
            let key_text = |key: u8| format!("key-{key}-of");
            let head = model.stands("HEAD").unwrap();
            let all: HashSet<Cid> =
                model.refs.values().flatten().flatten().map(|(cid, _)| *cid).collect();
            match step {
                Step::Put { key, text } => {
                    // Each record's text names its key, so that it is not elsewhere, too.
                    let text = format!("secret {key} text {text}");
                    let cid = repo.put(&place(key), &note(&text)).unwrap().commit.cid();
                    let mut records = model.states[&head].clone();
                    records.insert(key_text(key), text);
                    model.states.insert(cid, records);
                    model.arrive("HEAD", Some(cid));
                }
                Step::Delete { key } => match repo.delete(&place(key)) {
                    Ok(written) => {
                        let mut records = model.states[&head].clone();
                        prop_assert!(records.remove(&key_text(key)).is_some());
                        model.states.insert(written.commit.cid(), records);
                        model.arrive("HEAD", Some(written.commit.cid()));
                    }
                    Err(error) => {
                        prop_assert!(error.is_not_found());
                        prop_assert!(!model.states[&head].contains_key(&key_text(key)));
                    }
                },
                Step::Reset { back } => {
                    let states = &model.refs["HEAD"];
                    let to = states[states.len().saturating_sub(1 + back as usize)].unwrap().0;
                    repo.set_head(to, Expect::Any, "reset").unwrap();
                    model.arrive("HEAD", Some(to));
                }
                Step::Branch { name } => {
                    let name = format!("branch-{name}");
                    repo.set_ref(&name.parse().unwrap(), head, Expect::Any, "ref set").unwrap();
                    model.arrive(&name, Some(head));
                }
                Step::RemoveBranch { name } => {
                    let name = format!("branch-{name}");
                    let removed = repo.remove_ref(&name.parse().unwrap());
                    prop_assert_eq!(removed.is_ok(), model.stands(&name).is_some());
                    if removed.is_ok() {
                        model.arrive(&name, None);
                    }
                }
                Step::Gc => {
                    let swept = repo.gc(&Default::default(), &mut |_| {}).unwrap();
                    prop_assert_eq!((swept.states, swept.moves), (0, 0));
                }
                Step::GcKeep { states } => {
                    let states = states as usize;
                    let keep = pds::repo::Keep {
                        states: std::num::NonZeroUsize::new(states),
                        ..Default::default()
                    };
                    repo.gc(&keep, &mut |_| {}).unwrap();
                    model.keep(|_, _, later| later < states);
                }
                Step::Forget { key } => {
                    let what = Forget::Records(vec![place(key)]);
                    let weighed = repo.forgettable(&what, &mut |_| {}).unwrap();
                    let done = forget(&repo, &what);
                    prop_assert_eq!(weighed.written.len(), done.written.len());
                    prop_assert_eq!(weighed.swept.states, done.swept.states);
                    for (name, cid) in done.written {
                        let stood = model.stands(name.as_str()).unwrap();
                        let mut records = model.states[&stood].clone();
                        prop_assert!(records.remove(&key_text(key)).is_some());
                        model.states.insert(cid, records);
                        model.arrive(name.as_str(), Some(cid));
                    }
                    model.keep(|records, _, _| !records.contains_key(&key_text(key)));
                    for marker in [format!("secret {key} "), key_text(key)] {
                        prop_assert_eq!(files_with(&dir, &marker), Vec::<String>::new());
                    }
                }
                Step::ForgetBefore { back } => {
                    let states = &model.refs["HEAD"];
                    let (to, _) = states[states.len().saturating_sub(1 + back as usize)].unwrap();
                    let first = states.iter().flatten().find(|(cid, _)| *cid == to).unwrap().1;
                    forget(&repo, &Forget::BeforeState(to.into()));
                    model.keep(|_, at, _| at >= first);
                }
                Step::Reopen => repo = Repo::open(&dir).unwrap(),
            }
            forgotten.extend(all);
            // A removed ref of which nothing is told any more is one that never was.
            model.refs.retain(|_, states| states.iter().any(Option::is_some));
            let told: HashSet<String> =
                repo.store().moves().unwrap().iter().map(|m| m.name.to_string()).collect();
            prop_assert!(model.refs.keys().all(|name| told.contains(name)));
            check(&repo, &model, &forgotten);
        }
    }
}
