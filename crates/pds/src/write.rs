//! The writing verbs of a repository: from writes to a signed commit.

use crate::error::Result;
use crate::model::write::{Batch, Draft, Write, Written};
use crate::repo::Repo;
use crate::spool::batch::SpooledBatch;
use pds_core::commit::Commit;
use pds_core::crypto::signature::Signature;
use pds_core::data::value::Value;
use pds_core::syntax::record_path::RecordPath;

impl Repo {
    /// Writes one record. Returns the new commit, or the present one if nothing changes.
    ///
    /// A missing `$type` becomes the collection; a `$type` other than the collection is refused.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn put(&self, path: &RecordPath, value: &Value) -> Result<Written> {
        self.write(&[Write::put(path.clone(), value.clone())])
    }

    /// Writes one record from its DAG-CBOR. The bytes are stored unchanged.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn put_bytes(&self, path: &RecordPath, bytes: &[u8]) -> Result<Written> {
        self.write(&[Write::put_bytes(path.clone(), bytes)])
    }

    /// Deletes one record.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); [`Error::Conflict`](crate::Error::Conflict) if the record does not exist.
    pub fn delete(&self, path: &RecordPath) -> Result<Written> {
        self.write(&[Write::delete(path.clone())])
    }

    /// Makes all writes in one signed commit, or none.
    ///
    /// The writes take effect in their order, so one record may be written several times. The commit has the last
    /// state of each record, and a record that was created and deleted leaves nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::NoCommit`](crate::Error::NoCommit) before the first commit, and
    ///   [`Error::RefLost`](crate::Error::RefLost) if the ref is lost.
    /// - [`Error::NoSigner`](crate::Error::NoSigner), and [`Error::WrongKey`](crate::Error::WrongKey) if the
    ///   signer does not have the key of this repository.
    /// - [`Error::Conflict`](crate::Error::Conflict) if a record is not in the state that its write expects.
    /// - [`Error::Record`](crate::Error::Record), [`Error::BlobMissing`](crate::Error::BlobMissing) and
    ///   [`Error::BlobSize`](crate::Error::BlobSize) if a write is invalid.
    /// - [`Error::Clock`](crate::Error::Clock) if the clock is far from the newest time that the repository knows.
    /// - [`Error::Store`](crate::Error::Store) if the head is not the expected commit.
    pub fn write<'w>(&self, writes: impl Into<Batch<'w>>) -> Result<Written> {
        let Batch { writes, options } = writes.into();
        self.parts.write(writes, &options)
    }

    /// Computes the commit of some writes, and stores nothing.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn draft<'w>(&self, writes: impl Into<Batch<'w>>) -> Result<Draft> {
        let Batch { writes, options } = writes.into();
        self.parts.draft(writes, &options)
    }

    /// Stores a draft with a signature that was made elsewhere. A draft without changes is dropped, and the
    /// present commit is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`](crate::Error::Crypto) if the signature is not by the key of this repository;
    /// [`Error::Store`](crate::Error::Store) if the head has moved or the key has changed since the draft was made.
    pub fn commit(&self, draft: Draft, signature: Signature) -> Result<Commit> {
        self.parts.commit(draft, signature)
    }
}

impl<'r> SpooledBatch<'r> {
    /// Starts a batch on a repository.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`](crate::Error::NoCommit) before the first commit, and
    /// [`Error::RefLost`](crate::Error::RefLost) if the ref is lost.
    pub fn on(repo: &'r Repo) -> Result<Self> {
        Self::new(&repo.parts)
    }
}
