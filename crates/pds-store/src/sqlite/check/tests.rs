//! Tests of checks that find damaged or missing rows.

use std::path::Path;

use super::*;
use crate::change::Change;
use crate::event::Event;
use crate::fact::{Fact, FactEdit};
use crate::refs::{Expect, RefEdit};
use crate::sqlite::store::SqliteStore;
use crate::store::{Maintain, Store};
use pds_core::data::block::Block;
use pds_core::data::cid::Codec;

/// A store whose ref HEAD has moved three times.
fn store(path: &Path) -> SqliteStore {
    let store = SqliteStore::create(path).unwrap();
    for n in 1..=3 {
        move_head(&store, Event::Write, n);
    }
    store
}

fn move_head(store: &SqliteStore, event: Event, n: u8) {
    let block = Block::new(Codec::Raw, [n]);
    let edit = RefEdit { name: RefName::head(), target: Some(block.cid()), expect: Expect::Any };
    store.apply(Change::new(event).blocks([Ok(block)]).edit(edit)).unwrap();
}

fn run(path: &Path, statement: &str) {
    let sql = Connection::open(path).unwrap();
    assert_eq!(sql.execute(statement, []).unwrap(), 1, "{statement}");
}

/// Returns the problems of a whole check, and those of a check of the current state.
fn found(path: &Path) -> [Vec<String>; 2] {
    let opened = schema::open_for_check(path).unwrap();
    let present = check(&opened, CheckDepth::Present, Index::Unique).unwrap();
    [SqliteStore::check_file(path).unwrap(), present]
}

const NOTHING: [Vec<String>; 2] = [Vec::new(), Vec::new()];

#[test]
fn a_missing_log_row_is_found_by_a_whole_check() {
    for (row, said) in [
        (1, "log row 2: rows of ref HEAD before it are missing"),
        (2, "log row 3: rows of ref HEAD before it are missing"),
        (3, "ref HEAD: log row 3 is missing"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        drop(store(&path));
        assert_eq!(found(&path), NOTHING);
        run(&path, &format!("DELETE FROM log WHERE seq = {row}"));
        assert_eq!(found(&path), [vec![said.to_owned()], Vec::new()], "{row}");
    }
}

#[test]
fn a_row_that_is_not_found_by_its_number_is_damage() {
    for (table, said) in [
        ("refs", "refs row HEAD: the row has the wrong number"),
        ("facts", "facts row erasing: the row has the wrong number"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let store = store(&path);
        store.apply(Change::new(Event::Set).fact(FactEdit::Set(Fact::Erasing))).unwrap();
        assert_eq!(found(&path), NOTHING);
        run(&path, &format!("UPDATE {table} SET id = id + 1"));
        let [whole, present] = found(&path);
        assert_eq!((whole[0].as_str(), present[0].as_str()), (said, said), "{table}");
    }
}

#[test]
fn a_row_that_is_too_large_to_read_is_damage() {
    let statements = [
        ("facts", "INSERT INTO facts VALUES (9, 'x', '', printf('%.*c', 9000000, 'x'), 0)"),
        ("log", "UPDATE log SET message = printf('%.*c', 9000000, 'x') WHERE seq = 2"),
        ("refs", "UPDATE refs SET name = printf('%.*c', 9000000, 'x')"),
    ];
    for (table, statement) in statements {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        drop(store(&path));
        run(&path, statement);
        let said = format!("rows of the table {table} cannot be read");
        let [whole, present] = found(&path);
        assert!(whole.contains(&said), "{whole:?}");
        assert_eq!(present.contains(&said), table != "log", "{present:?}");
    }
}

/// A store whose three blocks are in the index.
fn indexed(path: &Path) {
    store(path).replace(&mut std::iter::empty(), &[]).unwrap();
    assert_eq!(found(path), NOTHING);
}

#[test]
fn a_block_that_is_stored_twice_is_found_by_a_whole_check() {
    let in_index = "INSERT INTO blocks SELECT 100 - id, cid, bytes FROM blocks WHERE id = 1;
                    UPDATE state SET placed = 99;
                    INSERT INTO places SELECT start, 99 FROM places WHERE id = 1;";
    let in_tail = "INSERT INTO blocks SELECT 200, cid, bytes FROM blocks WHERE id = 2;";
    let only_in_tail =
        "INSERT INTO blocks SELECT 201, CAST(x'0155122099' || substr(cid, 6) AS BLOB), bytes
                        FROM blocks WHERE id = 3;
                        INSERT INTO blocks SELECT 202, cid, bytes FROM blocks WHERE id = 201;";
    for (statements, count) in [
        (in_index.to_owned(), 1),
        (in_tail.to_owned(), 1),
        (only_in_tail.to_owned(), 1),
        (format!("{in_index}{in_tail}{only_in_tail}"), 3),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        indexed(&path);
        let sql = Connection::open(&path).unwrap();
        sql.execute_batch(&statements).unwrap();
        let state = "SELECT change, sweep, placed, refs, facts FROM state";
        let state = sql.query_row(state, [], |row| {
            let [change, sweep, placed, refs, facts] = std::array::from_fn(|n| row.get(n).unwrap());
            Ok(StateRow { change, sweep, placed, refs, facts })
        });
        state.unwrap().write(&sql).unwrap();
        let said = format!("{count} blocks are stored more than once");
        assert_eq!(found(&path), [vec![said], Vec::new()], "{statements}");
    }
}

/// An unreadable row may be that of any move, so no other one is called missing.
#[test]
fn a_damaged_log_row_is_the_only_problem() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(store(&path));
    run(&path, "UPDATE log SET sum = sum + 1 WHERE seq = 3");
    let [whole, present] = found(&path);
    assert_eq!((whole.len(), present.len()), (1, 0), "{whole:?}");
}
