//! Several reads in a row, and what others do meanwhile.

use super::*;

#[test]
fn a_sitting_reads_nothing_older_than_itself_and_leaves_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    let [store, other] = [0, 1].map(|_| SqliteStore::open(&path).unwrap());
    // One that has never written, and one that has: they read through different connections.
    for round in 0..2 {
        let version = |store: &SqliteStore| store.refs().unwrap().version;
        let start = version(&store);
        let outer = Sitting::begin(&store);
        assert_eq!(version(&store), start);
        let newest = apply(&other, 100 * round..100 * round + 10).version;
        {
            // It is within the other one, and may be of the same moment.
            let _inner = Sitting::begin(&store);
            assert!((start..=newest).contains(&version(&store)));
        }
        std::thread::scope(|scope| {
            let elsewhere = || {
                assert_eq!(version(&store), newest, "another thread is in no sitting");
                let _sitting = Sitting::begin(&store);
                let cid = block(100 * round).cid();
                assert!(store.get(&cid).unwrap().is_some());
            };
            scope.spawn(elsewhere);
        });
        drop(outer);
        let sitting = Sitting::begin(&store);
        assert_eq!(version(&store), newest);
        let own = apply(&store, 100 * round + 50..100 * round + 60);
        assert_eq!(version(&store), own.version, "what is written in a sitting is seen in it");
        assert!(store.get(&block(100 * round + 55).cid()).unwrap().is_some());
        drop(sitting);
        // A transaction that is still open would stand in the way for five seconds, and then for good.
        let sitting = Sitting::begin(&store);
        assert_eq!(version(&store), own.version);
        drop(sitting);
        other.compact().unwrap();
    }
}

#[test]
fn a_sitting_that_was_taken_over_while_it_waited_leaves_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    let [store, other] = [0, 1].map(|_| SqliteStore::open(&path).unwrap());
    let (sits, is_sitting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let held = store.reader();
        scope.spawn(|| {
            let _sitting = Sitting::begin(&store);
            sits.send(()).unwrap();
            store.refs().unwrap();
        });
        is_sitting.recv().unwrap();
        // Now it waits for the connection, and somebody else comes and goes.
        std::thread::sleep(std::time::Duration::from_millis(100));
        store.seat.take();
        store.seat.leave();
        drop(held);
    });
    apply(&other, 0..10);
    other.compact().unwrap();
}

#[test]
fn sittings_of_many_threads_leave_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    apply(&store, 0..100);
    for round in 0..20 {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..50 {
                        let cid = block((n + thread) % 100).cid();
                        let _sitting = Sitting::begin(store);
                        assert!(store.get(&cid).unwrap().is_some());
                        let _inner = Sitting::begin(store);
                        assert!(store.get_many(&[cid])[0].as_ref().unwrap().is_some());
                    }
                });
            }
            apply(&store, 100 + round..110 + round);
        });
        assert_eq!(store.reader().sitting(), None);
        assert_eq!(store.writer.lock().unwrap().as_ref().unwrap().sitting(), None);
        other.compact().unwrap();
    }
}

#[test]
fn a_sitting_does_not_go_back_in_time_where_it_changes_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    apply(&store, 0..10);
    let _sitting = Sitting::begin(&store);
    let elsewhere = || {
        // Another thread uses the connection that writes.
        let held = store.writer.lock().unwrap();
        let version = store.refs().unwrap().version;
        drop(held);
        version
    };
    let first = elsewhere();
    let newest = apply(&other, 10..20).version;
    assert_eq!((first < newest, store.refs().unwrap().version), (true, newest));
    assert_eq!(elsewhere(), newest);
}

#[test]
fn a_sitting_that_began_in_an_earlier_format_goes_on_in_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let earlier = "
        ALTER TABLE blocks RENAME TO blocks_2;
        CREATE TABLE blocks (cid BLOB PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT;
        INSERT INTO blocks SELECT cid, bytes FROM blocks_2;
        DROP TABLE blocks_2;
        DROP TABLE places;
        DELETE FROM meta WHERE key = 'placed';
        PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(earlier).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let _sitting = Sitting::begin(&store);
    assert_eq!(store.get(&block(3).cid()).unwrap(), Some(block(3)));
    // Another thread comes to write.
    store.writing(|_| Ok(())).unwrap();
    assert_eq!(store.get(&block(3).cid()).unwrap(), Some(block(3)));
}

#[test]
fn a_sitting_goes_on_after_an_error_that_has_ended_its_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let [store, other] = [0, 1].map(|_| SqliteStore::open(&path).unwrap());
    // What SQLite does when the disk fails, and memory runs out.
    let fail = || store.reader().connection.execute_batch("ROLLBACK").unwrap();
    let sitting = Sitting::begin(&store);
    let version = store.refs().unwrap().version;
    fail();
    assert_eq!(store.get(&block(3).cid()).unwrap(), Some(block(3)));
    // It is of one moment again.
    apply(&other, 10..20);
    assert_eq!(store.refs().unwrap().version, version);
    fail();
    drop(sitting);
    assert_eq!(store.refs().unwrap().version, version + 1);
    // It is no reason for a write to fail.
    let _sitting = Sitting::begin(&store);
    store.get(&block(3).cid()).unwrap();
    fail();
    store.compact().unwrap();
    apply(&store, 20..30);
    store.get(&block(3).cid()).unwrap();
    let writer = store.writer.lock().unwrap();
    writer.as_ref().unwrap().connection.execute_batch("ROLLBACK").unwrap();
    drop(writer);
    apply(&store, 30..40);
}

#[test]
fn what_is_written_in_a_sitting_is_seen_in_it_though_the_blocks_were_read_from_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..10);
    let _sitting = Sitting::begin(&store);
    let from_here = (0..10).map(|n| {
        let read = store.get(&block(n).cid()).unwrap().unwrap();
        Ok(Block::new(Codec::Raw, [read.bytes(), b"more"].concat()))
    });
    let first = Block::new(Codec::Raw, [&0_u32.to_be_bytes()[..], b"more"].concat()).cid();
    let edit = RefEdit { name: RefName::head(), target: Some(first), expect: Expect::Any };
    store.apply(&mut { from_here }, &[edit], "test").unwrap();
    // Somebody else uses the connection that has written, so that this goes through the one that the blocks were
    // read through.
    let _held = store.writer.lock().unwrap();
    assert_eq!(store.get_ref(&RefName::head()).unwrap(), Some(first));
    assert!(store.get(&first).unwrap().is_some());
}
