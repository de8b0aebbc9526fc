//! Tests of damaged blocks that are stored again.

use super::*;
use crate::error::StoreError;
use crate::sqlite::index::MAX_TAIL;
use crate::sqlite::schema::PAGE_BYTES;
use crate::sqlite::store::SqliteStore;
use pds_core::data::block::{Block, ReadError};
use pds_core::data::cid::Cid;

#[test]
fn a_block_under_the_wrong_name_is_damage_and_is_not_returned() {
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

/// The place of the damaged block.
#[derive(Clone, Copy, Debug)]
enum Where {
    Tail,
    Index,
}

/// Returns a store with many blocks, one of them damaged by a statement. The handle is the one that
/// stored it.
fn harmed(dir: &Path, place: Where, harm: &str) -> SqliteStore {
    let path = dir.join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let count = match place {
        Where::Tail => 20,
        Where::Index => u32::try_from(MAX_TAIL).unwrap() + 20,
    };
    apply(&store, 0..count);
    let sql = Connection::open(&path).unwrap();
    // Row 8 is block 7.
    assert_eq!(sql.execute(harm, []).unwrap(), 1, "{harm}");
    store
}

#[test]
fn a_damaged_block_that_is_stored_again_is_repaired_and_counts_as_new() {
    let harms = [
        "UPDATE blocks SET bytes = x'00' WHERE id = 8",
        "UPDATE blocks SET bytes = x'' WHERE id = 8",
        "UPDATE blocks SET cid = x'00' WHERE id = 8",
        "UPDATE blocks SET cid = cast('no CID' AS BLOB) WHERE id = 8",
        // This value is longer than any value that a store reads.
        "UPDATE blocks SET bytes = zeroblob(8000000) WHERE id = 8",
    ];
    let cases = harms.into_iter().flat_map(|harm| [Where::Tail, Where::Index].map(|at| (harm, at)));
    for ((harm, place), is_known) in cases.flat_map(|case| [(case, true), (case, false)]) {
        let what = format!("{harm}, {place:?}, {is_known}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let mut store = harmed(dir.path(), place, harm);
        if !is_known {
            drop(store);
            store = SqliteStore::open(&path).unwrap();
        }
        let cid = block(7).cid();
        let found = store.get(&cid);
        assert!(!matches!(found, Ok(Some(_))), "{what}: {found:?}");
        let target = head(&store);
        // No ref can point to the block
        let refused = change(&store, [block(8)], Some(cid));
        let is_refused =
            matches!(refused, Err(StoreError::TargetMissing { .. } | StoreError::Damaged(_)));
        assert!(is_refused, "{what}: {refused:?}");
        assert_eq!(head(&store), target, "{what}");
        // until its bytes are stored again, even twice in one change.
        let other = SqliteStore::open(&path).unwrap();
        let applied = change(&store, [block(6), block(7), block(7), block(8)], Some(cid));
        assert_eq!(applied.unwrap().new_blocks, 1, "{what}");
        assert_eq!(change(&store, [block(7)], Some(cid)).unwrap().new_blocks, 0, "{what}");
        for reader in [&store, &other, &SqliteStore::open(&path).unwrap()] {
            assert_eq!(reader.get(&cid).unwrap(), Some(block(7)), "{what}");
            assert_eq!(head(reader), Some(cid), "{what}");
        }
        assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn the_newest_row_is_repaired_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(dir.path().join("pds.db")).unwrap();
    apply(&store, 0..20);
    let sql = Connection::open(dir.path().join("pds.db")).unwrap();
    sql.execute("UPDATE blocks SET bytes = x'00' WHERE id = 20", []).unwrap();
    assert_eq!(change(&store, [block(19)], None).unwrap().new_blocks, 1);
    assert_eq!(store.get(&block(19).cid()).unwrap(), Some(block(19)));
}

#[test]
fn bytes_that_were_read_ahead_are_not_used_after_a_repair() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..200);
    let sql = Connection::open(&path).unwrap();
    sql.execute("UPDATE blocks SET bytes = x'00' WHERE id = 101", []).unwrap();
    (0..100).for_each(|n| assert!(store.get(&block(n).cid()).unwrap().is_some()));
    let reader = store.pool.take().unwrap();
    assert!(reader.ahead.count > 1, "the damaged row was read with those before it");
    store.pool.put_back(reader);
    assert_eq!(apply(&SqliteStore::open(&path).unwrap(), 100..101).new_blocks, 1);
    assert_eq!(store.get(&block(100).cid()).unwrap(), Some(block(100)));
}

/// A long value whose next page is one that the file does not have. Its pages cannot be freed, so
/// no change can overwrite it.
#[test]
fn a_row_whose_pages_are_lost_is_left_to_a_salvage() {
    let dir = tempfile::tempdir().unwrap();
    let [path, to] = ["pds.db", "to.db"].map(|name| dir.path().join(name));
    let store = SqliteStore::create(&path).unwrap();
    let long = |n: u8| Block::new(Codec::Raw, vec![n; 20_000]);
    change(&store, (0..30).map(long), Some(long(0).cid())).unwrap();
    drop(store);
    let mut file = std::fs::read(&path).unwrap();
    // The first page of the rest of the value.
    let is_rest = |page: &&mut [u8]| page[8..1_000].iter().all(|byte| *byte == 7);
    let rest = file.chunks_mut(PAGE_BYTES as usize).find(is_rest).unwrap();
    rest[..4].fill(0xff);
    std::fs::write(&path, &file).unwrap();
    let problems = SqliteStore::check_file(&path).unwrap();
    assert!(!problems.is_empty());
    let store = SqliteStore::open(&path).unwrap();
    let cid = long(7).cid();
    assert!(store.get(&cid).is_err());
    for blocks in [vec![], vec![long(40), long(7)]] {
        let refused = change(&store, blocks, Some(cid));
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    }
    // Nothing has changed.
    assert_eq!((head(&store), store.get(&long(40).cid()).unwrap()), (Some(long(0).cid()), None));
    drop(store);
    assert_eq!(SqliteStore::check_file(&path).unwrap(), problems);
    assert_eq!(SqliteStore::salvage(&path, &to).unwrap().sound, 29);
    let store = SqliteStore::open(&to).unwrap();
    assert_eq!(change(&store, (0..30).map(long), Some(cid)).unwrap().new_blocks, 1);
    assert!((0..30).all(|n| store.get(&long(n).cid()).unwrap() == Some(long(n))));
}
