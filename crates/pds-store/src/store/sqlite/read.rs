//! Reading blocks with one connection: by name, and ahead.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::errors::store_error;
use super::frozen::Frozen;
use super::limit::Effort;
use super::places::{Tail, data_version, placed, start_of};
use super::rows::{RefRow, State, run};
use super::schema::Opened;
use crate::store::{Refs, StoreError, Version};
use pds_core::data::{Block, Cid, DataError, ReadError};

/// A connection to read from, and what it remembers of the file.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) effort: Effort,
    pub(super) frozen: Option<Frozen>,
    /// `None` when the rows of the last transaction may be gone.
    pub(super) tail: Option<Tail>,
    /// The row that was read last.
    last: i64,
    pub(super) ahead: Ahead,
    /// The refs, and the number that SQLite gave to the state of the file when they were read.
    refs: Option<(i64, Refs)>,
    /// How many sweeps this process had made when the reader was used last.
    sweeps: u64,
    /// The number of the last sweep at the last moment that was begun.
    swept: u64,
}

impl Reader {
    pub(super) fn new(Opened { connection, effort, frozen }: Opened) -> Self {
        let (tail, refs, ahead) = (None, None, Ahead::default());
        Self { connection, effort, frozen, tail, last: 0, ahead, refs, sweeps: 0, swept: 0 }
    }

    /// Prepares the reader for its next use, given how many sweeps this process has made.
    pub(super) fn renew(&mut self, sweeps: u64) {
        self.effort.renew();
        if self.sweeps != sweeps {
            (self.tail, self.ahead, self.refs) = (None, Ahead::default(), None);
            self.sweeps = sweeps;
        }
    }

    /// Begins a transaction: what is read from now on is of one moment. Returns the version of the store.
    pub(super) fn begin(&mut self) -> Result<Version, StoreError> {
        run(&self.connection, "BEGIN", [])?;
        let version = State::read(&self.connection)?.version(&self.connection)?;
        // Another process may have swept what was read ahead.
        if version.sweep != self.swept {
            (self.tail, self.ahead, self.swept) = (None, Ahead::default(), version.sweep);
        }
        Ok(version)
    }

    /// Ends the transaction.
    pub(super) fn end(&mut self) -> Result<(), StoreError> {
        // After some errors SQLite has ended it already.
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => run(&self.connection, "COMMIT", []).map(drop),
        }
    }

    /// Reads all refs, in a transaction; they are remembered until another connection writes.
    pub(super) fn refs(&mut self) -> Result<Refs, StoreError> {
        let state = data_version(&self.connection)?;
        if let Some((_, refs)) = self.refs.as_ref().filter(|(read_at, _)| *read_at == state) {
            return Ok(refs.clone());
        }
        let refs = read_refs(&self.connection)?;
        self.refs = Some((state, refs.clone()));
        Ok(refs)
    }

    pub(super) fn get(&mut self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let damaged = |source| ReadError::Damaged { cid: *cid, source };
        // Bytes that were damaged when they were read ahead may have been healed since.
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
        // A reader that goes row by row needs the next rows too. A reader of nodes passes over the
        // records between them.
        let goes_on = (1..=NEAR).contains(&id.saturating_sub(self.last));
        self.last = id;
        self.ahead.read(&self.connection, id, goes_on).map_err(backend)?;
        block.map(Some).map_err(damaged)
    }

    /// Reads the first of several blocks, up to a bound on their bytes.
    pub(super) fn get_many(&mut self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
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
                // Many a process asks for blocks of the last commit only, and needs no more of the tail.
                if tail.is_none()
                    && let Some(found) = among_newest(&self.connection, cid)?
                {
                    return Ok(Some(found));
                }
                // The index has what was the tail, and perhaps this block with it.
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

/// Reads the block of a row, if it has this name.
pub(super) fn by_id(connection: &Connection, id: i64, cid: &Cid) -> Result<Found, StoreError> {
    first_named(connection, "SELECT id, cid, bytes FROM blocks WHERE id = ?1", id, cid)
}

/// Reads a block that the index has.
pub(super) fn by_place(connection: &Connection, cid: &Cid) -> Result<Found, StoreError> {
    first_named(
        connection,
        "SELECT b.id, b.cid, b.bytes FROM places p CROSS JOIN blocks b ON b.id = p.id
         WHERE p.start = ?1",
        start_of(cid),
        cid,
    )
}

/// Reads a block that is one of the newest; of the others only the names are read.
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

/// Returns the first row of a query that has this name.
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
pub(super) fn read_refs(connection: &Connection) -> Result<Refs, StoreError> {
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

/// A row, and the block in it if the bytes are right.
pub(super) type Found = Option<(i64, Result<Block, DataError>)>;

fn block_in(row: &Row<'_>, cid: &Cid) -> rusqlite::Result<(i64, Result<Block, DataError>)> {
    Ok((row.get(0)?, Block::verified(*cid, row.get_ref(2)?.as_blob()?)))
}

/// Rows that were read because the ones before them were: a repository that came in one import is
/// mostly read in the order in which it came.
#[derive(Default)]
pub(super) struct Ahead {
    rows: Vec<(i64, Cid, Range<usize>)>,
    bytes: Vec<u8>,
    next: usize,
    /// How many reads in a row have gone on from the one before.
    run: u32,
    /// How many rows were read the last time.
    pub(super) count: i64,
}

impl Ahead {
    /// Takes a block out, and forgets the ones before it.
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
        // A row that cannot be read ends the look ahead: asked for by name it is reported.
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

/// How many reads have to go on from the one before until rows are read ahead: a node, the one below it and
/// its record are neighbours also for a reader that needs nothing else.
const RUN: u32 = 3;

/// How many rows are looked through before the tail is read: those of a few commits.
const NEWEST: i64 = 64;

/// How many rows further on the next one may be: reading as many costs less than finding one.
const NEAR: i64 = 16;

/// From how many bytes on no further row is read ahead.
const MAX_BYTES_AHEAD: usize = 128 * 1024;

/// From how many bytes on an answer of several blocks ends.
const MAX_BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
