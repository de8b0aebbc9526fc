//! The embedded store: one SQLite file.
//!
//! Blocks are appended, and found by an index that lags behind, so that it is always written in
//! order. There are two connections: one that only reads, so that a stream of blocks may read the store
//! that it goes into, and one that writes, through which everything is read once this process has stored
//! blocks, while nobody writes.
//! `docs/format.md` describes the file, and the decision pages on the shape of the tables and on reading in
//! a row have the figures behind it.

mod apply;
mod check;
mod errors;
mod frozen;
mod mend;
mod pages;
mod places;
mod read;
mod salvage;
mod schema;
mod sitting;
mod sweep;
mod taken;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
mod tests;

use std::fmt;
use std::ops::DerefMut;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use self::apply::{expected, insert, move_ref};
use self::errors::store_error;
use self::places::Tail;
use self::read::Reader;
pub use self::salvage::{Salvaged, SalvagedRef};
pub use self::schema::FORMAT;
use self::schema::{Durability, Layout, Readable};
use self::sitting::{Seat, Through};
use super::{
    Applied, BlockStream, LogEntry, Mended, RefEdit, RefName, Refs, Store, StoreError, Sweep,
    SweptBlocks, Visitor,
};
use crate::data::{Block, Blocks, Cid, ReadError, Sitting, one_by_one};

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
    reader: Mutex<Reader>,
    /// Opened when something is written for the first time. Once it has stored blocks, and while nobody writes,
    /// it is what is read from: what has just been written is in its cache, whereas another connection forgets
    /// all it has with each commit.
    writer: Mutex<Option<Reader>>,
    seat: Seat,
    /// The length of the WAL at which it is moved into the file, as it was said last; 0 before anything was
    /// written.
    wal_pages: AtomicU32,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
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
            Some(writer) => schema::settle(writer.connection, &self.path),
            None => Ok(()),
        }
    }

    fn create_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let connection = schema::create(path, durability)?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(Reader::for_lookups(path)?),
            writer: Mutex::new(Some(Reader::new(writing(connection)))),
            seat: Seat::default(),
            wal_pages: AtomicU32::new(0),
        })
    }

    /// Opens a store; where the file or its directory cannot be written it can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] when there is none, [`StoreError::NewerFormat`] when a later
    /// release made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let reader = Reader::for_lookups(path).map_err(|error| match error {
            StoreError::NotAStore(why) => StoreError::NotAStore(named(path, &why)),
            error => error,
        })?;
        let reader = Mutex::new(reader);
        let (writer, seat) = (Mutex::new(None), Seat::default());
        let wal_pages = AtomicU32::new(0);
        Ok(Self { path: path.to_owned(), reader, writer, seat, wal_pages })
    }

    /// Reads something, in the transaction of the sitting if this thread is in one.
    fn read<T>(
        &self,
        work: impl FnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let run = |reader: &mut Reader, through| {
            reader.sit(self.seat.number(through))?;
            work(reader)
        };
        if self.wal_pages.load(Ordering::Relaxed) > 0
            && let Ok(Some(writer)) = self.writer.try_lock().as_deref_mut()
        {
            return run(writer, Through::Writer);
        }
        run(&mut self.reader(), Through::Reader)
    }

    /// Ends the transaction of a connection if nobody sits for it any more. `hold` is `None` where somebody
    /// uses the connection: they have ended it, or sit themselves.
    fn end<G: DerefMut>(
        &self,
        hold: impl Fn() -> Option<G>,
        reader: impl Fn(&mut G::Target) -> Option<&mut Reader>,
    ) {
        while let Some(mut held) = hold() {
            let Some(reader) = reader(&mut held) else { return };
            let Some(sitting) = reader.sitting() else { return };
            if self.seat.standing() != Some(sitting) {
                // What cannot be ended now is ended by whoever uses the connection next.
                let _ = reader.rise();
                return;
            }
            drop(held);
            // Whoever has left meanwhile has found it held.
            if self.seat.standing() == Some(sitting) {
                return;
            }
        }
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in a transaction that holds the right to write from its start, and takes note of it
    /// once it is done.
    fn write<T>(
        &self,
        work: impl FnOnce(&Connection, &mut Tail) -> Result<T, StoreError>,
        note: impl FnOnce(&mut Reader, &T),
    ) -> Result<T, StoreError> {
        self.seat.renew();
        self.writing(|writer| {
            writer.rise()?;
            let Reader { connection, tail: known, .. } = writer;
            let undertaking = Undertaking::begin(connection)?;
            // What is not committed must not be remembered.
            let mut tail = known.take().unwrap_or_default();
            tail.renew(connection)?;
            let done = work(connection, &mut tail)?;
            undertaking.commit()?;
            // A sitting that has read the store meanwhile, for the blocks that came, is to see what is done.
            self.seat.renew();
            *known = Some(tail);
            note(writer, &done);
            Ok(done)
        })
    }

    /// Does something with the connection that writes.
    fn writing<T>(
        &self,
        work: impl FnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        work(match &mut *writer {
            Some(writer) => writer,
            none => {
                let connection = schema::open_for_writing(&self.path)?;
                let mut reader = self.reader();
                // It is long, and will not be asked for here so soon.
                let tail = reader.tail.take();
                reader.upgraded()?;
                drop(reader);
                let mut writer = Reader::new(writing(connection));
                writer.tail = tail;
                none.insert(writer)
            }
        })
    }
}

impl Blocks for SqliteStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.read(|reader| Ok(reader.get(cid))).map_err(|error| ReadError::backend(*cid, error))?
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let _sitting = Sitting::begin(self);
        one_by_one(self, cids)
    }

    fn sit_down(&self) {
        self.seat.take();
    }

    fn rise(&self) {
        if self.seat.leave() {
            self.end(|| unheld(&self.reader), |reader| Some(reader));
            self.end(|| unheld(&self.writer), Option::as_mut);
        }
    }
}

impl Store for SqliteStore {
    fn refs(&self) -> Result<Refs, StoreError> {
        self.read(|reader| reader.refs().cloned())
    }

    fn get_ref(&self, name: &RefName) -> Result<Option<Cid>, StoreError> {
        self.read(|reader| {
            let Refs { entries, .. } = reader.refs()?;
            let place = entries.binary_search_by(|(known, _)| known.cmp(name));
            Ok(place.ok().and_then(|place| entries.get(place)).map(|(_, cid)| *cid))
        })
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
        let work = |connection: &Connection, tail: &mut Tail| {
            let before = edits.iter().map(|edit| expected(connection, edit));
            let before: Vec<Option<Cid>> = before.collect::<Result<_, _>>()?;
            let new_blocks = insert(connection, tail, blocks)?;
            self.checkpoint_after(connection, new_blocks)?;
            for (edit, before) in edits.iter().zip(before) {
                move_ref(connection, tail, edit, before, note)?;
            }
            // Each edit ends with its row in the log.
            let version = connection.last_insert_rowid().cast_unsigned();
            Ok(Applied { new_blocks, version })
        };
        let applied = self.write(work, |writer, applied| writer.follow(edits, applied.version))?;
        if applied.new_blocks >= CHECKPOINT_BLOCKS {
            self.checkpoint();
        }
        Ok(applied)
    }

    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.read(|reader| sweep::log(&reader.connection, name, limit))
    }

    fn moves(&self) -> Result<Vec<LogEntry>, StoreError> {
        self.read(|reader| sweep::moves(&reader.connection))
    }

    fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        if sweep.dry_run {
            let mut reader = self.reader();
            reader.rise()?;
            return sweep::weigh(&mut reader.connection, sweep);
        }
        let swept = self.write(
            |connection, tail| sweep::sweep(connection, tail, sweep),
            |writer, _| writer.forget(),
        )?;
        self.forget();
        Ok(swept)
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.seat.renew();
        self.reader().rise()?;
        self.writing(|writer| {
            writer.rise()?;
            sweep::compact(&writer.connection)
        })
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        self.read(|reader| reader.count())
    }

    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|reader| reader.meta(key))
    }

    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.write(|connection, _| set_meta(connection, key, value), |_, ()| {})
    }

    fn check(&self) -> Result<Vec<String>, StoreError> {
        let Readable { connection, layout, .. } = schema::open_for_reading(&self.path)?;
        match check::quick(&connection, layout) {
            Err(StoreError::Damaged(error)) => Ok(vec![error.to_string()]),
            said => said,
        }
    }

    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        // A connection of its own: the visitor may read this store.
        mend::scan(&schema::open_for_reading(&self.path)?.connection, visit)
    }

    fn mend(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Mended, StoreError> {
        let work = |connection: &Connection, tail: &mut Tail| {
            let dropped = mend::drop_damaged(connection, damaged)?;
            // The index may be what is damaged.
            tail.index_anew(connection)?;
            Ok(Mended { dropped, added: insert(connection, tail, blocks)? })
        };
        let mended = self.write(work, |writer, _| writer.forget())?;
        self.forget();
        Ok(mended)
    }
}

impl SqliteStore {
    /// Says at which length the WAL is moved into the file, by the size of a transaction.
    ///
    /// A WAL that grows is written to fresh pages, whose places on the disk have to be found and noted; one
    /// that is begun again is written over. So it is kept short as long as transactions are.
    fn checkpoint_after(&self, connection: &Connection, new_blocks: u64) -> Result<(), StoreError> {
        let pages = if new_blocks <= FEW_BLOCKS { SHORT_WAL } else { LONG_WAL };
        if self.wal_pages.swap(pages, Ordering::Relaxed) != pages {
            connection.pragma_update(None, "wal_autocheckpoint", pages).map_err(store_error)?;
        }
        Ok(())
    }

    /// Lets the connection that only reads forget what may have left.
    fn forget(&self) {
        let mut reader = self.reader();
        // It begins anew in any case: what was read is of the time before.
        let _ = reader.rise();
        reader.forget();
    }

    /// Moves what a large import has written from the WAL into the file. What is in the WAL is
    /// durable already, so a reader that stands in the way does no harm.
    fn checkpoint(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &mut *writer {
            let _ = writer.rise();
            let _ = writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// Says which file it is, where that has not been said.
fn named(path: &Path, why: &str) -> String {
    let path = path.display().to_string();
    if why.contains(&path) { why.to_owned() } else { format!("{path}: {why}") }
}

/// A connection that writes, and is read from too.
fn writing(connection: Connection) -> Readable {
    Readable { connection, layout: Layout::Two, frozen: None }
}

/// Takes hold of a connection that nobody uses.
fn unheld<T>(connection: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match connection.try_lock() {
        Ok(held) => Some(held),
        Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A transaction that writes, with statements that are compiled once; it is rolled back if it is dropped.
struct Undertaking<'c>(&'c Connection);

impl<'c> Undertaking<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        run(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    fn commit(self) -> Result<(), StoreError> {
        run(self.0, "COMMIT")
    }
}

impl Drop for Undertaking<'_> {
    fn drop(&mut self) {
        // After a commit, and after some errors, there is none any more.
        if !self.0.is_autocommit() {
            let _ = run(self.0, "ROLLBACK");
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let ran = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    ran.map(drop).map_err(store_error)
}

/// The number of the newest row of the log, which is never removed.
fn version(connection: &Connection) -> Result<u64, StoreError> {
    let newest = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM log")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
    newest.map(i64::cast_unsigned).map_err(store_error)
}

fn set_meta(transaction: &Connection, key: &str, value: Option<&str>) -> Result<(), StoreError> {
    match value {
        Some(value) => transaction.execute(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            [key, value],
        ),
        None => transaction.execute("DELETE FROM meta WHERE key = ?1", [key]),
    }
    .map(drop)
    .map_err(store_error)
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

/// How many blocks a small transaction has at most.
const FEW_BLOCKS: u64 = 50;

/// How many pages the WAL has when it is moved into the file, after small transactions and after others.
const SHORT_WAL: u32 = 200;
const LONG_WAL: u32 = 1_000;

/// From how many new blocks on the WAL is emptied at once.
const CHECKPOINT_BLOCKS: u64 = 10_000;
