//! Forgetting: no file contains the purged records, and all kept states can be read as before.

use std::fs;
use std::sync::Arc;

use pds::Expected;
use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Cid, Value};
use pds::retain::forget::{Forget, Forgotten};
use pds::store::{Event, Expect, MemoryStore, RefName, StoreError};
use pds::{Error, Repo, Write, WriteOptions};

use super::gc::with_blob;
use super::{action, did, files_with, in_memory, listed_blobs, moves, note, path, refs};

const MARKER: &str = "the-marker-that-must-go";

fn records(paths: &[&str]) -> Forget {
    Forget::Records(paths.iter().map(|text| path(text)).collect())
}

fn forget(repo: &Repo, what: &Forget) -> Forgotten {
    let forgotten = repo.retain().forget(what, &mut |_| {}).unwrap();
    assert!(forgotten.swept.remains.is_none(), "{:?}", forgotten.swept.remains);
    assert!(!repo.retain().is_erasing().unwrap());
    forgotten
}

/// Checks that every state in the log and every ref can be read completely.
fn assert_whole(repo: &Repo) {
    let rows = moves(repo);
    let named = rows.iter().flat_map(|entry| [entry.before, entry.after]).flatten();
    for commit in named.chain(repo.history().refs().unwrap().into_iter().map(|(_, cid)| cid)) {
        let mut panic = |finding| panic!("{commit}: {finding}");
        let blocks = repo.store().clone();
        let report =
            pds::verify::indexed::verify(blocks.as_ref(), commit, &Expected::default(), &mut panic);
        assert!(report.unwrap().is_complete());
    }
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
    let moves = repo.history().log(99).unwrap();
    let versions: Vec<Cid> = secret
        .iter()
        .map(|at| repo.checkout(&(*at).into()).unwrap())
        .filter_map(|at| at.find_cid(&path("com.example.note/secret")).unwrap())
        .collect();

    let weighed = repo
        .retain()
        .plan_forget(&records(&["com.example.note/secret"]), &mut |_| {})
        .unwrap()
        .forgotten;
    let forgotten = forget(&repo, &records(&["com.example.note/secret"]));
    assert_eq!((forgotten.written.len(), forgotten.swept.states), (0, 3));
    assert_eq!((weighed.swept.states, weighed.swept.blocks), (3, forgotten.swept.blocks));
    assert_eq!(repo.head().unwrap(), Some(late), "only the past was forgotten");
    for gone in secret.iter().chain(&versions) {
        assert!(repo.store().get(gone).unwrap().is_none(), "{gone}");
    }
    let log = repo.history().log(99).unwrap();
    assert_eq!((log[0].before, log[0].after), (Some(after), Some(late)));
    assert_eq!((log[1].before, log[1].after), (Some(early), Some(after)));
    assert_eq!((log[1].at_micros, action(&log[1])), (moves[1].at_micros, action(&moves[1])));
    assert_eq!(log.len(), moves.len() - 3);
    assert_eq!(repo.history().resolve(&"@{2}".parse().unwrap()).unwrap(), early);
    assert_eq!(repo.history().resolve(&"HEAD~2".parse().unwrap()).unwrap(), early);
    let error = repo.history().resolve(&secret[0].into()).unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("were deleted"), "{error}");
    assert_whole(&repo);
    // A second call has nothing left to do.
    assert_eq!(forget(&repo, &records(&["com.example.note/secret"])).swept.states, 0);
    assert_eq!(repo.history().log(99).unwrap()[1..], log[1..]);
}

#[test]
fn a_record_that_refs_still_have_is_deleted_there_first() {
    let repo = in_memory();
    repo.put(&path("com.example.note/secret"), &note(MARKER)).unwrap();
    let [with, without] = ["with", "without"].map(|name| name.parse::<RefName>().unwrap());
    repo.history().set_ref(&with, repo.head().unwrap().unwrap(), Expect::Absent, "branch").unwrap();
    let first = repo.history().resolve(&"HEAD~1".parse().unwrap()).unwrap();
    repo.history().set_ref(&without, first, Expect::Absent, "branch").unwrap();
    repo.put(&path("com.example.note/other"), &note("x")).unwrap();
    let what = records(&["com.example.note/secret", "com.example.note/secret"]);

    let weighed = repo.retain().plan_forget(&what, &mut |_| {}).unwrap().forgotten;
    assert_eq!(weighed.written.len(), 2);
    let forgotten = forget(&repo, &what);
    let names: Vec<&str> = forgotten.written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["HEAD", "with"]);
    assert_eq!(weighed.swept.states, forgotten.swept.states);
    assert_eq!(repo.on(without).head().unwrap(), Some(first), "it never had it");
    for (name, commit) in forgotten.written {
        let on = repo.on(name);
        assert_eq!(on.head().unwrap(), Some(commit));
        assert_eq!(on.history().log(9).unwrap()[0].event, Event::Forget);
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
        .history()
        .set_ref(&"side".parse().unwrap(), owner.head().unwrap().unwrap(), Expect::Any, "")
        .unwrap();
    let before = (refs(&mirror), moves(&mirror));
    let what = records(&["com.example.note/secret"]);
    let error = mirror.retain().forget(&what, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no signing key: cannot delete the record from HEAD, side");
    assert!(matches!(error, Error::StillHeld { refs } if refs.len() == 2));
    assert_eq!(mirror.retain().plan_forget(&what, &mut |_| {}).unwrap().forgotten.written.len(), 2);
    assert_eq!((refs(&mirror), moves(&mirror)), before);
    // Past states can be forgotten without the key.
    owner.delete(&path("com.example.note/secret")).unwrap();
    mirror.history().remove_ref(&"side".parse().unwrap()).unwrap();
    assert_eq!(forget(&mirror, &what).swept.states, 1);
}

#[test]
fn states_older_than_a_state_or_a_time_are_deleted() {
    for by_time in [false, true] {
        let repo = in_memory();
        let mut commits = vec![repo.head().unwrap().unwrap()];
        for n in 1..10 {
            let written = repo.put(&path("com.example.note/a"), &note(&n.to_string())).unwrap();
            commits.push(written.commit.cid());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let old: RefName = "old".parse().unwrap();
        repo.history().set_ref(&old, commits[2], Expect::Absent, "branch").unwrap();
        // HEAD moves back and forth: only the first arrival counts.
        repo.history().set_head(commits[6], Expect::Any, "reset").unwrap();
        repo.history().set_head(commits[9], Expect::Any, "reset").unwrap();
        let what = match by_time {
            false => Forget::BeforeState(commits[6].into()),
            true => Forget::BeforeTime(repo.history().log(99).unwrap()[5].at_micros),
        };
        let weighed = repo.retain().plan_forget(&what, &mut |_| {}).unwrap().forgotten;
        let forgotten = forget(&repo, &what);
        assert_eq!((weighed.swept.states, forgotten.swept.states), (5, 5));
        assert_eq!(repo.head().unwrap(), Some(commits[9]), "the present stays");
        let states: Vec<Option<Cid>> =
            repo.history().log(99).unwrap().iter().map(|entry| entry.after).collect();
        assert_eq!(states, [9, 6, 9, 8, 7, 6].map(|n| Some(commits[n])));
        assert_eq!(repo.on(old).head().unwrap(), Some(commits[2]), "what a ref names stays");
        for n in [0, 1, 3, 4, 5] {
            assert!(repo.store().get(&commits[n]).unwrap().is_none(), "{n}");
        }
        assert_whole(&repo);
        let error =
            repo.retain().forget(&Forget::BeforeState(commits[0].into()), &mut |_| {}).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

#[test]
fn blobs_go_at_once_with_the_only_states_that_refer_to_them() {
    let repo = in_memory();
    let put = |text: &str| repo.put_blob("text/plain", &mut text.as_bytes()).unwrap();
    let [secret, shared, young] = ["secret", "shared", "young"].map(put);
    repo.put(&path("com.example.file/a"), &with_blob(&secret)).unwrap();
    repo.put(&path("com.example.file/b"), &with_blob(&shared)).unwrap();
    repo.put(&path("com.example.file/a"), &with_blob(&shared)).unwrap();
    let what = records(&["com.example.file/a"]);
    assert_eq!(repo.retain().plan_forget(&what, &mut |_| {}).unwrap().forgotten.swept.blobs, 1);
    let forgotten = forget(&repo, &what);
    assert_eq!((forgotten.swept.blobs, forgotten.swept.blob_bytes), (1, 6));
    assert_eq!(listed_blobs(&repo), [shared.cid, young.cid].into());
    assert!(repo.verify().missing_blobs().unwrap().missing.is_empty());
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
    // A small blob is in one page, a large one in many.
    let blob = repo.put_blob("text/plain", &mut MARKER.as_bytes()).unwrap();
    // One upload was interrupted two hours ago, and another one is still running.
    for (name, content, age_hours) in [("old", MARKER, 2), ("young", "of another upload", 0)] {
        let path = dir.join(format!("blobs/.incoming-{name}"));
        fs::write(&path, content).unwrap();
        let age = std::time::Duration::from_secs(age_hours * 60 * 60);
        let file = fs::File::open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    for size in [1, 300, 40_000] {
        let value = Value::from([
            ("text", Value::from(MARKER.repeat(size).as_str())),
            ("file", with_blob(&blob)),
        ]);
        let options = WriteOptions::default().message(format!("wrote {secret}"));
        repo.write(pds::Batch::new(&[Write::put(secret.clone(), value)]).with(options.clone()))
            .unwrap();
        fill(size % 1_000);
    }
    // Another handle has the store open, like another process, without a running read.
    let reader = pds::local::open::open_without_key(&dir).unwrap();
    assert!(reader.find(&secret).unwrap().is_some());
    let options = WriteOptions::default().message(format!("took {secret} away"));
    repo.write(pds::Batch::new(&[Write::delete(secret.clone())]).with(options.clone())).unwrap();
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
fn remains_that_others_left_are_deleted_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    for n in 0..50 {
        repo.put(&path(&format!("com.example.note/{n}")), &note("x")).unwrap();
    }
    // Another tool leaves remains of deleted rows in free pages and between rows.
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
    // A slow reader is open, such as a backup.
    let mut reader = rusqlite::Connection::open(dir.join("pds.db")).unwrap();
    let reading = reader.transaction().unwrap();
    let count = || reading.query_row("SELECT count(*) FROM blocks", [], |row| row.get::<_, i64>(0));
    let blocks = count().unwrap();

    let what = records(&["com.example.note/secret"]);
    let forgotten = repo.retain().forget(&what, &mut |_| {}).unwrap();
    assert!(matches!(forgotten.swept.remains, Some(StoreError::Busy)));
    assert!(repo.retain().is_erasing().unwrap());
    assert!(repo.find(&path("com.example.note/secret")).unwrap().is_none());
    assert_eq!(count().unwrap(), blocks, "the reader is not disturbed");
    assert!(!files_with(&dir, MARKER).is_empty());
    drop(reading);
    let swept = repo.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    assert!(swept.remains.is_none() && !repo.retain().is_erasing().unwrap());
    assert_eq!(files_with(&dir, MARKER), Vec::<String>::new());
}
