//! The tables of a store, the settings of a connection, and the version of the format.

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;
use crate::sqlite::errors::{cannot_open, file_error, store_error};
use crate::sqlite::immutable_file::{Frozen, has_no_wal};
use crate::sqlite::query_limit::Effort;
use crate::sqlite::rows::state::StateRow;
use pds_core::data::limits::MAX_BLOCK_BYTES;

/// The version of the format that this release writes and reads.
pub const FORMAT: u32 = 1;

/// A connection to a store, with the limit on the effort of its queries.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) effort: Effort,
    /// Set if the file is read as immutable.
    pub(crate) frozen: Option<Frozen>,
}

/// The durability of a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Each transaction is on disk when it is acknowledged.
    Always,
    /// Nothing is durable until the file is settled, for a file that no other process uses.
    WhenSettled,
}

/// Creates a new database file, which must not exist.
pub(crate) fn create(path: &Path, durability: Durability) -> Result<Opened, StoreError> {
    std::fs::File::create_new(path).map_err(file_error)?;
    let opened = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let connection = &opened.connection;
    // The page size can be set only before the first write, and before WAL mode.
    let journal = match durability {
        Durability::Always => "PRAGMA journal_mode = WAL;",
        Durability::WhenSettled => "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;",
    };
    let objects: Vec<&str> = OBJECTS.iter().map(|object| object.sql).collect();
    let setup = format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT};
         {journal}
         BEGIN IMMEDIATE;
         {};",
        objects.join(";\n")
    );
    connection.execute_batch(&setup).map_err(store_error)?;
    StateRow::default().write(connection)?;
    connection.execute_batch("COMMIT").map_err(store_error)?;
    if durability == Durability::Always {
        let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
        let synced = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(file_error)?;
    }
    Ok(opened)
}

/// Makes an unsettled file durable.
pub(crate) fn settle(connection: Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;")
        .map_err(store_error)?;
    connection.close().map_err(|(_, error)| store_error(error))?;
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(file_error)
}

/// Opens an existing file for writing.
pub(crate) fn open_for_writing(path: &Path) -> Result<Opened, StoreError> {
    let opened = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(checked);
    // A writer has read the file before, so the WAL is the file that cannot be opened.
    opened.map_err(|error| if cannot_open(&error) { StoreError::ReadOnly } else { error })
}

/// Opens an existing file without reading it.
pub(crate) fn open_unread(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(no_uri(path), flags).map_err(store_error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(store_error)?;
    Ok(connection)
}

/// Opens an existing file for reading, even if nothing can be written.
pub(crate) fn open_for_reading(path: &Path) -> Result<Opened, StoreError> {
    // A reader of a file in WAL mode writes its shared memory, so it requests write access first.
    let writable = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(checked);
    match writable {
        Err(StoreError::ReadOnly | StoreError::Full(_) | StoreError::Backend(_)) => {}
        settled => return settled,
    }
    let readable = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(checked);
    match readable {
        Err(StoreError::ReadOnly | StoreError::Full(_) | StoreError::Backend(_))
            if has_no_wal(path) => {}
        settled => return settled,
    }
    open_frozen(path)
}

/// Opens an existing file for a check, which reports every difference in its schema.
pub(crate) fn open_for_check(path: &Path) -> Result<Opened, StoreError> {
    match open_for_reading(path) {
        Err(StoreError::Damaged(_)) => {
            let opened = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
            opened.or_else(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        }
        opened => opened,
    }
}

/// Opens a complete file without a WAL where SQLite cannot take locks, such as on read-only media.
/// If another machine writes the file nevertheless, it is opened again.
pub(crate) fn open_frozen(path: &Path) -> Result<Opened, StoreError> {
    let frozen = Frozen::of(path).map_err(file_error)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let opened = checked(connect_uri(path, "mode=ro&immutable=1", flags)?)?;
    Ok(Opened { frozen: Some(frozen), ..opened })
}

/// Opens a complete file of any program without a WAL, without locks and without its shared memory.
pub(crate) fn open_foreign_frozen(path: &Path) -> Result<Opened, StoreError> {
    let frozen = Frozen::of(path).map_err(file_error)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let opened = leniently(open_uri(path, "mode=ro&immutable=1", flags)?)?;
    Ok(Opened { frozen: Some(frozen), ..opened })
}

/// Opens a file of any program, which SQLite may change.
pub(crate) fn open_foreign_copy(path: &Path) -> Result<Opened, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    leniently(Connection::open_with_flags(no_uri(path), flags).map_err(store_error)?)
}

/// Configures a connection to a file of any program. SQLite reads a truncated file, and a schema with damaged entries,
/// as far as possible. The schema runs no code, and every query ends.
fn leniently(mut connection: Connection) -> Result<Opened, StoreError> {
    for (setting, on) in DB_CONFIG {
        connection.set_db_config(setting, on).map_err(store_error)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).map_err(store_error)?;
    limit_lengths(&connection)?;
    // The other settings read the file, so this one comes first.
    let settings = "PRAGMA writable_schema = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;";
    connection.execute_batch(settings).map_err(store_error)?;
    let effort = Effort::bound(&mut connection)?;
    Ok(Opened { connection, effort, frozen: None })
}

/// Checks that the file is a store of a known format.
fn checked(opened: Opened) -> Result<Opened, StoreError> {
    let number = |pragma: &str| {
        let connection = &opened.connection;
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(store_error)
    };
    match number("application_id")? {
        found if found == i64::from(APPLICATION_ID) => {}
        found if found == i64::from(UNRELEASED_ID) => return Err(StoreError::UnreleasedFormat),
        _ => return Err(StoreError::NotAStore("another kind of SQLite database".to_owned())),
    }
    let found = number("user_version")?;
    match u32::try_from(found) {
        Ok(FORMAT) => {
            check_objects(&opened.connection)?;
            Ok(opened)
        }
        Ok(found @ FORMAT..=LAST_PLAUSIBLE_FORMAT) => {
            Err(StoreError::NewerFormat { found, supported: FORMAT })
        }
        _ => Err(StoreError::Damaged(format!("the format number is {found}").into())),
    }
}

/// Checks that the schema has every table and index of the format, unchanged. These tables must
/// have no other index: it could make a write fail, or replace other rows. Other foreign objects
/// run no code, and a check reports them.
fn check_objects(connection: &Connection) -> Result<(), StoreError> {
    let mut find = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 AND sql = ?3")
        .map_err(store_error)?;
    for Object { kind, name, sql } in OBJECTS {
        if !find.exists([kind, name, sql]).map_err(store_error)? {
            let message = format!("the {kind} {name} is missing, or differs from the format");
            return Err(StoreError::Damaged(message.into()));
        }
    }
    let expected = OBJECTS.iter().filter(|object| object.kind == "index").count();
    let tables = OBJECTS.iter().filter(|object| object.kind == "table").map(|object| object.name);
    let tables = tables.collect::<Vec<_>>().join("', '");
    let sql = format!(
        "SELECT count(*) FROM sqlite_schema
         WHERE type = 'index' AND sql IS NOT NULL AND tbl_name COLLATE NOCASE IN ('{tables}')"
    );
    let found: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(store_error)?;
    if usize::try_from(found) != Ok(expected) {
        return Err(StoreError::Damaged(
            "a table has an index that is not part of the format".into(),
        ));
    }
    Ok(())
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Opened, StoreError> {
    if !path.is_file() {
        return Err(StoreError::NotAStore(format!("no file {}", path.display())));
    }
    // SQLite treats an empty file as a new database, and deletes a WAL next to it.
    if is_empty(path) {
        return Err(StoreError::NotAStore("the file is empty".to_owned()));
    }
    open(path, flags)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Opened, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    configure(Connection::open_with_flags(no_uri(path), flags).map_err(store_error)?)
}

/// Returns a path that SQLite does not parse as a URI: a relative path may start like one.
pub(crate) fn no_uri(path: &Path) -> std::path::PathBuf {
    Path::new(".").join(path)
}

/// Returns whether a file is empty.
pub(crate) fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

fn connect_uri(path: &Path, query: &str, flags: OpenFlags) -> Result<Opened, StoreError> {
    configure(open_uri(path, query, flags)?)
}

pub(crate) fn open_uri(
    path: &Path,
    query: &str,
    flags: OpenFlags,
) -> Result<Connection, StoreError> {
    let path = path.to_str().ok_or_else(|| {
        StoreError::NotAStore("the path is not UTF-8, and the file is read-only".to_owned())
    })?;
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{path}?{query}");
    Connection::open_with_flags(uri, flags).map_err(store_error)
}

/// Makes SQLite refuse values longer than any value of a store.
pub(crate) fn limit_lengths(connection: &Connection) -> Result<(), StoreError> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES).map(drop).map_err(store_error)
}

/// Configures a connection. The file may be malicious: its schema runs no code, no value is longer
/// than any value of a store, and every query ends.
pub(crate) fn configure(mut connection: Connection) -> Result<Opened, StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(store_error)?;
    for (setting, on) in DB_CONFIG {
        connection.set_db_config(setting, on).map_err(store_error)?;
    }
    limit_lengths(&connection)?;
    connection.execute_batch(SETTINGS).map_err(store_error)?;
    connection.set_prepared_statement_cache_capacity(48);
    let effort = Effort::bound(&mut connection)?;
    Ok(Opened { connection, effort, frozen: None })
}

/// A table or an index of the format.
pub(crate) struct Object {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// The statement that creates the object, as SQLite stores it.
    pub(crate) sql: &'static str,
}

/// All objects of the schema, by name.
///
/// Every key and every index consists of integers. SQLite loads the keys that it compares, and a
/// text in a malicious file may have any length.
pub(crate) const OBJECTS: [Object; 7] = [
    Object {
        kind: "table",
        name: "blocks",
        sql: "CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    cid BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT",
    },
    Object {
        kind: "table",
        name: "facts",
        sql: "CREATE TABLE facts (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    value TEXT NOT NULL,
    sum INTEGER NOT NULL
) STRICT",
    },
    Object {
        kind: "table",
        name: "log",
        sql: "CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    ref TEXT NOT NULL,
    before TEXT,
    after TEXT,
    at_micros INTEGER NOT NULL,
    event TEXT NOT NULL,
    other TEXT,
    old_key TEXT,
    key TEXT,
    message TEXT NOT NULL,
    start INTEGER,
    sum INTEGER NOT NULL
) STRICT",
    },
    Object { kind: "index", name: "log_start", sql: "CREATE INDEX log_start ON log (start)" },
    Object {
        kind: "table",
        name: "places",
        sql: "CREATE TABLE places (
    start INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (start, id)
) STRICT, WITHOUT ROWID",
    },
    Object {
        kind: "table",
        name: "refs",
        sql: "CREATE TABLE refs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    cid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT",
    },
    Object {
        kind: "table",
        name: "state",
        sql: "CREATE TABLE state (
    id INTEGER PRIMARY KEY,
    change INTEGER NOT NULL,
    sweep INTEGER NOT NULL,
    placed INTEGER NOT NULL,
    refs INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT",
    },
];

const DB_CONFIG: [(DbConfig, bool); 5] = [
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    // Without it, SQLite compiles a statement again for many values that are bound to it.
    (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
];

/// The two settings make macOS sync through the cache of the disk. They have no effect on other
/// systems.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;
";

pub(crate) const PAGE_BYTES: u32 = 8192;

/// The longest value of a store is a block, and a row has a CID next to it.
#[allow(clippy::cast_possible_truncation)]
const MAX_VALUE_BYTES: i32 = MAX_BLOCK_BYTES as i32 + 4_096;

/// `atpr`, for an AT Protocol repository: `file` and other tools can recognize it.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"atpr");

/// `pds1`, the mark of the formats before the first release.
const UNRELEASED_ID: i32 = i32::from_be_bytes(*b"pds1");

/// No release will have a larger format number for a long time. A flipped bit usually results in
/// one.
const LAST_PLAUSIBLE_FORMAT: u32 = 99;

/// The time that a writer waits for another before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
