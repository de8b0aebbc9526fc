//! Drafts that change nothing: their content must be stored and readable.

use crate::error::Result;
use crate::model::write::Draft;
use crate::parts::Parts;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, ReadError};
use pds_core::mst::tree::get;
use pds_store::error::StoreError;
use pds_store::store::View;
use pds_store::version::Version;

impl Parts {
    /// Checks that the content of a draft without changes is stored and readable. Damaged blocks of records
    /// and of the commit are stored again.
    pub(crate) fn check_unchanged(&self, draft: &Draft, present: &Commit) -> Result<()> {
        let view = self.unchanged_since(draft.seen)?;
        let damaged = damaged_blocks(view.as_ref(), draft.blocks.iter().cloned().map(Ok), present)?;
        // The nodes on the way to the records may come from the cache.
        for change in &draft.changes {
            get(view.as_ref(), draft.commit.data, &change.path.to_key())?;
        }
        drop(view);
        self.heal(&damaged)
    }

    /// Returns a view of the store, which must not have changed since a version.
    pub(crate) fn unchanged_since(&self, seen: Version) -> Result<Box<dyn View + '_>> {
        let view = self.store.view()?;
        match view.version().change == seen.change {
            true => Ok(view),
            false => Err(StoreError::Changed.into()),
        }
    }

    /// Replaces the damaged rows of some blocks.
    pub(crate) fn heal(&self, blocks: &[Block]) -> Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        let names: Vec<Vec<u8>> =
            blocks.iter().map(|block| block.cid().as_bytes().to_vec()).collect();
        let mut stream = blocks.iter().cloned().map(Ok);
        let cannot = || StoreError::Damaged("the store cannot replace damaged blocks".into());
        self.store.maintain().ok_or_else(cannot)?.replace(&mut stream, &names)?;
        Ok(())
    }
}

/// Returns the blocks that a view does not have, or has damaged. The commit may come from the cache, so it is looked up
/// as well.
pub(crate) fn damaged_blocks(
    view: &dyn View,
    blocks: impl Iterator<Item = Result<Block>>,
    present: &Commit,
) -> Result<Vec<Block>> {
    let mut damaged = Vec::new();
    for block in blocks.chain([Ok(present.block().clone())]) {
        let block = block?;
        match view.get(&block.cid()) {
            Ok(Some(_)) => {}
            Ok(None) | Err(ReadError::Damaged { .. }) => damaged.push(block),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(damaged)
}
