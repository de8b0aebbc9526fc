//! A store of your own: it passes everything on to another store, and publishes each acknowledged move of a ref.
#![allow(clippy::print_stdout)]

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, ReadError};
use pds::store::{
    Applied, Change, MemoryStore, RefEdit, Store, StoreError, Sweep, SweptBlocks, View,
};
use pds::{Repo, Value};

/// A store that tells a channel about every edit of a ref.
struct Published<S> {
    store: S,
    edits: Mutex<Sender<RefEdit>>,
}

impl<S: Store> Blocks for Published<S> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.store.get_many(cids)
    }
}

impl<S: Store> Store for Published<S> {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        self.store.view()
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        let edits = change.refs.clone();
        let applied = self.store.apply(change)?;
        // Only a change that was acknowledged is published.
        if let Ok(channel) = self.edits.lock() {
            edits.into_iter().for_each(|edit| drop(channel.send(edit)));
        }
        Ok(applied)
    }

    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.store.collect(sweep)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Every store must pass `pds::store::conformance` (feature `testing`). The suite gets an
    // empty store for each test.
    #[cfg(feature = "testing")]
    pds::store::conformance::check(&|| {
        let edits = Mutex::new(channel().0);
        Box::new(Published { store: MemoryStore::default(), edits })
    });

    let (sender, receiver) = channel();
    let store = Published { store: MemoryStore::default(), edits: Mutex::new(sender) };
    let repo = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()))
        .signing_with(SigningKey::generate(Curve::K256)?);
    repo.init(&"did:web:alice.example.com".parse()?)?;
    let note = Value::from([("text", Value::from("hello"))]);
    repo.put(&"com.example.note/first".parse()?, &note)?;

    let moved: Vec<Option<Cid>> = receiver.try_iter().map(|edit| edit.target).collect();
    assert_eq!((moved.len(), moved.last()), (2, Some(&repo.head()?)));
    moved.iter().flatten().for_each(|commit| println!("HEAD moved to {commit}"));
    Ok(())
}
