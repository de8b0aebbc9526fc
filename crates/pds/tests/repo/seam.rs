//! The guarantees of a store to a repository: messages are text, facts belong to commits, keys have periods, damage can
//! be repaired, and readers do not report a sweep as damage.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarReader, CarWriter};
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::data::Cid;
use pds::retain::gc::Keep;
use pds::store::{Event, Expect, Fact, FactKind, RefName, Store, StoreError};
use pds::{Error, Repo, Result, Write, WriteOptions};
use pds::{Expected, Finding, SignatureState};

use super::rotations::Before;
use super::watched::{Watch, Watched, each_store};
use super::{block_count, did, facts, in_memory, moves, note, path, refs, version};

pub(super) fn key() -> SigningKey {
    SigningKey::generate(Curve::K256).unwrap()
}

pub(super) fn side() -> RefName {
    "side".parse().unwrap()
}

pub(super) fn put(repo: &Repo, rkey: &str, text: &str) -> Cid {
    repo.put(&path(&format!("com.example.note/{rkey}")), &note(text)).unwrap().commit.cid()
}

pub(super) fn export(repo: &Repo) -> Vec<u8> {
    let mut file = Vec::new();
    repo.transfer().export(&repo.head().unwrap().unwrap().into(), &mut file).unwrap();
    file
}

/// Checks that no commit has a finding.
pub(super) fn assert_whole(repo: &Repo) {
    let mut found: Vec<Finding> = Vec::new();
    let report = repo.verify().history(&Expected::default(), &mut |f| found.push(f)).unwrap();
    assert_eq!((report.is_ok(), report.signature), (true, SignatureState::Valid), "{found:?}");
}

#[test]
fn a_message_says_nothing_about_keys_and_is_one_line() {
    let repo = in_memory();
    let first = put(&repo, "a", "1");
    let before = repo.public_key().unwrap();
    let [x, y] = [(); 2].map(|()| key().public_key().did_key());
    let messages =
        [format!("key rotate {x} {y}"), format!("import {x}"), format!("merge {first} {x}")];
    for (n, message) in messages.iter().enumerate() {
        let options = WriteOptions::default().message(message.clone());
        let write = Write::put(path(&format!("com.example.note/m{n}")), note(message));
        repo.write(pds::Batch::new(&[write]).with(options.clone())).unwrap();
        let row = &repo.history().log(1).unwrap()[0];
        assert_eq!((&row.event, &row.message), (&Event::Write, message));
        repo.history().set_head(repo.head().unwrap().unwrap(), Expect::Any, message).unwrap();
        repo.history()
            .set_ref(&side(), repo.head().unwrap().unwrap(), Expect::Any, message)
            .unwrap();
        assert_whole(&repo);
    }
    // The same is true after the rows have been rewritten.
    let keep = Keep::default().states(NonZeroUsize::new(2));
    repo.retain().gc(&keep, &mut |_| {}).unwrap();
    assert_whole(&repo);
    assert_eq!(repo.public_key().unwrap(), before);
    assert_eq!(facts(&repo, FactKind::EndedKey), []);
    assert_eq!(facts(&repo, FactKind::NamedKey), []);

    let state = (refs(&repo), moves(&repo), block_count(&repo), version(&repo));
    for message in ["two\nlines", "a return\r", "\u{1b}[31mred", "\0"] {
        let options = WriteOptions::default().message(message.to_owned());
        let write = [Write::put(path("com.example.note/b"), note(message))];
        let head = repo.head().unwrap().unwrap();
        let early = repo.history().resolve(&"HEAD~1".parse().unwrap()).unwrap();
        let refused = [
            repo.write(pds::Batch::new(&write).with(options.clone())).map(drop),
            repo.history().set_head(early, Expect::Any, message),
            repo.history().set_ref(&"new".parse().unwrap(), head, Expect::Any, message),
        ];
        for refused in refused {
            let is_message = matches!(refused, Err(Error::Store(StoreError::Message { .. })));
            assert!(is_message, "{message:?}: {refused:?}");
        }
    }
    assert_eq!((refs(&repo), moves(&repo), block_count(&repo), version(&repo)), state);
}

/// A store in which a chosen number of changes fail.
#[derive(Default)]
struct Failing(AtomicUsize);

impl Watch for Failing {
    fn apply(&self, _: &Arc<dyn Store>) -> Result<(), StoreError> {
        let fails = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        match fails {
            Ok(_) => Err(StoreError::Full("no room".into())),
            Err(_) => Ok(()),
        }
    }
}

/// Returns all content that init, import and rotate may write.
fn all_of(repo: &Repo) -> impl PartialEq + std::fmt::Debug + use<> {
    let kinds = [FactKind::Account, FactKind::Key, FactKind::EndedKey, FactKind::NamedKey];
    let facts = kinds.map(|kind| facts(repo, kind));
    (refs(repo), moves(repo), block_count(repo), version(repo), facts)
}

/// Checks that the current account, key and commit exist and belong together.
fn assert_agree(repo: &Repo, key: &PublicKey) {
    let head = repo.snapshot().unwrap();
    assert_eq!(facts(repo, FactKind::Account), [Fact::Account(did())]);
    assert_eq!(facts(repo, FactKind::Key), [Fact::Key(key.into())]);
    assert_eq!((head.commit().did(), repo.did().unwrap()), (&did(), Some(did())));
    head.commit().verify(key).unwrap();
    assert_whole(repo);
}

#[test]
fn account_key_and_commit_are_stored_in_one_step_or_not_at_all() {
    let (_dir, stores) = each_store();
    for store in stores {
        begins_and_rotates_in_one_step(&Arc::new(Watched { store, watch: Failing::default() }));
    }
}

fn begins_and_rotates_in_one_step(store: &Arc<Watched<Failing>>) {
    let fail = |repo: &Repo, act: &dyn Fn(&Repo) -> Result<()>| {
        let before = all_of(repo);
        store.watch.0.store(1, Ordering::Relaxed);
        let refused = act(repo);
        assert!(matches!(refused, Err(Error::Store(StoreError::Full(_)))), "{refused:?}");
        assert_eq!(store.watch.0.load(Ordering::Relaxed), 0);
        assert_eq!(all_of(repo), before);
        // The operation needs only one change.
        let seen = version(repo).change;
        act(repo).unwrap();
        assert_eq!(version(repo).change, seen + 1);
    };
    let own = key();
    let repo =
        Repo::with(store.clone(), Arc::new(MemoryBlobs::default())).signing_with(own.clone());
    fail(&repo, &|repo| repo.init(&did()).map(drop));
    assert_agree(&repo, &own.public_key());
    put(&repo, "a", "1");

    let next = key();
    fail(&repo, &|repo| super::rotate(repo, next.clone()).map(drop));
    let repo = repo.signing_with(next.clone());
    assert_agree(&repo, &next.public_key());
    put(&repo, "b", "2");
    assert_agree(&repo, &next.public_key());

    // A file is imported in each possible way: in one pass, in any order, and with an index.
    let (file, public) = (export(&repo), next.public_key());
    let import = |file: &[u8], is_indexed: bool, repo: &Repo| match is_indexed {
        true => repo
            .transfer()
            .import(&CarFile::open(Cursor::new(file.to_vec()))?, Some(&public))
            .map(drop),
        false => repo.transfer().import_file(Cursor::new(file.to_vec()), Some(&public)).map(drop),
    };
    for (file, is_indexed) in [(&file, false), (&reversed(&file), false), (&file, true)] {
        let (_dir, stores) = each_store();
        for store in stores {
            let store = Arc::new(Watched { store, watch: Failing::default() });
            let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
            let before = all_of(&mirror);
            store.watch.0.store(1, Ordering::Relaxed);
            let refused = import(file, is_indexed, &mirror);
            assert!(matches!(refused, Err(Error::Store(StoreError::Full(_)))), "{refused:?}");
            assert_eq!(all_of(&mirror), before);
            import(file, is_indexed, &mirror).unwrap();
            assert_eq!(version(&mirror).change, 1, "one change is all that it takes");
            assert_facts(&mirror, &public, 0);
        }
    }
}

#[test]
fn a_mirror_follows_a_change_of_the_key_in_one_step_or_not_at_all() {
    let own = in_memory();
    put(&own, "a", "1");
    let store = Arc::new(Watched::<Failing>::default());
    let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
    let old = own.public_key().unwrap().unwrap();
    mirror.transfer().import_file(Cursor::new(export(&own)), Some(&old)).unwrap();
    assert_facts(&mirror, &old, 0);
    let next = key();
    let (rotated, _) = super::rotate(&own, next.clone()).unwrap();
    let follow =
        || mirror.transfer().import_file(Cursor::new(export(&rotated)), Some(&next.public_key()));
    let before = all_of(&mirror);
    store.watch.0.store(1, Ordering::Relaxed);
    let refused = follow();
    assert!(matches!(refused, Err(Error::Store(StoreError::Full(_)))), "{refused:?}");
    assert_eq!(all_of(&mirror), before);
    follow().unwrap();
    assert_eq!(version(&mirror).change, 2, "one change is all that it takes");
    assert_facts(&mirror, &next.public_key(), 1);
    assert_whole(&mirror);
}

/// Checks the facts of a mirror: its account, its current key, and the number of its former keys.
fn assert_facts(repo: &Repo, key: &PublicKey, ended: usize) {
    repo.snapshot().unwrap().commit().verify(key).unwrap();
    assert_eq!(facts(repo, FactKind::Account), [Fact::Account(did())]);
    assert_eq!(facts(repo, FactKind::Key), [Fact::Key(key.into())]);
    assert_eq!(facts(repo, FactKind::EndedKey).len(), ended);
    assert_eq!(facts(repo, FactKind::NamedKey), []);
}

/// Returns the same file with its blocks in reverse order.
pub(super) fn reversed(file: &[u8]) -> Vec<u8> {
    let reader = CarReader::new(file).unwrap();
    let roots = reader.roots().to_vec();
    let mut blocks: Vec<_> = reader.map(|block| block.unwrap()).collect();
    blocks.reverse();
    let mut writer = CarWriter::new(Vec::new(), &roots).unwrap();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    writer.finish().unwrap()
}

#[test]
fn account_key_and_commit_are_on_disk_together() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("alice");
    let own = key();
    pds::local::directory::create_with_key(&dir, &did(), &own).unwrap();
    let repo = Repo::open(&dir).unwrap();
    assert_eq!(moves(&repo).len(), 1);
    assert_agree(&repo, &own.public_key());
    put(&repo, "a", "1");
    let (rotated, _) = pds::local::rotation::rotate_key(&dir, Curve::P256).unwrap();
    let new = rotated.public_key().unwrap().unwrap();
    assert_ne!(new, own.public_key());
    assert_agree(&Repo::open(&dir).unwrap(), &new);

    let clone = home.path().join("clone");
    pds::local::directory::clone_file(
        &clone,
        Cursor::new(export(&rotated)),
        Some(&new),
        pds::Jobs::default(),
    )
    .unwrap();
    let mirror = Repo::open(&clone).unwrap();
    assert_eq!(version(&mirror).change, 1, "one change is all that it takes");
    assert_facts(&mirror, &new, 0);
    assert_eq!(mirror.head().unwrap(), rotated.head().unwrap());
}

#[test]
fn of_two_that_begin_at_once_one_account_and_one_key_are_known() {
    let file = {
        let other = in_memory();
        put(&other, "a", "1");
        export(&other)
    };
    type Act<'a> = &'a dyn Fn(&Repo) -> Result<()>;
    let acts: [(&str, Act<'_>); 3] = [
        ("init", &|repo| repo.init(&did()).map(drop)),
        ("import", &|repo| repo.transfer().import_file(Cursor::new(file.clone()), None).map(drop)),
        ("import in any order", &|repo| {
            repo.transfer().import_file(Cursor::new(reversed(&file)), None).map(drop)
        }),
    ];
    for (what, act) in acts {
        let store = Arc::new(Watched::<Before>::default());
        let with = |store: Arc<dyn Store>| Repo::with(store, Arc::new(MemoryBlobs::default()));
        let bob: pds::syntax::Did = "did:web:bob.example.com".parse().unwrap();
        let faster = with(store.store.clone()).signing_with(key()).on(side());
        let (begins, of) = (faster.clone(), bob.clone());
        *store.watch.0.lock().unwrap() = Some(Box::new(move || drop(begins.init(&of).unwrap())));
        let repo = with(store.clone()).signing_with(key());
        let refused = act(&repo).unwrap_err();
        let is_told = matches!(refused, Error::WrongDid { .. } | Error::WrongKey { .. });
        assert!(is_told && store.watch.0.lock().unwrap().is_none(), "{what}: {refused:?}");
        assert_eq!((repo.head().unwrap(), moves(&repo).len()), (None, 1), "{what}");
        assert_eq!(facts(&repo, FactKind::Account), [Fact::Account(bob)], "{what}");
        let known = faster.public_key().unwrap().unwrap();
        assert_eq!(facts(&repo, FactKind::Key), [Fact::Key((&known).into())], "{what}");
    }
}
