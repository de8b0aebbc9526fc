//! The suite for durable stores: acknowledged changes are present when the store is opened again.

use crate::change::Change;
use crate::conformance::log::sample_history;
use crate::conformance::support::{
    Everything, apply, block, cid, cut, edit, everything, has, head, refused, sample_events,
    sample_facts, version, write, write_facts,
};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::{Fate, Sweep};
use pds_core::data::cid::Cid;

/// Checks that a store keeps its whole content when it is closed and opened again.
///
/// `open` opens the store with a name. It creates an empty store on the first call, and opens the
/// same store on later calls. Earlier handles to the store have been dropped by then. The names
/// consist of letters.
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use pds::store::{SqliteStore, conformance};
///
/// let dir = tempfile::tempdir()?;
/// conformance::check_durable(&|name| {
///     let path = dir.path().join(name);
///     let store = if path.exists() { SqliteStore::open(&path) } else { SqliteStore::create(&path) };
///     Box::new(store.expect("the directory can be written"))
/// });
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// If the store breaks a rule of the traits, or loses an acknowledged change. The message names the
/// rule.
pub fn check_durable(open: &dyn Fn(&str) -> Box<dyn Store>) {
    changes_outlive_the_process(&|| open("changes"));
    failed_changes_leave_nothing(&|| open("failures"));
    sweeps_outlive_the_process(&|| open("sweeps"));
    history_outlives_the_process(&|| open("history"));
    single_changes_outlive_the_process(&|| open("steps"));
}

type Open<'a> = &'a dyn Fn() -> Box<dyn Store>;

/// Checks each part of a store against its content before it was closed.
fn assert_kept(store: &dyn Store, before: &Everything) {
    let after = everything(store);
    assert_eq!(after.refs, before.refs, "refs outlive the process");
    assert_eq!(after.log, before.log, "the log outlives the process, with all its columns");
    assert_eq!(after.facts, before.facts, "facts outlive the process");
    assert_eq!(after.version, before.version, "the version outlives the process");
    assert_eq!(after.blocks, before.blocks, "blocks outlive the process, and no others appear");
    for (_, target) in &after.refs {
        let target = store.get(target).expect("a stored block is read");
        assert!(target.is_some(), "the target of a ref outlives the process");
    }
}

/// Closes a store and opens it again.
fn again(open: Open<'_>, store: Box<dyn Store>) -> Box<dyn Store> {
    let before = everything(store.as_ref());
    drop(store);
    let store = open();
    assert_kept(store.as_ref(), &before);
    store
}

fn assert_blocks(store: &dyn Store, mut numbers: impl Iterator<Item = u32>) {
    assert!(numbers.all(|n| has(store, n)), "blocks outlive the process");
}

/// Checks that a store has the content that [`changes_outlive_the_process`] has written first.
fn assert_made(store: &dyn Store) {
    let found = everything(store);
    let expected = [(RefName::head(), cid(14))];
    assert_eq!(found.refs.as_slice(), expected, "refs outlive the process");
    let of_head: Vec<_> = found.log.iter().filter(|row| row.name == RefName::head()).collect();
    let events: Vec<_> = of_head.iter().map(|row| row.event.clone()).collect();
    assert_eq!(events, sample_events(), "the log outlives the process, with all its columns");
    for (row, n) in of_head.into_iter().zip(1..) {
        let moved = (row.before, row.after, row.message.clone());
        let before = (n > 1).then(|| cid(n - 1));
        let expected = (before, Some(cid(n)), format!("message {n}"));
        assert_eq!(moved, expected, "the log outlives the process, with all its columns");
    }
    assert_eq!(found.log.len(), 29, "the log outlives the process, with all its columns");
    assert_eq!(found.facts, sample_facts(), "facts outlive the process");
    assert!(found.version.change > 0, "the version outlives the process");
}

fn changes_outlive_the_process(open: Open<'_>) {
    let store = again(open, open());
    assert_eq!(everything(store.as_ref()).log, [], "a new store is empty");
    for (n, event) in (1..).zip(sample_events()) {
        let edits = [head(n), edit("phone/offline", Some(cid(n)), Expect::Any)];
        let change = Change::new(event).blocks([1, 2, n].map(|n| Ok(block(n)))).edits(edits);
        apply(store.as_ref(), change.message(format!("message {n}")));
    }
    apply(store.as_ref(), write_facts(sample_facts().into_iter().map(FactEdit::Set)));
    apply(store.as_ref(), write([], [edit("phone/offline", None, Expect::Present)]));
    let seen = version(store.as_ref());
    assert_made(store.as_ref());
    let store = again(open, store);
    assert_made(store.as_ref());
    assert_blocks(store.as_ref(), 1..=14);
    let next =
        apply(store.as_ref(), write(100..12_000, [head(100)]).unless_changed_since(seen)).version;
    assert!(next.change > seen.change, "versions go on growing after the process has ended");
    let store = again(open, store);
    assert_blocks(store.as_ref(), (1..=14).chain(100..12_000));
    let error = refused(
        store.as_ref(),
        write([50], [head(50)]).unless_changed_since(seen),
        "a version that was seen before the process ended is compared",
    );
    assert!(
        matches!(error, StoreError::Changed),
        "a version that was seen before the process ended is compared: {error:?}"
    );
    let facts = [FactEdit::Clear(FactKind::Loss), FactEdit::Set(Fact::Loss(cid(8)))];
    apply(store.as_ref(), write_facts(facts));
    drop(again(open, store));
}

fn failed_changes_leave_nothing(open: Open<'_>) {
    let store = open();
    let fact = || FactEdit::Set(Fact::Erasing);
    let stream = || (0..3_000).map(|n| Ok(block(n)));
    refused(
        store.as_ref(),
        write([], [head(0)]).blocks(stream().chain([cut()])).fact(fact()),
        "a change fails with its stream",
    );
    let store = again(open, store);
    assert!(
        everything(store.as_ref()).facts.is_empty(),
        "a failed change leaves nothing after the process has ended"
    );
    apply(store.as_ref(), write([5_000], [head(5_000)]));
    let wrong = edit("HEAD", Some(cid(0)), Expect::Absent);
    refused(
        store.as_ref(),
        write([], [wrong]).blocks(stream()).fact(fact()),
        "an expectation that does not hold refuses the change",
    );
    let rows = [Ok(sample_history()[0].clone()), cut()];
    refused(
        store.as_ref(),
        write([], [head(0)]).blocks(stream()).history(rows),
        "a change fails with its history",
    );
    let store = again(open, store);
    assert!(
        (0..3_000).all(|n| !has(store.as_ref(), n)),
        "a failed change leaves no block after the process has ended"
    );
    assert_blocks(store.as_ref(), 5_000..5_001);
}

fn sweeps_outlive_the_process(open: Open<'_>) {
    let store = open();
    for n in 0..20 {
        apply(store.as_ref(), write([n, n + 100], [head(n)]));
    }
    let seen = version(store.as_ref());
    let store = again(open, store);
    let live = |found: &Cid| (10..20).any(|n| *found == cid(n));
    let mut fate = |row: &LogEntry| match row.after.is_some_and(|after| live(&after)) {
        true => Fate::Stays,
        false => Fate::Goes,
    };
    let sweep = Sweep::new(seen, &live).log(&mut fate).facts(vec![FactEdit::Set(Fact::Erasing)]);
    let swept =
        store.collect(sweep).expect("a sweep may use a version from before the process ended");
    let store = again(open, store);
    assert_eq!(
        version(store.as_ref()),
        swept.version,
        "the number of a sweep outlives the process"
    );
    assert!(
        (100..120).chain(0..10).all(|n| !has(store.as_ref(), n)),
        "a swept block stays deleted"
    );
    assert_blocks(store.as_ref(), 10..20);
    let error = refused(
        store.as_ref(),
        write([1], [head(1)]).unless_swept_since(seen),
        "a sweep is detected after the process has ended",
    );
    assert!(
        matches!(error, StoreError::Changed),
        "a sweep is detected after the process has ended: {error:?}"
    );
    // Even with no row left, the number of the next change grows.
    apply(store.as_ref(), write([], [edit("HEAD", None, Expect::Present)]));
    let seen = version(store.as_ref());
    let mut fate = |_: &LogEntry| Fate::Goes;
    let swept = store.collect(Sweep::new(seen, &|_| false).log(&mut fate)).expect("a sweep of all");
    let store = again(open, store);
    let next = apply(store.as_ref(), write([1], [head(1)])).version;
    assert!(
        next.change > swept.version.change,
        "versions go on growing after all rows were dropped"
    );
    drop(again(open, store));
}

fn history_outlives_the_process(open: Open<'_>) {
    let store = open();
    let change = write([1, 2], [edit("copy", Some(cid(2)), Expect::Absent)]);
    apply(store.as_ref(), change.history(sample_history().into_iter().map(Ok)));
    let store = again(open, store);
    let log = everything(store.as_ref()).log;
    assert_eq!(
        log[..5],
        sample_history(),
        "copied rows outlive the process, with their numbers and times"
    );
    let next = apply(store.as_ref(), write([3], [head(3)])).version;
    assert!(next.change > log[5].seq, "versions go on growing after the history");
    drop(again(open, store));
}

/// Opens the store for each change, as a command-line tool does.
fn single_changes_outlive_the_process(open: Open<'_>) {
    let mut last = 0;
    for n in 0..15_u32 {
        let store = open();
        let expect = n.checked_sub(1).map_or(Expect::Absent, |before| Expect::Exactly(cid(before)));
        let applied = apply(store.as_ref(), write([n], [edit("HEAD", Some(cid(n)), expect)]));
        assert!(applied.version.change > last, "versions go on growing from process to process");
        last = applied.version.change;
    }
    let store = open();
    crate::conformance::support::assert_chain(store.as_ref());
    let after = everything(store.as_ref());
    assert_eq!(after.log.len(), 15, "the log outlives the process, row by row");
    assert_eq!(after.refs.get(&RefName::head()), Some(cid(14)), "refs outlive the process");
    assert_blocks(store.as_ref(), 0..15);
}
