//! A store in memory that tells a test what is asked of it, at the moments at which somebody else may act.

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, ReadError};
use pds::repo::Repo;
use pds::store::{
    Applied, BlockStream, LogEntry, MemoryStore, Mended, RefEdit, RefName, Refs, Store, StoreError,
    Sweep, SweptBlocks, Visitor,
};

use super::did;

/// What a test wants to know, or to do meanwhile.
pub(super) trait Watch: Send + Sync {
    /// These blocks are being read.
    fn blocks(&self, _cids: &[Cid]) {}

    /// The refs have been read.
    fn refs(&self) {}

    /// Blocks are about to come in, and have been read from where they are.
    fn apply(&self, _store: &Arc<MemoryStore>) {}

    /// The log has been read.
    fn moves(&self) {}

    /// Blocks are about to leave; this may be what keeps them.
    fn sweep(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Watched<W> {
    pub(super) store: Arc<MemoryStore>,
    pub(super) watch: W,
}

/// Two handles on one repository with an empty first commit: what the first one does is watched.
pub(super) fn handles<W: Watch + Default + 'static>() -> (Arc<Watched<W>>, Repo, Repo) {
    let store = Arc::new(Watched::<W>::default());
    let key = SigningKey::generate(Curve::K256).unwrap();
    let with = |store: Arc<dyn Store>| {
        Repo::with(store, Arc::new(MemoryBlobs::default())).signing_with(key.clone())
    };
    let (repo, other) = (with(store.clone()), with(store.store.clone()));
    other.init(&did()).unwrap();
    (store, repo, other)
}

impl<W: Watch> Blocks for Watched<W> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.watch.blocks(&[*cid]);
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.watch.blocks(cids);
        self.store.get_many(cids)
    }
}

impl<W: Watch> Store for Watched<W> {
    fn refs(&self) -> Result<Refs, StoreError> {
        let refs = self.store.refs()?;
        self.watch.refs();
        Ok(refs)
    }

    fn apply(
        &self,
        blocks: &mut BlockStream<'_>,
        edits: &[RefEdit],
        note: &str,
    ) -> Result<Applied, StoreError> {
        let blocks: Vec<_> = blocks.collect();
        self.watch.apply(&self.store);
        self.store.apply(&mut blocks.into_iter(), edits, note)
    }

    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.store.log(name, limit)
    }

    fn moves(&self) -> Result<Vec<LogEntry>, StoreError> {
        let moves = self.store.moves()?;
        self.watch.moves();
        Ok(moves)
    }

    fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.watch.sweep()?;
        self.store.sweep(sweep)
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.store.compact()
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        self.store.block_count()
    }

    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.store.meta(key)
    }

    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.store.set_meta(key, value)
    }

    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        self.store.scan(visit)
    }

    fn mend(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Mended, StoreError> {
        self.store.mend(blocks, damaged)
    }
}
