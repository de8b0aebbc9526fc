//! A filter of the index, so that writers of many new blocks need no lookup for each.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::errors::store_error;
use crate::sqlite::index_row::start_of;
use crate::sqlite::statement::one;
use pds_core::data::cid::Cid;

/// A Bloom filter whose single hash is the digest itself: one bit for each possible start of a
/// digest, set if the index has such a block.
///
/// If the bit is not set, the index does not have the block. Digests are distributed evenly, and
/// there are at least eight bits for each, so at most one in eight missing blocks seems to be
/// present.
#[derive(Debug)]
pub(crate) struct Taken {
    bits: Vec<u64>,
    /// The number of bits of a start that determine its position.
    depth: u32,
    /// The number of starts that can still be added.
    room: usize,
}

impl Taken {
    /// Reads the whole index. Returns `None` if it is too large for a filter in memory.
    pub(crate) fn read(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let count: i64 = one(connection, "SELECT count(*) FROM places")?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let Some(mut taken) = Self::for_twice(count) else { return Ok(None) };
        let mut statement =
            connection.prepare_cached("SELECT start FROM places").map_err(store_error)?;
        let mut rows = statement.query([]).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            if !taken.add(row.get(0).map_err(store_error)?) {
                return Ok(None);
            }
        }
        Ok(Some(taken))
    }

    /// Returns an empty filter for twice as many starts.
    fn for_twice(count: usize) -> Option<Self> {
        let room = count.max(FEW).checked_mul(2).filter(|room| *room <= MAX_STARTS)?;
        let bits = (room * BITS_EACH).next_power_of_two();
        Some(Self { bits: vec![0; bits / 64], depth: bits.ilog2(), room })
    }

    /// Adds a start. Returns whether there was room for it.
    pub(crate) fn add(&mut self, start: i64) -> bool {
        let Some(room) = self.room.checked_sub(1) else { return false };
        self.room = room;
        let (word, bit) = self.place(start);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
        true
    }

    /// Returns whether the index may have this block. `false` is certain.
    pub(crate) fn may_have(&self, cid: &Cid) -> bool {
        let (word, bit) = self.place(start_of(cid));
        self.bits.get(word).is_none_or(|word| word & bit != 0)
    }

    fn place(&self, start: i64) -> (usize, u64) {
        let bit = start.cast_unsigned() >> (64 - self.depth);
        (usize::try_from(bit / 64).unwrap_or(usize::MAX), 1 << (bit % 64))
    }
}

/// The number of starts of the smallest filter.
const FEW: usize = 16_384;

/// The maximum number of starts, in 16 MiB.
const MAX_STARTS: usize = 16 << 20;

const BITS_EACH: usize = 8;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::data::cid::Codec;

    #[test]
    fn added_starts_are_found_and_few_others_seem_to_be() {
        let cid = |n: u32| Cid::of(Codec::Raw, &n.to_be_bytes());
        let mut taken = Taken::for_twice(0).unwrap();
        let count = 2 * u32::try_from(FEW).unwrap();
        for n in 0..count {
            assert!(taken.add(start_of(&cid(n))), "{n}");
        }
        assert!(!taken.add(0), "the smallest filter is full");
        assert!((0..count).all(|n| taken.may_have(&cid(n))));
        let seem = (count..2 * count).filter(|n| taken.may_have(&cid(*n))).count();
        assert!((1..count as usize / 7).contains(&seem), "{seem}");
        assert!(Taken::for_twice(MAX_STARTS).is_none());
    }
}
