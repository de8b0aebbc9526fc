//! The blobs of a repository, and the records that refer to them.

use std::io::Read;

use super::{Error, RecordEntry, Repo, Result, Snapshot};
use crate::blob::{BlobStore, OpenBlob};
use crate::data::{BlobRef, Cid, ReadError, Value};
use crate::syntax::RecordPath;

/// A reference from a record to a blob.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::data::{BlobRef, Cid, Codec, Value};
/// use pds::repo::{Write, WriteOptions};
///
/// let (cid, mime_type) = (Cid::of(Codec::Raw, b"absent"), "image/png".to_owned());
/// let blob = BlobRef { cid, mime_type, size_bytes: Some(6) };
/// let value = Value::from([("image", blob.to_value())]);
/// let options = WriteOptions { allow_missing_blobs: true, ..WriteOptions::default() };
/// repo.write_with(&[Write::put("com.example.picture/a".parse()?, value)], &options)?;
/// assert_eq!(repo.missing_blobs()?.missing[0].blob, blob);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobUse {
    /// Which record.
    pub path: RecordPath,
    /// What it says about the blob.
    pub blob: BlobRef,
}

/// Which blobs are referred to and not here, and which records could not be asked.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let found = repo.missing_blobs()?;
/// assert!(found.missing.is_empty() && found.unreadable.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingBlobs {
    /// References to blobs that are not here, in the order of the records.
    pub missing: Vec<BlobUse>,
    /// Records that are missing or damaged, or cannot be decoded: what they refer to is not known.
    pub unreadable: Vec<RecordPath>,
}

impl Repo {
    /// Stores a blob and returns the reference for records.
    ///
    /// The media type is not checked here: a record whose reference has an empty one is refused.
    /// [`sniff`](crate::blob::sniff) guesses the media type of a file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// use pds::data::Value;
    ///
    /// let blob = repo.put_blob("text/plain", &mut &b"hello"[..])?;
    /// assert_eq!((blob.mime_type.as_str(), blob.size_bytes), ("text/plain", Some(5)));
    /// let record = Value::from([("file", blob.to_value())]);
    /// repo.put(&"com.example.file/a".parse()?, &record)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Blob`].
    pub fn put_blob(&self, media_type: &str, data: &mut dyn Read) -> Result<BlobRef> {
        let info = self.blobs.put(data)?;
        let mime_type = media_type.to_owned();
        Ok(BlobRef { cid: info.cid, mime_type, size_bytes: Some(info.size_bytes) })
    }

    /// Opens a blob; `None` if it is not stored. The reader fails at its end if the bytes are damaged.
    ///
    /// # Errors
    ///
    /// [`Error::Blob`].
    pub fn blob(&self, cid: &Cid) -> Result<Option<OpenBlob>> {
        Ok(self.blobs.open(cid)?)
    }

    /// Finds the blobs that records of the present state refer to and that are not here.
    ///
    /// # Errors
    ///
    /// [`Error`] when the tree, a record or the blob store cannot be read.
    pub fn missing_blobs(&self) -> Result<MissingBlobs> {
        self.snapshot()?.missing_blobs(self.blobs.as_ref())
    }
}

impl Snapshot {
    /// Finds the blobs that records refer to and that are not in a blob store.
    ///
    /// # Errors
    ///
    /// [`Error`] when the tree or the blob store cannot be read.
    pub fn missing_blobs(&self, blobs: &dyn BlobStore) -> Result<MissingBlobs> {
        self.missing_blobs_reporting(blobs, &mut Err)
    }

    /// As [`missing_blobs`](Self::missing_blobs); a part of the tree that cannot be read is reported to the
    /// call, which passes it over or ends the search.
    ///
    /// # Errors
    ///
    /// What the call returns; [`Error`] when the blob store cannot be read.
    pub fn missing_blobs_reporting(
        &self,
        blobs: &dyn BlobStore,
        unread: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<MissingBlobs> {
        let mut found = MissingBlobs::default();
        self.each_blob_reporting(unread, &mut |path, blob| {
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

    /// Calls back with every blob reference in key order, and with `None` for each record that is missing
    /// or damaged, or cannot be decoded.
    ///
    /// # Errors
    ///
    /// [`Error`] when the tree cannot be read, or what the call returns.
    pub fn each_blob(
        &self,
        call: &mut dyn FnMut(&RecordPath, Option<BlobRef>) -> Result<()>,
    ) -> Result<()> {
        self.each_blob_reporting(&mut Err, call)
    }

    pub(super) fn each_blob_reporting(
        &self,
        unread: &mut dyn FnMut(Error) -> Result<()>,
        call: &mut dyn FnMut(&RecordPath, Option<BlobRef>) -> Result<()>,
    ) -> Result<()> {
        for entry in self.records() {
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
            match block.and_then(|block| Value::decode(block.bytes()).ok()) {
                None => call(&path, None)?,
                Some(value) => {
                    for blob in value.blobs() {
                        call(&path, Some(blob))?;
                    }
                }
            }
        }
        Ok(())
    }
}
