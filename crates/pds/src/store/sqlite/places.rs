//! Where blocks are found: the index `places`, and the tail of `blocks` that is not in it yet.
//!
//! A CID is a hash, so each new block belongs at a random place of any index over CIDs: a commit of
//! twelve blocks would rewrite twelve pages of it. Instead blocks are appended, and the newest of
//! them, the tail, are in no index: whoever needs one reads the tail's CIDs once, which is fast because
//! it is short. When it has grown, all of it goes into the index in order.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::errors::store_error;
use crate::data::Cid;
use crate::store::StoreError;

/// A row of the index: the first eight bytes of a digest, and the row of `blocks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) start: i64,
    pub(super) id: i64,
}

/// The first eight bytes of a digest as SQLite keeps them. Different blocks may share them.
pub(super) fn start_of(cid: &Cid) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The newest blocks, those that the index does not have, as one connection knows them.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The last row that the index has taken in.
    pub(super) placed: i64,
    /// The last row that is known here.
    pub(super) newest: i64,
    ids: HashMap<Cid, i64>,
}

impl Tail {
    /// Reads the tail as it is at present.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let placed = placed(connection)?;
        let mut tail = Self { placed, newest: placed, ..Self::default() };
        tail.read_on(connection)?;
        Ok(tail)
    }

    /// Reads what has been appended since; tells whether that was anything.
    pub(super) fn read_on(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT id, cid FROM blocks WHERE id > ?1 ORDER BY id")
            .map_err(store_error)?;
        let mut rows = statement.query([self.newest]).map_err(store_error)?;
        let before = self.newest;
        while let Some(row) = rows.next().map_err(store_error)? {
            self.newest = row.get(0).map_err(store_error)?;
            let bytes = row.get_ref(1).and_then(|cid| Ok(cid.as_blob()?)).map_err(store_error)?;
            // A row whose name is damaged cannot be asked for.
            if let Ok(cid) = Cid::from_bytes(bytes) {
                self.ids.entry(cid).or_insert(self.newest);
            }
        }
        Ok(self.newest > before)
    }

    /// Brings the tail up to date for a writer, which must not rely on rows that are gone.
    pub(super) fn renew(&mut self, connection: &Connection) -> Result<(), StoreError> {
        // Nothing but `sweep` deletes, and it leaves no tail.
        if placed(connection)? == self.placed {
            self.read_on(connection)?;
        } else {
            *self = Self::read(connection)?;
        }
        Ok(())
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<i64> {
        self.ids.get(cid).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Takes note of a block that is about to be appended, and returns its row; `None` when it is in
    /// the tail already.
    pub(super) fn append(&mut self, cid: Cid) -> Option<i64> {
        let id = self.newest.max(self.placed) + 1;
        match self.ids.entry(cid) {
            std::collections::hash_map::Entry::Occupied(_) => return None,
            std::collections::hash_map::Entry::Vacant(vacant) => vacant.insert(id),
        };
        self.newest = id;
        Some(id)
    }

    /// Empties the tail: these are the places of what was in it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Place> + '_ {
        self.ids.drain().map(|(cid, id)| Place { start: start_of(&cid), id })
    }
}

/// Takes places into the index, in order, and returns how many blocks were there already and have
/// been removed again. What came before an earlier flush of the same undertaking is looked for only
/// if `check` is set.
pub(super) fn place(
    transaction: &Transaction<'_>,
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
    transaction
        .prepare_cached(
            "INSERT INTO meta VALUES ('placed', ?1) ON CONFLICT DO UPDATE SET value = ?1",
        )
        .and_then(|mut statement| statement.execute([upto.to_string()]))
        .map_err(store_error)?;
    Ok(removed)
}

/// Tells whether the index has the block of this row already, under another row.
fn is_again(transaction: &Transaction<'_>, place: Place) -> Result<bool, StoreError> {
    let mut same = transaction
        .prepare_cached(
            "SELECT 1 FROM places p JOIN blocks b ON b.id = p.id
             WHERE p.start = ?1 AND p.id <> ?2 AND b.cid = (SELECT cid FROM blocks WHERE id = ?2)",
        )
        .map_err(store_error)?;
    same.exists(params![place.start, place.id]).map_err(store_error)
}

/// The last row that the index has taken in.
pub(super) fn placed(connection: &Connection) -> Result<i64, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'placed'")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(store_error)?;
    match text {
        None => Ok(0),
        Some(text) => text.parse().map_err(|error| StoreError::Damaged(Box::new(error))),
    }
}

/// How many blocks the tail has at most when a transaction ends. It is read whole by each process
/// that needs one of them: some three milliseconds.
pub(super) const MAX_TAIL: usize = 8_192;

/// How many places of one undertaking are sorted at a time: 24 MiB.
pub(super) const MAX_PENDING: usize = 1_572_864;
