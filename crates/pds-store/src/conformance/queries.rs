//! Checks of reading the log and facts: queries, and visitors that read their view.

use std::ops::ControlFlow;

use crate::change::Change;
use crate::conformance::support::{
    Check, apply, block, cid, edit, facts, get_each, has, head, refs, rows, sorted, view, write,
};
use crate::event::Event;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::{Store, View};

pub(crate) const CHECKS: &[Check] = &[
    ("a log query reads its rows, in its direction", queries_read_their_rows),
    ("a visitor of the log may read its view", a_log_visitor_may_read_its_view),
    ("a visitor of facts may read its view", a_fact_visitor_may_read_its_view),
    ("a visitor that stops is not called again", a_visitor_ends_early),
];

/// Fills a log with many rows of two refs, whose numbers have gaps, and adds facts of one kind.
fn fill(store: &dyn Store) -> Vec<LogEntry> {
    let names = [RefName::head(), "side".parse().expect("a name")];
    let mut ends = [None; 2];
    let mut log = Vec::new();
    for n in 0..ROWS {
        let side = usize::from(n % 3 == 2);
        let after = Some(cid(n % 5));
        log.push(LogEntry {
            seq: u64::from(n) * 3 + 1,
            name: names[side].clone(),
            before: ends[side],
            after,
            at_micros: u64::from(n),
            event: Event::Write,
            message: n.to_string(),
        });
        ends[side] = after;
    }
    let losses = (0..LOSSES).map(|n| FactEdit::Set(Fact::Loss(cid(n))));
    let change = Change::new(Event::Write).blocks((0..5).map(|n| Ok(block(n)))).facts(losses);
    apply(store, change.history(log.clone().into_iter().map(Ok)));
    log
}

/// Returns the rows that a query must read.
fn expected(log: &[LogEntry], query: &LogQuery) -> Vec<LogEntry> {
    let mut rows: Vec<LogEntry> = log.iter().filter(|row| query.matches(row)).cloned().collect();
    if query.newest_first {
        rows.reverse();
    }
    rows
}

fn queries_read_their_rows(store: &dyn Store) {
    let log = fill(store);
    let view = view(store);
    let names = [
        None,
        Some(RefName::head()),
        Some("side".parse().expect("a name")),
        Some("none".parse().expect("a name")),
    ];
    let targets = [None, Some(cid(0)), Some(cid(3)), Some(cid(500))];
    let last = log[log.len() - 1].seq;
    let starts = [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(last / 2),
        Some(last),
        Some(last + 1),
        Some(u64::MAX),
    ];
    for newest_first in [false, true] {
        for name in &names {
            for to in targets {
                for from in starts {
                    let query = LogQuery { name: name.clone(), to, from, newest_first };
                    let found = rows(view.as_ref(), &query);
                    let rule = "a log query reads its rows, in its direction";
                    assert_eq!(found.len(), expected(&log, &query).len(), "{rule}: {query:?}");
                    assert_eq!(found, expected(&log, &query), "{rule}: {query:?}");
                }
            }
        }
    }
    let query = LogQuery::newest_first().of(RefName::head()).to(cid(3)).starting_at(last);
    assert!(!rows(view.as_ref(), &query).is_empty(), "the parts of a query can be combined");
}

/// Reads the whole content of a view.
fn read_all(view: &dyn View) {
    let rule = "a visitor may read its view";
    assert!(has(view, 0), "{rule}: get");
    assert_eq!(
        get_each(view, &[cid(1), cid(2)]),
        [Some(block(1)), Some(block(2))],
        "{rule}: get_many"
    );
    assert!(refs(view).is_empty(), "{rule}: refs");
    let newest = rows(view, &LogQuery::newest_first().starting_at(30)).first().map(|row| row.seq);
    assert_eq!(newest, Some(28), "{rule}: log");
    assert_eq!(facts(view, FactKind::Loss).len(), LOSSES as usize, "{rule}: facts");
}

fn a_log_visitor_may_read_its_view(store: &dyn Store) {
    let log = fill(store);
    let view = view(store);
    for query in [LogQuery::oldest_first(), LogQuery::newest_first()] {
        let mut found = Vec::new();
        let read = view.log(&query, &mut |row| {
            if row.seq % 299 == 1 {
                read_all(view.as_ref());
                let other = store.view().expect("a visitor may begin another view");
                assert_eq!(
                    other.version(),
                    view.version(),
                    "views without a change between are equal"
                );
            }
            found.push(row);
            ControlFlow::Continue(())
        });
        read.expect("a view reads its log");
        assert_eq!(
            found,
            expected(&log, &query),
            "a visitor that reads its view still gets every row"
        );
    }
}

fn a_fact_visitor_may_read_its_view(store: &dyn Store) {
    fill(store);
    let view = view(store);
    let all = facts(view.as_ref(), FactKind::Loss);
    let expected = sorted((0..LOSSES).map(|n| Fact::Loss(cid(n))).collect());
    assert_eq!(all, expected, "each fact of a kind is read once");
    let mut found = Vec::new();
    let read = view.facts(FactKind::Loss, &mut |fact| {
        if found.len() % 97 == 0 {
            read_all(view.as_ref());
        }
        found.push(fact);
        ControlFlow::Continue(())
    });
    read.expect("a view reads its facts");
    assert_eq!(sorted(found), all, "a visitor that reads its view still gets every fact, once");
}

fn a_visitor_ends_early(store: &dyn Store) {
    fill(store);
    let view = view(store);
    for limit in [1, 2, 8, 9, 300, 600] {
        let stop = |calls: usize| match calls < limit {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        for query in [LogQuery::oldest_first(), LogQuery::newest_first()] {
            let mut calls = 0;
            let read = view.log(&query, &mut |_| {
                calls += 1;
                stop(calls)
            });
            read.expect("stopping early is no error");
            assert_eq!(calls, limit, "a visitor that stops is not called again");
        }
        let mut calls = 0;
        let read = view.facts(FactKind::Loss, &mut |_| {
            calls += 1;
            stop(calls)
        });
        read.expect("stopping early is no error");
        assert_eq!(calls, limit, "a visitor that stops is not called again");
    }
    drop(view);
    apply(store, write([9], [head(9), edit("late", Some(cid(9)), Expect::Absent)]));
}

const ROWS: u32 = 1_500;

const LOSSES: u32 = 700;
