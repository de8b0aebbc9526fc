//! Long reads beside writers: what is deleted meanwhile is not damage.

use std::sync::Arc;

use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_store::refs::Refs;
use pds_store::store::{Store, Version};

/// The moment at which a long read begins: the refs, and the blocks as they are read afterwards.
pub(crate) struct Moment {
    pub(crate) version: Version,
    pub(crate) refs: Refs,
    pub(crate) blocks: Arc<Reading>,
}

/// The blocks of a store, for a read that is longer than a view may be held.
///
/// `gc` and `forget` may delete a state while it is being read. On a missing block the number of the last
/// sweep tells: if it is the one that the read began with, the block is missing; if not, the read fails
/// with [`ReadError::Swept`], and can be begun again.
pub(crate) struct Reading {
    store: Arc<dyn Store>,
    sweep: u64,
}

impl Reading {
    /// Reads a store from a version on.
    pub(crate) fn since(store: Arc<dyn Store>, version: Version) -> Self {
        Self { store, sweep: version.sweep }
    }

    /// Checks the answer to a question about one block.
    fn check(
        &self,
        cid: &Cid,
        answer: Result<Option<Block>, ReadError>,
    ) -> Result<Option<Block>, ReadError> {
        if !matches!(answer, Ok(None)) {
            return answer;
        }
        let version = self.store.view().map(|view| view.version());
        let version = version.map_err(|error| ReadError::backend(*cid, error))?;
        if version.sweep == self.sweep { answer } else { Err(ReadError::Swept { cid: *cid }) }
    }
}

impl Blocks for Reading {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.check(cid, self.store.get(cid))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.store.get_many(cids).into_iter().zip(cids);
        answers.map(|(answer, cid)| self.check(cid, answer)).collect()
    }

    fn batch(&self) -> usize {
        self.store.batch()
    }
}
