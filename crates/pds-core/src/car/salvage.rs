//! Salvage of CAR files: reading on after a damaged place.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use std::io;

use crate::car::error::CarError;
use crate::car::indexed_file::{CarFile, Indexing};
use crate::car::read::CarReader;
use crate::car::read_at::{FromStart, ReadAt};
use crate::data::block::BlockRef;
use crate::data::cid::Cid;
use crate::data::limits::{MAX_BLOCK_BYTES, MAX_VARINT_BYTES};

impl<F: ReadAt> CarFile<F> {
    /// Opens the remains of a file, including the sections after damaged places.
    ///
    /// After a damaged place, the file is searched for the next section: a length, a CID, and bytes
    /// that match it. A section with only a damaged length is accepted if it ends where the next
    /// one starts. If the header cannot be read, there are no roots.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`] only. All other defects are reported with their place.
    pub fn salvage(file: F, report: &mut dyn FnMut(CarError)) -> Result<Self, CarError> {
        let end = file.len()?;
        let (mut roots, mut at) = (Vec::new(), 0);
        let header = CarReader::new(FromStart::new(&file))
            .map(|header| (header.roots().to_vec(), header.offset()));
        let header_is_sound = match header {
            Ok(header) => {
                (roots, at) = header;
                true
            }
            Err(CarError::Io(error)) => return Err(error.into()),
            Err(error) => {
                report(error);
                false
            }
        };
        let search_budget =
            end.saturating_mul(MAX_SEARCHED_TIMES).saturating_add(LEAST_SEARCHED_BYTES);
        let mut window = Window { file: &file, end, start: 0, bytes: Vec::new(), search_budget };
        let mut found = Indexing::default();
        if !header_is_sound {
            at = window.next_section(0)?.unwrap_or(end);
            if window.search_budget == 0 {
                report(CarError::Section { offset: 0, reason: SEARCH_BUDGET_SPENT });
            }
        }
        while at < end {
            let sound = match window.section(at)? {
                Ok(section) => section,
                Err(error) => {
                    report(error);
                    let next = window.next_section(at.saturating_add(1))?.unwrap_or(end);
                    if window.search_budget == 0 {
                        report(CarError::Section { offset: at, reason: SEARCH_BUDGET_SPENT });
                    }
                    if let Some((cid_offset, cid, len)) = window.without_length(at, next)? {
                        found.claim(at, cid_offset, (cid, len), 0)?;
                        // The section was not readable.
                        found.sections = found.sections.saturating_sub(1);
                    }
                    at = next;
                    continue;
                }
            };
            let Sound { cid_offset, cid, len, end: next } = sound;
            found.claim(at, cid_offset, (cid, len), 0)?;
            at = next;
        }
        found.sections = found.sections.max(found.places.len() as u64);
        Self::indexed(file, roots, at, found)
    }
}

/// An intact section.
struct Sound {
    cid_offset: u64,
    cid: Cid,
    /// The size of the block in bytes.
    len: usize,
    end: u64,
}

/// A part of a file in memory.
struct Window<'f, F> {
    file: &'f F,
    /// The end of the file.
    end: u64,
    start: u64,
    bytes: Vec<u8>,
    /// The number of bytes that may still be hashed without a match. It protects from files in
    /// which every byte looks like the start of a large section.
    search_budget: u64,
}

impl<F: ReadAt> Window<'_, F> {
    /// Returns bytes of the file from an offset, and fewer at its end.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let ready = |start: u64, bytes: &[u8]| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            (from.checked_add(len)? <= bytes.len()).then_some(from)
        };
        let from = match ready(self.start, &self.bytes) {
            Some(from) => from,
            None => {
                let left = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
                self.bytes.resize(len.max(WINDOW_BYTES).min(left), 0);
                self.start = offset;
                if let Err(error) = self.file.read_exact_at(&mut self.bytes, offset) {
                    self.bytes.clear();
                    return Err(error);
                }
                0
            }
        };
        let rest = self.bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// Reads the section at this offset.
    fn section(&mut self, offset: u64) -> io::Result<Result<Sound, CarError>> {
        let wrong = |reason| Ok(Err(CarError::Section { offset, reason }));
        let truncated = || Ok(Err(CarError::Truncated { offset, within: "a section" }));
        let head = self.at(offset, MAX_VARINT_BYTES)?;
        let Some((len, len_bytes)) = length(head) else {
            return if head.len() < MAX_VARINT_BYTES { truncated() } else { wrong("not a length") };
        };
        if len < Cid::LEN {
            return wrong("a section too short for a CID");
        }
        if len > MAX_BLOCK_BYTES.saturating_add(Cid::LEN) {
            return wrong("a section larger than the limit");
        }
        let cid_offset = offset.saturating_add(len_bytes);
        let end = cid_offset.saturating_add(len as u64);
        if end > self.end {
            return truncated();
        }
        let section = self.at(cid_offset, len)?;
        let (cid, data) = section.split_at_checked(Cid::LEN).unwrap_or_default();
        let checked = match Cid::from_bytes(cid) {
            Ok(cid) => BlockRef::verified(cid, data)
                .map_err(|source| CarError::damaged(offset, cid, data, source)),
            Err(source) => Err(CarError::ForeignCid { offset, source }),
        };
        let sound = checked.map(|block| {
            let (cid, len) = (block.cid(), block.bytes().len());
            Sound { cid_offset, cid, len, end }
        });
        if sound.is_err() {
            self.search_budget = self.search_budget.saturating_sub(len as u64);
        }
        Ok(sound)
    }

    /// Finds the next offset at which an intact section starts.
    fn next_section(&mut self, from: u64) -> io::Result<Option<u64>> {
        // The next section is usually near.
        let (mut at, mut len) = (from, LEAST_SEARCHED_AT_A_TIME);
        while self.search_budget > 0 {
            let bytes = self.at(at, len)?;
            let starts = bytes.windows(CID_START_BYTES).enumerate();
            let cids: Vec<u64> = starts
                .filter(|(_, bytes)| starts_a_cid(bytes))
                .map(|(index, _)| at.saturating_add(index as u64))
                .collect();
            let (searched, is_last) = (bytes.len(), bytes.len() < len);
            for cid in cids {
                for len_bytes in 1..=MAX_LENGTH_BYTES {
                    let Some(start) = cid.checked_sub(len_bytes).filter(|start| *start >= from)
                    else {
                        continue;
                    };
                    let head = self.at(start, MAX_VARINT_BYTES)?;
                    let fits = length(head).is_some_and(|(_, bytes)| bytes == len_bytes);
                    if fits && self.search_budget > 0 && self.section(start)?.is_ok() {
                        return Ok(Some(start));
                    }
                }
            }
            if is_last {
                break;
            }
            // The last few bytes may be the start of a CID.
            at = at.saturating_add(searched.saturating_sub(CID_START_BYTES) as u64);
            len = len.saturating_mul(2).min(MOST_SEARCHED_AT_A_TIME);
        }
        Ok(None)
    }

    /// Reads a section with a damaged length: from the CID near its start to the next section.
    fn without_length(&mut self, from: u64, next: u64) -> io::Result<Option<(u64, Cid, usize)>> {
        for len_bytes in 1..=MAX_LENGTH_BYTES {
            let cid_offset = from.saturating_add(len_bytes);
            let len = usize::try_from(next.saturating_sub(cid_offset)).unwrap_or(usize::MAX);
            if !(Cid::LEN..=MAX_BLOCK_BYTES.saturating_add(Cid::LEN)).contains(&len) {
                continue;
            }
            if !starts_a_cid(self.at(cid_offset, CID_START_BYTES)?) {
                continue;
            }
            self.search_budget = self.search_budget.saturating_sub(len as u64);
            let section = self.at(cid_offset, len)?;
            let (cid, data) = section.split_at_checked(Cid::LEN).unwrap_or_default();
            if let Ok(cid) = Cid::from_bytes(cid)
                && cid.names(data)
            {
                return Ok(Some((cid_offset, cid, data.len())));
            }
        }
        Ok(None)
    }
}

/// Parses the length prefix of a section. Returns the number, and the number of its bytes.
fn length(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut n = 0_u64;
    for (index, byte) in (0_u32..).zip(bytes.iter().take(MAX_VARINT_BYTES)) {
        n |= u64::from(byte & 0x7f).checked_shl(index.checked_mul(7)?)?;
        if byte & 0x80 == 0 {
            let is_shortest = *byte != 0 || index == 0;
            let len_bytes = u64::from(index).checked_add(1)?;
            return is_shortest.then_some((usize::try_from(n).ok()?, len_bytes));
        }
    }
    None
}

/// Returns whether these are the first bytes of a supported CID.
fn starts_a_cid(bytes: &[u8]) -> bool {
    matches!(bytes, [0x01, 0x71 | 0x55, 0x12, 0x20])
}

/// The bytes of the version, the codec, the hash and its length.
const CID_START_BYTES: usize = 4;

/// The size of the length prefix of the largest section.
const MAX_LENGTH_BYTES: u64 = 4;

/// The number of bytes that a search starts with. It grows with the distance to the next section.
const LEAST_SEARCHED_AT_A_TIME: usize = 1024;

const MOST_SEARCHED_AT_A_TIME: usize = 64 * 1024;

/// The number of bytes of the file that are kept in memory, unless a section is larger.
const WINDOW_BYTES: usize = 256 * 1024;

/// How many times the size of the file may be hashed without a match, and the least number of
/// bytes.
const MAX_SEARCHED_TIMES: u64 = 16;

const LEAST_SEARCHED_BYTES: u64 = 1 << 30;

const SEARCH_BUDGET_SPENT: &str = "too much of the file is damaged to search the rest of it";

#[cfg(test)]
#[path = "salvage_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
