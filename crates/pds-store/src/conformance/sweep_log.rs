//! Checks of the log in a sweep: rows are dropped, and the rest is linked again.

use crate::conformance::support::{
    Check, apply, assert_chain, cid, edit, everything, head, version, write,
};
use crate::conformance::sweep::swept;
use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::{Fate, Sweep};

pub(crate) const CHECKS: &[Check] = &[
    ("the kept rows are linked again", rows_are_linked_again),
    ("a row that does not move its ref is dropped", rows_that_move_nothing_go),
    ("a removal is kept as long as it removes something", removals_follow_their_rows),
    ("a long log is linked again", a_long_log_is_linked_again),
];

/// Sweeps the log with a decision for each row that has a target, in order.
fn sweep_log(store: &dyn Store, mut decide: impl FnMut(&LogEntry) -> Fate) -> u64 {
    let mut fate = |row: &LogEntry| {
        assert!(row.after.is_some(), "a sweep decides on rows that have a target");
        decide(row)
    };
    let rows = swept(store, Sweep::new(version(store), &|_| true).log(&mut fate)).rows;
    assert_chain(store);
    rows
}

fn rows_are_linked_again(store: &dyn Store) {
    for n in 0..6 {
        apply(store, write([n], [head(n), edit("side", Some(cid(0)), Expect::Any)]));
    }
    let before = everything(store);
    let mut seen = Vec::new();
    let gone = sweep_log(store, |row| {
        seen.push(row.clone());
        match (row.name.as_str(), row.after) {
            ("HEAD", after) if after == Some(cid(0)) || after == Some(cid(3)) => Fate::Goes,
            ("HEAD", after) if after == Some(cid(4)) => Fate::StaysWithoutMessage,
            _ => Fate::Stays,
        }
    });
    assert_eq!(seen, before.log, "a sweep shows each row as it is stored, oldest first");
    assert_eq!(gone, 2, "a sweep counts the dropped rows");
    let after = everything(store);
    let moves = |log: &[LogEntry]| -> Vec<_> {
        let of_head = log.iter().filter(|row| row.name == RefName::head());
        of_head.map(|row| (row.before, row.after, row.message.clone())).collect()
    };
    let test = "test".to_owned();
    let expected = [
        (None, Some(cid(1)), test.clone()),
        (Some(cid(1)), Some(cid(2)), test.clone()),
        (Some(cid(2)), Some(cid(4)), String::new()),
        (Some(cid(4)), Some(cid(5)), test),
    ];
    assert_eq!(
        moves(&after.log),
        expected,
        "rows around a gap are linked, and messages are cleared"
    );
    assert_eq!(after.refs, before.refs, "a sweep of the log moves no ref");
    for row in &after.log {
        let was = before.log.iter().find(|was| was.seq == row.seq).expect("a row keeps its number");
        let relinked = LogEntry { before: row.before, message: row.message.clone(), ..was.clone() };
        assert_eq!(*row, relinked, "a row keeps its number, time and event");
    }
    let version = after.version;
    let later =
        apply(store, write([9], [edit("HEAD", Some(cid(9)), Expect::Exactly(cid(5)))])).version;
    assert!(later.change > version.change, "later rows come after the sweep");
    assert_chain(store);
}

fn rows_that_move_nothing_go(store: &dyn Store) {
    for n in [1, 2, 1, 1, 3] {
        apply(store, write([n], [head(n)]));
    }
    // Without the move to 2, the move back to 1 moves nothing. The row that never moved the ref is
    // kept.
    let gone = sweep_log(store, |row| match row.after == Some(cid(2)) {
        true => Fate::Goes,
        false => Fate::Stays,
    });
    assert_eq!(gone, 2, "a row that no longer moves its ref is dropped");
    let log = everything(store).log;
    let moves: Vec<_> = log.iter().map(|row| (row.before, row.after)).collect();
    let one = Some(cid(1));
    assert_eq!(
        moves,
        [(None, one), (one, one), (one, Some(cid(3)))],
        "a row that no longer moves its ref is dropped"
    );
}

fn removals_follow_their_rows(store: &dyn Store) {
    let to = |target| edit("side", target, Expect::Any);
    for target in [Some(1), None, Some(2), Some(3), None, Some(4)] {
        apply(store, write(target, [to(target.map(cid))]));
    }
    let of_side = |rule: &str, expected: &[(Option<u32>, Option<u32>)]| {
        let moves: Vec<_> =
            everything(store).log.iter().map(|row| (row.before, row.after)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(before, after)| (before.map(cid), after.map(cid))).collect();
        assert_eq!(moves, expected, "{rule}");
    };
    sweep_log(store, |row| if row.after == Some(cid(3)) { Fate::Goes } else { Fate::Stays });
    let left =
        [(None, Some(1)), (Some(1), None), (None, Some(2)), (Some(2), None), (None, Some(4))];
    of_side("a removal is kept as long as it removes something", &left);
    let gone =
        sweep_log(store, |row| if row.after == Some(cid(1)) { Fate::Goes } else { Fate::Stays });
    assert_eq!(gone, 2, "a removal is dropped with the last row that it removes");
    of_side("a removal is dropped with the last row that it removes", &left[2..]);
    let version = version(store);
    let newest = apply(store, write([], [to(None)])).version;
    let gone = sweep_log(store, |_| Fate::Goes);
    assert_eq!(gone, 4, "the whole log of a removed ref may be dropped");
    assert!(everything(store).log.is_empty(), "the whole log of a removed ref may be dropped");
    let later = apply(store, write([5], [to(Some(cid(5)))])).version;
    assert!(
        later.change > newest.change && newest.change > version.change,
        "no number is used again after its row was dropped"
    );
    assert_chain(store);
}

fn a_long_log_is_linked_again(store: &dyn Store) {
    let history: Vec<LogEntry> = (0..1_000_u32)
        .map(|n| LogEntry {
            seq: u64::from(n) + 1,
            name: RefName::head(),
            before: n.checked_sub(1).map(cid),
            after: Some(cid(n)),
            at_micros: u64::from(n),
            event: crate::event::Event::Write,
            message: n.to_string(),
        })
        .collect();
    let change = write(0..1_000, []).history(history[..999].iter().cloned().map(Ok));
    apply(store, change.edit(edit("HEAD", Some(cid(999)), Expect::Absent)));
    // The row of the edit has no row before it, because the ref was absent: a sweep links it.
    let gone = sweep_log(store, |row| match row.seq % 10 == 0 || row.seq == 1_000 {
        true => Fate::Stays,
        false => Fate::Goes,
    });
    assert_eq!(gone, 900, "a sweep counts the dropped rows");
    let log = everything(store).log;
    let kept: Vec<u64> = log.iter().map(|row| row.seq).collect();
    assert_eq!(
        kept,
        (1..=100).map(|n| n * 10).collect::<Vec<_>>(),
        "the kept rows keep their numbers"
    );
}
