//! A set of blocks that takes little memory.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use pds_core::data::cid::{Cid, Codec};
use pds_core::data::cid_hasher::ByCid;

/// A set of blocks. It takes less than half the memory of a set of CIDs.
#[derive(Default)]
pub(crate) struct BlockSet(HashSet<Half, ByCid>);

impl BlockSet {
    /// Adds a block. Returns whether it was not in the set.
    pub(crate) fn insert(&mut self, cid: &Cid) -> bool {
        self.0.insert(Half::of(cid))
    }
}

/// Half of the digest of a block, with the codec in place of the last bit. It distinguishes blocks.
#[derive(PartialEq, Eq)]
struct Half(u64, u64);

impl Half {
    fn of(cid: &Cid) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *cid.digest();
        let first = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let second = u64::from_be_bytes([i, j, k, l, m, n, o, p]);
        Self(first, (second & !1) | u64::from(cid.codec() == Codec::Raw))
    }
}

impl Hash for Half {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}
