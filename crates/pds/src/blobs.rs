//! The blobs of a repository, and the records that refer to them.

use crate::error::{Error, Result};
use crate::model::progress::{Progress, StepKind};
use crate::snapshot::{RecordEntry, Snapshot};
use pds_core::data::blob_ref::BlobRef;
use pds_core::data::block::ReadError;
use pds_core::data::record_check::blobs_in;
use pds_core::syntax::record_path::RecordPath;
use pds_store::blob::store::BlobStore;

/// A reference from a record to a blob.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::data::{BlobRef, Cid, Codec, Value};
/// use pds::{Write, WriteOptions};
///
/// let (cid, mime_type) = (Cid::of(Codec::Raw, b"absent"), "image/png".to_owned());
/// let blob = BlobRef { cid, mime_type, size_bytes: Some(6) };
/// let value = Value::from([("image", blob.to_value())]);
/// let options = WriteOptions::default().allow_missing_blobs(true);
/// repo.write(pds::Batch::new(&[Write::put("com.example.picture/a".parse()?, value)]).with(options.clone()))?;
/// assert_eq!(repo.verify().missing_blobs()?.missing[0].blob, blob);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobUse {
    /// The record.
    pub path: RecordPath,
    /// The reference to the blob.
    pub blob: BlobRef,
}

/// References to blobs that are not stored, and records that cannot be searched for references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingBlobs {
    /// References to blobs that are not stored, in the order of the records.
    pub missing: Vec<BlobUse>,
    /// Records that are missing or damaged, or cannot be decoded. Their references are unknown.
    pub unreadable: Vec<RecordPath>,
}

impl Snapshot {
    /// Finds the references to blobs that a blob store does not have.
    ///
    /// # Errors
    ///
    /// [`Error`] if the tree or the blob store cannot be read.
    pub fn missing_blobs(&self, blobs: &dyn BlobStore) -> Result<MissingBlobs> {
        self.missing_blobs_reporting(blobs, Progress::default(), &mut Err)
    }

    /// Finds missing blobs as [`missing_blobs`](Self::missing_blobs) does, and continues after damage. `unread`
    /// is called for each unreadable part of the tree, and may end the search with an error. `progress` is called for
    /// each record.
    ///
    /// # Errors
    ///
    /// The error that `unread` returns; [`Error`] if the blob store cannot be read.
    pub fn missing_blobs_reporting(
        &self,
        blobs: &dyn BlobStore,
        progress: Progress<'_>,
        unread: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<MissingBlobs> {
        let mut found = MissingBlobs::default();
        self.each_blob_reporting(progress, unread, &mut |path, blob| {
            match blob {
                None => found.unreadable.push(path.clone()),
                Some(blob) if blobs.open(&blob.cid)?.is_none() => {
                    found.missing.push(BlobUse { path: path.clone(), blob });
                }
                Some(_) => {}
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Calls `call` with every blob reference in key order, and with `None` for each record that is missing
    /// or damaged, or cannot be decoded.
    ///
    /// # Errors
    ///
    /// [`Error`] if the tree cannot be read, and the error that `call` returns.
    pub fn each_blob(
        &self,
        call: &mut dyn FnMut(&RecordPath, Option<BlobRef>) -> Result<()>,
    ) -> Result<()> {
        self.each_blob_reporting(Progress::default(), &mut Err, call)
    }

    pub(crate) fn each_blob_reporting(
        &self,
        progress: Progress<'_>,
        unread: &mut dyn FnMut(Error) -> Result<()>,
        call: &mut dyn FnMut(&RecordPath, Option<BlobRef>) -> Result<()>,
    ) -> Result<()> {
        for entry in self.records() {
            progress.one(StepKind::Records);
            let RecordEntry { path, cid } = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    unread(error)?;
                    continue;
                }
            };
            let block = match self.blocks().get(&cid) {
                Ok(block) => block,
                Err(ReadError::Damaged { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            match block.and_then(|block| blobs_in(block.bytes()).ok()) {
                None => call(&path, None)?,
                Some(blobs) => {
                    for blob in blobs {
                        call(&path, Some(blob))?;
                    }
                }
            }
        }
        Ok(())
    }
}
