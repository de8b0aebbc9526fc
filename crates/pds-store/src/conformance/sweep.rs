//! Checks of sweeps: blocks that are not live are deleted, all or nothing.

use std::cell::Cell;
use std::collections::HashSet;

use crate::conformance::support::{
    Check, apply, block, cid, edit, everything, has, head, sample_facts, sorted, version, view,
    write, write_facts,
};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::LogEntry;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::{Fate, Sweep, SweptBlocks};
use pds_core::data::cid::Cid;

pub(crate) const CHECKS: &[Check] = &[
    ("a sweep deletes the blocks that are not live", a_sweep_keeps_what_is_live),
    ("a sweep needs the version that was marked", a_sweep_notices_changes),
    ("a sweep detects blocks that have reappeared", a_sweep_notices_blocks_that_came_back),
    ("a swept block is missing for every reader", swept_blocks_are_missing_at_once),
    ("a sweep edits facts", a_sweep_edits_facts),
    ("a sweep catches up with other writers", a_sweep_catches_up),
    ("a dry run changes nothing", a_dry_run_changes_nothing),
];

pub(crate) fn swept(store: &dyn Store, sweep: Sweep<'_>) -> SweptBlocks {
    store.collect(sweep).expect("a sweep of the marked version succeeds")
}

/// Runs a sweep that the store must refuse, and checks that nothing has changed.
pub(crate) fn refused(store: &dyn Store, sweep: Sweep<'_>, rule: &str) -> StoreError {
    let before = everything(store);
    let Err(error) = store.collect(sweep) else { panic!("{rule}: the sweep was made") };
    assert_eq!(everything(store), before, "a failed sweep leaves nothing, and deletes nothing");
    error
}

fn assert_changed(store: &dyn Store, sweep: Sweep<'_>, rule: &str) {
    let error = refused(store, sweep, rule);
    assert!(matches!(error, StoreError::Changed), "{rule}: {error:?}");
}

fn bytes(numbers: impl IntoIterator<Item = u32>) -> u64 {
    numbers.into_iter().map(|n| block(n).bytes().len() as u64).sum()
}

fn a_sweep_keeps_what_is_live(store: &dyn Store) {
    apply(store, write(0..10_000, [head(0)]));
    apply(store, write(10_000..10_100, [head(0)]));
    let before = everything(store);
    let alive: HashSet<Cid> = (0..10_100).step_by(3).map(cid).collect();
    let is_live = |n: &u32| n.is_multiple_of(3);
    let swept = swept(store, Sweep::new(before.version, &|found| alive.contains(found)));
    let dead = (0..10_100).filter(|n| !is_live(n));
    assert_eq!(
        swept.blocks,
        dead.clone().count() as u64,
        "a sweep counts the blocks that it deletes"
    );
    assert_eq!(swept.bytes, bytes(dead), "a sweep counts the bytes that it deletes");
    assert_eq!(
        swept.kept_bytes,
        bytes((0..10_100).filter(is_live)),
        "a sweep counts the bytes of the kept blocks"
    );
    assert_eq!(swept.rows, 0, "a sweep without a decision about rows keeps the log");
    let after = everything(store);
    assert_eq!(after.version, swept.version, "`collect` returns the version after the sweep");
    assert!(after.version.change > before.version.change, "a sweep is a change");
    assert!(
        after.version.sweep > before.version.sweep,
        "the number of sweeps grows with each sweep"
    );
    assert_eq!(
        after.version.sweep, after.version.change,
        "the number of a sweep is the number of a change"
    );
    assert_eq!(
        (after.refs, after.log, after.facts),
        (before.refs, before.log, before.facts),
        "a sweep moves no ref"
    );
    assert!(
        (0..10_100).all(|n| has(store, n) == is_live(&n)),
        "a sweep deletes all blocks that are not live and no others"
    );
    if let Some(maintain) = store.maintain() {
        let _ = maintain.compact().expect("a store without open views can be compacted");
    }
    assert!((0..10_100).all(|n| has(store, n) == is_live(&n)), "a compaction keeps live blocks");
    let again = apply(store, write(0..10_200, [head(0)]));
    assert_eq!(
        again.new_blocks,
        10_200 - alive.len() as u64,
        "a block that was swept is new when it is stored again"
    );
    assert!((0..10_200).all(|n| has(store, n)), "a block that was swept can be stored again");
    assert!(
        again.version.change > after.version.change,
        "the number of changes grows after a sweep"
    );
    assert_eq!(again.version.sweep, after.version.sweep, "a change without a sweep is no sweep");
}

fn a_sweep_notices_changes(store: &dyn Store) {
    apply(store, write(0..10, [head(0)]));
    let marked = version(store);
    apply(store, write([], [head(0)]));
    let rule = "a sweep of another version than the marked one fails with `Changed`";
    assert_changed(store, Sweep::new(marked, &|_| false), rule);
    let marked = version(store);
    apply(store, write_facts([FactEdit::Set(Fact::Erasing)]));
    assert_changed(store, Sweep::new(marked, &|_| false), rule);
    let marked = version(store);
    swept(store, Sweep::new(marked, &|_| true));
    assert_changed(store, Sweep::new(marked, &|_| false), rule);
    assert_changed(store, Sweep::new(marked, &|_| false).dry_run(true), rule);
    let mut later = version(store);
    later.change += 1;
    assert_changed(store, Sweep::new(later, &|_| false), rule);
    let mut other = version(store);
    other.sweep = 0;
    assert_changed(store, Sweep::new(other, &|_| false), rule);
    assert!((0..10).all(|n| has(store, n)), "a failed sweep deletes nothing");
}

fn a_sweep_notices_blocks_that_came_back(store: &dyn Store) {
    apply(store, write(0..100, [head(0)]));
    let marked = version(store);
    let live = |found: &Cid| *found != cid(3);
    for n in [3, 5] {
        for dry_run in [false, true] {
            let absent = move |found: &Cid| *found == cid(n);
            let sweep = Sweep::new(marked, &live).absent(&absent).dry_run(dry_run);
            let rule = "a block that was missing during marking has reappeared, so the sweep fails with `Changed`";
            assert_changed(store, sweep, rule);
        }
        assert!(has(store, 3), "a failed sweep deletes nothing");
    }
    // A block that is still missing, or that the sweep itself stores, has not reappeared.
    let absent = |found: &Cid| *found == cid(500);
    let change = write([500], [edit("side", Some(cid(500)), Expect::Absent)]);
    swept(store, Sweep::new(marked, &live).absent(&absent).change(change));
    assert!(
        !has(store, 3) && has(store, 500),
        "a block that is still missing does not stop a sweep"
    );
}

fn swept_blocks_are_missing_at_once(store: &dyn Store) {
    // A back end that reads ahead may have read swept blocks, wherever it stops.
    for stop in 0..20 {
        apply(store, write(0..60, [head(0)]));
        assert!((0..stop).all(|n| has(store, n)), "stored blocks are read back");
        swept(store, Sweep::new(version(store), &|found| *found == cid(0)));
        assert!((1..60).all(|n| !has(store, n)), "a swept block is missing for every reader");
        let now = view(store);
        assert!((1..60).all(|n| !has(now.as_ref(), n)), "a swept block is missing in later views");
    }
}

fn a_sweep_edits_facts(store: &dyn Store) {
    apply(store, write([1], [head(1)]).facts(sample_facts().into_iter().map(FactEdit::Set)));
    let edits = || {
        let lost = FactEdit::Set(Fact::Loss(cid(9)));
        vec![FactEdit::Clear(FactKind::Loss), lost, FactEdit::Remove(Fact::Erasing)]
    };
    let marked = version(store);
    refused(
        store,
        Sweep::new(marked, &|_| true).facts(edits()).absent(&|found| *found == cid(1)),
        "a block that has reappeared fails with `Changed`",
    );
    swept(store, Sweep::new(marked, &|_| true).facts(edits()));
    let left =
        sample_facts().into_iter().filter(|fact| !matches!(fact, Fact::Loss(_) | Fact::Erasing));
    let expected = sorted(left.chain([Fact::Loss(cid(9))]).collect());
    assert_eq!(everything(store).facts, expected, "a sweep edits facts, in order");
}

fn a_dry_run_changes_nothing(store: &dyn Store) {
    apply(store, write([0, 1], [head(1)]));
    apply(store, write([2, 300], [head(0)]));
    apply(store, write([], [head(300)]));
    let before = everything(store);
    let live = |found: &Cid| [0, 300].map(cid).contains(found);
    let mut fate = |row: &LogEntry| match row.after == Some(cid(1)) {
        true => Fate::Goes,
        false => Fate::Stays,
    };
    let sweep = Sweep::new(before.version, &live).log(&mut fate).dry_run(true);
    let sweep = sweep.facts(vec![FactEdit::Set(Fact::Erasing)]);
    let sweep = sweep.change(write([7], [edit("side", Some(cid(7)), Expect::Absent)]));
    let counted = swept(store, sweep);
    let sizes = (counted.blocks, counted.bytes, counted.kept_bytes, counted.rows);
    assert_eq!(
        sizes,
        (2, bytes([1, 2]), bytes([0, 300]), 1),
        "a dry run counts the deletions of a sweep"
    );
    assert_eq!(counted.version, before.version, "a dry run returns the version of the store");
    assert_eq!(everything(store), before, "a dry run changes nothing");
    assert!([0, 1, 2, 300].into_iter().all(|n| has(store, n)), "a dry run deletes nothing");
    assert!(!has(store, 7), "a dry run stores no block");
    let done = swept(store, Sweep::new(before.version, &live).log(&mut fate));
    assert_eq!(
        SweptBlocks { version: counted.version, ..done },
        counted,
        "a dry run counts the deletions of the sweep"
    );
}

fn a_sweep_catches_up(store: &dyn Store) {
    apply(store, write(0..5, [head(0)]));
    let marked = version(store);
    apply(store, write(10..15, [head(10)]));
    let (now, fact) = (everything(store), sample_facts()[0].clone());

    // What it finds out while it catches up decides.
    let (live, seen) = (Cell::new([0, 0]), Cell::new(None));
    let is_live = |found: &Cid| live.get().map(cid).contains(found);
    let mut catch_up = |at| {
        seen.set(Some((at, version(store))));
        assert!(store.get(&cid(10)).is_ok_and(|block| block.is_some()), "it reads the store");
        live.set([0, 10]);
        Ok(vec![FactEdit::Set(fact.clone())])
    };
    let swept = swept(store, Sweep::new(marked, &is_live).catch_up(&mut catch_up));
    assert_eq!(seen.get(), Some((now.version, now.version)), "it catches up with the present");
    assert_eq!(swept.blocks, 8, "blocks are judged after it has caught up");
    let after = everything(store);
    assert_eq!((after.refs, after.log), (now.refs, now.log), "other writers lose nothing");
    assert!(after.facts.contains(&fact), "its facts are stored");

    // It is not asked without need, and not after another sweep.
    let mut never = |_| -> Result<Vec<FactEdit>, StoreError> { panic!("it is not asked") };
    let before = version(store);
    self::swept(store, Sweep::new(before, &is_live).catch_up(&mut never));
    let sweep = Sweep::new(before, &is_live).catch_up(&mut never);
    assert_changed(store, sweep, "a sweep does not catch up with another sweep");
    let before = version(store);
    apply(store, write(20..25, [head(20)]));
    let mut fails = |_| Err(StoreError::Busy);
    let sweep = Sweep::new(before, &is_live).catch_up(&mut fails);
    let error = refused(store, sweep, "a sweep that cannot catch up fails");
    assert!(matches!(error, StoreError::Busy), "its error is passed on: {error:?}");
}
