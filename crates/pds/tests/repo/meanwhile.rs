//! Long operations that are interrupted by other writers and by failures.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use pds::Expected;
use pds::crypto::{Curve, SigningKey};
use pds::retain::forget::Forget;
use pds::retain::gc::Keep;
use pds::store::{Event, Expect, MemoryStore, RefName, Store, StoreError};
use pds::{Error, Repo};

use super::watched::{self, Watch, Watched, each_store};
use super::{block_count, moves, note, path, refs, version};

/// A store in which an action runs once, at a moment that a test chooses.
#[derive(Default)]
struct Meanwhile {
    after_log: Mutex<Option<Act>>,
    before_collect: Mutex<Option<Act>>,
}

type Act = Box<dyn FnOnce() -> Result<(), StoreError> + Send>;

impl Watch for Meanwhile {
    fn log(&self) {
        let act = self.after_log.lock().unwrap().take();
        act.map_or(Ok(()), |act| act()).unwrap();
    }

    fn collect(&self) -> Result<(), StoreError> {
        let act = self.before_collect.lock().unwrap().take();
        act.map_or(Ok(()), |act| act())
    }
}

/// Returns a repository with some commits, and another handle to it.
fn handles() -> (Arc<Watched<Meanwhile>>, Repo, Repo) {
    handles_on(Arc::new(MemoryStore::default()))
}

fn handles_on(store: Arc<dyn Store>) -> (Arc<Watched<Meanwhile>>, Repo, Repo) {
    let (store, repo, other) = watched::handles_on::<Meanwhile>(store);
    for n in 0..6 {
        other.put(&path(&format!("com.example.note/n{n}")), &note("x")).unwrap();
    }
    (store, repo, other)
}

fn assert_history_is_sound(repo: &Repo) {
    let mut told = Vec::new();
    let report =
        repo.verify().history(&Expected::default(), &mut |found| told.push(found)).unwrap();
    assert!(report.is_ok(), "{told:?}");
}

#[test]
fn a_key_that_changes_while_the_history_is_checked_is_no_finding() {
    let (store, repo, other) = handles();
    let next = SigningKey::generate(Curve::P256).unwrap();
    let new = next.public_key();
    let rotate = move || {
        super::rotate(&other, next).unwrap();
        Ok(())
    };
    *store.watch.after_log.lock().unwrap() = Some(Box::new(rotate));
    assert_history_is_sound(&repo);
    assert!(store.watch.after_log.lock().unwrap().is_none(), "it has changed");
    assert_eq!(repo.public_key().unwrap(), Some(new));
    assert_history_is_sound(&repo);
}

/// A store that is written to after each read of the log.
#[derive(Default)]
struct NeverQuiet(Mutex<Option<Repo>>);

impl Watch for NeverQuiet {
    fn log(&self) {
        let other = self.0.lock().unwrap();
        let write = |repo: &Repo| {
            repo.put(
                &path("com.example.note/x"),
                &note(&repo.history().next_tid().unwrap().to_string()),
            )
        };
        other.as_ref().map(write).transpose().unwrap();
    }
}

#[test]
fn the_history_is_checked_also_where_somebody_never_stops_writing() {
    let (store, repo, other) = watched::handles::<NeverQuiet>();
    *store.watch.0.lock().unwrap() = Some(other.clone());
    assert_history_is_sound(&repo);
    assert!(other.history().log(9).unwrap().len() > 1, "another handle has written");
}

#[test]
fn states_that_were_to_stay_leave_when_somebody_writes_while_gc_looks() {
    let (store, repo, other) = handles();
    let keep = Keep::default().states(NonZeroUsize::new(2));
    let written = other.clone();
    let write = move || {
        for n in 0..4 {
            written.put(&path(&format!("com.example.note/m{n}")), &note("x")).unwrap();
        }
        Ok(())
    };
    *store.watch.before_collect.lock().unwrap() = Some(Box::new(write));
    let swept = repo.retain().gc(&keep, &mut |_| {}).unwrap();
    assert!(swept.moves > 0 && store.watch.before_collect.lock().unwrap().is_none());
    assert_history_is_sound(&repo);
    let again = other.retain().gc(&keep, &mut |_| {}).unwrap();
    assert_eq!((again.states, again.blocks), (0, 0), "nothing was left over");
}

#[test]
fn a_forgetting_is_one_step_and_where_it_fails_nothing_has_happened() {
    let (_dir, stores) = each_store();
    stores.into_iter().for_each(forgets_in_one_step);
}

fn forgets_in_one_step(store: Arc<dyn Store>) {
    let (store, repo, other) = handles_on(store);
    let side: RefName = "side".parse().unwrap();
    other
        .history()
        .set_ref(&side, other.head().unwrap().unwrap(), Expect::Absent, "branch")
        .unwrap();
    let secret = path("com.example.note/n3");
    let forget = Forget::Records(vec![secret.clone()]);
    let before = (refs(&other), moves(&other), block_count(&other), version(&other));
    let full = || Err(StoreError::Full("no room".into()));
    *store.watch.before_collect.lock().unwrap() = Some(Box::new(full));
    let refused = repo.retain().forget(&forget, &mut |_| {});
    assert!(matches!(refused, Err(Error::Store(StoreError::Full(_)))), "{refused:?}");
    assert!(store.watch.before_collect.lock().unwrap().is_none(), "it was the sweep that failed");
    let after = (refs(&other), moves(&other), block_count(&other), version(&other));
    assert_eq!(after, before, "no ref has a commit, no block is new");
    assert!(other.find(&secret).unwrap().is_some() && !other.retain().is_erasing().unwrap());

    // One sweep adds the commits of both refs and deletes the states.
    let watching = other.clone();
    *store.watch.before_collect.lock().unwrap() = Some(Box::new(move || {
        assert!(watching.find(&path("com.example.note/n3")).unwrap().is_some());
        Ok(())
    }));
    let forgotten = repo.retain().forget(&forget, &mut |_| {}).unwrap();
    assert!(store.watch.before_collect.lock().unwrap().is_none());
    let names: Vec<&RefName> = forgotten.written.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&RefName::head(), &side]);
    assert!(forgotten.swept.states > 0);
    for (name, commit) in &forgotten.written {
        let on = other.on(name.clone());
        assert_eq!(on.head().unwrap(), Some(*commit));
        assert_eq!(on.history().log(1).unwrap()[0].event, Event::Forget);
        assert!(on.find(&secret).unwrap().is_none());
    }
    // Nothing is left to be written or swept.
    let again = repo.retain().forget(&forget, &mut |_| {}).unwrap();
    assert!(again.written.is_empty() && again.swept.states == 0);
    assert_history_is_sound(&repo);
}

/// Another process that writes a record before every sweep.
#[derive(Default)]
struct WritesBeforeSweeps {
    writer: OnceLock<Repo>,
    writes: AtomicU64,
}

impl Watch for WritesBeforeSweeps {
    fn collect(&self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.get() else { return Ok(()) };
        let n = self.writes.fetch_add(1, Ordering::Relaxed);
        writer.put(&path(&format!("com.example.meanwhile/{n:03}")), &note("meanwhile")).unwrap();
        Ok(())
    }
}

#[test]
fn a_collection_ends_next_to_a_writer_that_is_always_faster() {
    let keep = Keep::default().states(NonZeroUsize::new(2));
    let before = Forget::BeforeState("HEAD".parse().unwrap());
    let collections: [&dyn Fn(&Repo); 4] = [
        &|repo| assert_eq!(repo.retain().gc(&Keep::default(), &mut |_| {}).unwrap().states, 0),
        &|repo| assert_eq!(repo.retain().gc(&keep, &mut |_| {}).unwrap().states, 11),
        &|repo| assert_eq!(repo.retain().plan_gc(&keep, &mut |_| {}).unwrap().swept.states, 11),
        &|repo| assert_eq!(repo.retain().forget(&before, &mut |_| {}).unwrap().swept.states, 10),
    ];
    for collect in collections {
        let (_dir, stores) = each_store();
        for store in stores {
            let (watched, repo, other) = watched::handles_on::<WritesBeforeSweeps>(store);
            for n in 0..10 {
                other.put(&path("com.example.note/a"), &note(&n.to_string())).unwrap();
            }
            assert!(watched.watch.writer.set(other.clone()).is_ok());
            collect(&repo);
            let writes = watched.watch.writes.load(Ordering::Relaxed);
            assert!((1..10).contains(&writes), "{writes} writes");
            for n in 0..writes {
                let record = path(&format!("com.example.meanwhile/{n:03}"));
                assert!(repo.find(&record).unwrap().is_some(), "{record}");
            }
            assert_history_is_sound(&repo);
        }
    }
}
