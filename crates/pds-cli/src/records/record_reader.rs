//! The records of a state with their bytes, read in batches.

use std::collections::VecDeque;

use anyhow::Result;
use pds::data::{Block, Cid, ReadError, get_some};
use pds::syntax::{Nsid, RecordPath};
use pds::{ListOptions, RecordEntry, Snapshot};

use crate::failures::partial::Gaps;

/// Reads the records of a state in key order, in as few round trips as the source needs.
pub(crate) struct RecordReader<'s> {
    snapshot: &'s Snapshot,
    entries: Box<dyn Iterator<Item = pds::Result<RecordEntry>> + 's>,
    /// The entries whose records are not read, or not returned yet.
    waiting: VecDeque<RecordEntry>,
    /// The records of the first of these entries.
    found: VecDeque<Result<Option<Block>, ReadError>>,
}

/// A record, or the reason why it cannot be read.
pub(crate) struct ReadRecord {
    pub(crate) path: RecordPath,
    pub(crate) cid: Cid,
    pub(crate) block: Result<Block, &'static str>,
}

impl<'s> RecordReader<'s> {
    /// Starts to read some collections, which are in key order, or all of them if the list is empty.
    pub(crate) fn new(snapshot: &'s Snapshot, collections: Vec<Nsid>) -> Self {
        let entries: Box<dyn Iterator<Item = _>> = match collections.is_empty() {
            true => Box::new(snapshot.records()),
            false => {
                let list = |name: Nsid| snapshot.list(&name, &ListOptions::default());
                Box::new(collections.into_iter().flat_map(list))
            }
        };
        Self { snapshot, entries, waiting: VecDeque::new(), found: VecDeque::new() }
    }

    /// Returns the next record, or `None` at the end. Missing parts of the tree are named and skipped.
    pub(crate) fn next_record(&mut self, gaps: &mut Gaps) -> Result<Option<ReadRecord>> {
        if self.found.is_empty() {
            self.read_on(gaps)?;
        }
        let (Some(RecordEntry { path, cid }), Some(found)) =
            (self.waiting.pop_front(), self.found.pop_front())
        else {
            return Ok(None);
        };
        let block = match found {
            Ok(found) => found.ok_or("is missing"),
            Err(ReadError::Damaged { .. }) => Err("is damaged"),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(ReadRecord { path, cid, block }))
    }

    /// Reads the next records together.
    fn read_on(&mut self, gaps: &mut Gaps) -> Result<()> {
        let blocks = self.snapshot.blocks();
        while self.waiting.len() < blocks.batch()
            && let Some(entry) = self.entries.next()
        {
            self.waiting.extend(gaps.pass(entry)?);
        }
        let cids: Vec<Cid> = self.waiting.iter().map(|entry| entry.cid).collect();
        self.found.extend(get_some(blocks, &cids));
        Ok(())
    }
}
