//! The rows of changes: those that a store is asked to write.

use std::sync::{Mutex, PoisonError};

use pds::data::{Block, Blocks, Cid, ReadError};
use pds::store::{
    Applied, Change, MemoryStore, RefEdit, Store, StoreError, Sweep, SweptBlocks, View,
};

/// The rows of one change that moves a ref.
pub(crate) struct Rows {
    /// The blocks, by batches as the store in PostgreSQL makes them: at most 2,000, sorted by name.
    pub(crate) batches: Vec<Columns>,
    pub(crate) after: Vec<u8>,
    pub(crate) event: &'static str,
}

/// The names of blocks, and their bytes.
type Columns = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// A store in memory that keeps the rows of each change.
#[derive(Default)]
pub(crate) struct Recorder {
    store: MemoryStore,
    rows: Mutex<Vec<Rows>>,
}

impl Recorder {
    /// Returns the rows since the last call.
    pub(crate) fn take(&self) -> Vec<Rows> {
        std::mem::take(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, blocks: &[Block], change: &Change<'_>) {
        let Some(RefEdit { target: Some(after), .. }) = change.refs.first() else { return };
        let of_batch = |batch: &[Block]| {
            let mut batch: Vec<&Block> = batch.iter().collect();
            batch.sort_unstable_by_key(|block| block.cid());
            let row = |block: &Block| (block.cid().as_bytes().to_vec(), block.bytes().to_vec());
            batch.into_iter().map(row).unzip()
        };
        let batches = blocks.chunks(BATCH).map(of_batch).collect();
        let rows = Rows { batches, after: after.as_bytes().to_vec(), event: change.event.word() };
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
    }
}

impl Blocks for Recorder {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.store.get_many(cids)
    }
}

impl Store for Recorder {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        self.store.view()
    }

    fn apply(&self, mut change: Change<'_>) -> Result<Applied, StoreError> {
        let blocks = change.blocks.by_ref().collect::<Result<Vec<Block>, _>>();
        let blocks = blocks.map_err(StoreError::Blocks)?;
        self.note(&blocks, &change);
        change.blocks = Box::new(blocks.into_iter().map(Ok));
        self.store.apply(change)
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.store.collect(sweep)
    }
}

/// The number of blocks of a batch.
const BATCH: usize = 2_000;
