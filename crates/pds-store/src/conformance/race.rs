//! Checks of concurrent writers: of those with the same expectation one wins, and the others change
//! nothing.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use crate::change::Applied;
use crate::conformance::support::{
    Check, apply, assert_chain, cid, edit, everything, has, head, refused, version, write,
    write_facts,
};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit};
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::Sweep;
use crate::version::Version;

pub(crate) const CHECKS: &[Check] = &[
    ("of two writers that expect the same, one wins", two_writers_race),
    ("of eight writers that expect the same, one wins", eight_writers_race),
    ("of writers that have seen the same change, one wins", writers_race_by_version),
    ("writers that expect nothing all win", writers_without_expectations_all_win),
    (
        "a change is compared with what its writer has seen",
        a_change_needs_the_version_that_its_writer_read,
    ),
];

/// Returns the block that a writer stores in one round.
fn own(writer: u32, round: u32) -> u32 {
    1_000 * (round + 1) + writer
}

fn two_writers_race(store: &dyn Store) {
    race(&[store], 2, 25, By::Ref);
}

fn eight_writers_race(store: &dyn Store) {
    race(&[store], 8, 10, By::Ref);
}

fn writers_race_by_version(store: &dyn Store) {
    race(&[store], 4, 10, By::Version);
}

/// The expectation of the writers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Ref,
    Version,
    Nothing,
}

/// Runs one change of each writer at the same time, and returns the results.
fn round(
    stores: &[&dyn Store],
    writers: u32,
    round: u32,
    by: By,
) -> Vec<Result<Applied, StoreError>> {
    let before = everything(stores[0]);
    let present = before.refs.get(&RefName::head());
    let expect = match (by, present) {
        (By::Ref, Some(present)) => Expect::Exactly(present),
        (By::Ref, None) => Expect::Absent,
        (By::Version | By::Nothing, _) => Expect::Any,
    };
    let start = Barrier::new(writers as usize);
    thread::scope(|scope| {
        let writer = |writer: u32, store: &dyn Store| {
            let n = own(writer, round);
            let change = write([n, n + 500], [edit("HEAD", Some(cid(n)), expect)]);
            let change = change.message(n.to_string()).fact(FactEdit::Set(Fact::Loss(cid(n))));
            let change = match by {
                By::Version => change.unless_changed_since(before.version),
                By::Ref | By::Nothing => change,
            };
            start.wait();
            store.apply(change)
        };
        let stores = stores.iter().cycle();
        let threads: Vec<_> = (0..writers)
            .zip(stores)
            .map(|(n, store)| scope.spawn(move || writer(n, *store)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a writer does not panic")).collect()
    })
}

/// Lets writers race, each through one of several handles to the same store.
pub(crate) fn race(stores: &[&dyn Store], writers: u32, rounds: u32, by: By) {
    let store = stores[0];
    let mut won = HashSet::new();
    for n in 0..rounds {
        let done = round(stores, writers, n, by);
        for (writer, done) in (0..writers).zip(&done) {
            match (by, done) {
                (_, Ok(_)) => drop(won.insert(own(writer, n))),
                (By::Ref, Err(StoreError::Moved { found: Some(_), .. }))
                | (By::Version, Err(StoreError::Changed)) => {}
                (_, Err(error)) => {
                    panic!(
                        "a writer that has lost a race fails with `Moved` or `Changed`: {error:?}"
                    )
                }
            }
        }
        if by != By::Nothing {
            let winners = done.iter().filter(|done| done.is_ok()).count();
            assert_eq!(winners, 1, "of writers that expect the same, exactly one wins");
        }
    }
    let after = everything(store);
    let logged: Vec<u32> =
        after.log.iter().map(|row| row.message.parse().expect("a number")).collect();
    assert_eq!(logged.len(), won.len(), "each acknowledged change has exactly one log row");
    assert_eq!(
        logged.into_iter().collect::<HashSet<_>>(),
        won,
        "each acknowledged change has exactly one log row"
    );
    for row in &after.log {
        let target = row.message.parse().ok().map(cid);
        assert_eq!(row.after, target, "a log row has the edit and the message of one change");
    }
    assert_chain(store);
    let newest = after.log.last().map(|row| row.seq);
    assert_eq!(newest, Some(after.version.change), "the last change has the last number");
    assert_eq!(after.facts.len(), won.len(), "a change that has lost a race leaves no fact");
    for round in 0..rounds {
        for n in (0..writers).map(|writer| own(writer, round)) {
            let is_won = won.contains(&n);
            assert_eq!(has(store, n), is_won, "a change that has lost a race leaves no block");
            assert_eq!(
                has(store, n + 500),
                is_won,
                "a change that has lost a race leaves no block"
            );
            assert_eq!(
                after.facts.contains(&Fact::Loss(cid(n))),
                is_won,
                "a change that has lost a race leaves no fact"
            );
        }
    }
}

fn writers_without_expectations_all_win(store: &dyn Store) {
    race(&[store], 4, 10, By::Nothing);
    assert_eq!(everything(store).log.len(), 40, "writers that expect nothing all win");
}

fn a_change_needs_the_version_that_its_writer_read(store: &dyn Store) {
    let first = apply(store, write([1], [head(1)])).version;
    let second = apply(store, write([2], [head(2)])).version;
    let wrong: [fn(Version) -> Version; 2] = [
        |seen| Version { change: seen.change - 1, ..seen },
        |seen| Version { change: seen.change + 1, ..seen },
    ];
    for wrong in wrong {
        let error = refused(
            store,
            write([3], [head(3)]).unless_changed_since(wrong(second)),
            "a change fails with `Changed` if `change_seen` is not the last change",
        );
        assert!(
            matches!(error, StoreError::Changed),
            "a change fails with `Changed` if `change_seen` is not the last change: {error:?}"
        );
    }
    let third = apply(store, write([3], [head(3)]).unless_changed_since(second)).version;
    // A change without a sweep does not affect `sweep_seen`.
    apply(store, write([4], [head(4)]).unless_swept_since(first));
    let seen = version(store);
    let swept =
        store.collect(Sweep::new(seen, &|_| true)).expect("a sweep of the version that was marked");
    assert!(swept.version.sweep > seen.sweep, "a sweep has a number");
    for old in [first, third, seen] {
        let error = refused(
            store,
            write([5], [head(5)]).unless_swept_since(old),
            "a change fails with `Changed` if `sweep_seen` is not the last sweep",
        );
        assert!(
            matches!(error, StoreError::Changed),
            "a change fails with `Changed` if `sweep_seen` is not the last sweep: {error:?}"
        );
        let error = refused(
            store,
            write_facts([FactEdit::Set(Fact::Erasing)]).unless_changed_since(old),
            "a sweep is a change",
        );
        assert!(matches!(error, StoreError::Changed), "a sweep is a change: {error:?}");
    }
    assert!(!has(store, 5), "a failed change leaves no block");
    apply(store, write([5], [head(5)]).unless_changed_since(swept.version));
    apply(store, write([6], [head(6)]).unless_swept_since(swept.version));
}
