//! The index of blocks by CID (`places`), and the tail: the newest rows of `blocks`, which are not
//! in the index yet.
//!
//! A CID is a hash, so each new block belongs at a random place of any index over CIDs: a commit of
//! twelve blocks would rewrite twelve pages of it. Therefore blocks are appended, and the newest of
//! them (the tail) are not indexed. A reader reads the CIDs of the tail once, which is fast because
//! the tail is short. When the tail is long enough, all of it is added to the index in order.

use rusqlite::{Connection, params};
use std::collections::HashMap;

use crate::error::StoreError;
use crate::sqlite::errors::store_error;
use crate::sqlite::index_filter::Taken;
use crate::sqlite::index_row::{Place, start_of};
use crate::sqlite::query_limit::Effort;
use crate::sqlite::raw_blocks::{belongs, raw};
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::statement::{has_row, one};
use pds_core::data::cid::Cid;
use pds_core::data::cid_hasher::ByCid;

/// The newest blocks, which the index does not have, as far as one connection knows them.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The last row of `blocks` that is indexed.
    pub(crate) placed: i64,
    /// The last row of `blocks` that is known.
    pub(crate) newest: i64,
    ids: HashMap<Cid, i64, ByCid>,
    /// The last row of `blocks` at the start of the current transaction.
    before: i64,
    /// SQLite's data version of the file at that time. It changes when another connection writes.
    state: Option<i64>,
    /// The filter of the index. It is built after so many lookups that it pays off.
    taken: Option<Taken>,
    /// The number of lookups without the filter.
    asked: usize,
}

impl Tail {
    /// Reads the current tail.
    pub(crate) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let placed = placed(connection)?;
        let mut tail = Self { placed, newest: placed, ..Self::default() };
        tail.read_on(connection)?;
        Ok(tail)
    }

    /// Reads the rows appended since the last read. Returns whether there were any.
    pub(crate) fn read_on(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT id, cid FROM blocks WHERE id > ?1 ORDER BY id")
            .map_err(store_error)?;
        let mut rows = statement.query([self.newest]).map_err(store_error)?;
        let before = self.newest;
        while let Some(row) = rows.next().map_err(store_error)? {
            self.newest = row.get(0).map_err(store_error)?;
            let bytes = row.get_ref(1).and_then(|cid| Ok(cid.as_blob()?)).map_err(store_error)?;
            // A row with a damaged name can never be requested.
            if let Ok(cid) = Cid::from_bytes(bytes) {
                // The known row may have been swept, and the block stored again.
                self.ids.insert(cid, self.newest);
            }
        }
        Ok(self.newest > before)
    }

    /// Updates the tail for a writer, which must not rely on deleted rows.
    pub(crate) fn renew(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let state = data_version(connection)?;
        if self.state != Some(state) {
            // Only `sweep` and `replace` delete rows, and both end the tail.
            if placed(connection)? == self.placed {
                self.read_on(connection)?;
            } else {
                *self = Self::read(connection)?;
            }
            self.state = Some(state);
        }
        self.before = self.newest;
        Ok(())
    }

    /// Returns whether a row was appended in the current transaction.
    pub(crate) fn is_new(&self, id: i64) -> bool {
        id > self.before
    }

    pub(crate) fn get(&self, cid: &Cid) -> Option<i64> {
        self.ids.get(cid).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a block that is about to be appended, and returns its row, or `None` if the tail
    /// already has the block.
    pub(crate) fn append(&mut self, cid: Cid) -> Result<Option<i64>, StoreError> {
        let id = self.row_after()?;
        match self.ids.entry(cid) {
            std::collections::hash_map::Entry::Occupied(_) => return Ok(None),
            std::collections::hash_map::Entry::Vacant(vacant) => vacant.insert(id),
        };
        self.newest = id;
        Ok(Some(id))
    }

    /// Returns the number of the next row.
    fn row_after(&self) -> Result<i64, StoreError> {
        let next = self.newest.max(self.placed).checked_add(1);
        next.ok_or_else(|| StoreError::Damaged("a row has the largest possible number".into()))
    }

    /// Returns whether most lookups need no query of the index.
    #[cfg(test)]
    pub(crate) fn knows_the_index(&self) -> bool {
        self.taken.is_some()
    }

    /// Returns for each block whether the index may have it. `false` is certain:
    /// [`renew`](Self::renew) drops the filter if another process may have invalidated it.
    pub(crate) fn may_be_placed(
        &mut self,
        connection: &Connection,
        cids: impl ExactSizeIterator<Item = Cid>,
    ) -> Result<Vec<bool>, StoreError> {
        // An upper bound of the number of rows in the index: some rows may have been deleted.
        let rows = usize::try_from(self.placed).unwrap_or(usize::MAX);
        if self.taken.is_none() && self.asked > rows / WORTH_A_QUESTION {
            (self.taken, self.asked) = (Taken::read(connection)?, 0);
        }
        let Some(taken) = &self.taken else {
            self.asked += cids.len();
            return Ok(vec![true; cids.len()]);
        };
        Ok(cids.map(|cid| taken.may_have(&cid)).collect())
    }

    /// Adds places to the index with the function [`place`]. Afterwards the index has all rows up
    /// to the newest.
    pub(crate) fn place(
        &mut self,
        transaction: &Connection,
        places: &mut Vec<Place>,
        check: bool,
    ) -> Result<u64, StoreError> {
        let taken = self.taken.as_mut();
        let has_room = taken.is_some_and(|taken| places.iter().all(|place| taken.add(place.start)));
        self.taken.take_if(|_| !has_room);
        let removed = place(transaction, places, self.newest, check)?;
        self.placed = self.newest;
        Ok(removed)
    }

    /// Adds the whole tail to the index, and makes every connection that knows the tail read it
    /// again.
    pub(crate) fn end(&mut self, transaction: &Connection) -> Result<(), StoreError> {
        let mut places: Vec<Place> = self.drain().collect();
        self.newest = self.row_after()?;
        self.place(transaction, &mut places, false)?;
        Ok(())
    }

    /// Rebuilds the index from `blocks`, and leaves an empty tail.
    pub(crate) fn rebuild_index(&mut self, transaction: &Connection) -> Result<(), StoreError> {
        self.ids.clear();
        self.taken = None;
        transaction.execute("DELETE FROM places", []).map_err(store_error)?;
        let newest: i64 = one(transaction, "SELECT coalesce(max(id), 0) FROM blocks")?;
        self.newest = newest.max(self.newest);
        self.newest = self.row_after()?;
        let (mut places, mut has_placed, mut after) = (Vec::new(), false, i64::MIN);
        loop {
            {
                let mut some = transaction
                    .prepare_cached("SELECT id, cid FROM blocks WHERE id > ?1 ORDER BY id LIMIT ?2")
                    .map_err(store_error)?;
                let limit = i64::try_from(MAX_PENDING).unwrap_or(i64::MAX);
                let mut rows = some.query(params![after, limit]).map_err(store_error)?;
                while let Some(row) = rows.next().map_err(store_error)? {
                    after = row.get(0).map_err(store_error)?;
                    let cid = row.get_ref(1).and_then(|cid| Ok(cid.as_blob()?));
                    if let Ok(Ok(cid)) = cid.map(Cid::from_bytes) {
                        places.push(Place { start: start_of(&cid), id: after });
                    }
                }
            }
            if places.is_empty() && has_placed {
                break;
            }
            place(transaction, &mut places, self.newest, has_placed)?;
            has_placed = true;
        }
        self.placed = self.newest;
        Ok(())
    }

    /// Empties the tail and returns the places of its blocks.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Place> + '_ {
        self.ids.drain().map(|(cid, id)| Place { start: start_of(&cid), id })
    }
}

/// Adds places to the index in order. Returns how many blocks were already indexed: their new rows
/// are deleted. Duplicates of rows from an earlier batch of the same transaction are searched only
/// if `check` is set.
fn place(
    transaction: &Connection,
    places: &mut Vec<Place>,
    upto: i64,
    check: bool,
) -> Result<u64, StoreError> {
    places.sort_unstable();
    let mut removed = 0;
    {
        let mut insert = transaction
            .prepare_cached("INSERT OR IGNORE INTO places (start, id) VALUES (?1, ?2)")
            .map_err(store_error)?;
        let mut earlier: Option<Place> = None;
        for place in places.drain(..) {
            let alike = earlier.is_some_and(|earlier| earlier.start == place.start);
            if (alike || check) && is_again(transaction, place)? {
                transaction
                    .execute("DELETE FROM blocks WHERE id = ?1", [place.id])
                    .map_err(store_error)?;
                removed += 1;
                continue;
            }
            insert.execute(params![place.start, place.id]).map_err(store_error)?;
            earlier = Some(place);
        }
    }
    StateRow { placed: upto, ..StateRow::read(transaction)? }.write(transaction)?;
    Ok(removed)
}

/// Counts the intact blocks that are missing from the index: reads do not find them.
pub(crate) fn lost_by_index(connection: &Connection, effort: &Effort) -> Result<u64, StoreError> {
    let mut all = connection
        .prepare("SELECT id, cid, bytes FROM blocks WHERE id <= ?1")
        .map_err(store_error)?;
    let mut known = connection
        .prepare("SELECT 1 FROM places WHERE start = ?1 AND id = ?2")
        .map_err(store_error)?;
    let mut rows = all.query([placed(connection)?]).map_err(store_error)?;
    let mut lost = 0;
    while let Some(row) = rows.next().map_err(store_error)? {
        effort.renew();
        let [name, bytes] = [1, 2].map(|column| row.get_ref(column).map(raw));
        let (name, bytes) = (name.map_err(store_error)?, bytes.map_err(store_error)?);
        let Ok(cid) = Cid::from_bytes(name) else { continue };
        let id: i64 = row.get(0).map_err(store_error)?;
        let is_known = known.exists([start_of(&cid), id]).map_err(store_error)?;
        lost += u64::from(!is_known && belongs(name, bytes));
    }
    Ok(lost)
}

/// Returns whether the index has the block of this row under another row.
fn is_again(transaction: &Connection, place: Place) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM places p JOIN blocks b ON b.id = p.id
        WHERE p.start = ?1 AND p.id <> ?2 AND b.cid = (SELECT cid FROM blocks WHERE id = ?2)";
    has_row(transaction, sql, [place.start, place.id])
}

/// Returns SQLite's data version of the file, which changes when another connection writes.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    one(connection, "PRAGMA data_version")
}

/// Returns the last row of `blocks` that is indexed.
pub(crate) fn placed(connection: &Connection) -> Result<i64, StoreError> {
    Ok(StateRow::read(connection)?.placed)
}

/// Reading this many rows of the index takes as long as one lookup.
const WORTH_A_QUESTION: usize = 40;

/// The maximum number of blocks in the tail at the end of a transaction. A process that needs one
/// of them reads the whole tail, in about three milliseconds.
pub(crate) const MAX_TAIL: usize = 8_192;

/// The number of places of one transaction that are sorted at a time: 24 MiB. Tests exceed it with few blocks.
pub(crate) const MAX_PENDING: usize = if cfg!(test) { 10_000 } else { 1_572_864 };
