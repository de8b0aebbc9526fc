//! A store that counts the blocks that are read from it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pds::data::{Block, Blocks, Cid, ReadError};
use pds::store::{
    Applied, Change, Fact, FactKind, LogEntry, LogQuery, Maintain, Refs, Store, StoreError, Sweep,
    SweptBlocks, Version, View,
};

/// A store, and the number of blocks that were requested from it.
pub(crate) struct Counted {
    store: Arc<dyn Store>,
    read: AtomicU64,
}

impl Counted {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, read: AtomicU64::new(0) }
    }

    pub(crate) fn blocks_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Blocks for Counted {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.store.get_many(cids);
        self.read.fetch_add(answers.len() as u64, Ordering::Relaxed);
        answers
    }

    fn batch(&self) -> usize {
        self.store.batch()
    }
}

impl Store for Counted {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(CountedView { view: self.store.view()?, read: &self.read }))
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        self.store.apply(change)
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.store.collect(sweep)
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        self.store.maintain()
    }
}

struct CountedView<'s> {
    view: Box<dyn View + 's>,
    read: &'s AtomicU64,
}

impl Blocks for CountedView<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.view.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.view.get_many(cids);
        self.read.fetch_add(answers.len() as u64, Ordering::Relaxed);
        answers
    }
}

impl View for CountedView<'_> {
    fn version(&self) -> Version {
        self.view.version()
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        self.view.refs()
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.view.log(query, each)
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.view.facts(kind, each)
    }
}
