//! The sources of the blocks that arrive with a commit.

use crate::error::Result;
use crate::model::jobs::Jobs;
use crate::transfer::earlier::commits_in;
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_store::store::View;

/// The blocks that arrive with a commit.
pub(crate) trait Arriving: Blocks {
    /// Returns whether a block is checked and stored even if the present state has it in the same place: the stored one
    /// may be damaged.
    fn replaces(&self, cid: &Cid) -> bool;

    /// Checks the blocks that the tree does not reach.
    fn check_rest(&self) -> Result<()>;

    /// Returns the commits that arrive with the root and that no log row names.
    fn commits(&self, view: &dyn View) -> Result<Vec<Commit>>;

    /// Returns the number of threads that are worth their start.
    fn worth(&self, jobs: Jobs) -> Jobs;
}

impl<F: ReadAt> Arriving for TrackedFile<'_, F> {
    fn replaces(&self, cid: &Cid) -> bool {
        self.has(cid)
    }

    fn check_rest(&self) -> Result<()> {
        self.read_rest()
    }

    fn commits(&self, view: &dyn View) -> Result<Vec<Commit>> {
        commits_in(self.car, self, view)
    }

    fn worth(&self, jobs: Jobs) -> Jobs {
        jobs.for_bytes(self.car.bytes())
    }
}

/// The blocks of one commit. Those that the present state has in the same place are not read.
pub(crate) struct OneState<'a>(pub(crate) &'a dyn Blocks);

impl Blocks for OneState<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.0.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.0.get_many(cids)
    }

    fn batch(&self) -> usize {
        self.0.batch()
    }
}

impl Arriving for OneState<'_> {
    fn replaces(&self, _: &Cid) -> bool {
        false
    }

    fn check_rest(&self) -> Result<()> {
        Ok(())
    }

    fn commits(&self, _: &dyn View) -> Result<Vec<Commit>> {
        Ok(Vec::new())
    }

    fn worth(&self, jobs: Jobs) -> Jobs {
        jobs
    }
}
