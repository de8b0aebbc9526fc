//! The index of a file: the place of each block.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::car::error::CarError;
use crate::car::read_at::ReadAt;
use crate::data::cid::Cid;

/// The places of the blocks of a file, found by digest.
///
/// The places are sorted. Digests are distributed evenly, so their first bits determine a group of
/// about eight places, and a table lists the start of each group. If an attacker fills one group
/// with forged CIDs, a binary search still finds a place in it.
pub(crate) struct Index {
    keyed: Keyed,
    places: Vec<Place>,
    /// The start of each group, and the end of the last one.
    groups: Vec<usize>,
    /// The number of bits of a digest's start that are below the group number.
    shift: u32,
}

impl Index {
    /// Keeps the first place of each block, and returns the number of the other places.
    pub(crate) fn new(
        keyed: Keyed,
        mut places: Vec<Place>,
        file: &impl ReadAt,
    ) -> Result<(Self, u64), CarError> {
        places.sort_unstable();
        let duplicates = drop_duplicates(&mut places, file)?;
        let bits = (places.len() / GROUP).checked_ilog2().unwrap_or(0);
        let (count, shift) = (1_usize << bits, u64::BITS - bits);
        let mut groups = Vec::with_capacity(count + 1);
        for (at, place) in places.iter().enumerate() {
            let group = group(place.digest_start, shift);
            while groups.len() <= group {
                groups.push(at);
            }
        }
        groups.resize(count + 1, places.len());
        Ok((Self { keyed, places, groups, shift }, duplicates))
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn place(&self, number: usize) -> Option<Place> {
        self.places.get(number).copied()
    }

    /// Returns the place of a block, with its number.
    pub(crate) fn find(&self, cid: &Cid) -> Option<(usize, Place)> {
        let (start, keyed) = self.keyed.name(cid);
        let first = self.first_at_or_after(start);
        let alike =
            self.places.get(first..)?.iter().take_while(|place| place.digest_start == start);
        let (index, place) = alike.enumerate().find(|(_, place)| place.keyed & !NOTE == keyed)?;
        Some((first + index, *place))
    }

    fn first_at_or_after(&self, start: u64) -> usize {
        let group = group(start, self.shift);
        let end = self.groups.get(group + 1).copied().unwrap_or_default();
        let from = self.groups.get(group).copied().unwrap_or(end);
        let within = self.places.get(from..end).unwrap_or_default();
        from + within.partition_point(|place| place.digest_start < start)
    }
}

/// Distinguishes blocks by a hash that cannot be predicted.
///
/// A tree may contain any CID, for example one that differs in one byte from a block of the file.
#[derive(Debug, Default)]
pub(crate) struct Keyed(RandomState);

impl Keyed {
    /// Returns the search key of a place: the first eight bytes of the digest, and seven of a keyed
    /// hash of the whole CID.
    fn name(&self, cid: &Cid) -> (u64, u64) {
        let start = cid.digest().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        (start, self.0.hash_one(cid.as_bytes()) & !NOTE)
    }
}

/// The identity and the place of a block, in 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    digest_start: u64,
    /// Seven bytes of a keyed hash of the CID, and the note of the code that opened the file.
    keyed: u64,
    /// The offset and the length.
    packed: u64,
}

impl Place {
    /// Returns `None` beyond the largest file that can be indexed.
    pub(crate) fn new(
        keyed: &Keyed,
        cid: &Cid,
        (offset, data_len): (u64, usize),
        note: u8,
    ) -> Option<Self> {
        let fits = offset < 1 << (64 - LEN_BITS) && data_len < 1 << LEN_BITS;
        let packed = (offset << LEN_BITS) | data_len as u64;
        let (digest_start, keyed) = keyed.name(cid);
        fits.then_some(Self { digest_start, keyed: keyed | u64::from(note), packed })
    }

    /// Returns the offset of the block's CID, which is before its bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.packed >> LEN_BITS
    }

    /// Returns the size of the CID and the block, in bytes.
    pub(crate) fn section_len(&self) -> usize {
        Cid::LEN + self.data_len()
    }

    /// Returns the size of the block, in bytes.
    pub(crate) fn data_len(&self) -> usize {
        usize::try_from(self.packed & ((1 << LEN_BITS) - 1)).unwrap_or(0)
    }

    /// Returns the note of the block.
    pub(crate) fn note(&self) -> u8 {
        let [.., note] = self.keyed.to_be_bytes();
        note
    }

    pub(crate) fn read_cid(&self, file: &impl ReadAt) -> Result<Cid, CarError> {
        let mut bytes = [0; Cid::LEN];
        file.read_exact_at(&mut bytes, self.offset())?;
        Cid::from_bytes(&bytes).map_err(std::io::Error::other).map_err(CarError::Io)
    }
}

fn group(digest_start: u64, shift: u32) -> usize {
    usize::try_from(digest_start.checked_shr(shift).unwrap_or(0)).unwrap_or(usize::MAX)
}

fn drop_duplicates(places: &mut Vec<Place>, file: &impl ReadAt) -> Result<u64, CarError> {
    let mut kept = 0;
    // The CIDs of the current run of equal digest starts.
    let mut run: Vec<Cid> = Vec::new();
    for at in 0..places.len() {
        let place = places[at];
        let last = places[..kept].last().filter(|last| last.digest_start == place.digest_start);
        if let Some(last) = last {
            if run.is_empty() {
                run.push(last.read_cid(file)?);
            }
            let cid = place.read_cid(file)?;
            if run.contains(&cid) {
                continue;
            }
            // A collision of this many blocks never happens by chance. Forged CIDs are cheap only
            // as long as they are not hashed.
            if run.len() == MAX_ALIKE {
                let reason = "too many blocks whose digests start alike";
                return Err(CarError::Section { offset: place.offset(), reason });
            }
            run.push(cid);
        } else {
            run.clear();
        }
        places[kept] = place;
        kept += 1;
    }
    let duplicates = places.len() - kept;
    places.truncate(kept);
    Ok(duplicates as u64)
}

/// The average number of places in a group: as many as fit in two cache lines.
const GROUP: usize = 8;

/// The maximum number of different blocks whose digests start with the same eight bytes.
const MAX_ALIKE: usize = 8;

/// The bits of a place that contain the note.
const NOTE: u64 = 0xff;

/// The number of bits of a packed place for the length: blocks of up to 8 MiB, files of up to 2
/// TiB.
const LEN_BITS: u32 = 23;

const _: () = assert!(crate::data::limits::MAX_BLOCK_BYTES < 1 << LEN_BITS);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn every_place_is_found_where_it_is() {
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digests: [Vec<u64>; 5] = [
            Vec::new(),
            (0..1_000).map(spread).collect(),
            (0..1_000).collect(),
            (0..1_000).map(|n| u64::MAX - n).collect(),
            (0..7).map(spread).collect(),
        ];
        for mut digests in digests {
            digests.sort_unstable();
            let places: Vec<Place> = digests
                .iter()
                .map(|start| Place { digest_start: *start, keyed: 0, packed: 0 })
                .collect();
            let (index, duplicates) =
                Index::new(Keyed::default(), places, &Cursor::new([])).unwrap();
            assert_eq!((index.len(), duplicates), (digests.len(), 0));
            let near = digests.iter().flat_map(|d| [d.saturating_sub(1), *d, d.saturating_add(1)]);
            for start in near.chain([0, 1, u64::MAX / 2, u64::MAX]) {
                let expected = digests.partition_point(|digest| *digest < start);
                assert_eq!(index.first_at_or_after(start), expected, "{start}");
            }
        }
    }
}
