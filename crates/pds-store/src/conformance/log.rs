//! Checks of the content of the log: moves, messages, events, history.

use crate::change::Change;
use crate::conformance::support::{
    Check, KEYS, apply, assert_chain, block, cid, cut, edit, everything, has, head, is_cut, name,
    refused, rows, sample_events, view, write, write_facts,
};
use crate::error::StoreError;
use crate::event::Event;
use crate::fact::{Fact, FactEdit};
use crate::log::{LogEntry, LogQuery};
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use pds_core::data::limits::MAX_LOG_MESSAGE_BYTES;

pub(crate) const CHECKS: &[Check] = &[
    ("every move of a ref has a log row", every_move_is_logged),
    ("a row records its message as it is", messages_are_kept_as_they_are),
    ("a message is one line of bounded length", messages_are_checked),
    ("events are data", events_of_every_kind_are_kept),
    ("history is copied with its numbers and times", history_is_copied),
    ("history brings refs without further rows", history_brings_refs),
    ("history is accepted into an empty log only", history_needs_an_empty_log),
    ("history that fails leaves nothing", history_that_fails_leaves_nothing),
];

fn every_move_is_logged(store: &dyn Store) {
    let (one, two) = (cid(1), cid(2));
    apply(store, write([1], [head(1)]));
    let both = [edit("side", Some(two), Expect::Any), head(2)];
    apply(store, write([2], both));
    apply(store, write([], [edit("side", None, Expect::Any)]));
    let applied = apply(store, write([], [edit("HEAD", None, Expect::Any)]));
    let log = everything(store).log;
    let moves: Vec<_> = log.iter().map(|row| (row.name.as_str(), row.before, row.after)).collect();
    let expected = [
        ("HEAD", None, Some(one)),
        ("side", None, Some(two)),
        ("HEAD", Some(one), Some(two)),
        ("side", Some(two), None),
        ("HEAD", Some(two), None),
    ];
    assert_eq!(moves, expected, "every move of a ref has a log row with its `before` and `after`");
    let newest = log.last().map(|row| row.seq);
    assert_eq!(
        newest,
        Some(applied.version.change),
        "the last row of a change has the number of the change"
    );
    for row in &log {
        assert_eq!(
            (row.message.as_str(), &row.event),
            ("test", &Event::Write),
            "a row records its action"
        );
        assert!(
            row.at_micros > 1_700_000_000_000_000,
            "a row records its time in microseconds since 1970"
        );
    }
    assert_chain(store);
}

fn messages_are_kept_as_they_are(store: &dyn Store) {
    let rotate = format!("key rotate {} {}", KEYS[0], KEYS[1]);
    let longest = "x".repeat(MAX_LOG_MESSAGE_BYTES);
    let messages = [
        "",
        &rotate,
        "import",
        "  spaces and 'quotes' \" \\n \u{e9}\u{1f600}  ",
        "merge bafyreib, NULL",
        &longest,
    ];
    for message in messages {
        apply(store, write([1], [head(1)]).message(message));
    }
    let log = everything(store).log;
    let kept: Vec<&str> = log.iter().map(|row| row.message.as_str()).collect();
    assert_eq!(kept, messages, "a message is kept as it is");
    assert!(
        log.iter().all(|row| row.event == Event::Write),
        "no code reads an event out of a message"
    );
}

fn messages_are_checked(store: &dyn Store) {
    apply(store, write([1], [head(1)]));
    let too_long = "x".repeat(MAX_LOG_MESSAGE_BYTES + 1);
    for bad in
        ["two\nlines", "a\rb", "a\tb", "a\0b", "\u{7f}", "\u{85}", "\u{1b}[31m", "\n", &too_long]
    {
        let changes = [
            write([2], [head(2)]).message(bad),
            write([2], [head(2)]).fact(FactEdit::Set(Fact::Erasing)).message(bad),
            write_facts([FactEdit::Set(Fact::Erasing)]).message(bad),
        ];
        for change in changes {
            let error = refused(store, change, "a message is one line of bounded length");
            let is_refused = matches!(error, StoreError::Message { .. });
            assert!(is_refused, "a message is one line of bounded length: {bad:?}, {error:?}");
        }
        assert!(!has(store, 2), "a failed change leaves no block");
    }
}

fn events_of_every_kind_are_kept(store: &dyn Store) {
    let events = sample_events();
    for event in &events {
        let change = Change::new(event.clone())
            .blocks([Ok(block(1))])
            .edits([head(1), edit("b", Some(cid(1)), Expect::Any)]);
        apply(store, change);
    }
    let log = everything(store).log;
    for (n, event) in events.iter().enumerate() {
        for row in &log[2 * n..2 * n + 2] {
            assert_eq!(
                row.event, *event,
                "an event is read back with its data, in each row of its change"
            );
        }
    }
}

/// Rows of two refs whose numbers have gaps.
pub(crate) fn sample_history() -> Vec<LogEntry> {
    let row = |seq, to, before: Option<u32>, after: Option<u32>, event| LogEntry {
        seq,
        name: name(to),
        before: before.map(cid),
        after: after.map(cid),
        at_micros: 1_600_000_000_000_000 + 31 * seq,
        event,
        message: format!("row {seq}"),
    };
    let events = sample_events();
    let [rotate, revert] = [7, 11].map(|n| events[n].clone());
    vec![
        row(3, "HEAD", None, Some(1), Event::Init),
        row(4, "side", None, Some(1), Event::Set),
        row(9, "HEAD", Some(1), Some(2), rotate),
        row(50, "side", Some(1), None, Event::Remove),
        row(1_000, "HEAD", Some(2), Some(1), revert),
    ]
}

/// Returns a change that copies rows.
fn copy(rows: Vec<LogEntry>) -> Change<'static> {
    Change::new(Event::Import { key: None, replaces: None, begins: true })
        .history(rows.into_iter().map(Ok))
}

fn history_is_copied(store: &dyn Store) {
    let history = sample_history();
    let edit = edit("copy", Some(cid(2)), Expect::Absent);
    let applied =
        apply(store, copy(history.clone()).blocks([1, 2].map(|n| Ok(block(n)))).edit(edit));
    let log = everything(store).log;
    assert_eq!(log[..5], history, "copied rows keep their numbers, times and events");
    assert_eq!(log.len(), 6, "a change that copies history also has a row for each edit");
    assert!(log[5].seq > 1_000, "the rows of the edits come after the history");
    assert_eq!(
        applied.version.change, log[5].seq,
        "the last row of a change has the number of the change"
    );
    let later = apply(store, write([3], [head(3)])).version;
    assert!(later.change > applied.version.change, "later rows continue after the history");
    let query = LogQuery::newest_first();
    assert_eq!(
        rows(view(store).as_ref(), &query)[0].seq,
        later.change,
        "later rows continue after the history"
    );
    let row = &rows(view(store).as_ref(), &LogQuery::newest_first().of(RefName::head()))[1];
    assert_eq!(*row, history[4], "copied rows are found by their ref");
}

fn history_brings_refs(store: &dyn Store) {
    let history = vec![
        LogEntry { event: Event::Init, ..sample_history()[0].clone() },
        LogEntry { seq: 20, ..sample_history()[1].clone() },
    ];
    // The log says that HEAD and side point to the first block.
    let edits = [
        edit("HEAD", Some(cid(1)), Expect::Absent),
        edit("side", Some(cid(1)), Expect::Absent),
        edit("side", Some(cid(2)), Expect::Exactly(cid(1))),
    ];
    let change = copy(history.clone()).blocks([1, 2].map(|n| Ok(block(n)))).edits(edits);
    let applied = apply(store, change.fact(FactEdit::Set(Fact::Loss(cid(3)))));
    let log = everything(store).log;
    assert_eq!(log[..2], history, "copied rows keep their numbers, times and events");
    assert_eq!(log.len(), 3, "an edit to the commit of the last copied row has no row");
    assert_eq!((log[2].before, log[2].after), (Some(cid(1)), Some(cid(2))));
    assert_eq!(applied.version.change, log[2].seq, "the last row has the number of the change");
    assert_chain(store);
    apply(store, write([3], [head(3)]));
    assert_chain(store);
}

fn history_needs_an_empty_log(store: &dyn Store) {
    // A fact writes no row, so the log is still empty.
    apply(store, write_facts([FactEdit::Set(Fact::Erasing)]));
    let applied = apply(store, copy(sample_history()));
    assert_eq!(
        applied.version.change, 1_000,
        "the number of the change is the one of its last row"
    );
    assert_eq!(everything(store).log, sample_history(), "history is accepted without edits");
    for rows in [sample_history(), sample_history()[..1].to_vec(), Vec::new()] {
        let error = refused(
            store,
            copy(rows).blocks([Ok(block(7))]).fact(FactEdit::Clear(Fact::Erasing.kind())),
            "history is accepted into an empty log only",
        );
        assert!(
            matches!(error, StoreError::HasHistory),
            "history is accepted into an empty log only: {error:?}"
        );
    }
    assert!(!has(store, 7), "a failed change leaves no block");
}

fn history_that_fails_leaves_nothing(store: &dyn Store) {
    let full = |rows: Vec<Result<LogEntry, crate::error::BoxError>>| {
        let change =
            Change::new(Event::Repair).blocks((1..100).map(|n| Ok(block(n)))).history(rows);
        change.edit(head(1)).fact(FactEdit::Set(Fact::Erasing))
    };
    let rows = || sample_history().into_iter().map(Ok);
    let error = refused(
        store,
        full(rows().chain([cut()]).collect()),
        "a change fails with the error of its history",
    );
    assert!(is_cut(&error), "a change fails with the error of its history: {error:?}");
    let bad = LogEntry { message: "two\nlines".to_owned(), ..sample_history()[1].clone() };
    let error = refused(
        store,
        full([Ok(sample_history()[0].clone()), Ok(bad)].into()),
        "the message of a copied row is one line of bounded length",
    );
    let is_refused = matches!(error, StoreError::Message { .. });
    assert!(is_refused, "the message of a copied row is one line of bounded length: {error:?}");
    let missing = full(rows().collect()).edit(edit("side", Some(cid(500)), Expect::Any));
    let error = refused(store, missing, "a ref cannot point to a missing block");
    let is_missing = matches!(error, StoreError::TargetMissing { .. });
    assert!(is_missing, "a ref cannot point to a missing block: {error:?}");
    assert!((1..100).all(|n| !has(store, n)), "a failed change leaves no block");
    apply(store, copy(sample_history()));
    assert_eq!(
        everything(store).log,
        sample_history(),
        "a change can be repeated after it has failed"
    );
}
