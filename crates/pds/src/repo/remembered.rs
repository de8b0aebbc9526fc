//! The blocks of a store, with a memory of what they decode to.

use std::sync::{Arc, Mutex, PoisonError};

use crate::crypto::{CryptoError, PublicKey};
use crate::data::{Block, Blocks, Cid, Memo, ReadError};
use crate::store::Store;

/// A store as a place to read from that remembers the nodes of the tree and the commits it has given, and those
/// that an import or a write has made known: each write goes down the same path again, and most reads share its
/// upper part.
pub(super) struct Remembered {
    store: Arc<dyn Store>,
    memo: Memo,
    /// The key that was read last, and how it was written.
    key: Mutex<Option<(String, PublicKey)>>,
}

impl Remembered {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memo: Memo::new(MEMO_BYTES), key: Mutex::default() }
    }

    /// Reads a did:key, which mostly is the one that was read before.
    pub(super) fn key(&self, text: &str) -> Result<PublicKey, CryptoError> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.as_ref().filter(|(known, _)| known == text) {
            return Ok(key.clone());
        }
        let key = PublicKey::from_did_key(text)?;
        *known = Some((text.to_owned(), key.clone()));
        Ok(key)
    }

    /// Forgets what was read: some of it may have left the store.
    pub(super) fn clear(&self) {
        self.memo.clear();
    }
}

impl Blocks for Remembered {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.store.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.store.get_many(cids)
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }

    fn sit_down(&self) {
        self.store.sit_down();
    }

    fn rise(&self) {
        self.store.rise();
    }
}

/// All nodes of a repository of 100,000 records, and all but the lowest of one of a million.
const MEMO_BYTES: usize = 64 * 1024 * 1024;
