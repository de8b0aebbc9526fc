//! A fast hasher for hash maps with CIDs as keys.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};

use crate::data::cid::Cid;

/// Hashes CIDs in a few instructions, while the hasher of the standard library needs about a
/// hundred.
///
/// A digest is already distributed evenly. But an attacker chooses CIDs, and may search for many
/// digests with the same beginning. Therefore a part of the digest is mixed with a secret by one
/// multiplication of double width. Every map has its own secret; a clone shares the secret of its
/// original.
#[derive(Clone)]
pub struct ByCid {
    secret: u64,
    factor: u64,
}

impl fmt::Debug for ByCid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByCid").finish_non_exhaustive()
    }
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

/// The hash of the first bytes of a digest.
pub struct CidHasher {
    state: u64,
    factor: u64,
}

impl fmt::Debug for CidHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CidHasher").finish_non_exhaustive()
    }
}

impl Hasher for CidHasher {
    /// The input is the binary form of a CID.
    fn write(&mut self, bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), Cid::LEN, "the input is not the binary form of a CID");
        if let Some(start) = bytes.get(Cid::PREFIX_LEN..).and_then(|digest| digest.first_chunk()) {
            self.write_u64(u64::from_ne_bytes(*start));
        }
    }

    fn write_u64(&mut self, start: u64) {
        let product = u128::from(self.state ^ start) * u128::from(self.factor);
        // Neither half depends on all bits, so the two are combined.
        let both = (product ^ (product >> 64)) & u128::from(u64::MAX);
        self.state = u64::try_from(both).unwrap_or_default();
    }

    /// The length carries no information: it is the same for all CIDs.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::data::block::{Block, ByName};
    use crate::data::cid::Codec;

    #[test]
    fn two_maps_hash_differently_unless_one_is_a_clone() {
        let (map, other) = (ByCid::default(), ByCid::default());
        let cid = Cid::of(Codec::Raw, b"hello");
        assert_ne!(map.hash_one(cid), other.hash_one(cid));
        assert_eq!(map.hash_one(cid), map.clone().hash_one(cid));
    }

    /// A hash map derives the bucket from the low bits and a tag from the top seven bits.
    #[test]
    fn both_ends_of_the_input_change_both_ends_of_the_hash() {
        const MAPS: usize = 200;
        for place in [0, 7] {
            let (mut low, mut top) = (0, 0);
            for map in std::iter::repeat_with(ByCid::default).take(MAPS) {
                let hashes = (0..=u8::MAX).map(|byte| {
                    let mut digest = [0xa5; 32];
                    digest[place] = byte;
                    map.hash_one(Cid::from_digest(Codec::Cbor, digest))
                });
                let hashes: Vec<_> = hashes.collect();
                low += hashes.iter().map(|hash| hash & 0x3ff).collect::<HashSet<_>>().len();
                top += hashes.iter().map(|hash| hash >> 57).collect::<HashSet<_>>().len();
            }
            // By chance alone the numbers are 226 of 1,024 and 111 of 128.
            let (low, top) = (low / MAPS, top / MAPS);
            assert!(low > 150 && top > 80, "byte {place}: {low} and {top}");
        }
    }

    #[test]
    fn a_cid_its_bytes_and_the_block_of_that_name_hash_alike() {
        let map = ByCid::default();
        let block = Block::new(Codec::Raw, b"hello");
        let cid = block.cid();
        assert_eq!(map.hash_one(cid), map.hash_one(cid.as_bytes()));
        assert_eq!(map.hash_one(cid), map.hash_one(ByName(block)));
    }
}
