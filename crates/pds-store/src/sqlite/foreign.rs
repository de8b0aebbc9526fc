//! Blocks in the SQLite files of other programs.
//!
//! Servers keep blocks in tables of many forms. In all of them a row has a CID, as text or as bytes, and the bytes
//! that hash to it. So any value that hashes to a CID in the same row is a block.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::StoreError;
use crate::sqlite::errors::{file_error, store_error};
use crate::sqlite::immutable_file::has_no_wal;
use crate::sqlite::salvage::scan::{each_row, is_damage};
use crate::sqlite::schema::{Opened, open_foreign_copy, open_foreign_frozen};
use crate::unfinished::UnfinishedDir;
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::limits::MAX_BLOCK_BYTES;

/// The result of a search for blocks in a SQLite file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignTables {
    /// The tables with blocks, and the number of blocks in each.
    pub tables: Vec<(String, u64)>,
    /// The tables that could not be read to the end.
    pub damaged: Vec<String>,
}

/// Calls `visit` with every block in the tables of a SQLite file, whatever their names and columns are.
///
/// The file is only read. If it has a WAL or a rollback journal, a temporary copy of them is read, because SQLite
/// changes such files when it opens them. Nothing is created next to the file. Rows after a damaged page are read,
/// too, if their table has row numbers. Memory use does not depend on the size of the file.
///
/// ```
/// use pds_core::data::block::Block;
/// use pds_core::data::cid::Codec;
/// use pds_store::sqlite::foreign::each_block;
///
/// let dir = tempfile::tempdir()?;
/// let file = dir.path().join("server.sqlite");
/// let block = Block::new(Codec::Raw, *b"hello");
/// let database = rusqlite::Connection::open(&file)?;
/// database.execute("CREATE TABLE anything (name TEXT, content BLOB)", [])?;
/// database.execute("INSERT INTO anything VALUES (?1, ?2)", (block.cid().to_string(), block.bytes()))?;
/// drop(database);
///
/// let mut found = Vec::new();
/// let search = each_block(&file, &mut |block| Ok(found.push(block)))?;
/// assert_eq!((found, search.tables), (vec![block], vec![("anything".to_owned(), 1)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`StoreError::NotAStore`] or [`StoreError::Damaged`] if SQLite cannot read the list of tables,
/// [`StoreError::Busy`] if another process changes the file, and the error that `visit` returns.
pub fn each_block(
    path: &Path,
    visit: &mut dyn FnMut(Block) -> Result<(), StoreError>,
) -> Result<ForeignTables, StoreError> {
    let opened = Foreign::open(path)?;
    let Opened { connection, effort, frozen } = &opened.database;
    let mut found = ForeignTables::default();
    for table in tables(connection)? {
        effort.renew();
        let columns = table.columns(connection)?;
        let mut blocks = 0;
        let mut of_row = |row: &Row<'_>| {
            effort.renew();
            blocks += blocks_of(row, visit)?;
            Ok(ControlFlow::Continue(()))
        };
        let is_all = match table.has_row_numbers(&columns) {
            true => each_row(connection, &quoted(&table.name), &chosen(&columns), &mut of_row)?,
            false => {
                let sql = format!("SELECT {} FROM {}", chosen(&columns), quoted(&table.name));
                rows_until_damage(connection, &sql, &mut of_row)?
            }
        };
        if !is_all {
            found.damaged.push(table.name.clone());
        }
        if blocks > 0 {
            found.tables.push((table.name, blocks));
        }
    }
    if frozen.as_ref().is_some_and(|frozen| frozen.has_changed()) {
        return Err(StoreError::Busy);
    }
    Ok(found)
}

/// A file of another program, or a temporary copy of it.
struct Foreign {
    database: Opened,
    /// Deleted after the database is closed.
    _copy: Option<UnfinishedDir>,
}

impl Foreign {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let path = &fs::canonicalize(path).map_err(file_error)?;
        if is_settled(path) && path.to_str().is_some() {
            return Ok(Self { database: open_foreign_frozen(path)?, _copy: None });
        }
        let (dir, copy) = copied(path)?;
        Ok(Self { database: open_foreign_copy(&copy)?, _copy: Some(dir) })
    }
}

/// Returns whether a database has neither a WAL nor a rollback journal.
pub(super) fn is_settled(path: &Path) -> bool {
    has_no_wal(path) && size(&beside(path, "-journal")) == 0
}

/// Copies a database with its WAL or its journal to a temporary directory. Returns the path of the copy, too.
pub(super) fn copied(path: &Path) -> Result<(UnfinishedDir, PathBuf), StoreError> {
    for _ in 0..MAX_TRIES {
        let before = stamps(path);
        let (dir, _) = UnfinishedDir::for_copy().map_err(file_error)?;
        let copy = dir.path().join("copy.db");
        for ending in ["-wal", "-journal", ""] {
            let from = beside(path, ending);
            if size(&from) > 0 {
                fs::copy(&from, beside(&copy, ending)).map_err(file_error)?;
            }
        }
        if stamps(path) == before {
            return Ok((dir, copy));
        }
    }
    Err(StoreError::Busy)
}

/// Returns more bytes than all values of a sound database have. Its WAL may have pages that the file does not have
/// yet. Text in UTF-16 may be longer in UTF-8.
///
/// The values of a sound file do not overlap. In a crafted one, all rows may share the pages of one large value.
#[must_use]
pub fn most_bytes(path: &Path) -> u64 {
    let sizes = ["", "-wal", "-journal"].map(|ending| size(&beside(path, ending)));
    sizes.into_iter().sum::<u64>().saturating_mul(2)
}

/// The sizes and times of a database and of the files next to it.
fn stamps(path: &Path) -> [Option<(u64, Option<SystemTime>)>; 3] {
    ["", "-wal", "-journal"].map(|ending| {
        let file = fs::metadata(beside(path, ending)).ok()?;
        Some((file.len(), file.modified().ok()))
    })
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// A table of the file.
struct Table {
    name: String,
    is_without_rowid: bool,
}

/// Lists the ordinary tables. Views and virtual tables would run code.
fn tables(connection: &Connection) -> Result<Vec<Table>, StoreError> {
    let sql = "SELECT name, wr FROM pragma_table_list
               WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               ORDER BY name";
    let mut statement = connection.prepare(sql).map_err(store_error)?;
    let table = |row: &Row<'_>| Ok(Table { name: row.get(0)?, is_without_rowid: row.get(1)? });
    let tables = statement.query_map([], table).map_err(store_error)?;
    tables.collect::<Result<_, _>>().map_err(store_error)
}

impl Table {
    /// Lists the stored columns. Generated columns would run code.
    fn columns(&self, connection: &Connection) -> Result<Vec<String>, StoreError> {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_table_info(?1)").map_err(store_error)?;
        let names = statement.query_map([&self.name], |row| row.get(0)).map_err(store_error)?;
        names.collect::<Result<_, _>>().map_err(store_error)
    }

    fn has_row_numbers(&self, columns: &[String]) -> bool {
        !self.is_without_rowid && !columns.iter().any(|name| name.eq_ignore_ascii_case("rowid"))
    }
}

/// Returns the columns of a query, without the values that are longer than a block.
fn chosen(columns: &[String]) -> String {
    let column = |name: &String| {
        let name = quoted(name);
        format!("CASE WHEN octet_length({name}) <= {MAX_BLOCK_BYTES} THEN {name} END")
    };
    columns.iter().map(column).collect::<Vec<_>>().join(", ")
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Visits the rows up to the first damaged page. Returns whether there was none.
fn rows_until_damage(
    connection: &Connection,
    sql: &str,
    visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<bool, StoreError> {
    let Some(mut statement) = is_damage(connection.prepare(sql))? else { return Ok(false) };
    let mut rows = statement.query([]).map_err(store_error)?;
    loop {
        match is_damage(rows.next())? {
            Some(Some(row)) => drop(visit(row)?),
            Some(None) => return Ok(true),
            None => return Ok(false),
        }
    }
}

/// Visits the values of a row that hash to a CID in the same row. Returns their number.
fn blocks_of(
    row: &Row<'_>,
    visit: &mut dyn FnMut(Block) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let columns = row.as_ref().column_count();
    let values = || (0..columns).filter_map(|column| row.get_ref(column).ok().and_then(bytes_of));
    let cids: Vec<Cid> = values().filter_map(cid_of).take(MAX_CIDS).collect();
    let mut found = 0;
    if cids.is_empty() {
        return Ok(found);
    }
    for bytes in values() {
        let hashed = Cid::of(Codec::Raw, bytes);
        let named = cids.iter().find(|cid| cid.digest() == hashed.digest());
        if let Some(block) = named.and_then(|cid| Block::verified(*cid, bytes).ok()) {
            visit(block)?;
            found += 1;
        }
    }
    Ok(found)
}

fn bytes_of(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// Reads a CID as text or as bytes, with or without the zero byte of links in CBOR.
fn cid_of(bytes: &[u8]) -> Option<Cid> {
    if bytes.len() > MAX_CID_BYTES {
        return None;
    }
    let of_bytes =
        Cid::from_bytes(bytes).or_else(|_| Cid::from_bytes(bytes.get(1..).unwrap_or_default()));
    of_bytes.ok().or_else(|| std::str::from_utf8(bytes).ok()?.parse().ok())
}

/// The number of CIDs in a row that are compared with its values. A row of blocks has one or two.
const MAX_CIDS: usize = 32;

/// No supported CID is longer, as bytes or as text.
const MAX_CID_BYTES: usize = 100;

/// The number of attempts to copy a file that another process writes.
const MAX_TRIES: usize = 3;
