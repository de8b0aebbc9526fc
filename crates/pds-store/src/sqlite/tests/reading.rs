//! Tests of reading: ahead, in parallel, and without write access.

use super::*;
use crate::error::StoreError;
use crate::fact::FactKind;
use crate::log::LogQuery;
use crate::sqlite::errors::store_error;
use crate::sqlite::immutable_file::has_no_wal;
use crate::sqlite::reader::Reader;
use crate::sqlite::schema;
use crate::sqlite::schema::open_for_reading;
use crate::sqlite::store::SqliteStore;
use crate::sweep::Sweep;
use pds_core::data::block::{Block, MemoryBlocks, ReadError};

#[test]
fn sequential_reads_return_the_same_as_random_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(dir.path().join("pds.db")).unwrap();
    let blocks: Vec<Block> = (0..2_000_u32)
        .map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(1 + n as usize % 300)))
        .collect();
    let target = Some(blocks[0].cid());
    change(&store, blocks.iter().cloned(), target).unwrap();
    let oracle: MemoryBlocks = blocks.iter().cloned().collect();
    // The orders are: in sequence, with holes, backwards, and back and forth.
    let orders: [Vec<usize>; 4] = [
        (0..2_000).collect(),
        (0..2_000).filter(|n| n % 5 != 0).collect(),
        (0..2_000).rev().collect(),
        (0..2_000).flat_map(|n| [n, n * 7 % 2_000]).collect(),
    ];
    for order in orders {
        for index in order {
            let cid = blocks[index].cid();
            assert_eq!(store.get(&cid).unwrap(), oracle.get(&cid).unwrap());
        }
    }
}

/// Returns the number of rows that the last reader has read ahead.
fn read_ahead(store: &SqliteStore) -> i64 {
    let reader = store.pool.take().unwrap();
    let count = reader.ahead.count;
    store.pool.put_back(reader);
    count
}

#[test]
fn only_a_sequential_reader_reads_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..5_000);
    let store = SqliteStore::open(&path).unwrap();
    let read = |n: u32| assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)));
    // These reads are at random places, with a few in sequence, as in a lookup.
    (0..2_000).for_each(|n| read(n / 3 * 617 % 4_900 + n % 3));
    assert_eq!(read_ahead(&store), 0);
    // These reads are all in sequence.
    (0..2_000).for_each(read);
    assert_eq!(read_ahead(&store), 512);
    let reader = store.pool.take().unwrap();
    assert!(reader.ahead.next > 1, "the rows that were read ahead are used");
    store.pool.put_back(reader);
    (0..5_000).rev().for_each(read);
}

#[test]
fn reads_of_several_blocks_and_reads_ahead_are_bounded_in_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(dir.path().join("pds.db")).unwrap();
    let large = |n: u8| Block::new(Codec::Raw, vec![n; 300_000]);
    let blocks: Vec<Block> = (0..30).map(large).collect();
    change(&store, blocks.iter().cloned(), Some(blocks[0].cid())).unwrap();
    let cids: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    // The fourteenth block reaches the limit of 4 MiB.
    assert_eq!((store.get_many(&cids).len(), store.get_many(&cids[..9]).len()), (14, 9));
    cids.iter().for_each(|cid| assert!(store.get(cid).unwrap().is_some()));
    let reader = store.pool.take().unwrap();
    assert!(reader.ahead.count > 2 && reader.ahead.bytes.len() < 500_000);
}

#[test]
fn rows_that_were_read_ahead_are_not_found_after_a_sweep_by_another_handle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..200);
    let reader = SqliteStore::open(&path).unwrap();
    let view = reader.view().unwrap();
    (0..100).for_each(|n| assert!(view.get(&block(n).cid()).unwrap().is_some()));
    drop(view);
    let keep = block(0).cid();
    let version = store.view().unwrap().version();
    store.collect(Sweep::new(version, &|cid| *cid == keep)).unwrap();
    assert_eq!(reader.view().unwrap().get(&block(100).cid()).unwrap(), None);
}

/// Opens a store whose first reader treats the file as immutable.
fn frozen(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).unwrap();
    store.pool.close_idle();
    store.pool.put_back(Reader::new(schema::open_frozen(path).unwrap()));
    store
}

/// Makes a file look as if it was written some time later.
fn touch(path: &Path, seconds: u64) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_reader_that_cannot_lock_sees_what_another_machine_has_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let reader = frozen(&path);
    assert_eq!(head(&reader), Some(block(0).cid()));
    // While a writer has the file open,
    let store = SqliteStore::open(&path).unwrap();
    apply(&store, 20..30);
    assert_eq!(head(&reader), Some(block(20).cid()));
    drop(reader);
    apply(&store, 40..50);
    drop(store);
    // and after it has closed the file.
    let reader = frozen(&path);
    apply(&SqliteStore::open(&path).unwrap(), 60..70);
    assert_eq!(head(&reader), Some(block(60).cid()));
    assert!(reader.get(&block(45).cid()).unwrap().is_some());
    // If it cannot be opened again, no old result is returned.
    drop(reader);
    let reader = frozen(&path);
    std::fs::write(&path, "").unwrap();
    for _ in 0..2 {
        assert!(matches!(reader.view().map(drop), Err(StoreError::NotAStore(_))));
    }
}

/// SQLite keeps the WAL next to the file that a link points to. A reader that looked next to the link would
/// take the file for complete, and miss all that the WAL has.
#[test]
#[cfg(unix)]
fn a_reader_of_a_link_sees_the_wal_next_to_the_file_itself() {
    let dir = tempfile::tempdir().unwrap();
    let [file, copy, link] = ["file", "copy", "link"].map(|name| {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        dir.path().join(name).join("pds.db")
    });
    apply(&SqliteStore::create(&file).unwrap(), 0..10);
    std::os::unix::fs::symlink("../file/pds.db", &link).unwrap();
    let reader = frozen(&link);
    assert_eq!(head(&reader), Some(block(0).cid()));
    assert!(has_no_wal(&link));
    // The change is in the WAL only.
    let before = std::fs::read(&file).unwrap();
    let store = SqliteStore::open(&file).unwrap();
    apply(&store, 20..30);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(!has_no_wal(&link));
    assert_eq!(head(&reader), Some(block(20).cid()));
    assert_eq!(reader.get(&block(25).cid()).unwrap(), Some(block(25)));
    // A crash leaves the two files as they are, and no process that has them open.
    for end in ["", "-wal"] {
        let name = format!("pds.db{end}");
        std::fs::copy(file.with_file_name(&name), copy.with_file_name(&name)).unwrap();
    }
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("../copy/pds.db", &link).unwrap();
    assert!(!has_no_wal(&link));
    assert_eq!(head(&SqliteStore::open(&link).unwrap()), Some(block(20).cid()));
    assert!(has_no_wal(&link));
}

#[test]
fn a_file_that_changes_during_a_read_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    // The reader after the change locks the file: its result is returned.
    let store = frozen(&path);
    let reads = std::cell::Cell::new(0);
    let answer = store.pool.with(|_| {
        reads.set(reads.get() + 1);
        if reads.get() == 1 {
            apply(&SqliteStore::open(&path).unwrap(), 20..30);
        }
        reads.get()
    });
    assert_eq!((answer.unwrap(), reads.get()), (2, 2));
    // A file that changes during each read has no result.
    let store = frozen(&path);
    reads.set(0);
    let answer = store.pool.with(|_| {
        reads.set(reads.get() + 1);
        touch(&path, 60 * reads.get());
        store.pool.put_back(Reader::new(schema::open_frozen(&path).unwrap()));
    });
    assert_eq!(reads.get(), 3);
    assert!(matches!(answer, Err(StoreError::Changed)), "{answer:?}");
}

#[test]
fn a_view_of_a_file_that_has_changed_returns_no_result() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let store = frozen(&path);
    let view = store.view().unwrap();
    assert!(view.refs().is_ok() && view.get(&block(1).cid()).is_ok());
    touch(&path, 60);
    let cid = block(1).cid();
    assert!(matches!(view.refs(), Err(StoreError::Changed)));
    assert!(matches!(view.get(&cid), Err(ReadError::Backend { .. })));
    assert!(matches!(view.get_many(&[cid])[..], [Err(ReadError::Backend { .. })]));
    let mut each = |_| std::ops::ControlFlow::Continue(());
    assert!(matches!(view.log(&LogQuery::default(), &mut each), Err(StoreError::Changed)));
    let mut each = |_| std::ops::ControlFlow::Continue(());
    assert!(matches!(view.facts(FactKind::Account, &mut each), Err(StoreError::Changed)));
    drop(view);
    assert_eq!(head(&store), Some(block(0).cid()), "the file was opened again");
}

/// Checks the settings that every connection to a store must have.
fn check_settings(connection: &Connection, what: &str) {
    let expected = [
        ("mmap_size", 0),
        ("synchronous", 2),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("trusted_schema", 0),
        ("cache_size", -8192),
    ];
    for (pragma, expected) in expected {
        let found: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        assert_eq!(found, expected, "{pragma} of {what}");
    }
}

#[test]
fn every_connection_maps_no_file_and_syncs_through_the_cache_of_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let created = SqliteStore::create(&path).unwrap();
    apply(&created, 0..10);
    let store = SqliteStore::open(&path).unwrap();
    apply(&store, 10..20);
    for (store, what) in [(&created, "a new store"), (&store, "a store")] {
        check_settings(&store.pool.take().unwrap().connection, what);
        let writer = store.writer.lock().unwrap();
        check_settings(writer.as_ref().unwrap().connection(), what);
    }
    check_settings(&open_for_reading(&path).unwrap().connection, "a check");
    drop((created, store));
    check_settings(&schema::open_frozen(&path).unwrap().connection, "a file that never changes");
    let unsettled = SqliteStore::create_unsettled(dir.path().join("other.db")).unwrap();
    check_settings(&unsettled.pool.take().unwrap().connection, "an unsettled store");
    // Independent of the default of the build.
    let mapped = Connection::open(&path).unwrap();
    mapped.pragma_update_and_check(None, "mmap_size", 1 << 20, |_| Ok(())).unwrap();
    let set = schema::configure(mapped).unwrap();
    check_settings(&set.connection, "a connection that mapped the file");
}

#[test]
fn a_query_that_never_ends_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    bounded("a query", move || {
        let schema::Opened { connection, effort, .. } = open_for_reading(&path).unwrap();
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                       SELECT max(i) FROM n";
        let ask = || connection.query_row(endless, [], |row| row.get::<_, i64>(0));
        let error = store_error(ask().unwrap_err());
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
        // The following query is within the limit again.
        effort.renew();
        let million = endless.replace("i + 1 FROM n)", "i + 1 FROM n WHERE i < 1000000)");
        let counted: i64 = connection.query_row(&million, [], |row| row.get(0)).unwrap();
        assert_eq!(counted, 1_000_000);
    });
}
