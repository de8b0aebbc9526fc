//! The caches of an open repository: tree nodes, commits, the last key and the last write.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commit_base::Base;
use pds_core::commit::Commit;
use pds_core::crypto::error::CryptoError;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_core::mst::cache::NodeCache;
use pds_store::ref_name::RefName;

/// Recently read or written parts of a store. Successive writes descend the same path of the tree, and most reads
/// share its upper levels.
#[derive(Debug)]
pub(crate) struct Caches {
    nodes: Arc<NodeCache>,
    /// Recently used commits, the latest at the front.
    commits: Mutex<VecDeque<Commit>>,
    /// The last key that was parsed, with its text.
    key: Mutex<Option<(String, PublicKey)>>,
    /// The state after the last write, and the ref of that write.
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

    /// Returns a commit, if it is in the cache.
    pub(crate) fn commit(&self, cid: Cid) -> Option<Commit> {
        let mut commits = self.commits();
        let at = commits.iter().position(|commit| commit.cid() == cid)?;
        if at > 0 {
            let commit = commits.remove(at)?;
            commits.push_front(commit);
        }
        commits.front().cloned()
    }

    /// Adds a stored commit to the cache.
    pub(crate) fn keep_commit(&self, commit: &Commit) {
        let mut commits = self.commits();
        if commits.iter().all(|known| known.cid() != commit.cid()) {
            commits.truncate(MAX_COMMITS - 1);
            commits.push_front(commit.clone());
        }
    }

    /// Parses a did:key. The result is cached, because it is usually the same key.
    pub(crate) fn key(&self, text: &str) -> Result<PublicKey, CryptoError> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.as_ref().filter(|(known, _)| known == text) {
            return Ok(key.clone());
        }
        let key = PublicKey::from_did_key(text)?;
        *known = Some((text.to_owned(), key.clone()));
        Ok(key)
    }

    /// Returns the state after the last write of a ref. Another process may have written since.
    pub(crate) fn base(&self, name: &RefName) -> Option<Base> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        base.as_ref().filter(|(found, _)| found == name).map(|(_, base)| base.clone())
    }

    /// Keeps the state after a write.
    pub(crate) fn keep_base(&self, name: &RefName, base: Base) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.clone(), base));
    }

    /// Removes the state after the last write.
    pub(crate) fn forget_base(&self) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Removes everything but the key, after a sweep that may have deleted cached blocks.
    pub(crate) fn clear(&self) {
        self.nodes.clear();
        self.forget_base();
        self.commits().clear();
    }

    fn commits(&self) -> MutexGuard<'_, VecDeque<Commit>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enough for all nodes of 100,000 records, or for all but the lowest level of a million.
const NODE_BYTES: usize = 64 * 1024 * 1024;

/// The number of cached commits: the head, its parent, and those of a few other refs.
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
