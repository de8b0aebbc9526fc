//! The embedded store: one SQLite file.
//!
//! Blocks are appended, and found by an index that lags behind, so that the index is always written in
//! order. One connection writes. Each read has a connection of its own from a small pool, so no read waits
//! for another, and a stream of blocks may read the store that it goes into. `docs/format.md` describes
//! the file.

mod apply;
mod check;
mod errors;
mod frozen;
mod limit;
mod pages;
mod places;
mod pool;
mod read;
mod replace;
mod rows;
mod salvage;
mod schema;
mod sum;
mod sweep;
mod taken;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
mod tests;
mod view;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::check::Index;
use self::errors::store_error;
use self::pool::Pool;
pub use self::salvage::{Salvaged, SalvagedRef};
pub use self::schema::FORMAT;
use self::schema::{Durability, open_for_check, open_for_reading};
use self::view::{SqliteView, many};
use self::writer::Writer;
use super::{
    Applied, BlockStream, Change, CheckDepth, Maintain, Replaced, Store, StoreError, Sweep,
    SweptBlocks, View, Visitor,
};
use pds_core::data::{Block, Blocks, Cid, ReadError};

/// A store in a SQLite file.
///
/// ```
/// use pds::store::{SqliteStore, Store};
///
/// let dir = tempfile::tempdir()?;
/// let store = SqliteStore::create(&dir.path().join("pds.db"))?;
/// assert_eq!(store.view()?.version().change, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    path: PathBuf,
    pool: Pool,
    /// Opened with the first change.
    writer: Mutex<Option<Writer>>,
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
    /// [`StoreError`] when the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Self::create_with(path, Durability::Always)
    }

    /// Creates a new store that is filled before any other process knows of it: nothing is durable before
    /// [`settle`](Self::settle), and large imports are faster for it.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_unsettled(path: &Path) -> Result<Self, StoreError> {
        Self::create_with(path, Durability::WhenSettled)
    }

    /// Makes a store durable that was made by [`create_unsettled`](Self::create_unsettled), and closes
    /// it. The caller syncs the entry of the file in its directory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be written.
    pub fn settle(self) -> Result<(), StoreError> {
        drop(self.pool);
        match self.writer.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(writer) => schema::settle(writer.into_connection(), &self.path),
            None => Ok(()),
        }
    }

    fn create_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let writer = Writer::new(path, schema::create(path, durability)?)?;
        let pool = Pool::open(path)?;
        Ok(Self { path: path.to_owned(), pool, writer: Mutex::new(Some(writer)) })
    }

    /// Opens a store; where the file or its directory cannot be written it can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] when there is no store, [`StoreError::NewerFormat`] when a later
    /// release made it, [`StoreError::UnreleasedFormat`] when a program from before the first release did.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let pool = Pool::open(path).map_err(|error| match error {
            StoreError::NotAStore(why) => StoreError::NotAStore(named(path, &why)),
            error => error,
        })?;
        Ok(Self { path: path.to_owned(), pool, writer: Mutex::new(None) })
    }

    /// Does something with the connection that writes.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer: MutexGuard<'_, Option<Writer>> =
            self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *writer {
            Some(known) => {
                let done = work(known);
                // The file at this path is another one now: the next change opens that.
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
        // A connection of its own: the visitor may read this store.
        let opened = open_for_reading(&self.path)?;
        replace::scan(&opened.connection, &opened.effort, visit)
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

    fn compact(&self) -> Result<(), StoreError> {
        // A reader that was used last may hold the end of the WAL.
        self.pool.close_idle();
        self.write(Writer::compact)
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        self.pool.with(|reader| {
            reader.effort.lift();
            writer::count_blocks(&reader.connection)
        })?
    }
}

/// Names the file in a reason that does not name it.
fn named(path: &Path, why: &str) -> String {
    let path = path.display().to_string();
    if why.contains(&path) { why.to_owned() } else { format!("{path}: {why}") }
}
