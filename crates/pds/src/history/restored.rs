//! The commit of a tree that a repair has restored.

use crate::error::Result;
use crate::facts;
use crate::history::handle::History;
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use pds_store::event::Event;
use pds_store::refs::Expect;

/// A restored tree, which replaces that of a damaged state.
#[derive(Clone, Debug)]
pub struct RestoredTree {
    /// The account.
    pub did: Did,
    /// The root of the tree.
    pub root: Cid,
    /// The blocks of the tree that are not stored.
    pub blocks: Vec<Block>,
    /// The `prev` of the new commit.
    pub prev: Option<Cid>,
    /// A rev that the rev of the new commit must exceed.
    pub after: Option<Tid>,
    /// The commit that the ref points to at present.
    pub present: Option<Cid>,
}

impl History<'_> {
    /// Signs a restored tree, and points the ref to the new commit.
    ///
    /// # Errors
    ///
    /// [`NoSigner`](crate::Error::NoSigner), [`WrongKey`](crate::Error::WrongKey), [`Store`](crate::Error::Store) if
    /// the ref has moved, [`RevExhausted`](crate::Error::RevExhausted) if there is no greater rev, and
    /// [`Clock`](crate::Error::Clock) as in [`Repo::write`](crate::Repo::write).
    pub fn restore(&self, tree: &RestoredTree) -> Result<Commit> {
        let parts = self.parts;
        let expect = tree.present.map_or(Expect::Absent, Expect::Exactly);
        parts.until_unchanged(|| {
            let view = parts.store.view()?;
            let (key, since) = (parts.key_in(view.as_ref())?, facts::key_since(view.as_ref())?);
            let (version, logged) = (view.version(), facts::logged(view.as_ref())?);
            drop(view);
            let base = tree.prev.unwrap_or(tree.root);
            let rev = parts.next_rev(tree.after.max(since), logged, base)?;
            let (did, data, prev) = (tree.did.clone(), tree.root, tree.prev);
            let unsigned = UnsignedCommit { did, data, rev, prev };
            let commit = unsigned.sign(parts.signer_with(key.as_ref())?.as_ref())?;
            let blocks = tree.blocks.iter().cloned();
            let change = parts.change_to(&commit, blocks, expect, Event::Repair);
            parts.store.apply(change.unless_changed_since(version))?;
            parts.caches.forget_base();
            Ok(commit)
        })
    }
}
