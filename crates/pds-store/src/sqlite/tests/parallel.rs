//! Tests of parallel reads, and of the connections that are left after them.

use std::sync::{Arc, Barrier};

use super::*;
use crate::change::Change;
use crate::sqlite::store::SqliteStore;

/// The number of threads that read in parallel: more than the pool keeps connections.
const THREADS: usize = 12;

#[test]
fn no_read_waits_for_a_read_or_for_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = Arc::new(SqliteStore::create(&path).unwrap());
    apply(&store, 0..1_000);
    let shared = store.clone();
    bounded("a read", move || {
        let store = &*shared;
        let held = store.view().unwrap();
        // Another process writes, and has not committed yet.
        let sql = Connection::open(&path).unwrap();
        sql.execute_batch("BEGIN IMMEDIATE; DELETE FROM refs; DELETE FROM blocks").unwrap();
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS as u32 {
                let barrier = &barrier;
                scope.spawn(move || {
                    let view = store.view().unwrap();
                    // From here on all views exist at once.
                    barrier.wait();
                    for n in (0..1_000).skip(thread as usize).step_by(THREADS) {
                        assert_eq!(view.get(&block(n).cid()).unwrap(), Some(block(n)));
                        assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)));
                    }
                    assert_eq!(view.refs().unwrap().get(&RefName::head()), Some(block(0).cid()));
                    barrier.wait();
                });
            }
        });
        assert_eq!(held.refs().unwrap().get(&RefName::head()), Some(block(0).cid()));
        sql.execute_batch("ROLLBACK").unwrap();
        // A view keeps its moment, and does not keep this store from writing.
        apply(store, 5_000..5_010);
        assert_eq!(held.refs().unwrap().get(&RefName::head()), Some(block(0).cid()));
        assert_eq!(held.get(&block(5_000).cid()).unwrap(), None);
        assert_eq!(head(store), Some(block(5_000).cid()));
    });
    assert_eq!(store.pool.idle_count(), 8, "of {} connections", THREADS + 1);
}

#[test]
fn one_thread_may_hold_several_views_and_read_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(dir.path().join("pds.db")).unwrap();
    bounded("a view", move || {
        let mut views = Vec::new();
        for n in 0..THREADS as u32 {
            apply(&store, n..n + 1);
            views.push(store.view().unwrap());
        }
        for (n, view) in (0..).zip(&views) {
            let found = view.refs().unwrap().get(&RefName::head());
            assert_eq!(found, Some(block(n).cid()), "each view has a moment of its own");
            assert_eq!(view.get(&block(n + 1).cid()).unwrap(), None);
            assert!(store.get(&block(n).cid()).unwrap().is_some());
        }
        drop(views);
        assert_eq!(store.pool.idle_count(), 8);
    });
}

#[test]
fn a_stream_of_blocks_may_read_the_store_that_it_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::create(dir.path().join("pds.db")).unwrap());
    bounded("a stream", move || {
        apply(&store, 0..10);
        let inner = &store;
        let blocks = (0..20).map(|n| {
            let known = inner.get(&block(n).cid()).unwrap();
            assert_eq!(known.is_some(), n < 10);
            assert_eq!(head(inner), Some(block(0).cid()));
            Ok(block(n))
        });
        let edit = head_at(Some(block(15).cid()));
        let applied = store.apply(Change::new(Event::Set).blocks(blocks).edit(edit)).unwrap();
        assert_eq!(applied.new_blocks, 10);
    });
}
