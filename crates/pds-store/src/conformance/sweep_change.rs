//! Checks of the change that a sweep applies first, in the same step.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::change::Change;
use crate::conformance::support::{
    Check, apply, assert_chain, assert_count, block, cid, cut, edit, everything, has, head, is_cut,
    refs, rows, version, view, write,
};
use crate::conformance::sweep::{refused, swept};
use crate::error::StoreError;
use crate::event::Event;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::{Fate, Sweep};
use crate::version::Version;
use pds_core::data::cid::Cid;

pub(crate) const CHECKS: &[Check] = &[
    ("a sweep applies its change first", a_sweep_makes_its_change_first),
    ("a sweep whose change fails leaves nothing", a_sweep_whose_change_fails_leaves_nothing),
    ("a sweep that panics leaves nothing", a_sweep_that_panics_leaves_nothing),
];

fn a_sweep_makes_its_change_first(store: &dyn Store) {
    for n in 1..4 {
        apply(store, write([n, n + 100], [head(n)]));
    }
    let marked = version(store);
    let live = |found: &Cid| [3, 9, 10].map(cid).contains(found);
    let stream = [9, 10, 11].map(|n| {
        assert!(has(store, 1), "the stream of a sweep may read the store");
        Ok(block(n))
    });
    let edits = [
        edit("HEAD", Some(cid(9)), Expect::Exactly(cid(3))),
        edit("side", Some(cid(10)), Expect::Absent),
    ];
    let change =
        Change::new(Event::Forget).blocks(stream).edits(edits).fact(FactEdit::Set(Fact::Erasing));
    let change = change.message("first").unless_changed_since(marked);
    let mut asked = Vec::new();
    let mut fate = |row: &LogEntry| {
        asked.push(row.seq);
        Fate::Goes
    };
    let edits = vec![FactEdit::Clear(FactKind::Erasing), FactEdit::Set(Fact::Loss(cid(1)))];
    let done = swept(store, Sweep::new(marked, &live).log(&mut fate).facts(edits).change(change));
    assert!(
        asked.iter().all(|seq| *seq <= marked.change),
        "the rows of a sweep's own change are kept without a decision"
    );
    let after = everything(store);
    assert_eq!(
        (done.rows, done.blocks),
        (3, 6),
        "a sweep counts its deletions, including blocks of its own change"
    );
    assert_rows_of_change(&after.log, marked);
    assert_eq!(
        after.facts,
        [Fact::Loss(cid(1))],
        "the facts of a sweep change after those of its change"
    );
    assert_eq!(after.refs.get(&RefName::head()), Some(cid(9)), "a sweep applies its change");
    assert!(
        [3, 9, 10].into_iter().all(|n| has(store, n)),
        "a sweep keeps the blocks of its change that are live"
    );
    assert!(!has(store, 1) && !has(store, 101), "a sweep deletes the blocks that are not live");
    assert!(
        done.version.change > after.log[1].seq,
        "the number of a sweep comes after those of its change"
    );
    assert_count(store, 3, "a sweep keeps live blocks");
    assert_chain(store);
    let later = apply(store, write([20], [head(20)])).version;
    assert!(later.change > done.version.change, "the number of changes grows after a sweep");
    assert_chain(store);
}

/// Checks the log after a sweep that has dropped all rows but those of its own change.
fn assert_rows_of_change(log: &[LogEntry], marked: Version) {
    let moves: Vec<_> = log.iter().map(|row| (row.name.as_str(), row.before, row.after)).collect();
    let expected = [("HEAD", None, Some(cid(9))), ("side", None, Some(cid(10)))];
    assert_eq!(
        moves, expected,
        "the rows of a sweep's own change are kept, and linked to the remaining rows"
    );
    assert!(
        log.iter().all(|row| row.message == "first" && row.event == Event::Forget),
        "the rows of a sweep's own change have its event and message"
    );
    assert!(
        log.iter().all(|row| row.seq > marked.change),
        "the rows of a sweep's own change have new numbers"
    );
}

fn a_sweep_whose_change_fails_leaves_nothing(store: &dyn Store) {
    let first = apply(store, write([0, 1], [head(0)])).version;
    apply(store, write([2], [head(2)]));
    let marked = version(store);
    let live = |found: &Cid| *found != cid(1);
    let collect = |change: Change<'_>, rule: &str| {
        let mut fate = |_: &LogEntry| Fate::StaysWithoutMessage;
        let sweep = Sweep::new(marked, &live).log(&mut fate).change(change);
        refused(store, sweep.facts(vec![FactEdit::Set(Fact::Erasing)]), rule)
    };
    let rule = "the change of a sweep keeps the rules of `apply`";
    let error = collect(write([7], [edit("HEAD", Some(cid(7)), Expect::Absent)]), rule);
    assert!(matches!(error, StoreError::Moved { .. }), "{rule}: {error:?}");
    let error = collect(write([7], [head(8)]), rule);
    assert!(matches!(error, StoreError::TargetMissing { .. }), "{rule}: {error:?}");
    let error = collect(write([7], [head(7)]).unless_changed_since(first), rule);
    assert!(matches!(error, StoreError::Changed), "{rule}: {error:?}");
    let rule = "a sweep fails with the stream of its change";
    let error = collect(write([], [head(7)]).blocks([Ok(block(7)), cut()]), rule);
    assert!(is_cut(&error), "{rule}: {error:?}");
    let rule = "the message of a sweep's change is one line";
    let error = collect(write([7], [head(7)]).message("two\nlines"), rule);
    assert!(matches!(error, StoreError::Message { .. }), "{rule}: {error:?}");
    let rule = "the change of a sweep needs an edit";
    let error = collect(write([7], []), rule);
    assert!(matches!(error, StoreError::NoEdits), "{rule}: {error:?}");
    let rule = "a sweep that fails with `Changed` makes no change";
    let change = || write([7], [head(7)]).fact(FactEdit::Set(Fact::Erasing));
    let absent = |found: &Cid| *found == cid(1);
    for sweep in [Sweep::new(first, &live), Sweep::new(marked, &live).absent(&absent)] {
        let error = refused(store, sweep.change(change()), rule);
        assert!(matches!(error, StoreError::Changed), "{rule}: {error:?}");
    }
    assert!(has(store, 1) && !has(store, 7), "a failed sweep leaves no block, and deletes none");
    assert_count(store, 3, "a failed sweep leaves no block, and deletes none");
    assert_eq!(
        refs(view(store).as_ref()).get(&RefName::head()),
        Some(cid(2)),
        "a failed sweep moves no ref"
    );
    let newest = rows(view(store).as_ref(), &LogQuery::newest_first());
    assert_eq!(newest[0].message, "test", "a failed sweep clears no message");
    swept(store, Sweep::new(marked, &live));
    assert!(!has(store, 1), "a sweep can be repeated after it has failed");
}

fn a_sweep_that_panics_leaves_nothing(store: &dyn Store) {
    apply(store, write([0, 1], [head(0)]));
    apply(store, write([2], [head(2)]));
    let before = everything(store);
    // The messages of the panics are not printed.
    let live_panics = |found: &Cid| *found == cid(0) && resume_unwind(Box::new(()));
    let live = |found: &Cid| *found != cid(1);
    let mut fate_panics = |row: &LogEntry| match row.after == Some(cid(0)) {
        true => Fate::Goes,
        false => resume_unwind(Box::new(())),
    };
    let change = || write([7], [head(7)]).fact(FactEdit::Set(Fact::Erasing));
    let sweep = Sweep::new(before.version, &live_panics).change(change());
    let swept_all = catch_unwind(AssertUnwindSafe(|| store.collect(sweep).is_ok()));
    assert!(swept_all.is_err(), "a panic of a decision reaches the caller");
    assert_eq!(
        everything(store),
        before,
        "a sweep that panics leaves nothing, and deletes nothing"
    );
    let sweep = Sweep::new(before.version, &live).log(&mut fate_panics).change(change());
    let swept_all = catch_unwind(AssertUnwindSafe(|| store.collect(sweep).is_ok()));
    assert!(swept_all.is_err(), "a panic of a decision reaches the caller");
    assert_eq!(
        everything(store),
        before,
        "a sweep that panics leaves nothing, and deletes nothing"
    );
    assert!((0..3).all(|n| has(store, n)), "a sweep that panics deletes no block");
    assert!(!has(store, 7), "a sweep that panics leaves no block");
    swept(store, Sweep::new(before.version, &live));
    assert!(!has(store, 1), "a store still works after a sweep has panicked");
}
