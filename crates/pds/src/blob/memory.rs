//! Blobs in memory.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{BlobError, BlobInfo, BlobStore, stream};
use crate::data::Cid;

/// Blobs in memory, for tests and for repositories that are not kept.
///
/// ```
/// use pds::blob::{BlobStore, MemoryBlobs};
///
/// let blobs = MemoryBlobs::default();
/// let info = blobs.put(&mut &b"hello"[..])?;
/// assert_eq!(info.size_bytes, 5);
/// # Ok::<(), pds::blob::BlobError>(())
/// ```
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
}

impl BlobStore for MemoryBlobs {
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError> {
        let mut bytes = Vec::new();
        let (cid, size_bytes) = stream::copy_hashing(data, &mut bytes, BlobError::Source)?;
        let info = BlobInfo { cid, size_bytes, stored_at_micros: now() };
        let mut blobs = self.blobs();
        let kept = blobs.entry(cid).or_insert_with(|| Kept { info, bytes: bytes.into() });
        kept.info = info;
        Ok(info)
    }

    fn open(&self, cid: &Cid) -> Result<Option<Box<dyn Read + Send>>, BlobError> {
        let found = self.blobs().get(cid).map(|kept| kept.bytes.clone());
        Ok(found.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>))
    }

    fn info(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        Ok(self.blobs().get(cid).map(|kept| kept.info))
    }

    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        Ok(self.blobs().get_mut(cid).map(|kept| {
            kept.info.stored_at_micros = now();
            kept.info
        }))
    }

    fn list(&self) -> Result<Vec<BlobInfo>, BlobError> {
        Ok(self.blobs().values().map(|kept| kept.info).collect())
    }

    fn delete(&self, cid: &Cid) -> Result<(), BlobError> {
        self.blobs().remove(cid);
        Ok(())
    }

    fn sweep(
        &self,
        stored_before_micros: u64,
        keep: &dyn Fn(&Cid) -> bool,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let mut swept = Vec::new();
        self.blobs().retain(|cid, kept| {
            let stays = kept.info.stored_at_micros >= stored_before_micros || keep(cid);
            if !stays {
                swept.push(kept.info);
            }
            stays
        });
        Ok(swept)
    }
}

fn now() -> u64 {
    super::directory::micros(std::time::SystemTime::now())
}
