//! The embedded store: one SQLite file.
//!
//! Blocks arrive in batches that are sorted by CID, so that the index over random CIDs is written
//! in order. Reads go through a connection of their own, so that a stream of blocks may read the
//! store that it goes into. `docs/format.md` describes the file, and the decision page on the table
//! shape has the figures behind it.

mod apply;
mod errors;
mod mend;
mod salvage;
mod schema;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use self::apply::{expected, insert, move_ref};
use self::errors::store_error;
pub use self::salvage::Salvaged;
use self::schema::Durability;
pub use self::schema::FORMAT;
use super::{
    Applied, BlockStream, LogEntry, Mended, RefEdit, RefName, Refs, Store, StoreError, Visitor,
};
use crate::data::{Block, Blocks, Cid, ReadError};

/// A store in a SQLite file.
///
/// ```
/// use pds::store::{SqliteStore, Store};
///
/// let dir = tempfile::tempdir()?;
/// let store = SqliteStore::create(&dir.path().join("pds.db"))?;
/// assert_eq!(store.block_count()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    path: PathBuf,
    reader: Mutex<Connection>,
    /// Opened when something is written for the first time.
    writer: Mutex<Option<Connection>>,
}

impl SqliteStore {
    /// Makes a new store in a file that must not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Self::create_with(path, Durability::Always)
    }

    /// Makes a new store that is filled before anybody else knows of it: nothing is durable before
    /// [`settle`](Self::settle), and large imports are faster for it.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_unsettled(path: &Path) -> Result<Self, StoreError> {
        Self::create_with(path, Durability::WhenSettled)
    }

    /// Makes a store durable that was made by [`create_unsettled`](Self::create_unsettled), and closes
    /// it. The entry of the file in its directory is the caller's to sync.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be written.
    pub fn settle(self) -> Result<(), StoreError> {
        drop(self.reader);
        match self.writer.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(writer) => schema::settle(writer, &self.path),
            None => Ok(()),
        }
    }

    fn create_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let writer = schema::create(path, durability)?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(schema::open_for_reading(path)?),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Opens a store; where the file or its directory cannot be written it can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] when there is none, [`StoreError::NewerFormat`] when a later
    /// release made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let reader = Mutex::new(schema::open_for_reading(path)?);
        Ok(Self { path: path.to_owned(), reader, writer: Mutex::new(None) })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in a transaction that holds the right to write from its start.
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *writer {
            Some(connection) => connection,
            none => none.insert(schema::open_for_writing(&self.path)?),
        };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(store_error)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(store_error)?;
        Ok(done)
    }
}

impl Blocks for SqliteStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        read_block(&self.reader(), cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        let Some(first) = cids.first() else {
            return Ok(Vec::new());
        };
        let mut reader = self.reader();
        // One transaction for all: a third faster than one for each.
        let transaction =
            reader.transaction().map_err(|e| ReadError::backend(*first, store_error(e)))?;
        cids.iter().map(|cid| read_block(&transaction, cid)).collect()
    }
}

impl Store for SqliteStore {
    fn refs(&self) -> Result<Refs, StoreError> {
        let mut reader = self.reader();
        let transaction = reader.transaction().map_err(store_error)?;
        let version = version(&transaction)?;
        let mut statement = transaction
            .prepare_cached("SELECT name, cid FROM refs ORDER BY name")
            .map_err(store_error)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, cid_at(row, 1)?)));
        let mut entries = Vec::new();
        for row in rows.map_err(store_error)? {
            let (name, cid) = row.map_err(store_error)?;
            entries.push((ref_name(&name)?, cid));
        }
        Ok(Refs { version, entries })
    }

    fn apply(
        &self,
        blocks: &mut BlockStream<'_>,
        edits: &[RefEdit],
        note: &str,
    ) -> Result<Applied, StoreError> {
        if edits.is_empty() {
            return Err(StoreError::NoEdits);
        }
        let applied = self.write(|transaction| {
            let before = edits.iter().map(|edit| expected(transaction, edit));
            let before: Vec<Option<Cid>> = before.collect::<Result<_, _>>()?;
            let new_blocks = insert(transaction, blocks)?;
            for (edit, before) in edits.iter().zip(before) {
                move_ref(transaction, edit, before, note)?;
            }
            Ok(Applied { new_blocks, version: version(transaction)? })
        })?;
        if applied.new_blocks >= CHECKPOINT_BLOCKS {
            self.checkpoint();
        }
        Ok(applied)
    }

    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let reader = self.reader();
        let mut statement = reader
            .prepare_cached(
                "SELECT seq, before, after, at_micros, note FROM log
                 WHERE name = ?1 ORDER BY seq DESC LIMIT ?2",
            )
            .map_err(store_error)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![name.as_str(), limit], |row| {
            Ok(LogEntry {
                seq: row.get::<_, i64>(0)?.cast_unsigned(),
                name: name.clone(),
                before: optional_cid_at(row, 1)?,
                after: optional_cid_at(row, 2)?,
                at_micros: row.get::<_, i64>(3)?.cast_unsigned(),
                note: row.get(4)?,
            })
        });
        rows.map_err(store_error)?.map(|row| row.map_err(store_error)).collect()
    }

    fn sweep(&self, live: &HashSet<Cid>, as_of: u64) -> Result<u64, StoreError> {
        self.write(|transaction| {
            if version(transaction)? != as_of {
                return Err(StoreError::Changed);
            }
            let mut swept = 0;
            let mut delete =
                transaction.prepare("DELETE FROM blocks WHERE rowid = ?1").map_err(store_error)?;
            let mut all = transaction
                .prepare("SELECT rowid, cid FROM blocks ORDER BY cid")
                .map_err(store_error)?;
            let mut dead = Vec::new();
            let mut rows = all.query([]).map_err(store_error)?;
            while let Some(row) = rows.next().map_err(store_error)? {
                if !live.contains(&cid_at(row, 1).map_err(store_error)?) {
                    dead.push(row.get::<_, i64>(0).map_err(store_error)?);
                }
            }
            for id in dead {
                swept += delete.execute([id]).map_err(store_error)? as u64;
            }
            Ok(swept)
        })
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        let count = self.reader().query_row("SELECT count(*) FROM blocks", [], |row| row.get(0));
        count.map(i64::cast_unsigned).map_err(store_error)
    }

    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let reader = self.reader();
        let found =
            reader.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
        found.optional().map_err(store_error)
    }

    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.write(|transaction| {
            match value {
                Some(value) => transaction.execute(
                    "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
                    [key, value],
                ),
                None => transaction.execute("DELETE FROM meta WHERE key = ?1", [key]),
            }
            .map(drop)
            .map_err(store_error)
        })
    }

    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        // A connection of its own: the visitor may read this store.
        mend::scan(&schema::open_for_reading(&self.path)?, visit)
    }

    fn mend(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Mended, StoreError> {
        self.write(|transaction| {
            let dropped = mend::drop_damaged(transaction, damaged)?;
            Ok(Mended { dropped, added: insert(transaction, blocks)? })
        })
    }
}

impl SqliteStore {
    /// Moves what a large import has written from the WAL into the file. What is in the WAL is
    /// durable already, so a reader that stands in the way does no harm.
    fn checkpoint(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*writer {
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

fn read_block(connection: &Connection, cid: &Cid) -> Result<Option<Block>, ReadError> {
    let backend = |error| ReadError::backend(*cid, store_error(error));
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1").map_err(backend)?;
    let mut rows = statement.query([cid.as_bytes().as_slice()]).map_err(backend)?;
    let Some(row) = rows.next().map_err(backend)? else {
        return Ok(None);
    };
    let bytes = row.get_ref(0).and_then(|value| Ok(value.as_blob()?)).map_err(backend)?;
    let block = Block::verified(*cid, bytes);
    block.map(Some).map_err(|source| ReadError::Damaged { cid: *cid, source })
}

/// The number of the newest row of the log, which is never removed.
fn version(connection: &Connection) -> Result<u64, StoreError> {
    let newest =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM log", [], |row| row.get(0));
    newest.map(i64::cast_unsigned).map_err(store_error)
}

fn cid_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Cid> {
    let bytes = row.get_ref(column)?.as_blob()?;
    Cid::from_bytes(bytes).map_err(|error| {
        let kind = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}

fn optional_cid_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<Cid>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => cid_at(row, column).map(Some),
    }
}

fn ref_name(text: &str) -> Result<RefName, StoreError> {
    text.parse().map_err(|error| StoreError::Damaged(Box::new(error)))
}

/// From how many new blocks on the WAL is emptied at once.
const CHECKPOINT_BLOCKS: u64 = 10_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[test]
    fn the_store_in_a_file_conforms() {
        let dir = tempfile::tempdir().unwrap();
        let count = std::cell::Cell::new(0);
        conformance::check(&|| {
            count.set(count.get() + 1);
            let path = dir.path().join(format!("{}.db", count.get()));
            Box::new(SqliteStore::create(&path).unwrap())
        });
    }

    #[test]
    fn a_newer_format_is_refused_kindly() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        drop(SqliteStore::create(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
        drop(connection);
        match SqliteStore::open(&path).map(drop).unwrap_err() {
            StoreError::NewerFormat { found, supported } => {
                assert_eq!((found, supported), (FORMAT + 1, FORMAT));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_files_are_not_stores() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let not_a_store = |path: &Path| {
            let error = SqliteStore::open(path).map(drop).unwrap_err();
            assert!(matches!(error, StoreError::NotAStore(_)), "{error:?}");
        };
        not_a_store(&path);
        std::fs::write(&path, b"").unwrap();
        not_a_store(&path);
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        not_a_store(&path);
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        not_a_store(&path);
        assert!(SqliteStore::create(&path).is_err(), "it exists");
    }

    #[test]
    fn a_block_under_the_wrong_name_is_damage_and_not_an_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        drop(SqliteStore::create(&path).unwrap());
        let cid = Cid::of(crate::data::Codec::Cbor, b"\xa0");
        let row = params![cid.as_bytes().as_slice(), b"\xa1".as_slice()];
        let connection = Connection::open(&path).unwrap();
        connection.execute("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)", row).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        assert!(matches!(store.get(&cid), Err(ReadError::Damaged { .. })));
    }
}
