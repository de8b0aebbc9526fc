//! Known tables in the files of other programs, read in one transaction.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::foreign_reader::{ForeignReader, read_tables};
use pds_core::data::limits::MAX_BLOCK_BYTES;

struct Made {
    dir: tempfile::TempDir,
    database: Connection,
}

impl Made {
    fn new(setup: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Connection::open(dir.path().join("store.sqlite")).unwrap();
        database.execute_batch(setup).unwrap();
        Self { dir, database }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store.sqlite")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Says that a file was written long ago.
fn age(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

type Rows = Vec<(Option<String>, Option<Vec<u8>>)>;

fn rows(reader: &ForeignReader) -> Result<Rows, StoreError> {
    let mut found = Vec::new();
    reader.each_row("block", &["cid", "content"], &mut |row| {
        found.push((row.text(0).map(str::to_owned), row.bytes(1).map(<[u8]>::to_vec)));
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn refusal(path: &Path) -> String {
    if path.symlink_metadata().unwrap().is_file() {
        age(path);
    }
    match read_tables(path, &mut rows) {
        Err(error @ (StoreError::Damaged(_) | StoreError::NotAStore(_))) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

const BLOCKS: &str = "CREATE TABLE block (cid TEXT PRIMARY KEY, content BLOB);
    INSERT INTO block VALUES ('a', x'01'), ('b', x'0203'), (7, 'text'), (NULL, NULL);";

fn expected() -> Rows {
    let some = |text: &str, bytes: &[u8]| (Some(text.to_owned()), Some(bytes.to_vec()));
    vec![some("a", &[1]), some("b", &[2, 3]), (Some("7".to_owned()), None), (None, None)]
}

#[test]
fn rows_are_read_and_nothing_is_created_next_to_a_file_at_rest() {
    for journal in ["DELETE", "WAL"] {
        let made = Made::new(&format!("PRAGMA journal_mode = {journal}; {BLOCKS}"));
        let path = made.path();
        made.database.close().unwrap();
        age(&path);
        let before = fs::read(&path).unwrap();
        assert_eq!(read_tables(&path, &mut rows).unwrap(), expected());
        assert!(read_tables(&path, &mut |file| file.has_table("block")).unwrap());
        assert!(!read_tables(&path, &mut |file| file.has_table("absent")).unwrap());
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(made.dir.path()).unwrap().count(), 1, "{journal}");
    }
}

#[test]
fn a_file_with_a_wal_is_read_at_one_moment() {
    let made = Made::new(&format!("PRAGMA journal_mode = WAL; {BLOCKS}"));
    assert_eq!(made.names(), ["store.sqlite", "store.sqlite-shm", "store.sqlite-wal"]);
    let found = read_tables(&made.path(), &mut |reader| {
        let first = rows(reader)?;
        made.database.execute("DELETE FROM block", []).unwrap();
        assert_eq!(rows(reader)?, first);
        Ok::<_, StoreError>(first)
    });
    assert_eq!(found.unwrap(), expected());
    assert_eq!(read_tables(&made.path(), &mut rows).unwrap(), []);
}

#[test]
fn a_file_that_changes_is_read_again_with_locks() {
    let made = Made::new(&format!("PRAGMA journal_mode = WAL; {BLOCKS}"));
    let path = made.path();
    made.database.close().unwrap();
    age(&path);
    let mut calls = 0;
    let found = read_tables(&path, &mut |reader| {
        calls += 1;
        if calls == 1 {
            let writer = Connection::open(&path).unwrap();
            writer.execute("DELETE FROM block WHERE cid IS NOT 'b'", []).unwrap();
        }
        rows(reader)
    });
    assert_eq!((found.unwrap(), calls), (expected()[1..2].to_vec(), 2));
}

#[test]
fn schemas_that_run_code_are_refused() {
    let view =
        "CREATE TABLE kept (cid TEXT, content BLOB); CREATE VIEW block AS SELECT * FROM kept";
    let generated = "CREATE TABLE block (cid TEXT, content BLOB AS (zeroblob(1000000000)))";
    let stored = "CREATE TABLE block (cid TEXT, content BLOB AS (x'00') STORED)";
    for (setup, reason) in [
        (view, "view \"block\""),
        ("CREATE VIRTUAL TABLE block USING fts5(cid, content)", "is no ordinary table"),
        (generated, "\"block\" has a generated column"),
        (stored, "\"block\" has a generated column"),
        ("CREATE TABLE block (cid TEXT)", "no table block with a column content"),
        ("CREATE TABLE other (cid TEXT)", "no table block with a column cid"),
    ] {
        let made = Made::new(setup);
        let refused = refusal(&made.path());
        assert!(refused.contains(reason), "{setup}: {refused}");
    }
    // A schema that SQLite itself would not write: the name of the view is that of a table.
    let made = Made::new(BLOCKS);
    let forged = "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE block USING fts5(cid, content)' WHERE name = 'block'";
    made.database.execute_batch(forged).unwrap();
    refusal(&made.path());
}

#[test]
fn values_without_end_are_refused() {
    let large = MAX_BLOCK_BYTES + 5_000;
    let made = Made::new(&format!(
        "{BLOCKS} INSERT INTO block VALUES ('large', zeroblob({large})), ('last', x'09')"
    ));
    refusal(&made.path());
    let made = Made::new("CREATE TABLE block (cid TEXT, content BLOB)");
    let whole = format!("INSERT INTO block VALUES ('whole', zeroblob({MAX_BLOCK_BYTES}))");
    made.database.execute(&whole, []).unwrap();
    assert_eq!(read_tables(&made.path(), &mut rows).unwrap().len(), 1);
    assert!(refusal_of_bytes(b"no database at all".repeat(100)).contains("not a SQLite database"));
}

fn refusal_of_bytes(bytes: Vec<u8>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    fs::write(&path, bytes).unwrap();
    refusal(&path)
}

#[cfg(unix)]
#[test]
fn links_pipes_and_directories_are_refused() {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let name = format!("store.sqlite{ending}");
        for kind in ["link", "pipe", "directory"] {
            let made = Made::new(BLOCKS);
            let path = made.dir.path().join(&name);
            if ending.is_empty() {
                fs::rename(&path, made.dir.path().join("target")).unwrap();
            }
            match kind {
                "link" => std::os::unix::fs::symlink("target", &path).unwrap(),
                "pipe" => {
                    let status = std::process::Command::new("mkfifo").arg(&path).status();
                    assert!(status.unwrap().success());
                }
                _ => fs::create_dir(&path).unwrap(),
            }
            let refused = refusal(&made.path());
            assert!(refused.contains(&format!("{name} is not a regular file")), "{refused}");
        }
    }
}

#[test]
fn a_file_that_was_written_a_moment_ago_is_at_rest_a_moment_later() {
    let made = Made::new(&format!("PRAGMA journal_mode = WAL; {BLOCKS}"));
    let path = made.path();
    made.database.close().unwrap();
    assert_eq!(read_tables(&path, &mut rows).unwrap(), expected());
    assert_eq!(fs::read_dir(made.dir.path()).unwrap().count(), 1);
}
