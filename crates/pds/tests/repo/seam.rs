//! The guarantees of a store to a repository: messages are text, facts belong to commits, keys have periods, damage can
//! be repaired, and readers do not report a sweep as damage.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarReader, CarWriter};
use pds::crypto::{Curve, PublicKey, Signer, SigningKey};
use pds::data::Cid;
use pds::local::layout::STORE_FILE;
use pds::mst::{Step, walk};
use pds::retain::forget::Forget;
use pds::retain::gc::Keep;
use pds::store::{Event, Expect, Fact, FactKind, RefName, SqliteStore, Store, StoreError};
use pds::verify::car::verify_car;
use pds::{Error, Repo, Result, Write, WriteOptions};
use pds::{Expected, Finding, Severity, SignatureState};

use super::watched::{Watch, Watched, each_store, handles_on};
use super::{block_count, did, facts, in_memory, moves, note, path, refs, version};

fn key() -> SigningKey {
    SigningKey::generate(Curve::K256).unwrap()
}

fn side() -> RefName {
    "side".parse().unwrap()
}

fn put(repo: &Repo, rkey: &str, text: &str) -> Cid {
    repo.put(&path(&format!("com.example.note/{rkey}")), &note(text)).unwrap().commit.cid()
}

fn export(repo: &Repo) -> Vec<u8> {
    let mut file = Vec::new();
    repo.transfer().export(&repo.head().unwrap().unwrap().into(), &mut file).unwrap();
    file
}

/// Checks that no commit has a finding.
fn assert_whole(repo: &Repo) {
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
fn reversed(file: &[u8]) -> Vec<u8> {
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

/// A store in which another handle acts once, right before a change.
#[derive(Default)]
struct Before(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Watch for Before {
    fn apply(&self, _: &Arc<dyn Store>) -> Result<(), StoreError> {
        let act = self.0.lock().unwrap().take();
        act.map_or(Ok(()), |act| {
            act();
            Ok(())
        })
    }
}

#[test]
fn a_commit_during_a_rotation_is_by_the_key_of_its_time_or_not_stored() {
    type Act = fn(&Repo) -> Result<()>;
    let acts: [(&str, Act); 6] = [
        ("put", |repo| repo.put(&path("com.example.note/b"), &note("b")).map(drop)),
        ("delete", |repo| repo.delete(&path("com.example.note/a")).map(drop)),
        ("merge", |repo| {
            repo.merge().revision(&RefName::head().into(), &Default::default()).map(drop)
        }),
        ("revert", |repo| repo.merge().revert(repo.head()?.unwrap()).map(drop)),
        ("init", |repo| repo.on("new".parse().unwrap()).init(&did()).map(drop)),
        ("set", |repo| {
            repo.history().set_ref(
                &side(),
                repo.history().resolve(&"HEAD~1".parse().unwrap())?,
                Expect::Any,
                "",
            )
        }),
    ];
    for (n, (what, act)) in acts.into_iter().chain(acts).enumerate() {
        // The first round uses a store in memory, and the second one a file.
        let (_dir, stores) = each_store();
        let (store, repo, other) = handles_on::<Before>(stores[n / acts.len()].clone());
        put(&other, "a", "1");
        other
            .history()
            .set_ref(&side(), other.head().unwrap().unwrap(), Expect::Absent, "")
            .unwrap();
        put(&other.on(side()), "b", "on the side");
        put(&other, "c", "here");
        let on_side = repo.on(side());
        // This handle has the nodes of its writes in its cache.
        put(&on_side, "d", "again");
        let (next, rotating) = (key(), other.clone());
        let new = next.clone();
        *store.watch.0.lock().unwrap() = Some(Box::new(move || {
            super::rotate(&rotating, new).unwrap();
        }));
        let done = act(&on_side);
        assert!(store.watch.0.lock().unwrap().is_none(), "{what}: the key has changed");
        match done {
            Err(Error::WrongKey { .. }) => assert_ne!(what, "set"),
            done => assert!(done.is_ok() && what == "set", "{what}: {done:?}"),
        }
        let owner = other.signing_with(next);
        assert_whole(&owner);
        put(&owner.on(side()), "e", "with the new key");
        assert_whole(&owner);
    }
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

#[test]
fn a_draft_from_before_a_rotation_is_void() {
    let repo = in_memory();
    let old = key();
    let (repo, _) = super::rotate(&repo, old.clone()).unwrap();
    put(&repo, "a", "1");
    repo.history().set_ref(&side(), repo.head().unwrap().unwrap(), Expect::Absent, "").unwrap();
    let on_side = repo.on(side());
    let draft = on_side.draft(&[Write::put(path("com.example.note/b"), note("b"))]).unwrap();
    let next = key();
    let (rotated, _) = super::rotate(&repo, next.clone()).unwrap();
    let bytes = draft.commit().signing_bytes();
    let before = (refs(&repo), moves(&repo));
    let by_old = on_side.commit(draft.clone(), old.sign(&bytes).unwrap()).unwrap_err();
    assert!(matches!(by_old, Error::Crypto(_)), "{by_old}");
    let by_new = on_side.commit(draft, next.sign(&bytes).unwrap()).unwrap_err();
    assert!(by_new.is_conflict(), "{by_new}");
    assert_eq!((refs(&repo), moves(&repo)), before);
    assert_whole(&rotated);
    // A new draft can be committed, even after other changes.
    let on_side = rotated.on(side());
    let draft = on_side.draft(&[Write::put(path("com.example.note/b"), note("b"))]).unwrap();
    put(&rotated, "c", "elsewhere");
    let keep = Keep::default().states(NonZeroUsize::new(1));
    rotated.retain().gc(&keep, &mut |_| {}).unwrap();
    let signature = next.sign(&draft.commit().signing_bytes()).unwrap();
    let commit = on_side.commit(draft, signature).unwrap();
    assert_eq!(on_side.head().unwrap(), Some(commit.cid()));
    assert_whole(&rotated);
}

#[test]
fn puts_on_one_ref_and_rotations_on_another_leave_no_invalid_commit() {
    let (_dir, stores) = each_store();
    for store in stores {
        let first = key();
        let open = |key: &SigningKey| {
            Repo::with(store.clone(), Arc::new(MemoryBlobs::default())).signing_with(key.clone())
        };
        let owner = open(&first);
        owner.init(&did()).unwrap();
        owner
            .history()
            .set_ref(&side(), owner.head().unwrap().unwrap(), Expect::Absent, "")
            .unwrap();
        let present = Mutex::new(first);
        let (barrier, rotations) = (Barrier::new(2), 8);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                barrier.wait();
                let (mut written, started) = (0, Instant::now());
                let mut key = present.lock().unwrap().clone();
                let mut repo = open(&key).on(side());
                for n in 0.. {
                    match repo.put(&path("com.example.note/a"), &note(&n.to_string())) {
                        Ok(_) => written += 1,
                        Err(Error::WrongKey { .. }) => {
                            key = present.lock().unwrap().clone();
                            repo = open(&key).on(side());
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                    if started.elapsed() > Duration::from_millis(400) {
                        break;
                    }
                }
                written
            });
            let mut repo = owner.clone();
            barrier.wait();
            for _ in 0..rotations {
                let next = key();
                repo = super::rotate(&repo, next.clone()).unwrap().0;
                *present.lock().unwrap() = next;
                std::thread::sleep(Duration::from_millis(30));
            }
            writer.join().unwrap()
        });
        assert!(written > 2, "{written}");
        let repo = open(&present.lock().unwrap());
        assert_eq!(facts(&repo, FactKind::EndedKey).len(), rotations);
        assert_whole(&repo);
    }
}

/// The block of a store that is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Harm {
    Record,
    Root,
    Leaf,
    Commit,
}

const HARMS: [Harm; 4] = [Harm::Record, Harm::Root, Harm::Leaf, Harm::Commit];

/// A repository in a directory with enough records for several nodes.
fn on_disk(dir: &Path) -> Repo {
    let repo = Repo::create(dir, &did()).unwrap();
    let writes: Vec<Write> = (0..60)
        .map(|n| Write::put(path(&format!("com.example.note/n{n}")), note(&n.to_string())))
        .collect();
    repo.write(&writes).unwrap();
    repo
}

/// Damages a block on the path to a record by SQL, as a failing disk does, and returns its CID.
fn damage(dir: &Path, repo: &Repo, at: &str, harm: Harm) -> Cid {
    let snapshot = repo.snapshot().unwrap();
    let commit = snapshot.commit();
    let cid = match harm {
        Harm::Record => snapshot.find_cid(&path(at)).unwrap().unwrap(),
        Harm::Root => commit.data(),
        Harm::Commit => commit.cid(),
        Harm::Leaf => {
            let holds = |step: Step| match step {
                Step::Node { block, node } => {
                    let has = node.entries().any(|entry| entry.key == at.as_bytes());
                    has.then(|| block.cid())
                }
                Step::Entry { .. } => None,
            };
            let mut steps = walk(snapshot.blocks(), commit.data());
            steps.find_map(|step| holds(step.unwrap())).unwrap()
        }
    };
    let sql = rusqlite::Connection::open(dir.join(STORE_FILE)).unwrap();
    let name = cid.as_bytes().as_slice();
    let done =
        sql.execute("UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE cid = ?1", [name]);
    assert_eq!(done.unwrap(), 1);
    cid
}

#[test]
fn a_put_of_the_same_record_repairs_it_or_changes_nothing() {
    // The damaged store is used by a handle with the nodes in its cache, and by one that was opened later.
    for (is_known, harm) in HARMS.into_iter().flat_map(|harm| [(false, harm), (true, harm)]) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = on_disk(&dir);
        let at = "com.example.note/n7";
        let head = repo.head().unwrap();
        assert!(repo.find(&path(at)).unwrap().is_some());
        let what = format!("{harm:?} {is_known}");
        let cid = damage(&dir, &repo, at, harm);
        let repo = if is_known { repo } else { Repo::open(&dir).unwrap() };
        match repo.put(&path(at), &note("7")) {
            Ok(written) => {
                assert_eq!(Some(written.commit.cid()), head, "{what}: nothing has changed");
                assert!(repo.store().get(&cid).unwrap().is_some(), "{what}");
                // A handle with an empty cache can read the result.
                let afresh = Repo::open(&dir).unwrap();
                let found = afresh.find(&path(at)).unwrap().unwrap();
                assert_eq!(found.value().unwrap().get("text"), note("7").get("text"), "{what}");
                afresh
                    .verify()
                    .present(&Expected::default(), &mut |f| panic!("{what}: {f}"))
                    .unwrap();
            }
            Err(error) => {
                assert!(error.is_corrupt(), "{what}: {error:?}");
                // The write would repair a damaged record, and the cache a damaged commit.
                assert!(harm != Harm::Record && (harm != Harm::Commit || !is_known), "{what}");
                assert!(repo.store().get(&cid).is_err(), "{what}");
            }
        }
        assert_eq!(repo.history().log(9).unwrap().len(), 2, "{what}");
        // A write of another record repairs nothing, and does not report this record as unchanged.
        if harm == Harm::Record {
            let again = damage(&dir, &repo, at, harm);
            repo.put(&path("com.example.note/n8"), &note("8")).unwrap();
            assert!(repo.store().get(&again).is_err(), "{what}");
            repo.put(&path("com.example.note/other"), &note("7")).unwrap();
            assert!(
                repo.store().get(&again).unwrap().is_some(),
                "{what}: the same block came again"
            );
        }
    }
}

#[test]
fn the_import_of_a_good_file_heals_a_damaged_store() {
    for (is_indexed, harm) in HARMS.into_iter().flat_map(|harm| [(false, harm), (true, harm)]) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = on_disk(&dir);
        let file = export(&repo);
        let key = repo.public_key().unwrap();
        let (head, what) = (repo.head().unwrap(), format!("{harm:?} {is_indexed}"));
        let cid = damage(&dir, &repo, "com.example.note/n7", harm);
        let repo = Repo::open(&dir).unwrap();
        assert!(repo.store().get(&cid).is_err(), "{what}");
        let file = Cursor::new(file);
        let imported = match is_indexed {
            true => repo.transfer().import(&CarFile::open(file).unwrap(), key.as_ref()),
            false => repo.transfer().import_file(file, key.as_ref()),
        };
        let imported = imported.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(imported.new_blocks, 1, "{what}");
        assert_eq!(repo.head().unwrap(), head, "{what}");
        assert!(repo.store().get(&cid).unwrap().is_some(), "{what}");
        for repo in [&repo, &Repo::open(&dir).unwrap()] {
            repo.verify().present(&Expected::default(), &mut |f| panic!("{what}: {f}")).unwrap();
            assert_whole(repo);
        }
        let check = SqliteStore::check_file(&dir.join(STORE_FILE)).unwrap();
        assert_eq!(check, Vec::<String>::new(), "{what}");
    }
}

/// Returns whether a reader next to a sweep got a result. The only permitted error is that the state was swept.
fn is_fine<T>(what: &str, read: Result<T>) -> bool {
    match read {
        Ok(_) => true,
        Err(error) => {
            let is_gone = error.is_not_found() && matches!(error, Error::Revision { .. });
            assert!(!error.is_corrupt(), "{what}: {error:?}");
            assert!(error.is_busy() || is_gone, "{what}: {error:?}");
            false
        }
    }
}

#[test]
fn readers_next_to_gc_and_forget_never_see_damage() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("alice");
    let in_files = on_disk(&dir);
    // The readers use the handle that sweeps, or separate handles, as other processes do.
    for (repo, is_own) in [(in_memory(), false), (in_files.clone(), false), (in_files, true)] {
        let is_over = AtomicBool::new(false);
        let collection: pds::syntax::Nsid = "com.example.note".parse().unwrap();
        type Read<'a> = (&'a str, Box<dyn Fn(&Repo) -> bool + Send + Sync + 'a>);
        let reads: [Read<'_>; 7] = [
            ("find", Box::new(|repo| is_fine("find", repo.find(&path("com.example.note/n1"))))),
            ("list", Box::new(|repo| is_fine("list", repo.list(&collection)))),
            (
                "record history",
                Box::new(|repo| {
                    let versions = repo.history().record_history(&path("com.example.note/n1"));
                    is_fine("record history", versions.and_then(|v| v.collect::<Result<Vec<_>>>()))
                }),
            ),
            (
                "verify",
                Box::new(|repo| {
                    let mut found = |finding: Finding| panic!("verify: {finding}");
                    is_fine("verify", repo.verify().present(&Expected::default(), &mut found))
                }),
            ),
            (
                "verify history",
                Box::new(|repo| {
                    let mut found = |finding: Finding| {
                        assert_eq!(finding.severity(), Severity::Note, "verify history: {finding}");
                    };
                    is_fine("history", repo.verify().history(&Expected::default(), &mut found))
                }),
            ),
            (
                "export",
                Box::new(|repo| {
                    let mut file = Vec::new();
                    let exported = repo.transfer().export(&Default::default(), &mut file);
                    if exported.is_ok() {
                        let mut found = |finding: Finding| panic!("export: {finding}");
                        verify_car(Cursor::new(&file), &Expected::default(), &mut found).unwrap();
                    }
                    is_fine("export", exported)
                }),
            ),
            (
                "snapshot of the past",
                Box::new(|repo| {
                    let past = repo.checkout(&"HEAD~2".parse().unwrap());
                    is_fine("past", past.and_then(|at| at.records().collect::<Result<Vec<_>>>()))
                }),
            ),
        ];
        let answered: Vec<AtomicUsize> = reads.iter().map(|_| AtomicUsize::new(0)).collect();
        let (mut rounds, started) = (0, Instant::now());
        std::thread::scope(|scope| {
            for ((_, read), answered) in reads.iter().zip(&answered) {
                let repo = if is_own { Repo::open(&dir).unwrap() } else { repo.clone() };
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let is_answer = read(&repo);
                        answered.fetch_add(usize::from(is_answer), Ordering::Relaxed);
                    }
                });
            }
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // There is only one writer, so none of its steps fails.
                while started.elapsed() < Duration::from_millis(1_200) || rounds < 6 {
                    for n in 0..4 {
                        put(&repo, &format!("n{n}"), &format!("{rounds}"));
                    }
                    if rounds % 3 == 2 {
                        let secret = Forget::Records(vec![path("com.example.note/n2")]);
                        repo.retain().forget(&secret, &mut |_| {}).unwrap();
                    } else {
                        let keep = Keep::default().states(NonZeroUsize::new(1));
                        repo.retain().gc(&keep, &mut |_| {}).unwrap();
                    }
                    rounds += 1;
                }
            }));
            is_over.store(true, Ordering::Relaxed);
            done.unwrap();
        });
        for ((what, _), answered) in reads.iter().zip(answered) {
            let answered = answered.into_inner();
            eprintln!("{what}: {answered} answers next to {rounds} sweeps");
            assert!(answered > 0 || *what == "snapshot of the past", "{what}: never an answer");
        }
        repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
        assert_whole(&repo);
    }
}
