//! The caches of an open repository: tree nodes, commits and the key that was read last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::Base;
use pds_core::commit::Commit;
use pds_core::crypto::error::CryptoError;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_core::mst::cache::NodeCache;
use pds_store::ref_name::RefName;

/// The parts of a store that were read or written before. Each write goes down the same path of the tree again, and
/// most reads share its upper part.
#[derive(Debug)]
pub(crate) struct Caches {
    nodes: Arc<NodeCache>,
    /// The commits that were used last, the latest at the front.
    commits: Mutex<VecDeque<Commit>>,
    /// The key that was read last, with its text.
    key: Mutex<Option<(String, PublicKey)>>,
    /// The state that the last write has left, and its ref.
    base: Mutex<Option<(RefName, Base)>>,
}

impl Caches {
    /// Makes empty caches.
    pub(crate) fn new() -> Self {
        let nodes = Arc::new(NodeCache::new(NODE_BYTES));
        Self { nodes, commits: Mutex::default(), key: Mutex::default(), base: Mutex::default() }
    }

    /// Returns the cache of tree nodes.
    pub(crate) fn nodes(&self) -> &Arc<NodeCache> {
        &self.nodes
    }

    /// Returns a commit, if it is one of the last that were used.
    pub(crate) fn commit(&self, cid: Cid) -> Option<Commit> {
        let mut commits = self.commits();
        let at = commits.iter().position(|commit| commit.cid() == cid)?;
        if at > 0 {
            let commit = commits.remove(at)?;
            commits.push_front(commit);
        }
        commits.front().cloned()
    }

    /// Keeps a commit that is in the store.
    pub(crate) fn keep_commit(&self, commit: &Commit) {
        let mut commits = self.commits();
        if commits.iter().all(|known| known.cid() != commit.cid()) {
            commits.truncate(MAX_COMMITS - 1);
            commits.push_front(commit.clone());
        }
    }

    /// Reads a did:key. Usually it is the key that was read last.
    pub(crate) fn key(&self, text: &str) -> Result<PublicKey, CryptoError> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.as_ref().filter(|(known, _)| known == text) {
            return Ok(key.clone());
        }
        let key = PublicKey::from_did_key(text)?;
        *known = Some((text.to_owned(), key.clone()));
        Ok(key)
    }

    /// Returns the state that the last write of a ref has left. Another process may have written since.
    pub(crate) fn base(&self, name: &RefName) -> Option<Base> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        base.as_ref().filter(|(found, _)| found == name).map(|(_, base)| base.clone())
    }

    /// Keeps the state that a write has left.
    pub(crate) fn keep_base(&self, name: &RefName, base: Base) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.clone(), base));
    }

    /// Forgets the state that the last write has left.
    pub(crate) fn forget_base(&self) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Removes nodes and commits: some of them may be deleted from the store.
    pub(crate) fn clear(&self) {
        self.nodes.clear();
        self.forget_base();
        self.commits().clear();
    }

    fn commits(&self) -> MutexGuard<'_, VecDeque<Commit>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All nodes of a repository of 100,000 records, and all but the lowest level of one of a million.
const NODE_BYTES: usize = 64 * 1024 * 1024;

/// The number of commits that are kept: the head, its parent, and those of a few other refs.
const MAX_COMMITS: usize = 8;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::commit::UnsignedCommit;
    use pds_core::crypto::curve::Curve;
    use pds_core::crypto::signing_key::SigningKey;
    use pds_core::data::cid::Codec;
    use pds_core::syntax::tid::Tid;

    #[test]
    fn the_commits_that_were_used_last_are_kept() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        let commit = |n: u64| {
            let did = "did:web:example.com".parse().unwrap();
            let data = Cid::of(Codec::Cbor, &n.to_be_bytes());
            let rev = Tid::new(n, 0).unwrap();
            UnsignedCommit { did, data, rev, prev: None }.sign(&key).unwrap()
        };
        let commits: Vec<Commit> = (1..=20).map(commit).collect();
        let remembered = Caches::new();
        for commit in &commits {
            remembered.keep_commit(commit);
            remembered.keep_commit(commit);
            let first = remembered.commit(commits[0].cid()).unwrap();
            assert_eq!(first.cid(), commits[0].cid(), "used all the time");
        }
        let kept = commits.iter().filter(|commit| remembered.commit(commit.cid()).is_some());
        assert_eq!(kept.count(), MAX_COMMITS);
        remembered.clear();
        assert!(commits.iter().all(|commit| remembered.commit(commit.cid()).is_none()));
    }
}
