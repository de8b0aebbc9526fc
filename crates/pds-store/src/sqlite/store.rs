//! The store in a SQLite file, as its users see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::change::{Applied, BlockStream, Change};
use crate::error::StoreError;
use crate::sqlite::check::Index;
use crate::sqlite::errors::{busy_or_no_locks, store_error};
use crate::sqlite::pool::Pool;
use crate::sqlite::schema::{Durability, open_for_check, open_for_reading};
use crate::sqlite::view::{SqliteView, many};
use crate::sqlite::writer::Writer;
use crate::sqlite::{check, raw_blocks, schema, sweep, writer};
use crate::store::{CheckDepth, Compacted, Maintain, Replaced, Store, View, Visitor};
use crate::sweep::{Sweep, SweptBlocks};
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

/// A store in a SQLite file.
///
/// ```
/// use pds::store::{SqliteStore, Store};
///
/// let dir = tempfile::tempdir()?;
/// let store = SqliteStore::create(dir.path().join("pds.db"))?;
/// assert_eq!(store.view()?.version().change, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    pub(crate) path: PathBuf,
    pub(crate) pool: Pool,
    /// Opened at the first change.
    pub(crate) writer: Mutex<Option<Writer>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Creates a new store in a file that must not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file exists or cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::create_with(path.as_ref(), Durability::Always)
    }

    /// Creates a new store that is filled before other processes use it. It is not durable until
    /// [`settle`](Self::settle), which makes large imports faster.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_unsettled(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::create_with(path.as_ref(), Durability::WhenSettled)
    }

    /// Makes a store of [`create_unsettled`](Self::create_unsettled) durable, and closes it. The
    /// caller syncs the directory of the file.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be written.
    pub fn settle(self) -> Result<(), StoreError> {
        drop(self.pool);
        match self.writer.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(writer) => schema::settle(writer.into_connection(), &self.path),
            None => Ok(()),
        }
    }

    fn create_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let created = schema::create(path, durability);
        let writer = Writer::new(path, created.map_err(|error| busy_or_no_locks(error, path))?)?;
        let pool = Pool::open(path)?;
        Ok(Self { path: path.to_owned(), pool, writer: Mutex::new(Some(writer)) })
    }

    /// Opens a store. If the file or its directory cannot be written, the store is read-only.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] if the file is not a store, [`StoreError::NewerFormat`] if a later
    /// release wrote it, [`StoreError::UnreleasedFormat`] if a version before the first release
    /// did.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let pool = Pool::open(path).map_err(|error| match error {
            StoreError::NotAStore(why) => StoreError::NotAStore(named(path, &why)),
            error => busy_or_no_locks(error, path),
        })?;
        Ok(Self { path: path.to_owned(), pool, writer: Mutex::new(None) })
    }

    /// Checks a whole file, and returns its problems, one sentence each.
    ///
    /// The check covers the form of the file, its index, and the rows of its smaller tables. It
    /// reads the whole file, but hashes no block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be read, or is a store of another format.
    pub fn check_file(path: impl AsRef<Path>) -> Result<Vec<String>, StoreError> {
        let path = path.as_ref();
        let checked = open_for_check(path)
            .and_then(|opened| check::check(&opened, CheckDepth::Whole, Index::Sound));
        match checked {
            Err(StoreError::Damaged(error)) => Ok(vec![error.to_string()]),
            Err(StoreError::NotAStore(said)) if path.is_file() => Ok(vec![said]),
            checked => checked,
        }
    }

    /// Runs `work` with the connection that writes.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer: MutexGuard<'_, Option<Writer>> =
            self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *writer {
            Some(known) => {
                let done = work(known);
                // The path now names another file: the next change opens that one.
                if matches!(done, Err(StoreError::Replaced)) {
                    *writer = None;
                    self.pool.close_idle();
                }
                done
            }
            none => work(none.insert(Writer::open(&self.path)?)),
        }
    }
}

impl Blocks for SqliteStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let read = self.pool.with(|reader| reader.get(cid));
        read.map_err(|error| ReadError::backend(*cid, error))?
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        many(cids, self.pool.with(|reader| reader.get_many(cids)))
    }
}

impl Store for SqliteStore {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(SqliteView::begin(&self.pool)?))
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        change.check()?;
        self.write(|writer| writer.apply(change))
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        sweep.check()?;
        if sweep.dry_run {
            let opened = open_for_reading(&self.path)?;
            let moment = opened.connection.unchecked_transaction().map_err(store_error)?;
            return sweep::count(&moment, &opened.effort, sweep);
        }
        let swept = self.write(|writer| writer.sweep(sweep))?;
        self.pool.note_sweep();
        Ok(swept)
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        Some(self)
    }
}

impl Maintain for SqliteStore {
    fn check(&self, depth: CheckDepth) -> Result<Vec<String>, StoreError> {
        let checked = open_for_check(&self.path)
            .and_then(|opened| check::check(&opened, depth, Index::Unique));
        match checked {
            Err(StoreError::Damaged(error)) => Ok(vec![error.to_string()]),
            checked => checked,
        }
    }

    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        // A separate connection: the visitor may read this store.
        let opened = open_for_reading(&self.path)?;
        raw_blocks::scan(&opened.connection, &opened.effort, visit)
    }

    fn replace(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError> {
        let replaced = self.write(|writer| writer.replace(blocks, damaged))?;
        self.pool.note_sweep();
        Ok(replaced)
    }

    fn compact(&self) -> Result<Compacted, StoreError> {
        // An idle reader may keep the end of the WAL in use.
        self.pool.close_idle();
        self.write(Writer::compact).map(|()| Compacted::Clean)
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        self.pool.with(|reader| {
            reader.effort.lift();
            writer::count_blocks(&reader.connection)
        })?
    }
}

/// Adds the name of the file to a reason without it.
fn named(path: &Path, why: &str) -> String {
    let path = path.display().to_string();
    if why.contains(&path) { why.to_owned() } else { format!("{path}: {why}") }
}
