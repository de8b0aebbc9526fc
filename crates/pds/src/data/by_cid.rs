//! How CIDs are spread over a hash map.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use super::Cid;

/// Spreads CIDs over a hash map, in a few instructions where the standard library takes a hundred.
///
/// A digest is spread evenly already. But strangers choose CIDs, and may look for many whose digests begin alike: so a
/// part of it is mixed with a secret, which every map has of its own, by one multiplication to twice the width.
#[derive(Clone)]
pub(crate) struct ByCid {
    secret: u64,
    factor: u64,
}

impl Default for ByCid {
    fn default() -> Self {
        let random = RandomState::new();
        Self { secret: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for ByCid {
    type Hasher = CidHasher;

    fn build_hasher(&self) -> CidHasher {
        CidHasher { state: self.secret, factor: self.factor }
    }
}

/// Takes in the start of a digest.
pub(crate) struct CidHasher {
    state: u64,
    factor: u64,
}

impl Hasher for CidHasher {
    /// The binary form of a CID.
    fn write(&mut self, bytes: &[u8]) {
        if let Some(start) = bytes.get(Cid::PREFIX_LEN..).and_then(|digest| digest.first_chunk()) {
            self.write_u64(u64::from_ne_bytes(*start));
        }
    }

    fn write_u64(&mut self, start: u64) {
        let product = u128::from(self.state ^ start) * u128::from(self.factor);
        // Both halves together: neither depends on all bits alone.
        let both = (product ^ (product >> 64)) & u128::from(u64::MAX);
        self.state = u64::try_from(both).unwrap_or_default();
    }

    /// All have one length.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.state
    }
}
