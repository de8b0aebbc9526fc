//! Statements that fail: a change is made completely or not at all, and repeated where it can be.

use pds_core::data::cid::Cid;
use pds_postgres::store::PostgresStore;
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::LogEntry;
use pds_store::refs::Expect;
use pds_store::store::{Maintain, Store};
use pds_store::sweep::{Fate, Sweep};

use crate::proxy::{Fault, Proxy};
use crate::server::shared;
use crate::support::{Content, block, cid, content, edit, new_did, step, wide_step};

/// An operation, and whether the store can repeat it.
struct Operation {
    run: fn(&PostgresStore) -> Result<(), StoreError>,
    is_repeated: bool,
}

const OPERATIONS: [Operation; 6] = [
    Operation { run: |store| store.apply(step(5)).map(drop), is_repeated: true },
    Operation { run: |store| store.apply(edits()).map(drop), is_repeated: true },
    Operation {
        run: |store| {
            let stream = (0..5_000).map(|n| Ok(block(n)));
            store.apply(Change::new(Event::Write).blocks(stream).edit(to_new())).map(drop)
        },
        is_repeated: false,
    },
    Operation { run: |store| collect(store, None), is_repeated: false },
    Operation { run: |store| collect(store, Some(step(5))), is_repeated: false },
    Operation {
        run: |store| {
            let names = [1, 2].map(|n| cid(n).as_bytes().to_vec());
            store.replace(&mut [Ok(block(7))].into_iter(), &names).map(drop)
        },
        is_repeated: false,
    },
];

fn to_new() -> pds_store::refs::RefEdit {
    edit("HEAD", Some(7), Expect::Exactly(cid(4)))
}

/// A change with edits of every kind.
fn edits() -> Change<'static> {
    let refs = [edit("side", None, Expect::Present), edit("new", Some(2), Expect::Absent)];
    let facts = [
        FactEdit::Clear(FactKind::Loss),
        FactEdit::Set(Fact::Loss(cid(8))),
        FactEdit::Remove(Fact::Erasing),
    ];
    let blocks = [Ok(block(7))];
    Change::new(Event::Write).blocks(blocks).edits(refs).edit(to_new()).facts(facts)
}

fn collect(store: &PostgresStore, change: Option<Change<'_>>) -> Result<(), StoreError> {
    let live = |found: &Cid| *found == cid(4) || *found == cid(5);
    let mut fate = |row: &LogEntry| match row.after.is_some_and(|after| live(&after)) {
        true => Fate::StaysWithoutMessage,
        false => Fate::Goes,
    };
    let seen = store.view()?.version();
    let mut sweep = Sweep::new(seen, &live).log(&mut fate);
    sweep = sweep.facts(vec![FactEdit::Set(Fact::Erasing)]);
    sweep.change = change;
    store.collect(sweep).map(drop)
}

/// Makes a store with some content, and returns handles to it: with the proxy and without.
fn filled(server: u16, proxy: u16, database: &str) -> [PostgresStore; 2] {
    let address = |port| format!("postgres://pds@127.0.0.1:{port}/{database}").parse().unwrap();
    let did = new_did();
    let direct = PostgresStore::create(&address(server), &did).unwrap();
    for n in 1..5 {
        direct.apply(wide_step(n)).unwrap();
    }
    [PostgresStore::open(&address(proxy), &did).unwrap(), direct]
}

/// Checks the result of an operation that failed at a statement. The contents are those before it,
/// after a complete one, and that of the store.
type Check<'c> = &'c dyn Fn(&Operation, Result<(), StoreError>, [&Content; 3]);

/// Fails each statement of each operation in turn.
fn fail_everywhere(fault: Fault, check: Check<'_>) {
    let Some(server) = shared() else { return };
    let proxy = Proxy::start(server.port);
    let address = server.database().to_string();
    let database = address.rsplit('/').next().unwrap();
    for operation in OPERATIONS {
        let [store, _] = filled(server.port, proxy.port, database);
        let before = content(&store);
        (operation.run)(&store).unwrap();
        let after = content(&store);
        assert_ne!(before, after);
        for n in 1.. {
            let [store, direct] = filled(server.port, proxy.port, database);
            proxy.fail_at(n, fault);
            let done = (operation.run)(&store);
            if !proxy.has_failed() {
                done.unwrap();
                assert!(n > 2, "every operation has some statements");
                break;
            }
            check(&operation, done, [&before, &after, &content(&direct)]);
            // The store still works.
            assert_eq!(content(&store), content(&direct));
            direct.apply(Change::new(Event::Set).fact(FactEdit::Set(Fact::Erasing))).unwrap();
            store.apply(Change::new(Event::Set).fact(FactEdit::Remove(Fact::Erasing))).unwrap();
        }
    }
}

#[test]
fn a_conflict_at_any_statement_is_retried_or_reported() {
    fail_everywhere(Fault::Conflict, &|operation, done, [before, after, found]| match done {
        Ok(()) => assert_eq!(found, after, "a change that is acknowledged is complete"),
        Err(StoreError::Busy) => {
            assert!(!operation.is_repeated, "a change in memory is repeated");
            assert_eq!(found, before, "a change that fails leaves nothing");
        }
        Err(error) => panic!("a conflict is reported as `Busy`: {error:?}"),
    });
}

fn is_unknown(error: &StoreError) -> bool {
    let StoreError::Backend(error) = error else { panic!("{error:?}") };
    error.to_string().contains("stored completely or not at all")
}

/// Cuts the connection before the server has run a statement, at every statement.
fn cut_everywhere(fault: Fault) {
    fail_everywhere(fault, &|_, done, [before, after, found]| match done {
        Ok(()) => assert_eq!(found, after, "a change that is acknowledged is complete"),
        Err(StoreError::Backend(_)) => {
            assert_eq!(found, before, "a change that fails leaves nothing");
        }
        Err(error) => panic!("a lost connection is an error of the back end: {error:?}"),
    });
}

#[test]
fn a_connection_that_ends_before_a_statement_leaves_nothing() {
    cut_everywhere(Fault::CutBefore);
}

#[test]
fn a_connection_that_ends_during_a_statement_leaves_nothing() {
    cut_everywhere(Fault::CutDuring);
}

#[test]
fn a_change_whose_acknowledgement_is_lost_has_an_unknown_outcome() {
    fail_everywhere(Fault::CutAfter, &|_, done, [before, after, found]| match done {
        Ok(()) => assert_eq!(found, after, "a change that is acknowledged is complete"),
        Err(error) if found == after => assert!(is_unknown(&error), "{error:?}"),
        Err(_) => assert_eq!(found, before, "a change that fails leaves nothing"),
    });
}
