//! The tables, the settings of a connection, and the version of the format.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::errors::{cannot_open, store_error};
use super::frozen::Frozen;
use super::places::Tail;
use crate::store::StoreError;

/// The version of the format that this release writes; it reads every earlier one.
pub const FORMAT: u32 = 2;

/// How blocks are kept in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Under a unique index over CIDs.
    One,
    /// Appended, found by `places` and the tail.
    Two,
}

/// A file that is open for reading.
pub(super) struct Readable {
    pub(super) connection: Connection,
    pub(super) layout: Layout,
    /// Where it is read as if nobody wrote it.
    pub(super) frozen: Option<Frozen>,
}

/// How a new file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Each transaction is on the disk when it is acknowledged.
    Always,
    /// Nothing is until the file is settled: for a file that nobody knows of yet.
    WhenSettled,
}

/// Makes a new database file, which must not exist.
pub(super) fn create(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    std::fs::File::create_new(path).map_err(|error| StoreError::Backend(Box::new(error)))?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The page size can only be set before anything is written, and before WAL.
    let journal = match durability {
        Durability::Always => "PRAGMA journal_mode = WAL;",
        Durability::WhenSettled => "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;",
    };
    let setup = format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT};
         {journal}
         BEGIN IMMEDIATE;
         {BLOCKS}
         {TABLES}
         COMMIT;"
    );
    connection.execute_batch(&setup).map_err(store_error)?;
    if durability == Durability::Always {
        let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
        let synced = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| StoreError::Backend(Box::new(error)))?;
    }
    Ok(connection)
}

/// Turns a file that was not durable into one that is.
pub(super) fn settle(connection: Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;")
        .map_err(store_error)?;
    connection.close().map_err(|(_, error)| store_error(error))?;
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError::Backend(Box::new(error)))
}

/// Opens an existing file for writing; one of an earlier format becomes one of this format.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let opened = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(checked);
    // The file can be read, or nobody would want to write it: what cannot be opened is the WAL.
    let (mut connection, layout) =
        opened.map_err(|error| if cannot_open(&error) { StoreError::ReadOnly } else { error })?;
    if layout == Layout::One {
        upgrade(&mut connection)?;
    }
    Ok(connection)
}

/// Opens an existing file without looking into it.
pub(super) fn open_unread(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(no_uri(path), flags).map_err(store_error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(store_error)?;
    Ok(connection)
}

/// Opens an existing file for reading, also where nothing can be written.
pub(super) fn open_for_reading(path: &Path) -> Result<Readable, StoreError> {
    let live = |(connection, layout)| Readable { connection, layout, frozen: None };
    // A reader of a WAL file wants to write its shared memory, so it asks for writing first.
    let writable = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(checked);
    match writable {
        Err(StoreError::ReadOnly | StoreError::Full(_) | StoreError::Backend(_)) => {}
        settled => return settled.map(live),
    }
    let readable = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(checked);
    match readable {
        Err(StoreError::ReadOnly | StoreError::Full(_) | StoreError::Backend(_))
            if has_no_wal(path) => {}
        settled => return settled.map(live),
    }
    open_frozen(path)
}

/// Opens a file that is complete in itself, without a WAL, where SQLite cannot take locks. This is for media that nobody
/// writes; where somebody else does, it is opened anew.
pub(super) fn open_frozen(path: &Path) -> Result<Readable, StoreError> {
    let frozen = Frozen::of(path).map_err(|error| StoreError::Backend(Box::new(error)))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let (connection, layout) = checked(connect_uri(path, "mode=ro&immutable=1", flags)?)?;
    Ok(Readable { connection, layout, frozen: Some(frozen) })
}

/// Checks that the file is a store and of a format that is known.
fn checked(connection: Connection) -> Result<(Connection, Layout), StoreError> {
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(store_error)
    };
    if number("application_id")? != i64::from(APPLICATION_ID) {
        return Err(StoreError::NotAStore("another kind of SQLite database".to_owned()));
    }
    let found = u32::try_from(number("user_version")?).unwrap_or(u32::MAX);
    match found {
        0 => Err(StoreError::NotAStore("a database without tables".to_owned())),
        1 => Ok((connection, Layout::One)),
        FORMAT => Ok((connection, Layout::Two)),
        _ => Err(StoreError::NewerFormat { found, supported: FORMAT }),
    }
}

/// Makes a file of format 1 one of this format, in one transaction.
fn upgrade(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(store_error)?;
    let format: i64 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(store_error)?;
    if format != 1 {
        // Somebody else was faster.
        return Ok(());
    }
    let rebuilt = format!(
        "ALTER TABLE blocks RENAME TO blocks_1;
         {BLOCKS}
         INSERT INTO blocks (id, cid, bytes) SELECT rowid, cid, bytes FROM blocks_1 ORDER BY rowid;
         DROP TABLE blocks_1;
         PRAGMA user_version = {FORMAT};"
    );
    transaction.execute_batch(&rebuilt).map_err(store_error)?;
    Tail::default().index_anew(&transaction)?;
    transaction.commit().map_err(store_error)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::NotAStore(format!("no file {}", path.display())));
    }
    // SQLite takes an empty file for a new database, and deletes a WAL that it finds beside it.
    if is_empty(path) {
        return Err(StoreError::NotAStore("the file is empty".to_owned()));
    }
    open(path, flags)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    configure(Connection::open_with_flags(no_uri(path), flags).map_err(store_error)?)
}

/// Names a file so that it is not taken for a URI: a relative path may start like one.
pub(super) fn no_uri(path: &Path) -> std::path::PathBuf {
    Path::new(".").join(path)
}

/// Tells whether there is nothing in a file.
pub(super) fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

fn connect_uri(path: &Path, query: &str, flags: OpenFlags) -> Result<Connection, StoreError> {
    let path = path.to_str().ok_or_else(|| {
        StoreError::NotAStore("a path that is not UTF-8, where nothing can be written".to_owned())
    })?;
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{path}?{query}");
    configure(Connection::open_with_flags(uri, flags).map_err(store_error)?)
}

/// What every connection is told.
fn configure(connection: Connection) -> Result<Connection, StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(store_error)?;
    // Without it a statement is compiled again for many a value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(store_error)?;
    connection.execute_batch(SETTINGS).map_err(store_error)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Maps the file, or no longer does; between two transactions only.
///
/// A lookup through the map takes two thirds of the time. But a page that is seen for the first time costs more, it stays
/// in memory, and an error of the disk ends the process: so who writes has no map, nor who reads all there is.
pub(super) fn map(connection: &Connection, mapped: bool) -> Result<(), StoreError> {
    let bytes = if mapped { MMAP_BYTES } else { 0 };
    connection.pragma_update(None, "mmap_size", bytes).map_err(store_error)
}

pub(super) fn has_no_wal(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(true, |file| file.len() == 0)
}

const BLOCKS: &str = "
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        cid BLOB NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE places (
        start INTEGER NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (start, id)
    ) STRICT, WITHOUT ROWID;
";

const TABLES: &str = "
    CREATE TABLE refs (
        name TEXT PRIMARY KEY NOT NULL,
        cid BLOB NOT NULL
    ) STRICT;
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        before BLOB,
        after BLOB,
        at_micros INTEGER NOT NULL,
        note TEXT NOT NULL
    ) STRICT;
    CREATE TABLE meta (
        key TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES ('blobs', 'two-characters');
";

const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;
";

pub(super) const PAGE_BYTES: u32 = 8192;

/// How much of the file is mapped at most.
pub(super) const MMAP_BYTES: i64 = 1 << 30;

/// `pds1`, so that `file` and other tools can tell what this is.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"pds1");

/// How long a writer waits for another before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
