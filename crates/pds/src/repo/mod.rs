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
mod draft;
mod error;
mod export;
mod forget;
mod gc;
mod history;
mod import;
#[cfg(feature = "sqlite")]
mod key_rotation;
mod keys;
mod log_pages;
mod mark;
mod merge;
mod prove;
mod reading;
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
pub use self::draft::{Draft, RecordChange, Write, WriteOptions, Written};
pub use self::error::{Error, Result};
pub use self::export::{ExportOptions, Exported, export_car, export_since, export_with};
pub use self::forget::{Forget, Forgotten};
pub use self::gc::{Keep, Swept};
pub use self::import::Imported;
#[cfg(feature = "sqlite")]
pub use self::key_rotation::{NEXT_KEY_FILE, UNUSED_KEY_FILES};
pub use self::merge::{How, MergeBase, MergeOptions, Merged};
pub use self::prove::{Proof, ProofError, Proven, verify_proof};
pub use self::record_history::{RecordHistory, RecordVersion};
pub use self::revision::Revision;
pub use self::snapshot::{ListOptions, Record, RecordEntry, Snapshot};
pub use self::three_way::{Resolution, Side, Versions};

use self::clock::Clock;
use self::remembered::Remembered;
use crate::blob::BlobStore;
use crate::commit::{Commit, UnsignedCommit};
use crate::crypto::{PublicKey, Signer};
use crate::data::{Blocks, Cid, Codec, Value};
use crate::mst::{self, Tree};
use crate::store::{
    Event, Expect, Fact, FactEdit, FactKind, RefName, Store, StoreError, View, first_fact,
};
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
        self.until_unchanged(|| self.init_once(did))
    }

    fn init_once(&self, did: &Did) -> Result<Commit> {
        let view = self.store.view()?;
        if let Some(found) = view.refs()?.get(&self.name) {
            let (name, expected) = (self.name.clone(), Expect::Absent);
            return Err(StoreError::Moved { name, expected, found: Some(found) }.into());
        }
        let signer = self.signer_with(self.key_in(view.as_ref())?.as_ref())?;
        self.may_begin(view.as_ref())?;
        let known = self.did_in(view.as_ref())?;
        let (seen, key_since) = (view.version(), self.key_since(view.as_ref())?);
        drop(view);
        if let Some(expected) = known.clone().filter(|known| known != did) {
            return Err(Error::WrongDid { expected, found: did.clone() });
        }
        let empty = crate::data::Block::new(Codec::Cbor, mst::EMPTY_NODE);
        let rev = self.clock.next(key_since).ok_or(Error::RevExhausted(empty.cid()))?;
        let unsigned = UnsignedCommit { did: did.clone(), data: empty.cid(), rev, prev: None };
        let commit = unsigned.sign(signer)?;
        let mut facts = Vec::new();
        if known.is_none() {
            facts.push(FactEdit::Set(Fact::Account(did.clone())));
            facts.push(FactEdit::Set(Fact::Key((&signer.public_key()).into())));
        }
        let change = self.change_to(&commit, [empty], Expect::Absent, Event::Init);
        // Another handle may have begun, or changed the key.
        self.store.apply(change.facts(facts).unless_changed_since(seen))?;
        Ok(commit)
    }

    /// Returns the account; `None` before there is a commit.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn did(&self) -> Result<Option<Did>> {
        self.did_in(self.store.view()?.as_ref())
    }

    fn did_in(&self, view: &dyn View) -> Result<Option<Did>> {
        if let Some(Fact::Account(did)) = first_fact(view, FactKind::Account)? {
            return Ok(Some(did));
        }
        let head = view.refs()?.get(&self.name);
        let head = head.map(|head| self.commit_in(view, head)).transpose()?;
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
        let view = self.store.view()?;
        let commit = self.head_in(view.as_ref())?;
        let tree =
            Tree::open(view.as_ref(), commit.data()).cached(self.remembered.nodes().as_ref());
        let Some(cid) = tree.get(&path.to_key())? else { return Ok(None) };
        let missing = || Error::RecordMissing { path: path.to_string(), cid };
        let block = view.get(&cid)?.ok_or_else(missing)?;
        Ok(Some(Record { path: path.clone(), block }))
    }

    /// Lists a collection of the present state, in key order.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::list`].
    pub fn list(&self, collection: &Nsid) -> Result<Vec<RecordEntry>> {
        let view = self.store.view()?;
        let commit = self.head_in(view.as_ref())?;
        let bounds = snapshot::bounds(collection, &ListOptions::default());
        let range = mst::range(view.as_ref(), commit.data(), bounds);
        snapshot::entries(range.cached(self.remembered.nodes().as_ref())).collect()
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
        let view = self.store.view()?;
        let commit = self.head_in(view.as_ref())?;
        Ok(self.snapshot_of(commit, self.moment_of(view.as_ref())?.blocks))
    }

    /// Returns the repository as it was at a revision; moves nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is no such revision.
    pub fn checkout(&self, at: &Revision) -> Result<Snapshot> {
        let view = self.store.view()?;
        let commit = self.resolve_in(view.as_ref(), at)?;
        let commit = self.commit_in(view.as_ref(), commit)?;
        Ok(self.snapshot_of(commit, self.moment_of(view.as_ref())?.blocks))
    }

    /// Makes a TID that is greater than every rev of this repository and every TID made before.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn next_tid(&self) -> Result<Tid> {
        let view = self.store.view()?;
        let head = view.refs()?.get(&self.name);
        let head = head.map(|head| self.commit_in(view.as_ref(), head)).transpose()?;
        let key_since = self.key_since(view.as_ref())?;
        let rev = head.as_ref().and_then(Commit::rev).max(key_since);
        self.clock
            .next(rev)
            .ok_or_else(|| Error::RevExhausted(head.as_ref().map_or_else(empty_cid, Commit::cid)))
    }

    /// Makes a TID that is greater than another one, for a commit that follows a commit.
    fn tid_after(&self, rev: Option<Tid>, head: &Commit) -> Result<Tid> {
        self.clock.next(rev).ok_or_else(|| Error::RevExhausted(head.cid()))
    }

    fn commit_at(&self, cid: Cid) -> Result<Commit> {
        self.commit_in(self.store.as_ref(), cid)
    }

    /// Reads a commit from some blocks of this repository, unless it is one of the last that were read.
    fn commit_in(&self, blocks: &dyn Blocks, cid: Cid) -> Result<Commit> {
        if let Some(commit) = self.remembered.commit(cid) {
            return Ok(commit);
        }
        let commit = snapshot::read_commit(blocks, cid)?;
        self.remembered.keep_commit(&commit);
        Ok(commit)
    }

    /// Reads the commit that the current ref points to.
    fn head_in(&self, view: &dyn View) -> Result<Commit> {
        let head = self.present_in(view)?;
        self.commit_in(view, head)
    }

    /// Returns the repository at a commit, with the cache of this repository.
    fn snapshot_of(&self, commit: Commit, blocks: Arc<dyn Blocks>) -> Snapshot {
        Snapshot::at(blocks, commit).cached(self.remembered.nodes().clone())
    }

    /// Returns the tree of a commit, with the cache of this repository.
    fn tree_of<'b>(&'b self, commit: &Commit, blocks: &'b dyn Blocks) -> Tree<'b> {
        Tree::open(blocks, commit.data()).cached(self.remembered.nodes().as_ref())
    }
}

fn empty_cid() -> Cid {
    Cid::of(Codec::Cbor, &mst::EMPTY_NODE)
}
