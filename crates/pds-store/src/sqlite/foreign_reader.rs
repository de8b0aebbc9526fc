//! Known tables in the SQLite files of other programs, read in one transaction.
//!
//! The file may be malicious, and another process may write it. Its schema runs no code: views, virtual tables and
//! generated columns are refused, and so is a value that is longer than a block.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::error::StoreError;
use crate::sqlite::errors::{file_error, store_error};
use crate::sqlite::foreign::{beside, copied, is_settled, most_bytes, quoted};
use crate::sqlite::immutable_file::Frozen;
use crate::sqlite::schema::{Opened, configure, no_uri, open_uri};
use crate::unfinished::UnfinishedDir;

/// A SQLite file of another program, at one moment.
pub struct ForeignReader {
    opened: Opened,
    /// How many more bytes the values of a sound file can have.
    left: Cell<u64>,
    /// Deleted after the database is closed.
    _copy: Option<UnfinishedDir>,
}

/// A row of a table in a file of another program.
pub struct ForeignRow<'a>(&'a Row<'a>);

impl fmt::Debug for ForeignReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignReader").finish_non_exhaustive()
    }
}

impl fmt::Debug for ForeignRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignRow").field(self.0).finish()
    }
}

/// Reads tables of a SQLite file of another program in one transaction, and returns the result of `read`.
///
/// The file is not changed. If it has no WAL and was not written a moment ago, it is read without locks, and nothing
/// is created next to it; if it changes meanwhile, `read` is called again. Otherwise the file is read with locks, next
/// to its writers. Where SQLite cannot take locks, such as on read-only media, a file with a WAL is copied first.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use pds_store::error::StoreError;
/// use pds_store::sqlite::foreign_reader::read_tables;
///
/// let dir = tempfile::tempdir()?;
/// let file = dir.path().join("account.sqlite");
/// let database = rusqlite::Connection::open(&file)?;
/// database.execute_batch("CREATE TABLE actor (did TEXT, handle TEXT); INSERT INTO actor VALUES ('did:x', 'a.b')")?;
/// drop(database);
///
/// let handle = read_tables(&file, &mut |reader| {
///     let mut handle = None;
///     reader.each_row("actor", &["handle"], &mut |row| {
///         handle = row.text(0).map(str::to_owned);
///         Ok::<_, StoreError>(ControlFlow::Continue(()))
///     })?;
///     Ok::<_, StoreError>(handle)
/// })?;
/// assert_eq!(handle.as_deref(), Some("a.b"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`StoreError::NotAStore`] or [`StoreError::Damaged`] if the file, or a file of SQLite next to it, is no regular
/// file, or has a table that is not an ordinary one; [`StoreError::Busy`] if the file changes all the time; and the
/// errors of `read`.
pub fn read_tables<T, E: From<StoreError>>(
    path: &Path,
    read: &mut dyn FnMut(&ForeignReader) -> Result<T, E>,
) -> Result<T, E> {
    check_files(path)?;
    for _ in 0..MAX_TRIES {
        if !is_at_rest(path) || path.to_str().is_none() {
            break;
        }
        let before = Frozen::of(path).map_err(file_error)?;
        let found = ForeignReader::frozen(path).map_err(E::from).and_then(|file| read(&file));
        if !before.has_changed() {
            return found;
        }
    }
    match ForeignReader::locked(path) {
        Err(
            StoreError::ReadOnly
            | StoreError::Full(_)
            | StoreError::NoLocks(_)
            | StoreError::Backend(_),
        ) => {}
        file => return read(&file?),
    }
    if !is_settled(path) {
        return read(&ForeignReader::copied(path)?);
    }
    let before = Frozen::of(path).map_err(file_error)?;
    let found = ForeignReader::frozen(path).map_err(E::from).and_then(|file| read(&file));
    if before.has_changed() { Err(StoreError::Busy.into()) } else { found }
}

impl ForeignReader {
    /// Opens a file that nothing writes, without locks.
    fn frozen(path: &Path) -> Result<Self, StoreError> {
        Self::checked(open_uri(path, "mode=ro&immutable=1", READ_ONLY)?, path)
    }

    /// Opens a file that others may write.
    fn locked(path: &Path) -> Result<Self, StoreError> {
        let flags = READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(no_uri(path), flags);
        Self::checked(opened.map_err(store_error)?, path)
    }

    /// Copies a file with its WAL, and opens the copy.
    fn copied(path: &Path) -> Result<Self, StoreError> {
        let (dir, copy) = copied(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(no_uri(&copy), flags).map_err(store_error)?;
        Ok(Self { _copy: Some(dir), ..Self::checked(opened, path)? })
    }

    /// Begins the transaction, and checks the schema.
    fn checked(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let opened = configure(connection)?;
        let begin = "PRAGMA cell_size_check = ON; BEGIN; SELECT 1 FROM sqlite_schema";
        opened.connection.execute_batch(begin).map_err(store_error)?;
        let this = Self { opened, left: Cell::new(most_bytes(path)), _copy: None };
        this.check_schema()?;
        Ok(this)
    }

    /// Checks that all tables are ordinary ones, without generated columns.
    fn check_schema(&self) -> Result<(), StoreError> {
        let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'table'
                   UNION ALL
                   SELECT l.name, 'generated column' FROM pragma_table_list AS l, pragma_table_xinfo(l.name) AS c
                   WHERE l.schema = 'main' AND l.type = 'table' AND c.hidden <> 0
                   LIMIT 1";
        let mut statement = self.opened.connection.prepare(sql).map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        let Some(row) = rows.next().map_err(store_error)? else { return Ok(()) };
        let text = |at| row.get::<_, String>(at).map_err(store_error);
        let (name, kind) = (text(0)?, text(1)?);
        let reason = match kind.as_str() {
            "generated column" => format!("its table {name:?} has a generated column"),
            kind => format!("its {kind} {name:?} is no ordinary table"),
        };
        Err(StoreError::Damaged(reason.into()))
    }

    /// Returns whether the file has a table with this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be read.
    pub fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        self.opened.effort.renew();
        let sql = "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1";
        let mut statement = self.opened.connection.prepare(sql).map_err(store_error)?;
        statement.exists([table]).map_err(store_error)
    }

    /// Calls `visit` with these columns of each row of a table, until it breaks.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if there is no such table or column, if a value is longer than a block, or if rows share
    /// their bytes; and the errors of `visit`.
    pub fn each_row<E: From<StoreError>>(
        &self,
        table: &str,
        columns: &[&str],
        visit: &mut dyn FnMut(&ForeignRow<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        self.check_columns(table, columns)?;
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let sql = format!("SELECT {} FROM main.{}", names.join(", "), quoted(table));
        self.opened.effort.renew();
        let mut statement = self.opened.connection.prepare(&sql).map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            self.opened.effort.renew();
            let row = ForeignRow(row);
            let bytes: usize = (0..columns.len()).map(|column| row.value(column).len()).sum();
            let left = self.left.get().checked_sub(bytes as u64);
            // In a crafted file, all rows may share the pages of one large value.
            let shared = || StoreError::Damaged("its values share their bytes".into());
            self.left.set(left.ok_or_else(shared)?);
            if visit(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Without this check, SQLite would read an unknown name in quotation marks as a text.
    fn check_columns(&self, table: &str, columns: &[&str]) -> Result<(), StoreError> {
        let sql = "SELECT 1 FROM pragma_table_info(?1, 'main') WHERE name = ?2 COLLATE NOCASE";
        let mut statement = self.opened.connection.prepare(sql).map_err(store_error)?;
        for column in columns {
            if !statement.exists([table, column]).map_err(store_error)? {
                let reason = format!("it has no table {table} with a column {column}");
                return Err(StoreError::Damaged(reason.into()));
            }
        }
        Ok(())
    }
}

impl ForeignRow<'_> {
    /// Returns a value that is text; `None` if it has another type.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&str> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// Returns a value that is bytes; `None` if it has another type.
    #[must_use]
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn value(&self, column: usize) -> &[u8] {
        match self.0.get_ref(column) {
            Ok(ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => bytes,
            _ => &[],
        }
    }
}

/// Checks that the file and the files of SQLite next to it are regular ones. A link could lead elsewhere, and a pipe
/// would wait for a writer.
fn check_files(path: &Path) -> Result<(), StoreError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        match beside(path, ending).symlink_metadata() {
            Ok(file) if file.is_file() => {}
            Ok(_) => {
                let name = beside(path, ending);
                let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(StoreError::NotAStore(format!("{name} is not a regular file")));
            }
            Err(_) if ending.is_empty() => {
                return Err(StoreError::NotAStore("no such file".to_owned()));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Returns whether no process seems to write a file: it has no WAL, and was not written a moment ago. File systems count
/// time in steps, so a change right after another one may not be noticed. Waits for that moment to pass.
fn is_at_rest(path: &Path) -> bool {
    let begun = Instant::now();
    while is_settled(path) {
        let modified = fs::metadata(path).and_then(|file| file.modified());
        let since = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if since.is_some_and(|since| since > QUIET) {
            return true;
        }
        if begun.elapsed() > QUIET {
            return false;
        }
        std::thread::sleep(QUIET / 20);
    }
    false
}

/// How long a file must not have been written.
const QUIET: Duration = Duration::from_secs(1);

/// The number of attempts to read a file without locks.
const MAX_TRIES: usize = 3;

const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NOFOLLOW);
