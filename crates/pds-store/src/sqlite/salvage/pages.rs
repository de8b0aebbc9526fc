//! Salvage of a file page by page, for pages that can no longer be reached from a table.
//!
//! The rows of a table are in its leaf pages, and a leaf page with the role of a root is a table of
//! its own. So SQLite reads a copy of the file, with a schema of one table that starts at each leaf
//! in turn. If a row is damaged, each row of its leaf becomes a leaf of its own. This module relies on
//! three facts about the file format: the header of a leaf page, the pointers to rows after it, and
//! the position of the page count in the first page.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::sqlite::errors::{file_error, store_error};
use crate::sqlite::salvage::scan::is_damage;
use crate::sqlite::schema;
use crate::sqlite::schema::{Durability, PAGE_BYTES};

/// A copy of a file, with a schema of one table.
pub(crate) struct Pages {
    connection: Connection,
    path: PathBuf,
    count: u32,
    /// The bytes that may still be read from rows or written to pages. Damaged rows may share their bytes, so that a
    /// small file has endless content.
    left: Cell<u64>,
}

impl Pages {
    /// Copies a file and the content of its WAL into a directory.
    pub(crate) fn of(from: &Path, dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("pages.db");
        fs::copy(from, &path).map_err(file_error)?;
        let (wal, wal_copy) = (with_wal(from), with_wal(&path));
        if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
            fs::copy(&wal, &wal_copy).map_err(file_error)?;
            take_in_wal(&path, dir)?;
            let _ = fs::remove_file(&wal_copy);
        }
        let leaf = dir.join("leaf.db");
        let connection = Connection::open(schema::no_uri(&leaf)).map_err(store_error)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(store_error)?;
        connection
            .execute_batch(&format!("CREATE TABLE leaf ({LEAF_COLUMNS})"))
            .map_err(store_error)?;
        drop(connection);
        let count = replace_first_page(&path, &leaf)?;
        let connection = connect(&path, count)?;
        let left = place_of(count + 1).saturating_mul(MAX_TIMES).saturating_add(LEAST_BYTES);
        Ok(Self { connection, path, count, left: Cell::new(left) })
    }

    /// Visits every readable row of every leaf: its number, and as many columns as the widest table
    /// has. Missing columns are null. The walk ends early after 16 times the bytes of the file, and 256 MiB.
    pub(crate) fn each_row(
        &mut self,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut file =
            fs::OpenOptions::new().read(true).write(true).open(&self.path).map_err(file_error)?;
        for page in 2..=self.count {
            if self.left.get() == 0 {
                break;
            }
            let mut leaf = [0; PAGE_BYTES as usize];
            file.seek(SeekFrom::Start(place_of(page))).map_err(file_error)?;
            file.read_exact(&mut leaf).map_err(file_error)?;
            if leaf.starts_with(&[TABLE_LEAF]) {
                self.start_at(page)?;
                if !self.each_row_as_stored(visit)? {
                    self.each_cell(&mut file, &leaf, visit)?;
                }
            }
        }
        Ok(())
    }

    /// Visits the rows of a leaf, each on a page of its own after the last page of the file: a damaged row hides no
    /// other one.
    fn each_cell(
        &mut self,
        file: &mut File,
        leaf: &[u8; PAGE_BYTES as usize],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let [_, _, _, high, low, ..] = *leaf;
        let cells = usize::from(u16::from_be_bytes([high, low])).min(MAX_CELLS);
        let pointers = leaf.get(LEAF_HEADER_BYTES..).unwrap_or_default().chunks_exact(2);
        let (mut last, mut seen) = (self.count, HashSet::new());
        file.seek(SeekFrom::Start(place_of(last + 1))).map_err(file_error)?;
        for pointer in pointers.take(cells).filter(|pointer| seen.insert(*pointer)) {
            self.spend(u64::from(PAGE_BYTES));
            let mut page = *leaf;
            // No free block, one cell, the start of the cells, and no fragment.
            let fields = [0, 0, 0, 1, pointer[0], pointer[1], 0, pointer[0], pointer[1]];
            page[1..10].copy_from_slice(&fields);
            file.write_all(&page).map_err(file_error)?;
            last += 1;
        }
        file.seek(SeekFrom::Start(COUNT_AT)).map_err(file_error)?;
        file.write_all(&last.to_be_bytes()).map_err(file_error)?;
        // A connection that is open may have pages of that number in its cache.
        self.connection = connect(&self.path, last)?;
        for page in self.count + 1..=last {
            if self.left.get() == 0 {
                break;
            }
            self.start_at(page)?;
            self.each_row_as_stored(visit)?;
        }
        Ok(())
    }

    /// Visits the rows of the present leaf up to an unreadable one, whatever their numbers are: a
    /// damaged number may equal another one, or be out of order. Returns whether all were readable.
    fn each_row_as_stored(
        &self,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let sql = format!("SELECT rowid, {LEAF_COLUMNS} FROM leaf NOT INDEXED");
        let Some(mut statement) = is_damage(self.connection.prepare_cached(&sql))? else {
            return Ok(false);
        };
        let mut rows = statement.query([]).map_err(store_error)?;
        loop {
            match is_damage(rows.next())? {
                Some(Some(row)) => {
                    visit(row)?;
                    self.spend(bytes_of(row));
                    if self.left.get() == 0 {
                        return Ok(true);
                    }
                }
                Some(None) => return Ok(true),
                None => return Ok(false),
            }
        }
    }

    fn spend(&self, bytes: u64) {
        self.left.set(self.left.get().saturating_sub(bytes));
    }

    fn start_at(&self, page: u32) -> Result<(), StoreError> {
        let run = |sql: &str| self.connection.execute_batch(sql).map_err(store_error);
        run(&format!("UPDATE sqlite_schema SET rootpage = {page}"))?;
        // Makes the connection read the schema again.
        run("PRAGMA writable_schema = RESET; PRAGMA writable_schema = ON")
    }
}

/// Opens the copy. SQLite writes its first page only.
fn connect(path: &Path, count: u32) -> Result<Connection, StoreError> {
    let connection = Connection::open(schema::no_uri(path)).map_err(store_error)?;
    schema::limit_lengths(&connection)?;
    let unsafe_and_fast =
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON; PRAGMA writable_schema = ON;";
    // A file of one page has no leaf to start at.
    if count > 1 {
        connection.execute_batch(unsafe_and_fast).map_err(store_error)?;
    }
    Ok(connection)
}

/// Returns the length of the texts and blobs of a row.
fn bytes_of(row: &Row<'_>) -> u64 {
    let columns = (0..).map_while(|column| row.get_ref(column).ok());
    let lengths = columns.map(|value| match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() as u64,
        _ => 0,
    });
    lengths.sum()
}

fn place_of(page: u32) -> u64 {
    u64::from(page - 1) * u64::from(PAGE_BYTES)
}

/// Moves the content of a copy's WAL into the copy, as far as SQLite accepts the WAL as valid.
fn take_in_wal(path: &Path, dir: &Path) -> Result<(), StoreError> {
    let checkpoint = || -> Result<(), StoreError> {
        let connection = Connection::open(schema::no_uri(path)).map_err(store_error)?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(sql, [], |_| Ok(())).map_err(store_error)?;
        connection.close().map_err(|(_, error)| store_error(error))
    };
    let is_readable = !schema::is_empty(path) && schema::open_for_reading(path).is_ok();
    if !is_readable {
        // Without a valid first page, SQLite would not treat the file as one with a WAL.
        let fresh = dir.join("fresh.db");
        schema::settle(schema::create(&fresh, Durability::WhenSettled)?.connection, &fresh)?;
        replace_first_page(path, &fresh)?;
    }
    match checkpoint() {
        Err(StoreError::Damaged(_) | StoreError::NotAStore(_)) => Ok(()),
        done => done,
    }
}

/// Replaces the first page of a file by that of another file, and returns the number of pages.
fn replace_first_page(path: &Path, other: &Path) -> Result<u32, StoreError> {
    let mut first = fs::read(other).map_err(file_error)?;
    first.truncate(PAGE_BYTES as usize);
    let bytes = fs::metadata(path).map_err(file_error)?.len();
    let count = u32::try_from(bytes / u64::from(PAGE_BYTES)).unwrap_or(u32::MAX).max(1);
    // The number of pages, and an empty free list, which is not needed here.
    for (at, number) in [(28, count), (32, 0), (36, 0)] {
        if let Some(field) = first.get_mut(at..at + 4) {
            field.copy_from_slice(&number.to_be_bytes());
        }
    }
    let mut file = fs::OpenOptions::new().write(true).open(path).map_err(file_error)?;
    file.write_all(&first).map_err(file_error)?;
    // The rest of a truncated page is not a page.
    file.set_len(u64::from(count) * u64::from(PAGE_BYTES)).map_err(file_error)?;
    Ok(count)
}

fn with_wal(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// How many times the bytes of the file are read or written at most, and the least number of bytes.
const MAX_TIMES: u64 = 16;
const LEAST_BYTES: u64 = 256 << 20;

/// The first byte of a leaf page of a table. In a file below a terabyte, no overflow page starts
/// with it.
const TABLE_LEAF: u8 = 0x0d;

/// The length of the header of a leaf page. The pointers to the cells follow it, two bytes each.
const LEAF_HEADER_BYTES: usize = 8;

/// The maximum number of cells of a page: each has four bytes or more, and a pointer.
const MAX_CELLS: usize = (PAGE_BYTES as usize - LEAF_HEADER_BYTES) / 6;

/// The position of the number of pages in the first page.
const COUNT_AT: u64 = 28;

/// As many columns as the widest table has.
const LEAF_COLUMNS: &str = "a, b, c, d, e, f, g, h, i, j, k, l";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::change::Change;
    use crate::event::Event;
    use crate::ref_name::RefName;
    use crate::refs::{Expect, RefEdit};
    use crate::sqlite::store::SqliteStore;
    use crate::store::Store;
    use pds_core::data::block::Block;
    use pds_core::data::cid::Codec;
    use pds_core::data::limits::MAX_BLOCK_BYTES;

    /// Makes every leaf with one row name that row many times.
    fn repeat_rows(file: &mut [u8], times: u16) {
        for page in file.chunks_exact_mut(PAGE_BYTES as usize).skip(1) {
            if page.starts_with(&[TABLE_LEAF]) && page[3..5] == [0, 1] {
                let pointer = [page[8], page[9]];
                page[3..5].copy_from_slice(&times.to_be_bytes());
                let pointers = page[LEAF_HEADER_BYTES..].chunks_exact_mut(2);
                pointers.take(times.into()).for_each(|place| place.copy_from_slice(&pointer));
            }
        }
    }

    #[test]
    fn rows_that_share_their_bytes_do_not_make_the_walk_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let store = SqliteStore::create(&path).unwrap();
        let block = Block::new(Codec::Raw, vec![7; MAX_BLOCK_BYTES]);
        let (name, target) = (RefName::head(), Some(block.cid()));
        let edit = RefEdit { name, target, expect: Expect::Any };
        store.apply(Change::new(Event::Set).blocks([Ok(block)]).edits([edit])).unwrap();
        drop(store);
        let mut file = fs::read(&path).unwrap();
        repeat_rows(&mut file, 1_000);
        fs::write(&path, &file).unwrap();
        let copy = dir.path().join("copy");
        fs::create_dir(&copy).unwrap();
        let mut pages = Pages::of(&path, &copy).unwrap();
        let mut bytes = 0;
        let mut count = |row: &Row<'_>| {
            bytes += bytes_of(row);
            Ok(())
        };
        pages.each_row(&mut count).unwrap();
        let most = file.len() as u64 * MAX_TIMES + LEAST_BYTES;
        assert!((most / 2..most + 2 * MAX_BLOCK_BYTES as u64).contains(&bytes), "{bytes}");
    }
}
