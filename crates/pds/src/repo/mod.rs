//! Repositories: the API people use.
//!
//! Vocabulary: a *repository* is a store, a blob store and perhaps a signer; its *head* is the
//! commit that the current ref names; a *snapshot* is the repository at one commit; a *draft* is a
//! commit that is still to be signed, with the blocks it brings.
//!
//! Reading goes from the store through blocks to the tree and the commit; writing goes from
//! [`Write`]s to a [`Draft`], which stores nothing, and with its signature into the store in one
//! step.

mod ahead;
mod ancestry;
mod blobs;
mod clock;
mod collect;
#[cfg(feature = "sqlite")]
mod directory;
mod error;
mod export;
mod forget;
mod gc;
mod history;
mod import;
#[cfg(feature = "sqlite")]
mod key_rotation;
mod keys;
mod mark;
mod merge;
mod moment;
mod prove;
mod record_history;
mod remembered;
pub mod repair;
mod revert;
mod revision;
mod snapshot;
mod three_way;
pub mod verify;
mod write;

use std::fmt;
use std::sync::Arc;

pub use self::ahead::Jobs;
pub use self::blobs::{BlobUse, MissingBlobs};
#[cfg(feature = "sqlite")]
pub use self::directory::{BLOB_DIRECTORY, KEY_FILE, STORE_FILE, clear_leftovers};
pub use self::error::{Error, Result};
pub use self::export::{ExportOptions, Exported, export_car, export_since, export_with};
pub use self::forget::{Forget, Forgotten};
pub use self::gc::{Keep, Swept};
pub use self::import::Imported;
#[cfg(feature = "sqlite")]
pub use self::key_rotation::{NEXT_KEY_FILE, UNUSED_KEY_FILES};
pub use self::merge::{How, MergeBase, MergeOptions, Merged};
pub use self::moment::Moment;
pub use self::prove::{Proof, ProofError, Proven, verify_proof};
pub use self::record_history::{RecordHistory, RecordVersion};
pub use self::revision::Revision;
pub use self::snapshot::{ListOptions, Record, RecordEntry, Snapshot};
pub use self::three_way::{Resolution, Side, Versions};
pub use self::write::{Draft, RecordChange, Write, WriteOptions, Written};

use self::clock::Clock;
use self::remembered::Remembered;
use crate::blob::BlobStore;
use crate::commit::{Commit, UnsignedCommit};
use crate::crypto::{PublicKey, Signer};
use crate::data::{Blocks, Cid, Codec, Sitting, Value};
use crate::mst::Tree;
use crate::store::{Expect, RefName, Store, StoreError};
use crate::syntax::{Did, Nsid, RecordPath, Tid};

/// A repository: a handle on one ref of a store, `HEAD` unless it is told otherwise.
///
/// Cloning makes another handle on the same repository.
///
/// ```
/// use pds::data::Value;
/// use pds::repo::Repo;
///
/// let dir = tempfile::tempdir()?;
/// let repo = Repo::create(&dir.path().join("alice"), &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?)?;
/// let path = "com.example.note/first".parse()?;
/// repo.put(&path, &Value::from([("text", Value::from("hello"))]))?;
/// let record = repo.find(&path)?.expect("it was just put");
/// assert_eq!(record.value()?.get("text"), Some(&Value::from("hello")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Repo {
    store: Arc<dyn Store>,
    remembered: Arc<Remembered>,
    blobs: Arc<dyn BlobStore>,
    signer: Option<Arc<dyn Signer>>,
    name: RefName,
    clock: Arc<Clock>,
    jobs: Jobs,
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("ref", &self.name).finish_non_exhaustive()
    }
}

impl Repo {
    /// Makes a repository of any store and blob store; without a signer it can be read only.
    #[must_use]
    pub fn with(store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>) -> Self {
        let (signer, name) = (None, RefName::head());
        let (remembered, clock) = (Arc::new(Remembered::new()), Arc::default());
        Self { store, remembered, blobs, signer, name, clock, jobs: Jobs::default() }
    }

    /// Returns the same repository with another signer.
    #[must_use]
    pub fn signing_with(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Returns the same repository with another number of threads for work on whole files.
    #[must_use]
    pub fn with_jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }

    /// Returns a handle on another ref of the same repository.
    #[must_use]
    pub fn on(&self, name: RefName) -> Self {
        Self { name, ..self.clone() }
    }

    /// Signs and stores the first commit of a ref: an empty tree. The first one of all says whose repository
    /// this is, and which key signs.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`]; [`Error::WrongKey`] and [`Error::WrongDid`] when the repository has another key or is
    /// another account's; [`Error::Store`] when the ref exists already, [`Error::RefLost`] when it is lost.
    pub fn init(&self, did: &Did) -> Result<Commit> {
        if let Some(found) = self.head()? {
            let (name, expected) = (self.name.clone(), Expect::Absent);
            return Err(StoreError::Moved { name, expected, found: Some(found) }.into());
        }
        let signer = self.known_signer()?;
        self.may_begin()?;
        let known = self.did()?;
        if let Some(expected) = known.clone().filter(|known| known != did) {
            return Err(Error::WrongDid { expected, found: did.clone() });
        }
        let empty = crate::data::Block::new(Codec::Cbor, crate::mst::EMPTY_NODE);
        let rev = self.clock.next(None).ok_or(Error::RevExhausted(empty.cid()))?;
        let unsigned = UnsignedCommit { did: did.clone(), data: empty.cid(), rev, prev: None };
        let commit = unsigned.sign(signer)?;
        self.move_to(&commit, [empty], Expect::Absent, "init")?;
        if known.is_none() {
            self.store.set_meta(META_DID, Some(did.as_str()))?;
            self.store.set_meta(META_KEY, Some(&signer.public_key().did_key()))?;
        }
        Ok(commit)
    }

    /// Returns the account; `None` before there is a commit.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn did(&self) -> Result<Option<Did>> {
        if let Some(did) = self.store.meta(META_DID)?
            && let Ok(did) = did.parse()
        {
            return Ok(Some(did));
        }
        let head = self.head()?.map(|head| self.commit_at(head)).transpose()?;
        Ok(head.map(|commit| commit.did().clone()))
    }

    /// Returns the key that commits of this repository are signed with, as far as it is known.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn public_key(&self) -> Result<Option<PublicKey>> {
        let of_signer = || self.signer.as_ref().map(|signer| signer.public_key());
        Ok(self.known_key()?.or_else(of_signer))
    }

    /// Remembers the key that commits are to be signed with, for a repository without a signer. Commits
    /// that are here already are still expected to be by the key that was known before, if one was.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read or written.
    pub fn remember_key(&self, key: &PublicKey) -> Result<()> {
        self.end_known_key(key)?;
        Ok(self.store.set_meta(META_KEY, Some(&key.did_key()))?)
    }

    /// Tells whether there is a key to sign with.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.signer.is_some()
    }

    /// Returns the name of the ref that this handle is on.
    #[must_use]
    pub fn ref_name(&self) -> &RefName {
        &self.name
    }

    /// Returns the store: every block, and all refs.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns the store as a source of blocks.
    #[must_use]
    pub fn blocks(&self) -> Arc<dyn Blocks> {
        self.store.clone()
    }

    /// Returns the blob store.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.blobs
    }

    /// Reads a record of the present state; `None` when there is none at this path.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::find`].
    pub fn find(&self, path: &RecordPath) -> Result<Option<Record>> {
        let _sitting = Sitting::begin(self.store.as_ref());
        self.snapshot()?.find(path)
    }

    /// Lists a collection of the present state, in key order.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::list`].
    pub fn list(&self, collection: &Nsid) -> Result<Vec<RecordEntry>> {
        self.snapshot()?.list(collection, &ListOptions::default()).collect()
    }

    /// Writes one record; returns the new commit, or the present one where nothing changes.
    ///
    /// A missing `$type` becomes the collection, another one is refused.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn put(&self, path: &RecordPath, value: &Value) -> Result<Written> {
        self.write(&[Write::put(path.clone(), value.clone())])
    }

    /// Writes one record that is DAG-CBOR already; the bytes are stored as they are.
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
    /// As [`write`](Self::write); [`Error::Conflict`] when there is none.
    pub fn delete(&self, path: &RecordPath) -> Result<Written> {
        self.write(&[Write::delete(path.clone())])
    }

    /// Returns the repository as it is at present.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_at(self.present()?)
    }

    /// Returns the repository as it was at a revision; moves nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is no such revision.
    pub fn checkout(&self, at: &Revision) -> Result<Snapshot> {
        self.snapshot_at(self.resolve(at)?)
    }

    /// Makes a TID that is greater than every rev of this repository and every TID made before.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn next_tid(&self) -> Result<Tid> {
        let head = self.head()?.map(|head| self.commit_at(head)).transpose()?;
        self.tid_after(head.as_ref())
    }

    fn tid_after(&self, head: Option<&Commit>) -> Result<Tid> {
        let exhausted = || Error::RevExhausted(head.map_or_else(empty_cid, Commit::cid));
        self.clock.next(head.and_then(Commit::rev)).ok_or_else(exhausted)
    }

    fn commit_at(&self, cid: Cid) -> Result<Commit> {
        if let Some(commit) = self.remembered.commit(cid) {
            return Ok(commit);
        }
        let commit = snapshot::read_commit(self.store.as_ref(), cid)?;
        self.remembered.keep_commit(&commit);
        Ok(commit)
    }

    /// Returns the repository at a commit, with the cache of this repository.
    fn snapshot_at(&self, commit: Cid) -> Result<Snapshot> {
        let snapshot = Snapshot::at(self.blocks(), self.commit_at(commit)?);
        Ok(snapshot.cached(self.remembered.nodes().clone()))
    }

    /// Returns the tree of a commit, with the cache of this repository.
    fn tree_of(&self, commit: &Commit) -> Tree<'_> {
        Tree::open(self.store.as_ref(), commit.data()).cached(self.remembered.nodes().as_ref())
    }
}

fn empty_cid() -> Cid {
    Cid::of(Codec::Cbor, &crate::mst::EMPTY_NODE)
}

/// Whose repository this is.
const META_DID: &str = "did";

/// The did:key that commits are signed with.
const META_KEY: &str = "key";
