//! The blocks of a store, with a memory of what they decode to.

use std::sync::Arc;

use crate::data::{Block, Blocks, Cid, Memo, ReadError};
use crate::store::Store;

/// A store as a place to read from that remembers the nodes of the tree and the commits it has given:
/// each write goes down the same path again, and most reads share its upper part.
pub(super) struct Remembered {
    store: Arc<dyn Store>,
    memo: Memo,
}

impl Remembered {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memo: Memo::new(MEMO_BYTES) }
    }
}

impl Blocks for Remembered {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        self.store.get_many(cids)
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }
}

/// All nodes of a repository of 100,000 records, and all but the lowest of one of a million.
const MEMO_BYTES: usize = 64 * 1024 * 1024;
