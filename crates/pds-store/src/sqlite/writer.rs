//! The connection that writes, and its transactions.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fs;
use std::path::{Path, PathBuf};

use crate::change::{Applied, BlockStream, Change};
use crate::error::StoreError;
use crate::sqlite::errors::{file_error, store_error};
use crate::sqlite::index::Tail;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::schema::{Opened, open_for_writing};
use crate::sqlite::statement::one;
use crate::sqlite::{apply, raw_blocks, sweep};
use crate::store::Replaced;
use crate::sweep::{Sweep, SweptBlocks};

/// The connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    effort: Effort,
    /// `None` if the result of the last transaction is unknown.
    pub(crate) tail: Option<Tail>,
    file: Identity,
    /// The length at which the WAL is moved into the file, or 0 before it is set.
    wal_pages: u32,
}

impl Writer {
    /// Opens a store for writing.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // The identity is read before the file is opened: if the file is replaced in between, each
        // write detects it.
        let file = Identity::of(path);
        let opened = open_for_writing(path)?;
        Ok(Self::of(opened, file?))
    }

    /// Returns a writer for a file that this process has created.
    pub(crate) fn new(path: &Path, opened: Opened) -> Result<Self, StoreError> {
        Ok(Self::of(opened, Identity::of(path)?))
    }

    fn of(opened: Opened, file: Identity) -> Self {
        let Opened { connection, effort, .. } = opened;
        Self { connection, effort, tail: None, file, wal_pages: 0 }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Applies a change.
    pub(crate) fn apply(&mut self, change: Change<'_>) -> Result<Applied, StoreError> {
        let wal_pages = self.wal_pages;
        let (applied, wal_pages) = self.transaction(|connection, tail, effort| {
            let applied = apply::apply(connection, tail, effort, change)?;
            Ok((applied, wal_pages_after(connection, applied.new_blocks, wal_pages)?))
        })?;
        self.wal_pages = wal_pages;
        if applied.new_blocks >= CHECKPOINT_BLOCKS {
            self.checkpoint();
        }
        Ok(applied)
    }

    /// Deletes blocks.
    pub(crate) fn sweep(&mut self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        let swept = self
            .transaction(|connection, tail, effort| sweep::sweep(connection, tail, effort, sweep));
        self.tail = None;
        swept
    }

    /// Drops damaged blocks, and adds blocks.
    pub(crate) fn replace(
        &mut self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError> {
        let replaced = self.transaction(|connection, tail, effort| {
            let dropped = raw_blocks::drop_damaged(connection, effort, damaged)?;
            // The index itself may be damaged.
            effort.lift();
            tail.rebuild_index(connection)?;
            effort.renew();
            Ok(Replaced { dropped, added: apply::insert(connection, tail, effort, blocks)? })
        });
        self.tail = None;
        replaced
    }

    /// Rewrites the file without the deleted content.
    pub(crate) fn compact(&mut self) -> Result<(), StoreError> {
        self.effort.lift();
        let compacted = sweep::compact(&self.connection);
        self.effort.renew();
        compacted
    }

    /// Runs `work` in a transaction that has the write lock from its start.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Tail, &Effort) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.effort.renew();
        // It is rolled back when it is dropped.
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(store_error)?;
        // Uncommitted rows must not be remembered.
        let mut tail = self.tail.take().unwrap_or_default();
        tail.renew(&self.connection)?;
        let done = work(&self.connection, &mut tail, &self.effort)?;
        self.file.check()?;
        transaction.commit().map_err(store_error)?;
        // If the file was replaced in the last moment, the written file is no longer the store.
        self.file.check()?;
        self.tail = Some(tail);
        Ok(done)
    }

    /// Moves the content of a large import from the WAL into the file. The WAL is already durable,
    /// so it does no harm if a reader prevents this.
    fn checkpoint(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// Sets the length at which the WAL is moved into the file, based on the size of a transaction.
///
/// A WAL that grows is written to new pages, which the file system must allocate and record. A WAL
/// that is restarted is overwritten. So it is kept short while transactions are short.
fn wal_pages_after(
    connection: &Connection,
    new_blocks: u64,
    known: u32,
) -> Result<u32, StoreError> {
    let pages = if new_blocks <= FEW_BLOCKS { SHORT_WAL } else { LONG_WAL };
    if known != pages {
        connection.pragma_update(None, "wal_autocheckpoint", pages).map_err(store_error)?;
    }
    Ok(pages)
}

/// Counts the blocks of the index and the tail. The index is a small part of the file.
pub(crate) fn count_blocks(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM places) +
               (SELECT count(*) FROM blocks WHERE id > (SELECT max(placed) FROM state))";
    Ok(one::<i64>(connection, sql)?.cast_unsigned())
}

/// The identity of the opened file. Another file at its path is another store.
struct Identity {
    path: PathBuf,
    was: Option<(u64, u64)>,
}

impl Identity {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let was = identity(path).map_err(file_error)?;
        Ok(Self { path: path.to_owned(), was: Some(was) })
    }

    /// Checks that the path still names the file.
    fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path).ok() {
            now if now == self.was => Ok(()),
            _ => Err(StoreError::Replaced),
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// On other systems an open file cannot be replaced.
#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|_| (0, 0))
}

/// The maximum number of blocks in a small transaction.
const FEW_BLOCKS: u64 = 50;

/// The number of WAL pages at which it is moved into the file, after small transactions and after
/// others.
const SHORT_WAL: u32 = 200;
const LONG_WAL: u32 = 1_000;

/// The number of new blocks from which on the WAL is emptied at once.
const CHECKPOINT_BLOCKS: u64 = 10_000;
