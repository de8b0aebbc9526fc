//! Tests of the index `places`, and of the tail of blocks that are not in it.

use super::*;
use crate::change::Change;
use crate::error::StoreError;
use crate::sqlite::index::{MAX_TAIL, Tail};
use crate::sqlite::index_row::Place;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::writer::Writer;
use crate::sweep::Sweep;
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;

#[test]
fn blocks_are_found_and_counted_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    // The writes go into the tail, repeat blocks, exceed the limit of the tail with near and distant duplicates, add to
    // the new tail, and add in bulk.
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
fn no_block_is_stored_twice_by_several_writers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    // From the third write on, this handle has a filter of the index.
    assert_eq!([0..10, 10..20, 20..30].map(|some| apply(&store, some).new_blocks), [10; 3]);
    // The filter must include the blocks that the other handle adds,
    assert_eq!(apply(&other, 30..2 * max).new_blocks, u64::from(2 * max - 30));
    assert_eq!(apply(&store, (0..2 * max).step_by(100)).new_blocks, 0);
    // and the blocks that it adds itself, several times beyond the room of the filter.
    for n in 2..12 {
        let again = (0..n * max).step_by(1_000);
        assert_eq!(apply(&store, again.chain(n * max..(n + 1) * max)).new_blocks, u64::from(max));
    }
    assert_eq!(numbers(&path).0, i64::from(12 * max));
    // The blocks of a refused change are not remembered.
    let (here, stranger) = (block(0), block(u32::MAX));
    let edit = RefEdit { expect: Expect::Absent, ..head_at(Some(here.cid())) };
    let refused = Change::new(Event::Set).blocks([Ok(stranger.clone())]).edit(edit);
    assert!(matches!(store.apply(refused), Err(StoreError::Moved { .. })));
    assert_eq!(apply(&store, [u32::MAX].into_iter()).new_blocks, 1);
    assert_eq!(store.get(&stranger.cid()).unwrap(), Some(stranger));
}

#[test]
fn every_handle_knows_the_result_of_a_sweep() {
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
    let version = store.view().unwrap().version();
    let swept = store.collect(Sweep::new(version, &|cid| live.contains(cid))).unwrap();
    assert_eq!(swept.blocks, u64::from(max + 40) - live.len() as u64);
    for n in (0..max + 40).step_by(13) {
        for reader in [&store, &other] {
            let found = reader.get(&block(n).cid()).unwrap();
            assert_eq!(found.is_some(), n % 3 == 0, "{n}");
        }
    }
    // Swept blocks can be stored again, by a writer that has seen them before.
    let applied = apply(&other, max + 30..max + 40);
    assert_eq!(applied.new_blocks, (max + 30..max + 40).filter(|n| n % 3 != 0).count() as u64);
    // A reader that has seen them before the sweep finds them in another row.
    for reader in [&store, &other, &third] {
        for n in max + 30..max + 40 {
            assert!(reader.get(&block(n).cid()).unwrap().is_some(), "{n}");
        }
    }
}

#[test]
fn the_tail_has_the_rows_that_the_index_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&store, 0..max + 10);
    apply(&store, max + 10..max + 30);
    let sql = Connection::open(&path).unwrap();
    let tail = Tail::read(&sql).unwrap();
    assert_eq!((tail.len(), tail.placed), (20, i64::from(max) + 10));
}

/// A filter that lacks places of the index would let blocks be stored twice.
#[test]
fn a_filter_without_room_is_dropped_and_another_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(SqliteStore::create(&path).unwrap());
    let sql = Connection::open(&path).unwrap();
    let mut tail = Tail::read(&sql).unwrap();
    let place = |tail: &mut Tail, ids: std::ops::Range<i64>| {
        let mut places = ids.map(|n| Place { start: n, id: n }).collect();
        tail.place(&sql, &mut places, false).unwrap();
    };
    place(&mut tail, 0..10);
    for is_known in [false, true] {
        let asked = [block(1).cid()].into_iter();
        tail.may_be_placed(&sql, asked).unwrap();
        assert_eq!(tail.knows_the_index(), is_known);
    }
    place(&mut tail, 10..20);
    assert!(tail.knows_the_index());
    place(&mut tail, 20..40_000);
    assert!(!tail.knows_the_index());
}

#[test]
fn a_writer_detects_that_the_index_was_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&store, 0..2 * max);
    Connection::open(&path).unwrap().execute("DELETE FROM places", []).unwrap();
    // The filter is built while the index is empty.
    for some in [2 * max..2 * max + 1_000, 3 * max..3 * max + 10] {
        assert_eq!(apply(&store, some.clone()).new_blocks, some.len() as u64);
    }
    let is_taken = |writer: &Writer| writer.tail.as_ref().is_some_and(Tail::knows_the_index);
    assert!(store.writer.lock().unwrap().as_ref().is_some_and(is_taken));
    // A repair restores the index, and stores blocks.
    let replaced = store.replace(&mut (0..2 * max).map(block).map(Ok), &[]).unwrap();
    assert_eq!((replaced.dropped, replaced.added), (0, 0));
    assert_eq!(apply(&store, 0..2 * max).new_blocks, 0);
}

#[test]
fn blocks_with_the_same_digest_start_are_distinguished() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    // One digest under two codecs is a case that is easy to construct.
    let both = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"\xa0"));
    let many = (0..u32::try_from(MAX_TAIL).unwrap() + 1).map(block);
    let blocks = both.iter().cloned().chain(many).chain(both.iter().cloned());
    let applied = change(&store, blocks, Some(both[0].cid())).unwrap();
    assert_eq!(applied.new_blocks, MAX_TAIL as u64 + 3);
    for block in both {
        assert_eq!(store.get(&block.cid()).unwrap(), Some(block));
    }
}

#[test]
fn an_index_without_a_block_is_damage_and_can_be_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let max = u32::try_from(MAX_TAIL).unwrap();
    apply(&SqliteStore::create(&path).unwrap(), 0..max + 10);
    for harm in [
        "DELETE FROM places WHERE id = 7",
        "UPDATE places SET start = start + 1",
        "DELETE FROM places",
    ] {
        Connection::open(&path).unwrap().execute(harm, []).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(SqliteStore::check_file(&path).unwrap().len(), 1, "{harm}");
        store.replace(&mut std::iter::empty(), &[]).unwrap();
        assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
        assert_eq!(store.block_count().unwrap(), u64::from(max) + 10);
        assert!((0..max + 10).all(|n| store.get(&block(n).cid()).unwrap().is_some()));
    }
}

#[test]
fn a_row_with_the_largest_number_is_read_and_no_row_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    let moved = "UPDATE blocks SET id = ?1 WHERE id = (SELECT max(id) FROM blocks)";
    Connection::open(&path).unwrap().execute(moved, [i64::MAX]).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    for n in (0..10).rev().chain(0..10) {
        assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)));
    }
    let refused = change(&store, [block(20)], None);
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    assert_eq!(store.block_count().unwrap(), 10);
}
