//! The blocks that an export has written, so that none is written twice.

use crate::cid_set::CidSet;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::spool::errors::temporary;
use crate::spool::sorter::Sorter;
use pds_core::data::cid::Cid;
use pds_core::mst::walk::{Step, walk};

/// The blocks that an export has written, in bounded memory.
///
/// Few blocks are held as they are. If a tree has more records, its entries are read once more: their CIDs are sorted in
/// a temporary file, and only the records that the tree names more than once are held. Others cannot come again.
pub(super) struct WrittenBlocks {
    written: CidSet,
    /// The records that the tree names more than once. `None` as long as all written blocks are held.
    shared: Option<CidSet>,
    pub(super) limit: usize,
}

impl Default for WrittenBlocks {
    fn default() -> Self {
        Self { written: CidSet::default(), shared: None, limit: MAX_HELD }
    }
}

impl WrittenBlocks {
    /// Adds a block. Returns whether it was not written before.
    pub(super) fn insert(&mut self, cid: &Cid) -> bool {
        match &self.shared {
            Some(shared) if !shared.contains(cid) => true,
            _ => self.written.insert(cid),
        }
    }

    /// Returns whether more blocks are held than the limit.
    pub(super) fn is_full(&self) -> bool {
        self.shared.is_none() && self.written.len() > self.limit
    }

    /// Drops the records that the tree names once. From now on, only records of this tree are distinguished.
    #[cold]
    pub(super) fn keep_shared(&mut self, snapshot: &Snapshot) -> Result<()> {
        let (before, mut shared) = (std::mem::take(&mut self.written), CidSet::default());
        let mut cids = Sorter::default();
        for step in walk(snapshot.blocks(), snapshot.commit().data()) {
            if let Step::Entry { value, .. } = step? {
                cids.push(value.as_bytes()).map_err(temporary)?;
            }
        }
        let cids = cids.finish().map_err(temporary)?;
        let (mut rows, mut last) = (cids.merge().map_err(temporary)?, None);
        while rows.advance().map_err(temporary)? {
            let cid = Cid::from_bytes(rows.row()).ok();
            if let Some(cid) = cid.filter(|_| cid == last)
                && shared.insert(&cid)
                && before.contains(&cid)
            {
                self.written.insert(&cid);
            }
            last = cid;
        }
        self.shared = Some(shared);
        Ok(())
    }
}

/// The most blocks that are held as they are. They take about two megabytes.
const MAX_HELD: usize = 110_000;
