//! Reading blocks: by name, and ahead.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};

use super::errors::store_error;
use super::frozen::Frozen;
use super::places::{Tail, data_version, placed, start_of};
use super::schema::{Layout, Readable, map, open_for_reading};
use super::{cid_at, ref_name, run, version};
use crate::data::{Block, Cid, DataError, ReadError};
use crate::store::{RefEdit, Refs, StoreError};

/// A connection to read from, and what it remembers.
pub(super) struct Reader {
    pub(super) connection: Connection,
    layout: Layout,
    frozen: Option<Frozen>,
    refs: Option<Refs>,
    /// The state of the file in which the refs were read; it changes when another connection writes.
    refs_state: i64,
    /// `None` when it is not known what the last transaction has left.
    pub(super) tail: Option<Tail>,
    /// The row that was read last.
    last: i64,
    pub(super) ahead: Ahead,
    map: Map,
    /// The number of the sitting whose transaction is open.
    sitting: Option<u64>,
}

impl Reader {
    pub(super) fn new(Readable { connection, layout, frozen }: Readable) -> Self {
        let ahead = Ahead::default();
        let (refs, tail, sitting, map) = (None, None, None, Map::Never);
        let (refs_state, last) = (0, 0);
        Self { connection, layout, frozen, refs, refs_state, tail, last, ahead, map, sitting }
    }

    /// Opens a store for lookups.
    pub(super) fn for_lookups(path: &Path) -> Result<Self, StoreError> {
        let mut reader = Self::new(open_for_reading(path)?);
        reader.map = Map::After(WORTH_A_MAP);
        Ok(reader)
    }

    /// Maps the file for whoever goes on looking up blocks, and no longer for whoever reads all there is.
    fn map_as_it_pays(&mut self) -> Result<(), StoreError> {
        let (next, mapped) = match self.map {
            Map::After(_) | Map::Mapped if self.ahead.is_far() => (Map::Never, false),
            Map::After(0) => (Map::Mapped, true),
            Map::After(_) | Map::Mapped | Map::Never => return Ok(()),
        };
        map(&self.connection, mapped)?;
        self.map = next;
        Ok(())
    }

    /// Makes the next reads those of a sitting, or single ones.
    pub(super) fn sit(&mut self, sitting: Option<u64>) -> Result<(), StoreError> {
        // After some errors SQLite has ended the transaction itself.
        if self.sitting != sitting || self.connection.is_autocommit() {
            self.rise()?;
        }
        if self.sitting.is_some() {
            return Ok(());
        }
        if let Some(frozen) = self.frozen.as_ref().filter(|frozen| frozen.has_changed()) {
            *self = Self::for_lookups(&frozen.path)?;
        }
        self.map_as_it_pays()?;
        if sitting.is_some() {
            run(&self.connection, "BEGIN")?;
            self.sitting = sitting;
        }
        Ok(())
    }

    /// The sitting whose transaction is open.
    pub(super) fn sitting(&self) -> Option<u64> {
        self.sitting
    }

    /// Ends the transaction of a sitting.
    pub(super) fn rise(&mut self) -> Result<(), StoreError> {
        if self.sitting.is_some() && !self.connection.is_autocommit() {
            run(&self.connection, "COMMIT")?;
        }
        self.sitting = None;
        Ok(())
    }

    /// All refs, which are those that were read last if nobody else has written since.
    pub(super) fn refs(&mut self) -> Result<&Refs, StoreError> {
        if self.refs.is_some() && self.refs_state == data_version(&self.connection)? {
            return Ok(self.refs.get_or_insert_default());
        }
        // What is read has to be of one moment.
        let alone = self.connection.is_autocommit();
        if alone {
            run(&self.connection, "BEGIN")?;
        }
        let read = data_version(&self.connection)
            .and_then(|state| Ok((state, read_refs(&self.connection)?)));
        // An error counts for more than that there is nothing left to be ended after it.
        let ended = match alone && !self.connection.is_autocommit() {
            true => run(&self.connection, "COMMIT"),
            false => Ok(()),
        };
        let (state, refs) = read?;
        ended?;
        self.refs_state = state;
        Ok(self.refs.insert(refs))
    }

    /// Makes the edits in what is known of the refs that this connection has made in the file.
    pub(super) fn follow(&mut self, edits: &[RefEdit], version: u64) {
        if let Some(refs) = &mut self.refs {
            refs.follow(edits, version);
        }
        self.refs.take_if(|refs| refs.version != version);
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")
            .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
            .map_err(store_error)
    }

    pub(super) fn get(&mut self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let damaged = |source| ReadError::Damaged { cid: *cid, source };
        if let Some((id, bytes)) = self.ahead.take(cid) {
            self.last = id;
            return Block::verified(*cid, bytes).map(Some).map_err(damaged);
        }
        let backend = |error| ReadError::backend(*cid, error);
        let Some((id, block)) = self.find(cid).map_err(backend)? else {
            return Ok(None);
        };
        // Whoever reads row after row wants the next ones too; whoever reads nodes only passes over the
        // records between them.
        let goes_on = (1..=NEAR).contains(&id.saturating_sub(self.last));
        self.last = id;
        self.ahead.read(&self.connection, id, goes_on, self.layout).map_err(backend)?;
        block.map(Some).map_err(damaged)
    }

    /// Counts the blocks, which must be as many as the index and the tail know.
    pub(super) fn count(&self) -> Result<u64, StoreError> {
        let sql = match self.layout {
            Layout::One => "SELECT count(*), count(*) FROM blocks",
            Layout::Two => {
                "SELECT (SELECT count(*) FROM blocks), (SELECT count(*) FROM places) +
                 (SELECT count(*) FROM blocks WHERE id >
                 (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'placed'))"
            }
        };
        let counts = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (blocks, known): (i64, i64) = counts.map_err(store_error)?;
        if known < blocks {
            let message = format!("the index does not know {} blocks", blocks - known);
            return Err(StoreError::Damaged(message.into()));
        }
        Ok(blocks.cast_unsigned())
    }

    /// Takes note that a writer has brought the file to the present format.
    pub(super) fn upgraded(&mut self) -> Result<(), StoreError> {
        // What a sitting sees is of the format before.
        self.rise()?;
        self.layout = Layout::Two;
        self.forget();
        Ok(())
    }

    /// Forgets what was read of what may have left.
    pub(super) fn forget(&mut self) {
        (self.refs, self.tail, self.ahead) = (None, None, Ahead::default());
    }

    fn find(&mut self, cid: &Cid) -> Result<Found, StoreError> {
        if let Map::After(lookups) = &mut self.map {
            *lookups = lookups.saturating_sub(1);
        }
        if self.layout == Layout::One {
            return self.by_cid(cid);
        }
        if let Some(found) = self.in_tail(cid)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.by_place(cid)? {
            return Ok(Some(found));
        }
        let placed = placed(&self.connection)?;
        match &mut self.tail {
            Some(tail) if tail.placed == placed => {
                let more = tail.read_on(&self.connection)?;
                if more { self.in_tail(cid) } else { Ok(None) }
            }
            tail => {
                // The index has taken in what was the tail, and perhaps this block with it.
                *tail = Some(Tail::read(&self.connection)?);
                match self.in_tail(cid)? {
                    Some(found) => Ok(Some(found)),
                    None => self.by_place(cid),
                }
            }
        }
    }

    fn in_tail(&self, cid: &Cid) -> Result<Found, StoreError> {
        let Some(id) = self.tail.as_ref().and_then(|tail| tail.get(cid)) else {
            return Ok(None);
        };
        self.row("SELECT id, cid, bytes FROM blocks WHERE id = ?1", id, cid)
    }

    fn by_place(&self, cid: &Cid) -> Result<Found, StoreError> {
        self.row(
            "SELECT b.id, b.cid, b.bytes FROM places p CROSS JOIN blocks b ON b.id = p.id
             WHERE p.start = ?1",
            start_of(cid),
            cid,
        )
    }

    fn by_cid(&self, cid: &Cid) -> Result<Found, StoreError> {
        let sql = "SELECT rowid, cid, bytes FROM blocks WHERE cid = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query([cid.as_bytes().as_slice()]).map_err(store_error)?;
        let row = rows.next().map_err(store_error)?;
        row.map(|row| block_in(row, cid)).transpose().map_err(store_error)
    }

    /// Returns the first row of a query that has this name.
    fn row(&self, sql: &str, argument: i64, cid: &Cid) -> Result<Found, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query([argument]).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            if row.get_ref(1).and_then(|name| Ok(name.as_blob()?)).map_err(store_error)?
                == cid.as_bytes()
            {
                return block_in(row, cid).map(Some).map_err(store_error);
            }
        }
        Ok(None)
    }
}

fn read_refs(connection: &Connection) -> Result<Refs, StoreError> {
    let version = version(connection)?;
    let mut statement = connection
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

/// Whether the file is mapped into memory.
#[derive(Clone, Copy)]
enum Map {
    Never,
    /// Not before so many lookups more: an error of the disk ends the process that reads through a map, and one that
    /// wants a few blocks gains nothing by it.
    After(u32),
    Mapped,
}

/// A row and the block in it, if it is the one that was asked for.
type Found = Option<(i64, Result<Block, DataError>)>;

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
    /// Tells whether this has gone on for long: somebody reads all there is.
    fn is_far(&self) -> bool {
        self.count == MAX_ROWS_AHEAD
    }

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
        layout: Layout,
    ) -> Result<(), StoreError> {
        self.rows.clear();
        self.bytes.clear();
        self.next = 0;
        self.run = if goes_on { self.run.saturating_add(1) } else { 0 };
        self.count = if self.run < RUN { 0 } else { (self.count * 2).clamp(2, MAX_ROWS_AHEAD) };
        if self.count == 0 {
            return Ok(());
        }
        let sql = match layout {
            Layout::One => {
                "SELECT rowid, cid, bytes FROM blocks WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"
            }
            Layout::Two => "SELECT id, cid, bytes FROM blocks WHERE id > ?1 ORDER BY id LIMIT ?2",
        };
        let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query([after, self.count]).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            let blob = |column| row.get_ref(column).and_then(|value| Ok(value.as_blob()?));
            // Damaged rows are passed over here; asked for by name they are reported.
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

/// After how many lookups it pays to map the file.
const WORTH_A_MAP: u32 = 1_000;

const MAX_ROWS_AHEAD: i64 = 512;

/// How many reads have to go on from the one before until rows are read ahead: a node, the one below it and its
/// record stand together also for whoever wants nothing else.
const RUN: u32 = 3;

/// How many rows further on the next one may stand: reading as many costs less than finding one.
const NEAR: i64 = 16;

/// From how many bytes on no further row is read ahead.
const MAX_BYTES_AHEAD: usize = 128 * 1024;
