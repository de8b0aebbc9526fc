//! Long reads during concurrent writes. They distinguish deleted states from damage.

use std::sync::Arc;

use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_store::refs::Refs;
use pds_store::store::Store;
use pds_store::version::Version;

/// The start of a long read: the version and refs of one view, and a reader of the blocks.
pub(crate) struct Moment {
    pub(crate) version: Version,
    pub(crate) refs: Refs,
    pub(crate) blocks: Arc<Reading>,
}

/// The blocks of a store, for reads that take longer than a view may be held.
///
/// `gc` and `forget` may delete a state while it is being read. The number of the last sweep distinguishes that
/// from damage. If the number has changed when a block is missing, the read fails with [`ReadError::Swept`] and
/// can be repeated.
#[derive(Clone)]
pub(crate) struct Reading {
    store: Arc<dyn Store>,
    sweep: u64,
}

impl Reading {
    /// Starts a read at a version of a store.
    pub(crate) fn since(store: Arc<dyn Store>, version: Version) -> Self {
        Self { store, sweep: version.sweep }
    }

    /// Checks the result of reading a block: if it is missing, a sweep may be the reason.
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
