//! A set of CIDs that takes at most 16 bytes for each.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use pds_core::data::cid::Cid;
use pds_core::data::cid_hasher::ByCid;

/// A set of CIDs, as fingerprints of 128 bits.
///
/// Half of a fingerprint is a hash of the digest with the secret of the set (SipHash), and half is the start of the
/// digest. Two CIDs are taken for one only if both halves are equal. For honest blocks, the probability is one in 2^128
/// for each pair: one in 10^22 for a set of a hundred million. An attacker can find blocks whose digests start alike,
/// by 2^32 hashes for a pair. But the secret is new in each process, so it still distinguishes each pair, except with a
/// probability of one in 2^64.
///
/// Most fingerprints are in one sorted list. An index of their first two bytes replaces these bytes. New fingerprints
/// wait in a hash set, and are merged into the list when they are a 32nd of it. The list grows in place where the
/// system can do that, so the set takes 14 bytes for each CID, and one or two for those that wait.
pub(crate) struct CidSet {
    secret: RandomState,
    waiting: HashSet<Fingerprint, ByCid>,
    /// The fingerprints in ascending order, without their first two bytes.
    sorted: Vec<[u8; REST]>,
    /// Where the fingerprints with each first two bytes start, and the end of the list. Empty for an empty list.
    starts: Vec<u32>,
}

/// A fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint(u64, u64);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl Fingerprint {
    fn bucket(self) -> usize {
        usize::from(u16::try_from(self.0 >> 48).unwrap_or_default())
    }

    fn rest(self) -> [u8; REST] {
        let mut rest = [0; REST];
        let (first, second) = rest.split_at_mut(REST - 8);
        first.copy_from_slice(&self.0.to_be_bytes()[2..]);
        second.copy_from_slice(&self.1.to_be_bytes());
        rest
    }
}

impl Default for CidSet {
    fn default() -> Self {
        let (secret, waiting) = (RandomState::new(), HashSet::default());
        Self { secret, waiting, sorted: Vec::new(), starts: Vec::new() }
    }
}

impl CidSet {
    /// Returns whether the set has a CID.
    pub(crate) fn contains(&self, cid: &Cid) -> bool {
        let fingerprint = self.fingerprint(cid);
        self.waiting.contains(&fingerprint) || self.is_sorted(fingerprint)
    }

    /// Returns the number of CIDs in the set.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.sorted.len()
    }

    /// Adds a CID. Returns whether it was not in the set.
    pub(crate) fn insert(&mut self, cid: &Cid) -> bool {
        let fingerprint = self.fingerprint(cid);
        if self.is_sorted(fingerprint) || !self.waiting.insert(fingerprint) {
            return false;
        }
        if self.waiting.len() > MIN_WAITING.max(self.sorted.len() / WAITING_PART) {
            self.merge();
        }
        true
    }

    fn fingerprint(&self, cid: &Cid) -> Fingerprint {
        let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
        Fingerprint(
            self.secret.hash_one(cid.as_bytes()),
            u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        )
    }

    fn is_sorted(&self, fingerprint: Fingerprint) -> bool {
        let bucket = fingerprint.bucket();
        let bounds = (self.starts.get(bucket), self.starts.get(bucket + 1));
        let (Some(start), Some(end)) = bounds else { return false };
        let bucket = self.sorted.get(*start as usize..*end as usize).unwrap_or_default();
        bucket.binary_search(&fingerprint.rest()).is_ok()
    }

    /// Merges the waiting fingerprints into the list, from its end, in its own memory.
    fn merge(&mut self) {
        let (mut from, more) = (self.sorted.len(), self.waiting.len());
        if u32::try_from(from + more).is_err() {
            // The index cannot name more places. The hash set takes the rest.
            return;
        }
        let mut new: Vec<Fingerprint> = self.waiting.drain().collect();
        new.sort_unstable();
        if self.starts.is_empty() {
            self.starts = vec![0; BUCKETS + 1];
        }
        self.sorted.reserve_exact(more);
        self.sorted.resize(from + more, [0; REST]);
        let mut to = self.sorted.len();
        for bucket in (0..BUCKETS).rev() {
            self.starts[bucket + 1] = u32::try_from(to).unwrap_or(u32::MAX);
            let start = self.starts[bucket] as usize;
            loop {
                let rest = new.last().filter(|new| new.bucket() == bucket).map(|new| new.rest());
                to = match rest {
                    Some(rest) if from == start || self.sorted[from - 1] < rest => {
                        new.pop();
                        self.sorted[to - 1] = rest;
                        to - 1
                    }
                    _ if from == start => break,
                    _ => {
                        from -= 1;
                        self.sorted[to - 1] = self.sorted[from];
                        to - 1
                    }
                };
            }
        }
    }
}

/// The bytes of a fingerprint after the first two.
const REST: usize = 14;

/// The number of values of the first two bytes.
const BUCKETS: usize = 1 << 16;

/// The fingerprints that may wait: this many, or this part of the list.
const MIN_WAITING: usize = 14_000;
const WAITING_PART: usize = 32;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::data::cid::Codec;

    fn cid(n: u32) -> Cid {
        Cid::of(Codec::Cbor, &n.to_le_bytes())
    }

    #[test]
    fn it_has_what_was_inserted_and_nothing_else() {
        let mut set = CidSet::default();
        for n in 0..150_000 {
            assert!(set.insert(&cid(n)));
            assert!(!set.insert(&cid(n / 2)));
        }
        assert_eq!(set.len(), 150_000);
        assert!((0..150_000).all(|n| set.contains(&cid(n))));
        assert!(!(150_000..300_000).any(|n| set.contains(&cid(n))));
        let end = u32::try_from(set.sorted.len()).unwrap();
        assert_eq!((set.starts.len(), set.starts.last()), (BUCKETS + 1, Some(&end)));
        assert!(set.starts.windows(2).all(|bounds| {
            let bucket = set.sorted.get(bounds[0] as usize..bounds[1] as usize);
            bucket.is_some_and(|bucket| bucket.is_sorted_by(|a, b| a < b))
        }));
        let bytes = set.sorted.capacity() * REST + set.starts.len() * 4;
        assert!(!set.sorted.is_empty() && bytes < 150_000 * 17, "{bytes}");
    }

    #[test]
    fn one_digest_under_two_codecs_is_two_members() {
        let mut set = CidSet::default();
        let [cbor, raw] = [Codec::Cbor, Codec::Raw].map(|codec| Cid::of(codec, b"\xa0"));
        assert!(set.insert(&cbor) && set.insert(&raw) && !set.insert(&raw));
    }

    #[test]
    fn fingerprints_differ_from_set_to_set() {
        let [one, other] = [CidSet::default(), CidSet::default()];
        assert!(one.fingerprint(&cid(1)) != other.fingerprint(&cid(1)));
    }
}
