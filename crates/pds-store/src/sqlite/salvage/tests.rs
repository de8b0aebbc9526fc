//! Tests of damaged files and of the content that a salvage saves.

mod rows;

use rusqlite::Connection;
use std::fs;
use std::path::Path;

use crate::change::Change;
use crate::error::StoreError;
use crate::event::Event;
use crate::fact::{Fact, FactEdit};
use crate::ref_name::RefName;
use crate::refs::{Expect, RefEdit, Refs};
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::schema::PAGE_BYTES;
use crate::sqlite::store::SqliteStore;
use crate::store::Store;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};

/// A store with blocks of many sizes, and its file.
fn store(dir: &Path) -> (SqliteStore, Vec<Block>) {
    let store = SqliteStore::create(dir.join("pds.db")).unwrap();
    let sizes = [10, 900, 30_000, 5, 4_000, 60];
    let block = |(n, len): (u8, &usize)| Block::new(Codec::Raw, vec![n; *len]);
    let blocks: Vec<Block> = (0..60).zip(sizes.iter().cycle()).map(block).collect();
    let target = Some(blocks[0].cid());
    for name in ["HEAD", "side"] {
        change(&store, &blocks, &[(name, target)]);
    }
    let account = Fact::Account("did:web:example.com".parse().unwrap());
    store.apply(Change::new(Event::Set).fact(FactEdit::Set(account))).unwrap();
    (store, blocks)
}

/// Stores blocks, and points refs to targets.
fn change(store: &SqliteStore, blocks: &[Block], refs: &[(&str, Option<Cid>)]) {
    let edits = refs.iter().map(|(name, target)| RefEdit {
        name: name.parse().unwrap(),
        target: *target,
        expect: Expect::Any,
    });
    let blocks: Vec<_> = blocks.iter().cloned().map(Ok).collect();
    store.apply(Change::new(Event::Set).blocks(blocks).edits(edits).message("test")).unwrap();
}

fn refs(store: &SqliteStore) -> Refs {
    store.view().unwrap().refs().unwrap()
}

#[test]
fn a_lost_page_costs_its_own_rows_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    let mut worst = blocks.len();
    for page in 0..whole.len() / page_bytes {
        let mut file = whole.clone();
        file[page * page_bytes..][..page_bytes].fill(0);
        fs::write(&path, file).unwrap();
        let is_noticed = !SqliteStore::check_file(&path).unwrap().is_empty();
        let to = dir.path().join(format!("{page}.db"));
        let saved = SqliteStore::salvage(&path, &to).unwrap();
        assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{page}");
        let salvaged = SqliteStore::open(&to).unwrap();
        let found = blocks.iter().filter(|b| matches!(salvaged.get(&b.cid()), Ok(Some(_))));
        let found = found.count();
        worst = worst.min(found);
        // SQLite does not check a page in the middle of a block, but the block's hash does.
        assert!(is_noticed || found == blocks.len() - 1, "{page}");
        // A ref is in its table, or follows from the log.
        let head: Option<Cid> = refs(&salvaged).get(&RefName::head());
        assert_eq!((head, saved.refs), (Some(blocks[0].cid()), 2), "{page}");
    }
    // This includes the loss of the page that leads to all others.
    assert!(worst >= blocks.len() / 2, "{worst} of {}", blocks.len());
}

/// Makes a table or an index unreadable.
fn spoil(path: &Path, name: &str) {
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let sql = Connection::open(path).unwrap();
    let page: u32 = sql.query_row(page, [name], |row| row.get(0)).unwrap();
    sql.close().unwrap();
    let page = page as usize - 1;
    let mut file = fs::read(path).unwrap();
    file[page * PAGE_BYTES as usize..][..PAGE_BYTES as usize].fill(0);
    fs::write(path, file).unwrap();
}

/// Adds an unreadable log row.
fn spoil_log(path: &Path, seq: i64) {
    let sql = Connection::open(path).unwrap();
    let row =
        "INSERT INTO log VALUES (?1, 'a b', NULL, NULL, 0, 'set', NULL, NULL, NULL, '', NULL, 0)";
    sql.execute(row, [seq]).unwrap();
}

/// A store whose refs and log disagree about HEAD.
#[derive(Clone, Copy, Debug)]
struct Disagreement {
    /// Whether the table `refs` can be read completely.
    has_refs: bool,
    /// Whether the log can be read completely.
    has_log: bool,
    /// Whether the block of the row in `refs` is stored.
    has_row_block: bool,
    /// Whether the last log row moves HEAD to the block of the log, and does not remove it.
    is_logged: bool,
    /// The number in the row of `refs`, if there is one. The last log row is 1, or 2 for a removal.
    seq: Option<i64>,
}

impl Disagreement {
    fn write(self, path: &Path, row: &Block, log: &Block) {
        let store = SqliteStore::create(path).unwrap();
        let mut blocks = vec![log.clone()];
        blocks.extend(self.has_row_block.then(|| row.clone()));
        for target in [Some(log.cid()), None].into_iter().take(if self.is_logged { 1 } else { 2 }) {
            change(&store, &blocks, &[("HEAD", target)]);
        }
        drop(store);
        let sql = Connection::open(path).unwrap();
        sql.execute("DELETE FROM refs", []).unwrap();
        if let Some(seq) = self.seq {
            RefRow { name: RefName::head(), cid: row.cid(), seq }.write(&sql).unwrap();
        }
        let state = StateRow::read(&sql).unwrap();
        // If the number is wrong, the rows found may be incomplete or outdated.
        let count = if self.has_refs { i64::from(self.seq.is_some()) } else { 7 };
        StateRow { refs: count, ..state }.write(&sql).unwrap();
        sql.close().unwrap();
        if !self.has_log {
            spoil_log(path, 9);
        }
        // Each of these files has some damage.
        spoil(path, "places");
    }
}

/// The target of a ref if refs and log disagree: the commit in `refs` if that table was read
/// completely, and otherwise the commit in the newer row.
#[test]
fn a_ref_points_where_its_newest_row_says() {
    let (row, log) = (Block::new(Codec::Raw, [1]), Block::new(Codec::Raw, [2]));
    for (has_refs, has_log, has_row_block, is_logged, seq, expected) in [
        (true, true, true, true, Some(1), Some(&row)),
        (true, false, true, true, Some(1), Some(&row)),
        (true, false, true, true, Some(0), Some(&row)),
        (false, true, true, true, Some(0), Some(&log)),
        (false, true, true, false, Some(1), None),
        (false, false, true, true, Some(0), Some(&log)),
        (false, false, true, true, Some(1), Some(&row)),
        (false, false, true, true, Some(2), Some(&row)),
        (false, false, false, true, Some(2), Some(&row)),
        (false, false, true, false, Some(1), None),
        (false, false, true, false, Some(3), Some(&row)),
        // Without a row in `refs`, only a complete log determines the commit.
        (false, true, true, true, None, Some(&log)),
        (false, true, true, false, None, None),
        (false, false, true, true, None, None),
        (false, false, true, false, None, None),
    ] {
        let what = Disagreement { has_refs, has_log, has_row_block, is_logged, seq };
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
        what.write(&path, &row, &log);
        let saved = SqliteStore::salvage(&path, &to).unwrap();
        let salvaged = SqliteStore::open(&to).unwrap();
        let expected = expected.map(Block::cid);
        assert_eq!(refs(&salvaged).get(&RefName::head()), expected, "{what:?}");
        assert_eq!((saved.has_all_refs, saved.has_all_moves), (has_refs, has_log), "{what:?}");
        assert!(!saved.is_all && saved.has_all_facts, "{what:?}");
        let found = seq.map(|_| row.cid());
        let moved = match saved.moved.as_slice() {
            [] => found,
            [moved] => {
                assert_eq!((&moved.name, moved.found), (&RefName::head(), found), "{what:?}");
                assert_ne!(moved.found, moved.target, "{what:?}");
                moved.target
            }
            many => panic!("{what:?}: {many:?}"),
        };
        assert_eq!((moved, saved.refs), (expected, u64::from(expected.is_some())), "{what:?}");
        assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{what:?}");
    }
}

/// A page that once contained refs, and that can no longer be reached.
#[test]
fn rows_of_a_page_out_of_use_bring_back_no_ref() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
    let (store, blocks) = store(dir.path());
    let name = |n: usize| format!("a-branch-with-a-name-that-takes-some-room/{n:04}");
    let names: Vec<String> = (0..400).map(name).collect();
    for target in [Some(blocks[1].cid()), None] {
        let edits: Vec<_> = names.iter().map(|name| (name.as_str(), target)).collect();
        change(&store, &[], &edits);
    }
    drop(store);
    let sql = Connection::open(&path).unwrap();
    // No log row records their removal any more.
    sql.execute("DELETE FROM log WHERE ref LIKE 'a-branch%' AND after IS NULL", []).unwrap();
    sql.close().unwrap();
    spoil_log(&path, 9_999);
    let saved = SqliteStore::salvage(&path, &to).unwrap();
    assert_eq!((saved.has_all_refs, saved.has_all_moves, saved.is_all), (true, false, false));
    let names = refs(&SqliteStore::open(&to).unwrap());
    assert_eq!((names.iter().len(), saved.moved), (2, Vec::new()));
}

fn count(store: &SqliteStore, blocks: &[Block]) -> usize {
    blocks.iter().filter(|block| matches!(store.get(&block.cid()), Ok(Some(_)))).count()
}

#[test]
fn everything_before_the_cut_of_a_truncated_file_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut before = 0;
    for eighth in 1..8 {
        fs::write(&path, &whole[..whole.len() * eighth / 8 + 100]).unwrap();
        assert!(!SqliteStore::check_file(&path).unwrap().is_empty());
        let to = dir.path().join(format!("{eighth}.db"));
        let Ok(saved) = SqliteStore::salvage(&path, &to) else {
            // Values longer than a page come first, and end after the cut.
            assert_eq!(before, 0, "{eighth}");
            continue;
        };
        assert!(!saved.is_all);
        let found = count(&SqliteStore::open(&to).unwrap(), &blocks);
        assert!(found >= before, "{eighth}: {found} after {before}");
        before = found;
    }
    assert!(before > blocks.len() / 2, "{before}");
}

#[test]
fn the_wal_is_saved_with_an_empty_or_headless_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, wal) = (dir.path().join("pds.db"), dir.path().join("pds.db-wal"));
    let (store, blocks) = store(dir.path());
    // No content has been moved into the file yet: all of it is in the WAL.
    let (file, log) = (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    drop(store);
    for (n, file) in [vec![], b"x".repeat(PAGE_BYTES as usize), file].into_iter().enumerate() {
        fs::write(&path, &file).unwrap();
        fs::write(&wal, &log).unwrap();
        let to = dir.path().join(format!("{n}.db"));
        if n == 0 {
            assert!(matches!(SqliteStore::open(&path), Err(StoreError::NotAStore(_))));
            assert!(!SqliteStore::check_file(&path).unwrap().is_empty());
            SqliteStore::check_alone(&path).unwrap();
            assert_eq!(fs::read(&wal).unwrap().len(), log.len(), "the WAL is kept");
        }
        SqliteStore::salvage(&path, &to).unwrap();
        assert_eq!(count(&SqliteStore::open(&to).unwrap(), &blocks), blocks.len(), "{n}");
    }
}

#[test]
fn a_store_that_another_process_has_open_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, _) = store(dir.path());
    assert!(matches!(SqliteStore::check_alone(&path), Err(StoreError::Busy)));
    drop(store);
    SqliteStore::check_alone(&path).unwrap();
    drop(SqliteStore::open(&path).unwrap());
}

/// The last number is that of a block with a page of its own, which one of the losses makes unreadable.
const MOVED: &str =
    "UPDATE blocks SET id = CASE id WHEN 57 THEN 9223372036854775807 ELSE id * 1000000000000 END;
     DELETE FROM places";

/// Rows that are far apart, and a row between them with a lost page: the search for the next row
/// takes long strides.
#[test]
fn a_damaged_row_does_not_make_the_search_for_the_next_long() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch(MOVED).unwrap();
    sql.close().unwrap();
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    for page in 1..whole.len() / page_bytes {
        let mut file = whole.clone();
        // This is the position of the number of the next page of a long value.
        file[page * page_bytes..][..4].fill(0xff);
        fs::write(&path, file).unwrap();
        let to = dir.path().join(format!("{page}.db"));
        SqliteStore::salvage(&path, &to).unwrap();
        assert!(count(&SqliteStore::open(&to).unwrap(), &blocks) > 0, "{page}");
    }
}

#[test]
fn cycles_of_pages_are_followed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    let page = |number: usize| number * page_bytes..(number + 1) * page_bytes;
    for from in 1..4 {
        for to in 1..whole.len() / page_bytes {
            let mut file = whole.clone();
            file.copy_within(page(from), to * page_bytes);
            fs::write(&path, file).unwrap();
            let name = dir.path().join(format!("{from}-{to}.db"));
            let saved = SqliteStore::salvage(&path, &name).unwrap();
            assert!(saved.sound <= blocks.len() as u64, "{from} {to}");
            assert_eq!(SqliteStore::check_file(&name).unwrap(), Vec::<String>::new());
        }
    }
}

/// The places of the row numbers of one byte in the leaf pages of a file.
fn places_of_numbers(file: &[u8]) -> Vec<usize> {
    let number = |at: usize| usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
    let pages = (PAGE_BYTES as usize..file.len()).step_by(PAGE_BYTES as usize);
    let cells = pages
        .filter(|page| file[*page] == 13)
        .flat_map(|page| (0..number(page + 3)).map(move |cell| page + number(page + 8 + 2 * cell)));
    // A cell begins with the length of its content, whose last byte has no high bit.
    let places = cells.map(|cell| cell + 1 + file[cell..].iter().position(|b| *b < 0x80).unwrap());
    places.filter(|place| file[*place] < 0x80).collect()
}

#[test]
fn rows_whose_numbers_are_out_of_order_or_alike_are_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    for (n, place) in places_of_numbers(&whole).into_iter().enumerate() {
        let mut file = whole.clone();
        file[place] ^= 1 << (n % 4);
        fs::write(&path, file).unwrap();
        let to = dir.path().join(format!("{n}.db"));
        SqliteStore::salvage(&path, &to).unwrap();
        let salvaged = SqliteStore::open(&to).unwrap();
        assert_eq!(count(&salvaged, &blocks), blocks.len(), "{n}");
        assert_eq!(refs(&salvaged).get(&RefName::head()), Some(blocks[0].cid()), "{n}");
    }
}

#[test]
fn columns_that_the_schema_computes_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
    let (store, blocks) = store(dir.path());
    drop(store);
    let computed = Block::new(Codec::Raw, *b"computed");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (cid, bytes) = (hex(computed.cid().as_bytes()), hex(computed.bytes()));
    let changed = format!(
        "ALTER TABLE blocks RENAME TO stored;
         CREATE TABLE blocks (id INTEGER PRIMARY KEY, a BLOB, b BLOB, cid AS (x'{cid}'), bytes AS (x'{bytes}'));
         INSERT INTO blocks SELECT * FROM stored;
         DROP TABLE stored"
    );
    Connection::open(&path).unwrap().execute_batch(&changed).unwrap();
    let saved = SqliteStore::salvage(&path, &to).unwrap();
    assert!(!saved.is_all && saved.has_all_refs && saved.has_all_moves);
    let salvaged = SqliteStore::open(&to).unwrap();
    assert_eq!((count(&salvaged, &blocks), count(&salvaged, &[computed])), (blocks.len(), 0));
}
