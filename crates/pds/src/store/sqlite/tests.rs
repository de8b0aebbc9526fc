//! What is particular to a store in a file: the tail, the index behind it, and several handles.

mod sittings;

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::*;
use crate::data::{Codec, MemoryBlocks};
use crate::store::sqlite::places::MAX_TAIL;
use crate::store::{Expect, conformance};

fn block(n: u32) -> Block {
    Block::new(Codec::Raw, n.to_be_bytes())
}

fn apply(store: &SqliteStore, blocks: impl Iterator<Item = u32>) -> Applied {
    let blocks: Vec<Block> = blocks.map(block).collect();
    let target = blocks.first().map(Block::cid);
    let edit = RefEdit { name: RefName::head(), target, expect: Expect::Any };
    store.apply(&mut blocks.into_iter().map(Ok), &[edit], "test").unwrap()
}

fn numbers(path: &Path) -> (i64, i64) {
    let connection = Connection::open(path).unwrap();
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (one("SELECT count(*) FROM blocks"), one("SELECT count(*) FROM places"))
}

#[test]
fn blocks_are_found_and_counted_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    // Into the tail; some again; over its edge, with repeats near and far; on top of that; in bulk.
    let steps = [0..10, 5..20, 15..max + 100, 0..max + 101, max + 50..3 * max];
    let mut known = HashSet::new();
    for (step, range) in steps.into_iter().enumerate() {
        let writer = if step % 2 == 0 { &store } else { &other };
        let twice = range.clone().chain(range.clone().step_by(7));
        let applied = apply(writer, twice);
        let before = known.len();
        known.extend(range);
        assert_eq!(applied.new_blocks, (known.len() - before) as u64, "step {step}");
        let (rows, placed) = numbers(&path);
        assert_eq!(rows, known.len() as i64);
        assert!(rows - placed <= MAX_TAIL as i64);
        for reader in [&store, &other, &SqliteStore::open(&path).unwrap()] {
            assert_eq!(reader.block_count().unwrap(), known.len() as u64);
            for n in known.iter().step_by(97) {
                assert_eq!(reader.get(&block(*n).cid()).unwrap(), Some(block(*n)));
            }
            assert_eq!(reader.get(&block(u32::MAX).cid()).unwrap(), None);
        }
    }
}

#[test]
fn no_block_stands_twice_whoever_took_it_into_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    // From the third write on this handle knows what the index has.
    assert_eq!([0..10, 10..20, 20..30].map(|some| apply(&store, some).new_blocks), [10; 3]);
    // What the other one adds to it, the first one has to learn,
    assert_eq!(apply(&other, 30..2 * max).new_blocks, u64::from(2 * max - 30));
    assert_eq!(apply(&store, (0..2 * max).step_by(100)).new_blocks, 0);
    // and what it adds itself too, several times over the room that it has made.
    for n in 2..12 {
        let again = (0..n * max).step_by(1_000);
        assert_eq!(apply(&store, again.chain(n * max..(n + 1) * max)).new_blocks, u64::from(max));
    }
    assert_eq!(numbers(&path).0, i64::from(12 * max));
    // What was refused is not remembered.
    let (here, stranger) = (block(0), block(u32::MAX));
    let edit = RefEdit { name: RefName::head(), target: Some(here.cid()), expect: Expect::Absent };
    let mut refused = [Ok(stranger.clone())].into_iter();
    assert!(store.apply(&mut refused, &[edit], "test").is_err());
    assert_eq!(apply(&store, [u32::MAX].into_iter()).new_blocks, 1);
    assert_eq!(store.get(&stranger.cid()).unwrap(), Some(stranger));
}

#[test]
fn what_a_sweep_leaves_is_known_to_every_handle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&store, 0..max + 10);
    apply(&store, max + 10..max + 30);
    // The other handle writes too, so that it knows the tail.
    apply(&other, max + 30..max + 40);
    let third = SqliteStore::open(&path).unwrap();
    for n in max + 30..max + 40 {
        assert!(third.get(&block(n).cid()).unwrap().is_some());
    }
    let live: HashSet<Cid> = (0..max + 40).step_by(3).map(|n| block(n).cid()).collect();
    let version = store.refs().unwrap().version;
    let is_live = |cid: &Cid| live.contains(cid);
    let sweep = Sweep {
        as_of: version,
        live: &is_live,
        absent: &|_| false,
        log: None,
        meta: &[],
        dry_run: false,
    };
    let swept = store.sweep(&sweep).unwrap();
    assert_eq!(swept.blocks, u64::from(max + 40) - live.len() as u64);
    for n in (0..max + 40).step_by(13) {
        for reader in [&store, &other] {
            let found = reader.get(&block(n).cid()).unwrap();
            assert_eq!(found.is_some(), n % 3 == 0, "{n}");
        }
    }
    // What was swept can come again, by a writer that has seen it before.
    let applied = apply(&other, max + 30..max + 40);
    assert_eq!(applied.new_blocks, (max + 30..max + 40).filter(|n| n % 3 != 0).count() as u64);
    // And be found by a reader that has seen it before it was swept, in another row.
    for reader in [&store, &other, &third] {
        for n in max + 30..max + 40 {
            assert!(reader.get(&block(n).cid()).unwrap().is_some(), "{n}");
        }
    }
}

#[test]
fn reading_row_after_row_gives_the_same_as_reading_at_random() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&dir.path().join("pds.db")).unwrap();
    let blocks: Vec<Block> = (0..2_000_u32)
        .map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(1 + n as usize % 300)))
        .collect();
    let target = Some(blocks[0].cid());
    let edit = RefEdit { name: RefName::head(), target, expect: Expect::Any };
    store.apply(&mut blocks.iter().cloned().map(Ok), &[edit], "test").unwrap();
    let oracle: MemoryBlocks = blocks.iter().cloned().collect();
    // On and on, with holes, backwards, and back and forth.
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

#[test]
fn the_file_is_mapped_for_who_looks_up_much_and_not_for_who_reads_all_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..5_000);
    let mapped = |store: &SqliteStore| -> i64 {
        let reader = store.reader();
        reader.connection.pragma_query_value(None, "mmap_size", |row| row.get(0)).unwrap()
    };
    let read = |store: &SqliteStore, n: u32| {
        assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)));
    };
    // At random, and a few in a row, as a lookup does.
    let at_random = |store: &SqliteStore, times: std::ops::Range<u32>| {
        times.for_each(|n| read(store, n / 3 * 617 % 4_900 + n % 3));
    };
    let store = SqliteStore::open(&path).unwrap();
    at_random(&store, 0..1_000);
    assert_eq!(mapped(&store), 0, "a few lookups need no map");
    at_random(&store, 1_000..2_000);
    assert_eq!(mapped(&store), schema::MMAP_BYTES);
    assert_eq!(store.reader().ahead.count, 0, "and nothing was read ahead");
    // All in a row: at once between single reads,
    (0..2_000).for_each(|n| read(&store, n));
    assert_eq!(mapped(&store), 0);
    // for good,
    at_random(&store, 0..3_000);
    assert_eq!(mapped(&store), 0);
    // in a sitting when it has ended,
    let store = SqliteStore::open(&path).unwrap();
    at_random(&store, 0..1_001);
    let sitting = Sitting::begin(&store);
    (0..2_000).for_each(|n| read(&store, n));
    assert_eq!(mapped(&store), schema::MMAP_BYTES);
    drop(sitting);
    read(&store, 2_000);
    assert_eq!(mapped(&store), 0);
    // and whoever begins with it never has one.
    let store = SqliteStore::open(&path).unwrap();
    (0..5_000).for_each(|n| read(&store, n));
    at_random(&store, 0..3_000);
    assert_eq!(mapped(&store), 0);
    (0..5_000).rev().for_each(|n| read(&store, n));
}

#[test]
fn what_comes_back_into_the_index_is_known_to_who_knew_it_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&store, 0..2 * max);
    Connection::open(&path).unwrap().execute("DELETE FROM places", []).unwrap();
    // It learns what the index has when it has nothing.
    for some in [2 * max..2 * max + 1_000, 3 * max..3 * max + 10] {
        assert_eq!(apply(&store, some.clone()).new_blocks, some.len() as u64);
    }
    let is_taken = |writer: &Reader| writer.tail.as_ref().is_some_and(Tail::knows_the_index);
    assert!(store.writer.lock().unwrap().as_ref().is_some_and(is_taken));
    // A repair brings the index back, and blocks that it has then.
    let mended = store.mend(&mut (0..2 * max).map(block).map(Ok), &[]).unwrap();
    assert_eq!((mended.dropped, mended.added), (0, 0));
    assert_eq!(apply(&store, 0..2 * max).new_blocks, 0);
}

#[test]
fn blocks_whose_digests_start_alike_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    // One digest under two codecs is the case that can be made at will.
    let both = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"\xa0"));
    let edit = RefEdit { name: RefName::head(), target: Some(both[0].cid()), expect: Expect::Any };
    let many = (0..u32::try_from(MAX_TAIL).unwrap() + 1).map(block);
    let blocks = both.iter().cloned().chain(many).chain(both.iter().cloned());
    let applied = store.apply(&mut blocks.map(Ok), &[edit], "test").unwrap();
    assert_eq!(applied.new_blocks, MAX_TAIL as u64 + 3);
    for block in both {
        assert_eq!(store.get(&block.cid()).unwrap(), Some(block));
    }
}

#[test]
fn the_store_in_a_file_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::check(&|| {
        count.set(count.get() + 1);
        let path = dir.path().join(format!("{}.db", count.get()));
        Box::new(SqliteStore::create(&path).unwrap())
    });
}

#[test]
fn a_newer_format_is_refused_kindly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(connection);
    match SqliteStore::open(&path).map(drop).unwrap_err() {
        StoreError::NewerFormat { found, supported } => {
            assert_eq!((found, supported), (FORMAT + 1, FORMAT));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_files_are_not_stores() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let not_a_store = |path: &Path| {
        let error = SqliteStore::open(path).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore(_)), "{error:?}");
    };
    not_a_store(&path);
    std::fs::write(&path, b"").unwrap();
    not_a_store(&path);
    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    not_a_store(&path);
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    not_a_store(&path);
    assert!(SqliteStore::create(&path).is_err(), "it exists");
}

#[test]
fn a_block_under_the_wrong_name_is_damage_and_not_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    let cid = Cid::of(Codec::Cbor, b"\xa0");
    let row = params![cid.as_bytes().as_slice(), b"\xa1".as_slice()];
    let connection = Connection::open(&path).unwrap();
    connection.execute("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)", row).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert!(matches!(store.get(&cid), Err(ReadError::Damaged { .. })));
}

#[test]
fn an_index_that_does_not_know_a_block_is_damage_and_can_be_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&SqliteStore::create(&path).unwrap(), 0..max + 10);
    let harms = [
        "DELETE FROM places WHERE id = 7",
        "UPDATE places SET start = start + 1",
        "DELETE FROM places",
    ];
    for (harm, is_counted) in harms.into_iter().zip([true, false, true]) {
        Connection::open(&path).unwrap().execute(harm, []).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.block_count().is_err(), is_counted, "{harm}");
        assert_eq!(SqliteStore::check_file(&path).unwrap().len(), 1, "{harm}");
        store.mend(&mut std::iter::empty(), &[]).unwrap();
        assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
        assert_eq!(store.block_count().unwrap(), u64::from(max) + 10);
        assert!((0..max + 10).all(|n| store.get(&block(n).cid()).unwrap().is_some()));
    }
}

#[test]
fn a_row_with_the_last_number_there_is_is_read_and_nothing_comes_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let moved = "UPDATE blocks SET id = ?1 WHERE id = (SELECT max(id) FROM blocks)";
    Connection::open(&path).unwrap().execute(moved, [i64::MAX]).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    for n in (0..10).rev().chain(0..10) {
        assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)));
    }
    let edit = RefEdit { name: RefName::head(), target: None, expect: Expect::Any };
    let refused = store.apply(&mut [Ok(block(20))].into_iter(), &[edit], "test");
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    assert_eq!(store.block_count().unwrap(), 10);
}

#[test]
fn who_may_not_write_sees_what_somebody_else_has_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let mut reader = Reader::new(schema::open_frozen(&path).unwrap());
    let head = |reader: &mut Reader| {
        reader.sit(None).unwrap();
        reader.refs().unwrap().get(&RefName::head())
    };
    assert_eq!(head(&mut reader), Some(block(0).cid()));
    // While somebody writes, and once nobody does any more.
    let store = SqliteStore::open(&path).unwrap();
    apply(&store, 20..30);
    assert_eq!(head(&mut reader), Some(block(20).cid()));
    apply(&store, 40..50);
    drop(store);
    assert_eq!(head(&mut reader), Some(block(40).cid()));
    assert!(reader.get(&block(45).cid()).unwrap().is_some());
    // Where it cannot be opened anew, nothing old is told.
    let mut reader = Reader::new(schema::open_frozen(&path).unwrap());
    std::fs::write(&path, "").unwrap();
    for _ in 0..2 {
        assert!(matches!(reader.sit(None), Err(StoreError::NotAStore(_))));
    }
}
