//! The step to a commit by announced changes, compared with an import of the whole state.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, MemoryBlocks, ReadError};
use pds::store::MemoryStore;
use pds::{Advance, AdvanceError, Code, Error, Expected, RecordChange, Repo, Write, Written};
use proptest::prelude::*;

use super::slice_checks::assert_complete;
use super::{block_count, did, in_memory, note, path, version};

/// The blocks of a repository. Only new records are read.
struct RecordsOf<'a>(&'a Repo, &'a [RecordChange]);

impl Blocks for RecordsOf<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        assert!(self.1.iter().any(|change| change.after == Some(*cid)), "{cid} is no new record");
        self.0.store().get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

fn mirror() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

fn mirror_of(repo: &Repo) -> Repo {
    let (mirror, head) = (mirror(), repo.head().unwrap().unwrap());
    mirror.transfer().admit(repo.store().as_ref(), head, &Expected::default()).unwrap();
    mirror
}

fn file(repo: &Repo) -> Vec<u8> {
    let mut bytes = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut bytes).unwrap();
    bytes
}

fn refused(mirror: &Repo, step: &Advance<'_>, expected: &Expected<'_>) -> Error {
    let seen = version(mirror);
    let error = mirror.transfer().advance(step, expected).unwrap_err();
    assert_eq!(version(mirror), seen, "nothing has changed");
    error
}

fn contradiction(mirror: &Repo, step: &Advance<'_>) -> AdvanceError {
    match refused(mirror, step, &Expected::default()) {
        Error::NotAdvanced(reason) => reason,
        error => panic!("{error}"),
    }
}

/// Puts or deletes one of a few records.
fn batches() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let write = (0_u8..60, prop::option::weighted(0.7, 0_u8..4));
    prop::collection::vec(prop::collection::vec(write, 1..12), 1..8)
}

fn write(repo: &Repo, batch: &[(u8, Option<u8>)]) -> Written {
    let (mut writes, mut seen) = (Vec::new(), Vec::new());
    for (place, text) in batch {
        let path = path(&format!("com.example.note/{place:03}"));
        if seen.contains(place) {
            continue;
        }
        seen.push(*place);
        match text {
            Some(text) => writes.push(Write::put(path, note(&text.to_string()))),
            None if repo.find(&path).unwrap().is_some() => writes.push(Write::delete(path)),
            None => {}
        }
    }
    repo.write(&writes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_mirror_that_advances_equals_one_that_imports_the_whole_state(batches in batches()) {
        let repo = in_memory();
        let (steps, whole) = (mirror_of(&repo), mirror());
        let key = repo.public_key().unwrap();
        let expected = Expected::default().key(key.as_ref());
        for batch in batches {
            let base = repo.snapshot().unwrap().commit().data();
            let written = write(&repo, &batch);
            let records = RecordsOf(&repo, &written.changes);
            let step = Advance::new(&written.commit, &written.changes, &records).base(base);
            let advanced = steps.transfer().advance(&step, &expected).unwrap();
            let imported = whole.transfer().import_file(Cursor::new(file(&repo)), key.as_ref()).unwrap();
            prop_assert_eq!(advanced.commit.cid(), imported.commit.cid());
            prop_assert!(file(&steps) == file(&whole));
            let again = steps.transfer().advance(&step, &expected).unwrap();
            prop_assert_eq!((again.new_blocks, again.records), (0, 0));
            // Without one of its changes, a step leads elsewhere.
            if let Some((_, others)) = written.changes.split_first() {
                let behind = mirror();
                let before = written.commit.prev().unwrap();
                behind.transfer().admit(repo.store().as_ref(), before, &expected).unwrap();
                let fewer = Advance::new(&written.commit, others, &records);
                let is_same = written.changes[0].before == written.changes[0].after;
                if !is_same {
                    let reason = contradiction(&behind, &fewer);
                    let leads_elsewhere = matches!(reason, AdvanceError::Root { .. });
                    prop_assert!(leads_elsewhere, "{}", reason);
                }
            }
        }
        assert_complete(&steps);
        assert_complete(&whole);
        prop_assert_eq!(block_count(&steps), block_count(&whole));
    }
}

#[test]
fn changes_that_do_not_lead_to_the_commit_are_told_apart() {
    let repo = in_memory();
    let place = path("com.example.note/a");
    repo.put(&place, &note("first")).unwrap();
    let mirror = mirror_of(&repo);
    let base = repo.snapshot().unwrap().commit().data();
    let written = repo.write(&[Write::put(place, note("second"))]).unwrap();
    let (commit, change) = (&written.commit, &written.changes[0]);
    let (first, second) = (change.before.unwrap(), change.after.unwrap());
    let records = repo.store().as_ref();
    let with = |before, after| [RecordChange { path: change.path.clone(), before, after }];

    let elsewhere = Advance::new(commit, &written.changes, records).base(first);
    let reason = contradiction(&mirror, &elsewhere);
    assert_eq!(reason, AdvanceError::Base { expected: first, found: Some(base) });
    for wrong in [None, Some(second)] {
        let changes = with(wrong, Some(second));
        let reason = contradiction(&mirror, &Advance::new(commit, &changes, records));
        let AdvanceError::Change { path, expected, found } = reason else { panic!("{reason}") };
        assert_eq!((&*path, expected, found), ("com.example.note/a", wrong, Some(first)));
    }
    let nothing = MemoryBlocks::default();
    let reason = contradiction(&mirror, &Advance::new(commit, &written.changes, &nothing));
    assert!(matches!(reason, AdvanceError::Record { cid, .. } if cid == second), "{reason}");
    let deletes = with(Some(first), None);
    let reason = contradiction(&mirror, &Advance::new(commit, &deletes, records));
    assert!(matches!(reason, AdvanceError::Root { expected, .. } if expected == commit.data()));
    let step = Advance::new(commit, &written.changes, records).base(base);
    mirror.transfer().advance(&step, &Expected::default()).unwrap();
}

#[test]
fn the_commit_is_judged_as_by_an_import_and_before_the_changes() {
    let repo = in_memory();
    let mirror = mirror_of(&repo);
    let key = repo.public_key().unwrap();
    let expected = Expected::default().key(key.as_ref());
    let written = repo.write(&[Write::put(path("com.example.note/a"), note("a"))]).unwrap();
    let other = SigningKey::generate(Curve::K256).unwrap();
    let (data, rev) = (written.commit.data(), written.commit.rev().unwrap());
    let forged = UnsignedCommit { did: did(), data, rev, prev: None }.sign(&other).unwrap();
    // No change is looked at.
    let step = |commit| Advance::new(commit, &[], repo.store().as_ref());
    let error = refused(&mirror, &step(&forged), &expected);
    assert!(matches!(&error, Error::Refused(f) if f.code() == Code::SignatureInvalid), "{error}");
    let elsewhere = "did:web:bob.example.com".parse().unwrap();
    let foreign = UnsignedCommit { did: elsewhere, data, rev, prev: None }.sign(&other).unwrap();
    let error = refused(&mirror, &step(&foreign), &Expected::default());
    assert!(matches!(error, Error::WrongDid { .. }), "{error}");
    let early = "2222222222222".parse().unwrap();
    let old = UnsignedCommit { did: did(), data, rev: early, prev: None }.sign(&other).unwrap();
    let error = refused(&mirror, &step(&old), &Expected::default());
    assert!(matches!(error, Error::Older { .. }), "{error}");
    let early = expected.now_micros(rev.micros() - 3_600_000_000);
    let error = refused(&mirror, &step(&written.commit), &early);
    assert!(matches!(&error, Error::Refused(f) if f.code() == Code::RevInFuture), "{error}");
}

#[test]
fn the_first_commit_advances_from_nothing() {
    let repo = in_memory();
    let first: Commit = repo.snapshot().unwrap().commit().clone();
    let mirror = mirror();
    let nothing = MemoryBlocks::default();
    let step = Advance::new(&first, &[], &nothing).base(first.data());
    let imported = mirror.transfer().advance(&step, &Expected::default()).unwrap();
    assert_eq!((imported.before.is_none(), imported.new_blocks), (true, 2));
    let base = repo.head().unwrap().unwrap();
    let other = Advance::new(&first, &[], &nothing).base(base);
    assert_eq!(
        contradiction(&self::mirror(), &other),
        AdvanceError::Base { expected: base, found: None }
    );
}
