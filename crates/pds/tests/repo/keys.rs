//! Key rotation, and checks of the whole history.

use std::path::Path;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::data::Cid;
use pds::local::key_file;
use pds::local::key_file::KeyFileError;
use pds::local::layout::{KEY_FILE, NEXT_KEY_FILE, UNUSED_KEY_FILES};
use pds::retain::gc::Keep;
use pds::store::{Change, Event, Expect, Fact, FactKind, MemoryStore, Store, Sweep};
use pds::{Code, Finding, Report, Severity, SignatureState};
use pds::{Error, Repo};

use super::{did, facts, in_memory, note, path};

fn put(repo: &Repo, rkey: &str, text: &str) -> Cid {
    repo.put(&path(&format!("com.example.note/{rkey}")), &note(text)).unwrap().commit.cid()
}

fn history(repo: &Repo) -> (Report, Vec<Finding>) {
    let mut found = Vec::new();
    let report = repo.verify().history(&Default::default(), &mut |f| found.push(f)).unwrap();
    (report, found)
}

/// Checks that no commit has a finding, and returns the number of commits.
fn assert_whole(repo: &Repo) -> u64 {
    let (report, found) = history(repo);
    assert_eq!((report.is_ok(), report.signature), (true, SignatureState::Valid), "{found:?}");
    report.commits
}

fn key() -> SigningKey {
    SigningKey::generate(Curve::K256).unwrap()
}

#[test]
fn a_signer_with_another_key_writes_nothing() {
    let repo = in_memory();
    let head = repo.head().unwrap();
    let stranger = repo.clone().signing_with(key());
    let refused = stranger.put(&path("com.example.note/a"), &note("x")).unwrap_err();
    assert!(matches!(refused, Error::WrongKey { .. }), "{refused}");
    let refused = stranger.merge().revert(head.unwrap()).map(drop);
    assert!(refused.is_err());
    assert!(matches!(super::rotate(&stranger, key()), Err(Error::WrongKey { .. })));
    assert_eq!(repo.head().unwrap(), head);
}

#[test]
fn after_a_rotation_each_commit_is_checked_with_the_key_of_its_time() {
    let repo = in_memory();
    let before = put(&repo, "a", "1");
    let old = repo.public_key().unwrap().unwrap();
    let next = SigningKey::generate(Curve::P256).unwrap();
    let (rotated, commit) = super::rotate(&repo, next.clone()).unwrap();
    let new = next.public_key();
    assert_eq!((commit.prev(), rotated.public_key().unwrap()), (Some(before), Some(new.clone())));
    let tree = |cid: Cid| repo.checkout(&cid.into()).unwrap().commit().data();
    assert_eq!(commit.data(), tree(before));
    let event = Event::Rotate { old: (&old).into(), new: (&new).into() };
    assert_eq!(repo.history().log(1).unwrap()[0].event, event);
    // A holder of only the old key gets an error.
    let refused = repo.put(&path("com.example.note/b"), &note("x")).unwrap_err();
    assert!(matches!(refused, Error::WrongKey { .. }), "{refused}");
    put(&rotated, "b", "2");
    let (again, _) = super::rotate(&rotated, key()).unwrap();
    put(&again, "c", "3");
    assert_eq!(assert_whole(&again), 6);
    assert_eq!(
        again.verify().present(&Default::default(), &mut |_| {}).unwrap().signature,
        SignatureState::Valid
    );
    // A state from before the rotation is verified with the old key.
    again.history().set_head(before, Expect::Any, "reset").unwrap();
    assert_eq!(
        again.verify().present(&Default::default(), &mut |_| {}).unwrap().signature,
        SignatureState::Valid
    );
    assert_whole(&again);
    put(&again, "d", "4");
    assert_eq!(assert_whole(&again), 7);
}

/// A repository in a directory, and its next key.
struct Interrupted {
    _home: tempfile::TempDir,
    dir: std::path::PathBuf,
    repo: Repo,
    next: SigningKey,
}

impl Interrupted {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = Repo::create(&dir, &did()).unwrap();
        put(&repo, "a", "1");
        Self { _home: home, dir, repo, next: key() }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.join(name)
    }

    /// Returns the unused keys, each in a file with its name.
    fn unused(&self) -> Vec<PublicKey> {
        let names = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap());
        let names = names.map(|entry| entry.file_name().into_string().unwrap());
        let names = names.filter(|name| name.starts_with(UNUSED_KEY_FILES));
        let keys = names.map(|name| {
            let key = key_file::read(self.file(&name)).unwrap().unwrap().public_key();
            assert_eq!(key.did_key(), name.replace(UNUSED_KEY_FILES, "did:key:"));
            key
        });
        keys.collect()
    }

    fn old(&self) -> PublicKey {
        self.repo.public_key().unwrap().unwrap()
    }

    /// Checks that reading works at once, that opening finishes or reverts the rotation, and that no key is lost.
    fn settles_as(&self, expected: &PublicKey, what: &str) {
        let existed = self.file(NEXT_KEY_FILE).exists();
        let mirror = pds::local::open::open_without_key(&self.dir).unwrap();
        assert_eq!(mirror.public_key().unwrap().as_ref(), Some(expected), "{what}");
        assert_whole(&mirror);
        let repo = Repo::open(&self.dir).unwrap();
        assert_eq!(repo.public_key().unwrap().as_ref(), Some(expected), "{what}");
        assert!(!self.file(NEXT_KEY_FILE).exists(), "{what}");
        // Whatever the result is, the secret still exists.
        let unused = self.unused();
        let next = self.next.public_key();
        assert!(!existed || next == *expected || unused.contains(&next), "{what}: {unused:?}");
        assert!(!unused.contains(expected), "{what}");
        let in_file = key_file::read(self.file(KEY_FILE)).unwrap().unwrap();
        assert_eq!(in_file.public_key(), *expected, "{what}");
        assert_eq!(facts(&repo, FactKind::Key), [Fact::Key(expected.into())], "{what}");
        put(&repo, "after", what);
        assert_whole(&repo);
        pds::local::rotation::rotate_key(&self.dir, Curve::P256).unwrap();
        assert_whole(&Repo::open(&self.dir).unwrap());
    }
}

#[test]
fn a_rotation_that_stops_anywhere_leaves_the_old_key_or_the_new_one() {
    let at = Interrupted::new();
    at.settles_as(&at.old(), "nothing happened");

    let at = Interrupted::new();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    at.settles_as(&at.old(), "the new key is on disk");

    let at = Interrupted::new();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    super::rotate(&at.repo, at.next.clone()).unwrap();
    at.settles_as(
        &at.next.public_key(),
        "the commit is stored with its key, and the file is left to be renamed",
    );

    // The result is the same if the ref has moved back to a commit before the rotation.
    let at = Interrupted::new();
    let head = at.repo.head().unwrap().unwrap();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    super::rotate(&at.repo, at.next.clone()).unwrap();
    pds::local::open::open_without_key(&at.dir)
        .unwrap()
        .history()
        .set_head(head, Expect::Any, "reset")
        .unwrap();
    at.settles_as(&at.next.public_key(), "it was stored and left again");

    // The result is the same if the log no longer has the row of the rotation.
    let at = Interrupted::new();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    let (rotated, _) = super::rotate(&at.repo, at.next.clone()).unwrap();
    put(&rotated, "later", "1");
    let keep = Keep::default().states(std::num::NonZeroUsize::new(1));
    pds::local::open::open_without_key(&at.dir).unwrap().retain().gc(&keep, &mut |_| {}).unwrap();
    at.settles_as(&at.next.public_key(), "the log has forgotten it");

    let at = Interrupted::new();
    pds::local::rotation::rotate_key(&at.dir, Curve::K256).unwrap();
    at.settles_as(&Repo::open(&at.dir).unwrap().public_key().unwrap().unwrap(), "all of it");
}

#[test]
fn a_next_key_from_elsewhere_or_long_ago_replaces_nothing_and_is_kept() {
    // The key is from a copy that was made during an earlier rotation.
    let at = Interrupted::new();
    super::rotate(&at.repo, at.next.clone()).unwrap();
    std::fs::remove_file(at.file(KEY_FILE)).unwrap();
    key_file::write_new(at.file(KEY_FILE), &at.next).unwrap();
    let present =
        pds::local::rotation::rotate_key(&at.dir, Curve::K256).unwrap().0.public_key().unwrap();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    at.settles_as(&present.unwrap(), "an earlier key");

    // The key is from another repository, twice.
    let at = Interrupted::new();
    for _ in 0..2 {
        key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
        Repo::open(&at.dir).unwrap();
        assert_eq!(at.unused(), [at.next.public_key()]);
    }
    // Another file with the name of the unused key prevents the rename. Neither file is lost.
    let name = at.next.public_key().did_key().replace("did:key:", UNUSED_KEY_FILES);
    std::fs::remove_file(at.file(&name)).unwrap();
    key_file::write_new(at.file(&name), &key()).unwrap();
    key_file::write_new(at.file(NEXT_KEY_FILE), &at.next).unwrap();
    let said = Repo::open(&at.dir).map(drop);
    assert!(matches!(said, Err(Error::KeyFile(KeyFileError::Exists { .. }))), "{said:?}");
    assert!(at.file(NEXT_KEY_FILE).exists());

    // If a rotation fails, the key that it has made is removed.
    let at = Interrupted::new();
    at.repo.keys().remember(&key().public_key()).unwrap();
    assert!(matches!(
        pds::local::rotation::rotate_key(&at.dir, Curve::K256),
        Err(Error::WrongKey { .. })
    ));
    assert!(at.unused().is_empty() && !at.file(NEXT_KEY_FILE).exists());
}

#[cfg(unix)]
#[test]
fn a_key_that_waits_is_for_its_owner_alone_and_nobody_settles_what_goes_on() {
    use std::os::unix::fs::PermissionsExt;

    let at = Interrupted::new();
    let next = at.file(NEXT_KEY_FILE);
    key_file::write_new(&next, &at.next).unwrap();
    assert_eq!(next.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let lock = std::fs::File::open(&at.dir).unwrap();
    lock.lock().unwrap();
    let dir = at.dir.clone();
    let opening = std::thread::spawn(move || Repo::open(&dir).map(drop));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(next.exists() && !opening.is_finished());
    lock.unlock().unwrap();
    opening.join().unwrap().unwrap();
    assert!(!next.exists());
}

#[test]
fn a_mirror_has_no_key_to_rotate() {
    let at = Interrupted::new();
    std::fs::remove_file(at.file(KEY_FILE)).unwrap();
    assert!(matches!(pds::local::rotation::rotate_key(&at.dir, Curve::K256), Err(Error::NoSigner)));
    assert!(!at.file(NEXT_KEY_FILE).exists());
    let nowhere = pds::local::rotation::rotate_key(Path::new("/no/such/place"), Curve::K256);
    assert!(matches!(nowhere, Err(Error::NotARepository(_))));
}

#[test]
fn a_history_is_checked_in_full_and_each_thing_wrong_is_named() {
    let repo = in_memory();
    let first = put(&repo, "a", "1");
    let second = put(&repo, "a", "2");
    put(&repo, "a", "3");
    assert_eq!(assert_whole(&repo), 4);

    // One store has lost a commit, and another one has lost a record of a past state.
    let without = |lost: Cid| {
        let store = MemoryStore::default();
        let rows: Vec<_> = repo.history().log(99).unwrap();
        let mut live = std::collections::HashSet::new();
        for row in rows.iter().rev() {
            let snapshot = repo.checkout(&row.after.unwrap().into()).unwrap();
            let mut blocks = vec![snapshot.commit().block().clone()];
            let nodes = pds::mst::nodes(repo.store().as_ref(), snapshot.commit().data());
            blocks.extend(nodes.map(Result::unwrap));
            for entry in snapshot.records() {
                blocks.push(snapshot.find(&entry.unwrap().path).unwrap().unwrap().block);
            }
            live.extend(blocks.iter().map(|block| block.cid()));
            let edit = pds::store::RefEdit {
                name: row.name.clone(),
                target: row.after,
                expect: Expect::Any,
            };
            let change = Change::new(row.event.clone()).message(row.message.clone());
            store.apply(change.blocks(blocks.into_iter().map(Ok)).edit(edit)).unwrap();
        }
        live.remove(&lost);
        let version = store.view().unwrap().version();
        let is_live = |cid: &Cid| live.contains(cid);
        store.collect(Sweep::new(version, &is_live)).unwrap();
        let copy = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
        copy.keys().remember(&repo.public_key().unwrap().unwrap()).unwrap();
        copy
    };
    let (report, found) = history(&without(second));
    let codes: Vec<Code> = found.iter().map(Finding::code).collect();
    assert!(!report.is_ok() && codes.iter().all(|code| *code == Code::HistoryMissing), "{found:?}");
    let record = repo.checkout(&first.into()).unwrap();
    let record = record.find_cid(&path("com.example.note/a")).unwrap().unwrap();
    let copy = without(record);
    assert!(
        copy.verify().present(&Default::default(), &mut |_| {}).unwrap().is_ok(),
        "the present is fine"
    );
    let (report, found) = history(&copy);
    assert_eq!((found[0].code(), report.missing), (Code::RecordMissing, 1));
    assert_eq!(found[0].path.as_deref(), Some("com.example.note/a"));
}

#[test]
fn a_commit_by_another_key_or_out_of_order_is_found_in_the_past() {
    let repo = in_memory();
    put(&repo, "a", "1");
    let head = repo.snapshot().unwrap().commit().clone();
    // The forger has the store file, but not the key.
    let forge = |change: &dyn Fn(&mut pds::commit::UnsignedCommit), key: &SigningKey| {
        let mut unsigned = repo.draft(&[]).unwrap().commit().clone();
        change(&mut unsigned);
        unsigned.sign(key).unwrap()
    };
    let store_in = |repo: &Repo, commit: &pds::commit::Commit| {
        let edit = pds::store::RefEdit {
            name: repo.history().ref_name().clone(),
            target: Some(commit.cid()),
            expect: Expect::Any,
        };
        let change = Change::new(Event::Write).blocks([Ok(commit.block().clone())]).edit(edit);
        repo.store().apply(change.message("forged")).unwrap();
    };
    let forged = forge(&|_| {}, &key());
    store_in(&repo, &forged);
    repo.history().set_head(head.cid(), Expect::Any, "reset").unwrap();
    let (_, found) = history(&repo);
    let named: Vec<_> = found.iter().map(|finding| (finding.code(), finding.cid)).collect();
    assert_eq!(named, [(Code::SignatureInvalid, Some(forged.cid()))]);

    let own = key();
    let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(own.clone());
    repo.init(&did()).unwrap();
    let first = repo.snapshot().unwrap().commit().clone();
    put(&repo, "a", "1");
    let mut unsigned = repo.draft(&[]).unwrap().commit().clone();
    unsigned.rev = first.rev().unwrap();
    let backwards = unsigned.sign(&own).unwrap();
    store_in(&repo, &backwards);
    let (_, found) = history(&repo);
    let named: Vec<_> = found.iter().map(|finding| (finding.code(), finding.cid)).collect();
    assert_eq!(named, [(Code::RevNotAscending, Some(backwards.cid()))]);
}

#[test]
fn history_begins_where_a_clone_began() {
    let repo = in_memory();
    for text in ["1", "2"] {
        put(&repo, "a", text);
    }
    let mut file = Vec::new();
    repo.transfer().export(&Default::default(), &mut file).unwrap();
    let mirror = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
    let key = repo.public_key().unwrap().unwrap();
    mirror.keys().remember(&key).unwrap();
    mirror.transfer().import_file(std::io::Cursor::new(&file), None).unwrap();
    let (report, found) = history(&mirror);
    assert_eq!((report.is_ok(), report.commits), (true, 1));
    assert_eq!((found[0].code(), found[0].severity()), (Code::HistoryBegins, Severity::Note));
    assert_eq!(found[0].cid, repo.head().unwrap());
    // This imports a later export. The commits in between were never imported.
    for text in ["3", "4"] {
        put(&repo, "a", text);
    }
    let mut file = Vec::new();
    repo.transfer().export(&Default::default(), &mut file).unwrap();
    mirror.transfer().import_file(std::io::Cursor::new(&file), None).unwrap();
    let (report, found) = history(&mirror);
    assert_eq!((report.is_ok(), report.commits, found.len()), (true, 2, 2), "{found:?}");
}

#[test]
#[cfg(unix)]
fn a_fifo_in_the_place_of_a_key_is_an_error_at_once() {
    for name in [KEY_FILE, NEXT_KEY_FILE] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("alice");
        Repo::create(&dir, &did()).unwrap();
        let place = dir.join(name);
        let _ = std::fs::remove_file(&place);
        let made = std::process::Command::new("mkfifo").arg("-m600").arg(place).status().unwrap();
        assert!(made.success());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(Repo::open(&dir).map(drop)));
        let opened = receiver.recv_timeout(std::time::Duration::from_secs(10)).expect(name);
        let error = opened.unwrap_err();
        assert!(matches!(error, Error::KeyFile(KeyFileError::Io { .. })), "{name}: {error}");
    }
}
