//! A block source that counts the cost of its answers.

use std::sync::atomic::{AtomicU64, Ordering};

use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

/// A block source that counts the bytes it has returned.
pub(crate) struct CountedBlocks<'b> {
    blocks: &'b dyn Blocks,
    cost: AtomicU64,
}

impl<'b> CountedBlocks<'b> {
    pub(crate) fn of(blocks: &'b dyn Blocks) -> Self {
        Self { blocks, cost: AtomicU64::new(0) }
    }

    /// Returns the number of bytes that were read. Each request adds a few bytes.
    pub(crate) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    fn count(&self, answer: &Result<Option<Block>, ReadError>) {
        let bytes = answer.as_ref().ok().and_then(Option::as_ref);
        let bytes = bytes.map_or(0, |block| block.bytes().len() as u64);
        self.cost.fetch_add(bytes + REQUEST_COST, Ordering::Relaxed);
    }
}

impl Blocks for CountedBlocks<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let answer = self.blocks.get(cid);
        self.count(&answer);
        answer
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.blocks.get_many(cids);
        answers.iter().for_each(|answer| self.count(answer));
        answers
    }

    fn batch(&self) -> usize {
        self.blocks.batch()
    }
}

/// The cost of a request, in bytes. A small block takes about as long as this many bytes of a large one.
const REQUEST_COST: u64 = 256;
