//! A CAR file that tracks which of its blocks were read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

/// A CAR file that tracks which of its blocks were read, with one bit for each block.
pub(crate) struct TrackedFile<'a, F> {
    pub(crate) car: &'a CarFile<F>,
    asked: Mutex<Vec<u64>>,
    count: AtomicU64,
}

impl<'a, F: ReadAt> TrackedFile<'a, F> {
    pub(crate) fn new(car: &'a CarFile<F>) -> Self {
        let asked = Mutex::new(vec![0; car.len().div_ceil(64)]);
        Self { car, asked, count: AtomicU64::new(0) }
    }

    /// Returns the number of blocks that were read.
    pub(crate) fn reached(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Marks a block as read, and returns the note from when the file was indexed.
    pub(crate) fn noted(&self, cid: &Cid) -> Option<u8> {
        let (number, note) = self.car.noted(cid)?;
        self.mark(number);
        Some(note)
    }

    /// Returns whether the file has a block, without reading it.
    pub(crate) fn has(&self, cid: &Cid) -> bool {
        self.car.size_of(cid).is_some()
    }

    /// Hashes all blocks that were not read.
    pub(crate) fn read_rest(&self) -> Result<()> {
        if self.reached() == self.car.len() as u64 {
            return Ok(());
        }
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unread =
            |number: usize| asked.get(number / 64).is_some_and(|word| word & bit(number) == 0);
        Ok(self.car.check(is_unread)?)
    }

    fn mark(&self, number: usize) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = asked.get_mut(number / 64)
            && *word & bit(number) == 0
        {
            *word |= bit(number);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn answer(
        &self,
        found: Result<Option<(usize, Block)>, ReadError>,
    ) -> Result<Option<Block>, ReadError> {
        let Some((number, block)) = found? else { return Ok(None) };
        self.mark(number);
        Ok(Some(block))
    }
}

impl<F: ReadAt> Blocks for TrackedFile<'_, F> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.answer(self.car.numbered(cid))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.car.numbered_some(cids).into_iter().map(|found| self.answer(found)).collect()
    }

    fn batch(&self) -> usize {
        self.car.batch()
    }
}

fn bit(number: usize) -> u64 {
    1 << (number % 64)
}
