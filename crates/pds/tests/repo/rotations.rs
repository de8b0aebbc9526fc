//! Commits next to rotations of the key.

use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use pds::blob::MemoryBlobs;
use pds::crypto::{Signer, SigningKey};
use pds::retain::gc::Keep;
use pds::store::{Expect, FactKind, RefName, Store, StoreError};
use pds::{Error, Repo, Result, Write};

use super::seam::{assert_whole, key, put, side};
use super::watched::{Watch, each_store, handles_on};
use super::{did, facts, in_memory, moves, note, path, refs};

/// A store in which another handle acts once, right before a change.
#[derive(Default)]
pub(super) struct Before(pub(super) Mutex<Option<Box<dyn FnOnce() + Send>>>);

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
