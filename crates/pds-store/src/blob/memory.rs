//! A blob store in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blob::error::BlobError;
use crate::blob::hashing;
use crate::blob::store::{BlobInfo, BlobStore, BlobSweep, OpenBlob};
use pds_core::data::cid::Cid;

/// A blob store in memory, for tests and temporary repositories.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<Cid, Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    info: BlobInfo,
    bytes: Arc<[u8]>,
}

impl MemoryBlobs {
    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Cid, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a copy, so that no lock is held while a caller uses it.
    fn infos(&self) -> Vec<BlobInfo> {
        self.blobs().values().map(|kept| kept.info).collect()
    }

    fn remove_if(&self, cid: Cid, goes: impl Fn(&BlobInfo) -> bool) -> Option<BlobInfo> {
        match self.blobs().entry(cid) {
            Entry::Occupied(kept) if goes(&kept.get().info) => Some(kept.remove().info),
            _ => None,
        }
    }
}

impl BlobStore for MemoryBlobs {
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError> {
        let mut bytes = Vec::new();
        let (cid, size_bytes) = hashing::copy_hashing(data, &mut bytes, BlobError::Source)?;
        let info = BlobInfo { cid, size_bytes, stored_at_micros: now() };
        let mut blobs = self.blobs();
        let kept = blobs.entry(cid).or_insert_with(|| Kept { info, bytes: bytes.into() });
        kept.info = info;
        Ok(info)
    }

    fn open(&self, cid: &Cid) -> Result<Option<OpenBlob>, BlobError> {
        let found = self.blobs().get(cid).cloned();
        Ok(found.map(|kept| OpenBlob::new(kept.info, Cursor::new(kept.bytes))))
    }

    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        Ok(self.blobs().get_mut(cid).map(|kept| {
            kept.info.stored_at_micros = now();
            kept.info
        }))
    }

    fn list(&self, each: &mut dyn FnMut(BlobInfo) -> ControlFlow<()>) -> Result<(), BlobError> {
        let _ = self.infos().into_iter().try_for_each(each);
        Ok(())
    }

    fn sweep(&self, sweep: BlobSweep<'_>) -> Result<Vec<BlobInfo>, BlobError> {
        Ok(match sweep {
            BlobSweep::Listed(cids) => {
                cids.iter().filter_map(|cid| self.remove_if(*cid, |_| true)).collect()
            }
            BlobSweep::StoredBefore { micros, keep } => {
                let is_old = |info: &BlobInfo| info.stored_at_micros < micros;
                let goes = |info: &BlobInfo| is_old(info) && !keep(&info.cid);
                let old = self.infos().into_iter().filter(goes);
                // The blob may have become young since then.
                old.filter_map(|info| self.remove_if(info.cid, is_old)).collect()
            }
        })
    }
}

fn now() -> u64 {
    crate::blob::directory::micros(std::time::SystemTime::now())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_becomes_young_during_a_sweep_stays() {
        let blobs = MemoryBlobs::default();
        let info = blobs.put(&mut &b"hello"[..]).unwrap();
        let micros = info.stored_at_micros + 1;
        let renew = |cid: &Cid| {
            while blobs.renew(cid).unwrap().unwrap().stored_at_micros < micros {}
            false
        };
        assert!(blobs.sweep(BlobSweep::StoredBefore { micros, keep: &renew }).unwrap().is_empty());
        assert!(blobs.open(&info.cid).unwrap().is_some());
    }
}
