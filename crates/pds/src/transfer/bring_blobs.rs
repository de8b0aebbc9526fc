//! Copies of blobs from another repository.

use std::ops::ControlFlow;

use crate::error::Result;
use pds_core::data::cid::Cid;
use pds_store::blob::error::BlobError;
use pds_store::blob::store::BlobStore;

/// The result of copying blobs from another repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedBlobs {
    /// The number of blobs that were copied.
    pub copied: u64,
    /// Blobs of the other repository that are damaged or cannot be read. They were not copied.
    pub damaged: Vec<Cid>,
}

/// Copies all blobs of another store, except some.
pub(crate) fn copy_all_blobs(
    to: &dyn BlobStore,
    from: &dyn BlobStore,
    is_left_out: &dyn Fn(&Cid) -> bool,
) -> Result<CopiedBlobs> {
    let (mut result, mut failed) = (CopiedBlobs::default(), None);
    from.list(&mut |info| {
        if is_left_out(&info.cid) {
            return ControlFlow::Continue(());
        }
        match result.add(to, from, &info.cid) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(result), Err)
}

impl CopiedBlobs {
    /// Copies a blob, if the other store has it.
    fn add(&mut self, to: &dyn BlobStore, from: &dyn BlobStore, cid: &Cid) -> Result<()> {
        let is_of_source = |error: &BlobError| match error {
            BlobError::Source(_) => true,
            BlobError::Io { path, .. } => from.file(cid).as_ref() == Some(path),
            BlobError::Backend(_) | _ => false,
        };
        match to.copy(cid, from) {
            Ok(found) => self.copied += u64::from(found.is_some()),
            Err(error) if is_of_source(&error) => self.damaged.push(*cid),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
