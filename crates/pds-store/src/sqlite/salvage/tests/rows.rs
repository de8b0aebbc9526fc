//! Tests of the rows that a salvage takes, and of what it knows about them afterwards.

use super::*;
use crate::fact::FactKind;
use crate::sqlite::rows::facts::{FACT_COLUMNS, edit_fact};
use crate::sqlite::salvage::saved::{Salvaged, Saved};
use crate::sqlite::salvage::scan::each_row;
use crate::store::{Compacted, Maintain};

/// Salvages a file after statements have changed it.
fn salvage_after(dir: &Path, statements: &str) -> (SqliteStore, Salvaged) {
    let (path, to) = (dir.join("pds.db"), dir.join("new.db"));
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch(statements).unwrap();
    sql.close().unwrap();
    let saved = SqliteStore::salvage(&path, &to).unwrap();
    (SqliteStore::open(&to).unwrap(), saved)
}

#[test]
fn the_intact_one_of_two_rows_of_a_block_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (store, blocks) = store(dir.path());
    let before = store.view().unwrap().version();
    drop(store);
    let twice = "INSERT INTO blocks SELECT id + 1000, cid, bytes FROM blocks WHERE id = 7;
                 UPDATE blocks SET bytes = x'00' WHERE id = 7";
    let (salvaged, saved) = salvage_after(dir.path(), twice);
    assert_eq!(count(&salvaged, &blocks), blocks.len());
    assert_eq!((saved.blocks, saved.sound), (blocks.len() as u64, blocks.len() as u64));
    // A reader of the old file must notice that this is another one.
    let after = salvaged.view().unwrap().version();
    assert!(after.sweep > before.sweep && after.change > before.change);
}

#[test]
fn a_table_of_another_form_is_not_called_complete() {
    let dir = tempfile::tempdir().unwrap();
    drop(store(dir.path()));
    let (_, saved) = salvage_after(dir.path(), "ALTER TABLE facts ADD COLUMN extra TEXT");
    assert_eq!((saved.is_all, saved.has_all_facts), (false, false));
    assert_eq!((saved.has_all_refs, saved.has_all_moves, saved.facts), (true, true, 1));
}

#[test]
fn rows_that_the_state_counts_and_no_table_has_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    drop(store(dir.path()));
    let path = dir.path().join("pds.db");
    let sql = Connection::open(&path).unwrap();
    let state = StateRow::read(&sql).unwrap();
    for (n, (refs, facts)) in [(0, 0), (1, 0), (0, 1)].into_iter().enumerate() {
        StateRow { refs: state.refs + refs, facts: state.facts + facts, ..state }
            .write(&sql)
            .unwrap();
        let saved = SqliteStore::salvage(&path, dir.path().join(format!("{n}.db"))).unwrap();
        let found = (saved.is_all, saved.has_all_refs, saved.has_all_facts);
        assert_eq!(found, (refs + facts == 0, refs == 0, facts == 0));
    }
}

/// A file with a log and facts of many pages, whose first pages are lost.
#[test]
fn log_rows_and_facts_are_taken_from_pages_that_no_table_leads_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    for n in 0..150 {
        let block = &blocks[n % blocks.len()];
        change(&store, &[], &[("HEAD", Some(block.cid()))]);
        let loss = Fact::Loss(Cid::of(Codec::Cbor, &n.to_be_bytes()));
        store.apply(Change::new(Event::Set).fact(FactEdit::Set(loss))).unwrap();
    }
    assert!(matches!(store.compact(), Ok(Compacted::Clean)));
    drop(store);
    let sql = Connection::open(&path).unwrap();
    let moves: i64 = sql.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
    sql.close().unwrap();
    spoil(&path, "log");
    spoil(&path, "facts");
    let (salvaged, saved) = salvage_after(dir.path(), "");
    assert_eq!((saved.moves, saved.facts), (moves.cast_unsigned(), 151));
    assert_eq!((saved.has_all_moves, saved.has_all_facts, saved.is_all), (false, false, false));
    let mut losses = 0;
    let mut each = |_| {
        losses += 1;
        std::ops::ControlFlow::Continue(())
    };
    salvaged.view().unwrap().facts(FactKind::Loss, &mut each).unwrap();
    assert_eq!(losses, 150);
}

/// A page that once contained facts, and that is no longer in use.
#[test]
fn removed_facts_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, _) = store(dir.path());
    let fact = |n: u32| Fact::Loss(Cid::of(Codec::Cbor, &n.to_be_bytes()));
    let all = |edit: fn(Fact) -> FactEdit| {
        let edits = (0..300).map(|n| edit(fact(n)));
        store.apply(edits.fold(Change::new(Event::Set), Change::fact)).unwrap();
    };
    all(FactEdit::Set);
    all(FactEdit::Remove);
    drop(store);
    spoil(&path, "places");
    let (_, saved) = salvage_after(dir.path(), "");
    assert_eq!((saved.facts, saved.has_all_facts, saved.is_all), (1, true, false));
}

/// Without the row between them, two rows move HEAD to the same block.
#[test]
fn a_ref_names_its_last_row_after_another_row_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let blocks = [1, 2].map(|n| Block::new(Codec::Raw, [n]));
    for n in [0, 1, 0] {
        change(&store, &blocks, &[("HEAD", Some(blocks[n].cid()))]);
    }
    drop(store);
    let (_, saved) = salvage_after(dir.path(), "UPDATE log SET sum = sum + 1 WHERE seq = 2");
    let to = dir.path().join("new.db");
    let row = RefRow::find(&Connection::open(&to).unwrap(), &RefName::head()).unwrap().unwrap();
    assert_eq!((saved.moves, row.cid, row.seq), (1, blocks[0].cid(), 1));
    assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new());
}

#[test]
fn a_scan_skips_only_the_row_that_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(store(dir.path()));
    let mut file = fs::read(&path).unwrap();
    // A page that the bytes of the third block fill, after the number of the next page.
    let is_filled = |page: &&mut [u8]| page[4..].iter().all(|byte| *byte == 2);
    let page = file.chunks_exact_mut(PAGE_BYTES as usize).find(is_filled).unwrap();
    page[..4].fill(0xff);
    fs::write(&path, file).unwrap();
    let sql = Connection::open(&path).unwrap();
    let mut rows: Vec<i64> = Vec::new();
    let is_all = each_row(&sql, "blocks", "cid, bytes", &mut |row| {
        rows.push(row.get(0).unwrap());
        Ok(std::ops::ControlFlow::Continue(()))
    });
    assert!(!is_all.unwrap());
    assert_eq!(rows, (1..=60).filter(|row| *row != 3).collect::<Vec<i64>>());
}

/// A WAL has the pages of its changes only, and the first page of the file may be lost.
#[test]
fn a_wal_without_the_first_page_is_saved_with_a_headless_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let sql = Connection::open(&path).unwrap();
    let update = |bytes: &[u8]| {
        sql.execute("UPDATE blocks SET bytes = ?1 WHERE id = 1", [bytes]).unwrap();
    };
    update(&[9; 10]);
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    update(blocks[0].bytes());
    let mut file = fs::read(&path).unwrap();
    file[..PAGE_BYTES as usize].fill(b'x');
    let headless = dir.path().join("headless.db");
    fs::write(&headless, file).unwrap();
    fs::copy(dir.path().join("pds.db-wal"), dir.path().join("headless.db-wal")).unwrap();
    let to = dir.path().join("new.db");
    SqliteStore::salvage(&headless, &to).unwrap();
    assert_eq!(count(&SqliteStore::open(&to).unwrap(), &blocks), blocks.len());
}

#[test]
fn a_file_of_one_page_has_no_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(store(dir.path()));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..PAGE_BYTES as usize]).unwrap();
    let salvaged = SqliteStore::salvage(&path, dir.path().join("new.db"));
    assert!(matches!(salvaged, Err(StoreError::NotAStore(_))), "{salvaged:?}");
}

#[test]
fn the_newest_row_of_a_ref_and_the_first_row_of_a_fact_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| {
        let path = dir.path().join(name);
        drop(SqliteStore::create(&path).unwrap());
        Connection::open(path).unwrap()
    });
    let cids = [1, 2].map(|n| Cid::of(Codec::Raw, &[n]));
    for seqs in [[1, 2], [2, 1_u8]] {
        let mut to = to.unchecked_transaction().unwrap();
        let mut saved = Saved { to: &to, done: Salvaged::default(), state: None };
        for seq in seqs {
            let cid = cids[usize::from(seq) - 1];
            RefRow { name: RefName::head(), cid, seq: seq.into() }.write(&from).unwrap();
            let sql = format!("SELECT {} FROM refs", RefRow::COLUMNS);
            from.query_row(&sql, [], |row| Ok(saved.take_ref(row, 0).unwrap())).unwrap();
        }
        for name in ["a", "b"] {
            let fact = Fact::Account(format!("did:web:{name}.com").parse().unwrap());
            edit_fact(&from, &FactEdit::Set(fact)).unwrap();
            let sql = format!("SELECT {FACT_COLUMNS} FROM facts");
            from.query_row(&sql, [], |row| Ok(saved.take_fact(row, 0).unwrap())).unwrap();
        }
        let value: String = to.query_row("SELECT value FROM facts", [], |row| row.get(0)).unwrap();
        assert_eq!((saved.done.refs, saved.done.facts, &*value), (1, 1, "did:web:a.com"));
        assert_eq!(RefRow::find(&to, &RefName::head()).unwrap().unwrap().cid, cids[1]);
        to.set_drop_behavior(rusqlite::DropBehavior::Rollback);
    }
}

/// The rows of a page whose lengths or numbers are overwritten in part.
#[test]
fn a_damaged_row_costs_no_other_row_of_its_page() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let short = blocks.iter().filter(|block| block.bytes().len() < 100);
    for (n, name) in short.map(Block::cid).enumerate() {
        let is_here = |at: &usize| whole[*at..].starts_with(name.as_bytes());
        let place = (0..whole.len()).find(is_here).unwrap();
        let mut file = whole.clone();
        // The length of the row, its number, and the lengths of its columns.
        file[place - 6..place].fill(0xff);
        fs::write(&path, file).unwrap();
        let to = dir.path().join(format!("{n}.db"));
        let saved = SqliteStore::salvage(&path, &to).unwrap();
        assert!(saved.sound >= blocks.len() as u64 - 1, "{n}: {saved:?}");
    }
}
