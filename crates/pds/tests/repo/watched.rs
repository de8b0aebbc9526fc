//! A store that notifies a test of each operation, at the moments at which another process may act.

use std::ops::ControlFlow;
use std::sync::Arc;

use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, ReadError};
use pds::store::{
    Applied, Change, Fact, FactKind, LogEntry, LogQuery, Maintain, MemoryStore, Refs, SqliteStore,
    Store, StoreError, Sweep, SweptBlocks, Version, View,
};

use super::did;

/// The notifications. A test overrides the ones that it needs.
pub(super) trait Watch: Send + Sync {
    /// A view has begun.
    fn view(&self) {}

    /// These blocks are being read.
    fn blocks(&self, _cids: &[Cid]) {}

    /// The refs have been read.
    fn refs(&self) {}

    /// The log has been read.
    fn log(&self) {}

    /// Facts have been read.
    fn facts(&self) {}

    /// A change is about to be applied, and its blocks have been read. An error prevents the change.
    fn apply(&self, _store: &Arc<dyn Store>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Blocks have been deleted.
    fn collected(&self) {}

    /// Blocks are about to be deleted. An error prevents that.
    fn collect(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

pub(super) struct Watched<W> {
    pub(super) store: Arc<dyn Store>,
    pub(super) watch: W,
}

impl<W: Default> Default for Watched<W> {
    fn default() -> Self {
        Self { store: Arc::new(MemoryStore::default()), watch: W::default() }
    }
}

/// Returns an empty store of each kind, and the directory of the store in a file.
pub(super) fn each_store() -> (tempfile::TempDir, [Arc<dyn Store>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let in_file = SqliteStore::create(dir.path().join("pds.db")).unwrap();
    (dir, [Arc::new(MemoryStore::default()), Arc::new(in_file)])
}

/// Returns two handles to one repository with an empty first commit. The operations of the first handle are watched.
pub(super) fn handles<W: Watch + Default + 'static>() -> (Arc<Watched<W>>, Repo, Repo) {
    handles_on(Watched::<W>::default().store)
}

/// As [`handles`], but with the given store.
pub(super) fn handles_on<W: Watch + Default + 'static>(
    store: Arc<dyn Store>,
) -> (Arc<Watched<W>>, Repo, Repo) {
    let store = Arc::new(Watched { store, watch: W::default() });
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
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        let view = self.store.view()?;
        self.watch.view();
        Ok(Box::new(WatchedView { view, watch: &self.watch }))
    }

    fn apply(&self, mut change: Change<'_>) -> Result<Applied, StoreError> {
        let blocks: Vec<_> = change.blocks.collect();
        change.blocks = Box::new(blocks.into_iter());
        self.watch.apply(&self.store)?;
        self.store.apply(change)
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.watch.collect()?;
        let swept = self.store.collect(sweep)?;
        self.watch.collected();
        Ok(swept)
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        self.store.maintain()
    }
}

struct WatchedView<'s, W> {
    view: Box<dyn View + 's>,
    watch: &'s W,
}

impl<W: Watch> Blocks for WatchedView<'_, W> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.watch.blocks(&[*cid]);
        self.view.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.watch.blocks(cids);
        self.view.get_many(cids)
    }
}

impl<W: Watch> View for WatchedView<'_, W> {
    fn version(&self) -> Version {
        self.view.version()
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        let refs = self.view.refs()?;
        self.watch.refs();
        Ok(refs)
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.view.log(query, each)?;
        self.watch.log();
        Ok(())
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.view.facts(kind, each)?;
        self.watch.facts();
        Ok(())
    }
}
