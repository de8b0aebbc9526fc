//! Reading blocks with one connection: by name, and ahead of sequential readers.

use rusqlite::{Connection, OptionalExtension, Row, params};
use std::ops::Range;

use crate::error::StoreError;
use crate::refs::Refs;
use crate::sqlite::errors::store_error;
use crate::sqlite::immutable_file::Frozen;
use crate::sqlite::index::{Tail, data_version, placed};
use crate::sqlite::index_row::start_of;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::schema::Opened;
use crate::sqlite::statement::run;
use crate::version::Version;
use pds_core::data::block::{Block, ReadError};
use pds_core::data::cid::Cid;
use pds_core::data::error::DataError;

/// A connection for reading, with its caches.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) effort: Effort,
    pub(crate) frozen: Option<Frozen>,
    /// `None` if rows may have been deleted since the last transaction.
    pub(crate) tail: Option<Tail>,
    /// The last row that was read.
    last: i64,
    pub(crate) ahead: Ahead,
    /// The refs, with SQLite's data version of the file when they were read.
    refs: Option<(i64, Refs)>,
    /// The number of sweeps by this process at the last use of the reader.
    sweeps: u64,
    /// The number of the last sweep when the last transaction began.
    swept: u64,
}

impl Reader {
    pub(crate) fn new(Opened { connection, effort, frozen }: Opened) -> Self {
        let (tail, refs, ahead) = (None, None, Ahead::default());
        Self { connection, effort, frozen, tail, last: 0, ahead, refs, sweeps: 0, swept: 0 }
    }

    /// Prepares the reader for its next use, given the number of sweeps by this process.
    pub(crate) fn renew(&mut self, sweeps: u64) {
        self.effort.renew();
        if self.sweeps != sweeps {
            (self.tail, self.ahead, self.refs) = (None, Ahead::default(), None);
            self.sweeps = sweeps;
        }
    }

    /// Begins a transaction: all following reads are of one moment. Returns the version of the
    /// store.
    pub(crate) fn begin(&mut self) -> Result<Version, StoreError> {
        run(&self.connection, "BEGIN", [])?;
        let version = StateRow::read(&self.connection)?.version(&self.connection)?;
        // Another process may have deleted the rows that were read ahead.
        if version.sweep != self.swept {
            (self.tail, self.ahead, self.swept) = (None, Ahead::default(), version.sweep);
        }
        Ok(version)
    }

    /// Ends the transaction.
    pub(crate) fn end(&mut self) -> Result<(), StoreError> {
        // After some errors SQLite has already ended it.
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => run(&self.connection, "COMMIT", []).map(drop),
        }
    }

    /// Reads all refs in a transaction. They are cached until another connection writes.
    pub(crate) fn refs(&mut self) -> Result<Refs, StoreError> {
        let state = data_version(&self.connection)?;
        if let Some((_, refs)) = self.refs.as_ref().filter(|(read_at, _)| *read_at == state) {
            return Ok(refs.clone());
        }
        let refs = read_refs(&self.connection)?;
        self.refs = Some((state, refs.clone()));
        Ok(refs)
    }

    pub(crate) fn get(&mut self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let damaged = |source| ReadError::Damaged { cid: *cid, source };
        // Bytes that were damaged when they were read ahead may have been repaired since.
        if let Some((id, bytes)) = self.ahead.take(cid)
            && let Ok(block) = Block::verified(*cid, bytes)
        {
            self.last = id;
            return Ok(Some(block));
        }
        let backend = |error| ReadError::backend(*cid, error);
        let Some((id, block)) = self.find(cid).map_err(backend)? else {
            return Ok(None);
        };
        // A sequential reader will need the next rows too. A reader of nodes skips the records
        // between them.
        let goes_on = (1..=NEAR).contains(&id.saturating_sub(self.last));
        self.last = id;
        self.ahead.read(&self.connection, id, goes_on).map_err(backend)?;
        block.map(Some).map_err(damaged)
    }

    /// Reads the first blocks of a list, up to a limit on their bytes.
    pub(crate) fn get_many(&mut self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let (mut found, mut bytes) = (Vec::with_capacity(cids.len()), 0);
        for cid in cids {
            self.effort.renew();
            let block = self.get(cid);
            bytes += block.as_ref().map_or(0, |b| b.as_ref().map_or(0, |b| b.bytes().len()));
            found.push(block);
            if bytes >= MAX_BYTES_AT_ONCE {
                break;
            }
        }
        found
    }

    fn find(&mut self, cid: &Cid) -> Result<Found, StoreError> {
        if let Some(found) = self.in_tail(cid)? {
            return Ok(Some(found));
        }
        if let Some(found) = by_place(&self.connection, cid)? {
            return Ok(Some(found));
        }
        let placed = placed(&self.connection)?;
        match &mut self.tail {
            Some(tail) if tail.placed == placed => {
                let more = tail.read_on(&self.connection)?;
                if more { self.in_tail(cid) } else { Ok(None) }
            }
            tail => {
                // Many processes read only blocks of the last commit, and need no more of the tail.
                if tail.is_none()
                    && let Some(found) = among_newest(&self.connection, cid)?
                {
                    return Ok(Some(found));
                }
                // The index now has the former tail, and perhaps this block with it.
                *tail = Some(Tail::read(&self.connection)?);
                match self.in_tail(cid)? {
                    Some(found) => Ok(Some(found)),
                    None => by_place(&self.connection, cid),
                }
            }
        }
    }

    fn in_tail(&self, cid: &Cid) -> Result<Found, StoreError> {
        match self.tail.as_ref().and_then(|tail| tail.get(cid)) {
            Some(id) => by_id(&self.connection, id, cid),
            None => Ok(None),
        }
    }
}

/// Reads the block of a row, if the row has this name.
pub(crate) fn by_id(connection: &Connection, id: i64, cid: &Cid) -> Result<Found, StoreError> {
    first_named(connection, "SELECT id, cid, bytes FROM blocks WHERE id = ?1", id, cid)
}

/// Reads a block that is in the index.
pub(crate) fn by_place(connection: &Connection, cid: &Cid) -> Result<Found, StoreError> {
    first_named(
        connection,
        "SELECT b.id, b.cid, b.bytes FROM places p CROSS JOIN blocks b ON b.id = p.id
         WHERE p.start = ?1",
        start_of(cid),
        cid,
    )
}

/// Reads a block if it is one of the newest. It reads only the names of the others.
fn among_newest(connection: &Connection, cid: &Cid) -> Result<Found, StoreError> {
    let sql =
        "SELECT id FROM (SELECT id, cid FROM blocks ORDER BY id DESC LIMIT ?1) WHERE cid = ?2";
    let id = connection.prepare_cached(sql).and_then(|mut statement| {
        let row = statement.query_row(params![NEWEST, cid.as_bytes().as_slice()], |row| row.get(0));
        row.optional()
    });
    match id.map_err(store_error)? {
        Some(id) => by_id(connection, id, cid),
        None => Ok(None),
    }
}

/// Returns the first row of a query with this name.
fn first_named(
    connection: &Connection,
    sql: &str,
    argument: i64,
    cid: &Cid,
) -> Result<Found, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([argument]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let name = row.get_ref(1).and_then(|name| Ok(name.as_blob()?)).map_err(store_error)?;
        if name == cid.as_bytes() {
            return block_in(row, cid).map(Some).map_err(store_error);
        }
    }
    Ok(None)
}

/// Reads all refs.
pub(crate) fn read_refs(connection: &Connection) -> Result<Refs, StoreError> {
    let sql = format!("SELECT id, {} FROM refs", RefRow::COLUMNS);
    let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut refs = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let number = row.get(0).map_err(store_error)?;
        let RefRow { name, cid, .. } = RefRow::read(row, 1)?.numbered(number)?;
        refs.push((name, cid));
    }
    Ok(refs.into_iter().collect())
}

/// A row number, and the block if its bytes are intact.
pub(crate) type Found = Option<(i64, Result<Block, DataError>)>;

fn block_in(row: &Row<'_>, cid: &Cid) -> rusqlite::Result<(i64, Result<Block, DataError>)> {
    Ok((row.get(0)?, Block::verified(*cid, row.get_ref(2)?.as_blob()?)))
}

/// Rows that were read ahead of a sequential reader. A repository from one import is mostly read in
/// the order of the import.
#[derive(Default)]
pub(crate) struct Ahead {
    rows: Vec<(i64, Cid, Range<usize>)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) next: usize,
    /// The number of consecutive reads that continued from the read before.
    run: u32,
    /// The number of rows in the last batch.
    pub(crate) count: i64,
}

impl Ahead {
    /// Removes a block, and the blocks before it.
    fn take(&mut self, cid: &Cid) -> Option<(i64, &[u8])> {
        let rest = self.rows.get(self.next..)?;
        let found = rest.iter().position(|(_, found, _)| found == cid)?;
        let (id, _, range) = rest.get(found)?;
        self.next += found + 1;
        Some((*id, self.bytes.get(range.clone())?))
    }

    fn read(
        &mut self,
        connection: &Connection,
        after: i64,
        goes_on: bool,
    ) -> Result<(), StoreError> {
        self.rows.clear();
        self.bytes.clear();
        self.next = 0;
        self.run = if goes_on { self.run.saturating_add(1) } else { 0 };
        self.count = if self.run < RUN { 0 } else { (self.count * 2).clamp(2, MAX_ROWS_AHEAD) };
        if self.count == 0 {
            return Ok(());
        }
        let sql = "SELECT id, cid, bytes FROM blocks WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query([after, self.count]).map_err(store_error)?;
        // An unreadable row ends the batch. It is reported when it is read by name.
        while let Ok(Some(row)) = rows.next() {
            let blob = |column| row.get_ref(column).and_then(|value| Ok(value.as_blob()?));
            let (Ok(Ok(cid)), Ok(bytes)) = (blob(1).map(Cid::from_bytes), blob(2)) else {
                continue;
            };
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            let id = row.get(0).map_err(store_error)?;
            self.rows.push((id, cid, start..self.bytes.len()));
            if self.bytes.len() >= MAX_BYTES_AHEAD {
                break;
            }
        }
        Ok(())
    }
}

const MAX_ROWS_AHEAD: i64 = 512;

/// The number of consecutive reads before rows are read ahead. A node, its child and a record are
/// neighbours even for a reader of a single record.
const RUN: u32 = 3;

/// The number of rows that are searched before the tail is read: those of a few commits.
const NEWEST: i64 = 64;

/// The maximum distance to the next row of a sequential reader. Reading so many rows costs less
/// than finding one.
const NEAR: i64 = 16;

/// The size in bytes after which no further row is read ahead.
const MAX_BYTES_AHEAD: usize = 128 * 1024;

/// The size in bytes after which a result of several blocks ends.
const MAX_BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
