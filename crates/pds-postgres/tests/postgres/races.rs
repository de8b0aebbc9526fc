//! Writers that race: one wins, and the losers leave nothing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;
use pds_store::change::Change;
use pds_store::conformance::shared::check_shared;
use pds_store::conformance::suite::check;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::log::LogEntry;
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::Store;
use pds_store::sweep::Sweep;

use crate::server::{Server, shared};
use crate::support::{block, cid, content, named_did, new_did, step, wide_step};

/// Lets eight handles move a ref, each from the commit that it has read.
fn race(address: &Address, name: &RefName) {
    let did = new_did();
    let store = PostgresStore::create(address, &did).unwrap();
    let wins = AtomicU32::new(0);
    thread::scope(|scope| {
        for writer in 0..8 {
            let (did, wins) = (&did, &wins);
            scope.spawn(move || {
                let store = PostgresStore::open(address, did).unwrap();
                for n in 0..60 {
                    let number = 1_000 * (writer + 1) + n;
                    match store.apply(next(&store, name, number, n % 3 == 2)) {
                        Ok(_) => drop(wins.fetch_add(1, Ordering::Relaxed)),
                        Err(StoreError::Moved { .. } | StoreError::Busy) => {
                            assert!(store.get(&cid(number)).unwrap().is_none(), "a loser's block");
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    let found = content(&store);
    let of_ref = found.log.iter().filter(|row| row.name == *name);
    let mut end = None;
    for LogEntry { before, after, .. } in of_ref.clone() {
        assert_eq!(*before, end, "every win is a link of one chain");
        end = *after;
    }
    assert_eq!(of_ref.count() as u32, wins.into_inner(), "every win has one log row");
    assert_eq!(found.refs.get(name), end);
}

/// Returns a change of a ref from its present commit to a new block. A wide one edits a second ref.
fn next(store: &PostgresStore, name: &RefName, number: u32, is_wide: bool) -> Change<'static> {
    let found = store.view().unwrap().refs().unwrap().get(name);
    let expect = found.map_or(Expect::Absent, Expect::Exactly);
    let edit = |name, expect| RefEdit { name, target: Some(cid(number)), expect };
    let change = Change::new(Event::Write).blocks([Ok(block(number))]);
    let change = change.edit(edit(name.clone(), expect));
    if is_wide { change.edit(edit("side".parse().unwrap(), Expect::Any)) } else { change }
}

#[test]
fn eight_handles_race_for_one_ref() {
    let Some(server) = shared() else { return };
    race(&server.database(), &RefName::head());
}

/// Only the number of the last change keeps these writers apart.
#[test]
fn eight_handles_race_for_a_ref_that_is_not_head() {
    let Some(server) = shared() else { return };
    race(&server.database(), &"other".parse().unwrap());
}

#[test]
fn a_change_of_head_fails_after_a_sweep() {
    let Some(server) = shared() else { return };
    let store = PostgresStore::create(&server.database(), &new_did()).unwrap();
    store.apply(step(1)).unwrap();
    let seen = store.view().unwrap().version();
    store.collect(Sweep::new(seen, &|found| *found == cid(1))).unwrap();
    let before = content(&store);
    let late = store.apply(step(2).unless_swept_since(seen));
    assert!(matches!(late, Err(StoreError::Changed)), "{late:?}");
    assert_eq!(content(&store), before);
}

#[test]
fn a_serializable_server_changes_nothing() {
    // Such a server remembers what each transaction has read, for as long as others run.
    let settings =
        ["default_transaction_isolation=serializable", "max_pred_locks_per_transaction=2000"];
    let Some(server) = Server::start(&settings) else { return };
    let address = server.database();
    race(&address, &RefName::head());
    check(&|| Box::new(PostgresStore::create(&address, &new_did()).unwrap()));
    check_shared(&|name| {
        let did = named_did(name);
        let opened = PostgresStore::open(&address, &did);
        Box::new(opened.or_else(|_| PostgresStore::create(&address, &did)).unwrap())
    });
}

/// The statement that writes.
const STEP: &str = concat!(
    include_str!("../../src/sql/write_begin.sql"),
    include_str!("../../src/sql/write_end.sql")
);

/// Two sessions run a statement that moves HEAD from the same commit, the second while the first is
/// not committed. Returns the number of those that have moved it.
fn winners(server: &Server, statement: &str) -> usize {
    let address = server.database();
    let did = new_did();
    PostgresStore::create(&address, &did).unwrap().apply(wide_step(1)).unwrap();
    let run = |client: &mut postgres::Client, n: u32| {
        let sql = "SELECT id FROM pds.account WHERE did = $1";
        let account: i64 = client.query_one(sql, &[&did.as_str()]).unwrap().get(0);
        let (before, after) = (cid(1), cid(n));
        let name = |cid: &Cid| cid.as_bytes().to_vec();
        let (names, blocks) = (vec![name(&after)], vec![block(n).bytes().to_vec()]);
        let none: Option<i64> = None;
        client
            .query(
                statement,
                &[
                    &account,
                    &none,
                    &none,
                    &name(&before),
                    &1i64,
                    &false,
                    &vec!["HEAD"],
                    &vec![name(&after)],
                    &names,
                    &blocks,
                    &vec![1i64],
                    &vec!["HEAD"],
                    &vec![name(&before)],
                    &vec![name(&after)],
                    &vec![0i64],
                    &vec!["write"],
                    &vec![None::<&[u8]>],
                    &vec![None::<&str>],
                    &vec![None::<&str>],
                    &vec![""],
                ],
            )
            .map(|rows| rows.len())
    };
    let [mut one, mut other] = [server.client(&address), server.client(&address)];
    one.batch_execute("BEGIN").unwrap();
    let first = run(&mut one, 2).unwrap();
    let second = thread::scope(|scope| {
        let second = scope.spawn(|| run(&mut other, 3));
        // The second session waits for the row.
        thread::sleep(std::time::Duration::from_millis(300));
        assert!(!second.is_finished());
        one.batch_execute("COMMIT").unwrap();
        second.join().unwrap()
    });
    // A log row with the same number is the other sign of an overwritten commit.
    first + second.unwrap_or(1)
}

/// The race has teeth: a statement that compares HEAD in a part that does not lock the row lets
/// both writers win.
#[test]
fn the_comparison_belongs_to_the_update_of_the_account() {
    let Some(server) = shared() else { return };
    assert_eq!(winners(server, STEP), 1);
    let condition = "head IS NOT DISTINCT FROM $4";
    let elsewhere = "EXISTS (SELECT 1 FROM pds.account WHERE id = $1 AND head = $4)";
    let careless = STEP.replace(condition, elsewhere);
    assert_ne!(careless, STEP);
    assert_eq!(winners(server, &careless), 2);
}
