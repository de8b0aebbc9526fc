//! Blocks in the files of other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::foreign::{ForeignTables, each_block};
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::limits::MAX_BLOCK_BYTES;

fn block(n: u32) -> Block {
    let codec = if n.is_multiple_of(2) { Codec::Cbor } else { Codec::Raw };
    Block::new(codec, format!("block {n} {}", "x".repeat(n as usize * 7 % 900)).into_bytes())
}

fn database(path: &Path, setup: &str) -> Connection {
    let database = Connection::open(path).unwrap();
    database.execute_batch(setup).unwrap();
    database
}

fn search(path: &Path) -> (BTreeMap<Cid, usize>, ForeignTables) {
    let mut found = BTreeMap::new();
    let tables = each_block(path, &mut |block| {
        *found.entry(block.cid()).or_default() += 1;
        Ok(())
    });
    (found, tables.unwrap())
}

/// Returns the names in a directory, with the bytes of each file.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let content = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(content).collect()
}

#[test]
fn blocks_are_found_in_tables_of_any_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a?b#c%20.db");
    let made = database(
        &path,
        "CREATE TABLE repo_block (cid VARCHAR PRIMARY KEY, rev VARCHAR, size INTEGER, content BLOB);
         CREATE TABLE \"odd \"\"name'\" (\"the data\" BLOB, cid BLOB NOT NULL);
         CREATE TABLE keyed (did TEXT, cid BLOB, bytes BLOB, PRIMARY KEY (did, cid)) WITHOUT ROWID;
         CREATE TABLE named (rowid TEXT, value TEXT);
         CREATE TABLE prefixed (cid BLOB, bytes BLOB, other BLOB, more TEXT);
         CREATE TABLE empty (cid BLOB, bytes BLOB);
         CREATE VIEW seen AS SELECT cid, content FROM repo_block;
         CREATE VIRTUAL TABLE searched USING fts5(text);",
    );
    let mut expected = BTreeMap::new();
    for n in 0..500 {
        let block = block(n);
        let (cid, bytes) = (block.cid(), block.bytes());
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| made.execute(sql, values).unwrap();
        match n % 5 {
            0 => {
                run("INSERT INTO repo_block VALUES (?1, '3k', 7, ?2)", &[&cid.to_string(), &bytes])
            }
            1 => run("INSERT INTO \"odd \"\"name'\" VALUES (?1, ?2)", &[&bytes, &cid.as_bytes()]),
            2 => run("INSERT INTO keyed VALUES ('did:x', ?1, ?2)", &[&cid.as_bytes(), &bytes]),
            3 => {
                run("INSERT INTO named VALUES (?1, CAST(?2 AS TEXT))", &[&cid.to_string(), &bytes])
            }
            _ => {
                let prefixed = [&[0], &cid.as_bytes()[..]].concat();
                let large = vec![1_u8; MAX_BLOCK_BYTES * 3];
                let large = if n == 4 { &large[..] } else { b"small" };
                run("INSERT INTO prefixed VALUES (?1, ?2, ?3, NULL)", &[&prefixed, &bytes, &large])
            }
        };
        expected.insert(cid, 1);
    }
    // Bytes with the CID of other bytes are not a block, and a CID in another row does not count.
    let (here, there) = (block(1_000), block(1_001));
    let wrong = (here.cid().to_string(), there.bytes());
    made.execute("INSERT INTO repo_block VALUES (?1, '', 0, ?2)", wrong).unwrap();
    made.execute("INSERT INTO empty VALUES (NULL, ?1)", [here.bytes()]).unwrap();
    drop(made);
    let before = contents(dir.path());
    let (found, tables) = search(&path);
    assert_eq!(found, expected);
    assert_eq!(tables.damaged, Vec::<String>::new());
    let counts: Vec<(&str, u64)> = tables.tables.iter().map(|(name, n)| (&**name, *n)).collect();
    let names = ["keyed", "named", "odd \"name'", "prefixed", "repo_block"];
    assert_eq!(counts, names.map(|name| (name, 100)));
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn rows_in_a_wal_are_read_and_nothing_beside_the_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let server = database(
        &path,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE repo_block (cid TEXT PRIMARY KEY, content BLOB);",
    );
    for n in 0..50 {
        let block = block(n);
        let row = (block.cid().to_string(), block.bytes());
        server.execute("INSERT INTO repo_block VALUES (?1, ?2)", row).unwrap();
    }
    let before = contents(dir.path());
    assert!(before["store.sqlite-wal"].len() > 10_000);
    assert_eq!(search(&path).0.len(), 50);
    assert_eq!(contents(dir.path()), before);
    // The files of a server that was killed, without its shared memory.
    let killed = dir.path().join("killed");
    fs::create_dir(&killed).unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        fs::write(killed.join(name), &before[name]).unwrap();
    }
    assert_eq!(search(&killed.join("store.sqlite")).0.len(), 50);
    assert_eq!(contents(&killed).len(), 2);
    // A symbolic link: the WAL is next to its target.
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(search(&link).0.len(), 50);
    }
}

#[test]
fn rows_after_a_damaged_page_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let made = database(&path, "CREATE TABLE repo_block (cid TEXT PRIMARY KEY, content BLOB);");
    made.execute_batch("BEGIN").unwrap();
    for n in 0..2_000 {
        let block = block(n);
        let row = (block.cid().to_string(), block.bytes());
        made.execute("INSERT INTO repo_block VALUES (?1, ?2)", row).unwrap();
    }
    made.execute_batch("COMMIT").unwrap();
    drop(made);
    let whole = fs::read(&path).unwrap();
    let (pages, mut damaged) = (whole.len() / 4_096, 0);
    for page in (3..pages).step_by(pages / 25) {
        let mut file = whole.clone();
        file[page * 4_096..][..4_096].fill(0xff);
        fs::write(&path, file).unwrap();
        let (found, tables) = search(&path);
        assert!(found.len() > 1_900, "page {page}: {}", found.len());
        damaged += tables.damaged.len();
    }
    assert!(damaged > 10, "{damaged}");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (found, tables) = search(&path);
    assert!(!found.is_empty() && tables.damaged == ["repo_block"], "{}", found.len());
    fs::write(&path, b"SQLite format 3\0 and nothing else").unwrap();
    let refused = each_block(&path, &mut |_| Ok(()));
    let is_refused = matches!(refused, Err(StoreError::NotAStore(_) | StoreError::Damaged(_)));
    assert!(is_refused, "{refused:?}");
}

#[test]
fn a_value_that_is_longer_than_any_block_hides_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    // A text in UTF-16 is longer when it is read as UTF-8.
    let tables = "PRAGMA encoding = 'UTF-16';
                  CREATE TABLE blocks (cid TEXT, content BLOB);
                  CREATE TABLE keyed (cid TEXT PRIMARY KEY, content BLOB) WITHOUT ROWID;";
    let made = database(&path, tables);
    let row = (block(1).cid().to_string(), block(1).bytes().to_vec());
    for table in ["blocks", "keyed"] {
        let insert = format!("INSERT INTO {table} VALUES (?1, ?2)");
        made.execute(&insert, ("a", vec![0; 20_000_000])).unwrap();
        made.execute(&insert, ("b", "\u{4e16}".repeat(2_000_000))).unwrap();
        made.execute(&insert, row.clone()).unwrap();
    }
    drop(made);
    let (found, tables) = search(&path);
    assert_eq!((found, tables.damaged.len()), ([(block(1).cid(), 2)].into(), 0));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let made = database(&path, "CREATE TABLE blocks (cid TEXT, content BLOB);");
    let row = (block(1).cid().to_string(), block(1).bytes().to_vec());
    made.execute("INSERT INTO blocks VALUES (?1, ?2)", row).unwrap();
    drop(made);
    let found = each_block(&path, &mut |_| {
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        Ok(())
    });
    assert!(matches!(found, Err(StoreError::Busy)), "{found:?}");
}

/// A program was killed during a change: SQLite has to take the change back first.
#[test]
fn a_half_written_change_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let made = database(&path, "CREATE TABLE blocks (cid TEXT, content BLOB);");
    let insert = |numbers: std::ops::Range<u32>| {
        for n in numbers {
            let row = (block(n).cid().to_string(), block(n).bytes().to_vec());
            made.execute("INSERT INTO blocks VALUES (?1, ?2)", row).unwrap();
        }
    };
    made.execute_batch("BEGIN").unwrap();
    insert(0..500);
    // With so small a cache, pages are written before the end of the change.
    made.execute_batch("COMMIT; PRAGMA cache_size = 2; BEGIN; DELETE FROM blocks").unwrap();
    insert(1_000..1_500);
    let copy = dir.path().join("copy.sqlite");
    for ending in ["", "-journal"] {
        fs::copy(format!("{}{ending}", path.display()), format!("{}{ending}", copy.display()))
            .unwrap();
    }
    let (found, _) = search(&copy);
    assert!((0..500).all(|n| found.contains_key(&block(n).cid())), "{}", found.len());
    assert_eq!(found.len(), 500);
}
