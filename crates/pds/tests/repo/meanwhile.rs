//! What others do, and what fails, in the middle of something long.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use pds::crypto::{Curve, SigningKey};
use pds::repo::verify::Expected;
use pds::repo::{Error, Forget, Keep, Repo};
use pds::store::{Expect, RefName, StoreError};

use super::watched::{self, Watch, Watched};
use super::{note, path};

/// A store in which something happens once, at a moment that a test chooses.
#[derive(Default)]
struct Meanwhile {
    after_moves: Mutex<Option<Act>>,
    before_sweep: Mutex<Option<Act>>,
}

type Act = Box<dyn FnOnce() -> Result<(), StoreError> + Send>;

impl Watch for Meanwhile {
    fn moves(&self) {
        let act = self.after_moves.lock().unwrap().take();
        act.map_or(Ok(()), |act| act()).unwrap();
    }

    fn sweep(&self) -> Result<(), StoreError> {
        let act = self.before_sweep.lock().unwrap().take();
        act.map_or(Ok(()), |act| act())
    }
}

/// A repository with some commits, and another handle on it.
fn handles() -> (Arc<Watched<Meanwhile>>, Repo, Repo) {
    let (store, repo, other) = watched::handles::<Meanwhile>();
    for n in 0..6 {
        other.put(&path(&format!("com.example.note/n{n}")), &note("x")).unwrap();
    }
    (store, repo, other)
}

fn assert_history_is_sound(repo: &Repo) {
    let mut told = Vec::new();
    let report = repo.verify_history(&Expected::default(), &mut |found| told.push(found)).unwrap();
    assert!(report.is_ok(), "{told:?}");
}

#[test]
fn a_key_that_changes_while_the_history_is_checked_is_no_finding() {
    let (store, repo, other) = handles();
    let next = SigningKey::generate(Curve::P256).unwrap();
    let new = next.public_key();
    let rotate = move || {
        other.rotate_key(next).unwrap();
        Ok(())
    };
    *store.watch.after_moves.lock().unwrap() = Some(Box::new(rotate));
    assert_history_is_sound(&repo);
    assert!(store.watch.after_moves.lock().unwrap().is_none(), "it has changed");
    assert_eq!(repo.public_key().unwrap(), Some(new));
    assert_history_is_sound(&repo);
}

/// A store that somebody writes to each time the log has been read.
#[derive(Default)]
struct NeverQuiet(Mutex<Option<Repo>>);

impl Watch for NeverQuiet {
    fn moves(&self) {
        let other = self.0.lock().unwrap();
        let write = |repo: &Repo| {
            repo.put(&path("com.example.note/x"), &note(&repo.next_tid().unwrap().to_string()))
        };
        other.as_ref().map(write).transpose().unwrap();
    }
}

#[test]
fn the_history_is_checked_also_where_somebody_never_stops_writing() {
    let (store, repo, other) = watched::handles::<NeverQuiet>();
    *store.watch.0.lock().unwrap() = Some(other.clone());
    assert_history_is_sound(&repo);
    assert!(other.log(9).unwrap().len() > 1, "somebody has written");
}

#[test]
fn states_that_were_to_stay_leave_when_somebody_writes_while_gc_looks() {
    let (store, repo, other) = handles();
    let keep = Keep { states: NonZeroUsize::new(2), ..Keep::default() };
    let written = other.clone();
    let write = move || {
        for n in 0..4 {
            written.put(&path(&format!("com.example.note/m{n}")), &note("x")).unwrap();
        }
        Ok(())
    };
    *store.watch.before_sweep.lock().unwrap() = Some(Box::new(write));
    let swept = repo.gc(&keep, &mut |_| {}).unwrap();
    assert!(swept.moves > 0 && store.watch.before_sweep.lock().unwrap().is_none());
    assert_history_is_sound(&repo);
    let again = other.gc(&keep, &mut |_| {}).unwrap();
    assert_eq!((again.states, again.blocks), (0, 0), "nothing was left over");
}

#[test]
fn where_forgetting_stops_half_way_it_says_what_is_deleted_and_goes_on_next_time() {
    let (store, repo, other) = handles();
    let side = "side".parse().unwrap();
    other.set_ref(&side, other.head().unwrap().unwrap(), Expect::Absent, "branch").unwrap();
    let full = || Err(StoreError::Full("no room".into()));
    let secret = path("com.example.note/n3");
    let forget = Forget::Records(vec![secret.clone()]);
    // The first sweep is the look before.
    let again = store.clone();
    *store.watch.before_sweep.lock().unwrap() = Some(Box::new(move || {
        *again.watch.before_sweep.lock().unwrap() = Some(Box::new(full));
        Ok(())
    }));
    match repo.forget(&forget, &mut |_| {}) {
        Err(Error::NotForgottenYet { refs, source }) => {
            assert_eq!(refs, [RefName::head(), side]);
            assert!(matches!(*source, Error::Store(StoreError::Full(_))), "{source}");
        }
        other => panic!("{other:?}"),
    }
    assert!(other.find(&secret).unwrap().is_none(), "it is deleted");
    let before = other.checkout(&"@{1}".parse().unwrap()).unwrap();
    assert!(before.find(&secret).unwrap().is_some(), "and not forgotten");
    // Where the look before fails, nothing has happened.
    let other_secret = path("com.example.note/n4");
    let head = other.head().unwrap();
    *store.watch.before_sweep.lock().unwrap() = Some(Box::new(full));
    let refused = repo.forget(&Forget::Records(vec![other_secret]), &mut |_| {});
    assert!(matches!(refused, Err(Error::Store(StoreError::Full(_)))));
    assert_eq!(other.head().unwrap(), head);
    let forgotten = repo.forget(&forget, &mut |_| {}).unwrap();
    assert!(forgotten.written.is_empty() && forgotten.swept.states > 0);
    assert_history_is_sound(&repo);
}
