//! A repository handle: reads and writes of records, and access to all other verbs.
//!
//! A [`Repo`] is a handle on one ref of a store. The other verbs are grouped in handles:
//! [`history`](Repo::history), [`keys`](Repo::keys), [`transfer`](Repo::transfer), [`merge`](Repo::merge),
//! [`retain`](Repo::retain) and [`verify`](Repo::verify).

use std::io::Read;
use std::sync::Arc;

use crate::clock::{Clock, ClockReading};
use crate::error::{Error, Result};
use crate::history::handle::History;
use crate::keys::handle::Keys;
use crate::merge::handle::Merge;
use crate::model::revision::Revision;
use crate::parts::Parts;
use crate::retain::handle::Retain;
use crate::signer_slot::SignerSlot;
#[cfg(feature = "sqlite")]
use crate::signer_slot::SignerSource;
use crate::snapshot::{ListOptions, Record, RecordEntry, Snapshot};
use crate::transfer::handle::Transfer;
use crate::verify::handle::Verify;
use crate::{facts, snapshot};
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::crypto::public_key::PublicKey;
use pds_core::crypto::signer::Signer;
use pds_core::data::blob_ref::BlobRef;
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::node::EMPTY_NODE;
use pds_core::mst::range::range;
use pds_core::syntax::did::Did;
use pds_core::syntax::nsid::Nsid;
use pds_core::syntax::record_path::RecordPath;
use pds_store::blob::store::{BlobStore, OpenBlob};
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit};
use pds_store::ref_name::RefName;
use pds_store::refs::Expect;
use pds_store::store::Store;

/// A repository: a handle on one ref of a store, by default on `HEAD`.
///
/// A clone is another handle on the same repository.
///
/// ```
/// use pds::data::Value;
/// use pds::Repo;
///
/// let dir = tempfile::tempdir()?;
/// let repo = Repo::create(dir.path().join("alice"), &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?)?;
/// let path = "com.example.note/first".parse()?;
/// repo.put(&path, &Value::from([("text", Value::from("hello"))]))?;
/// let record = repo.find(&path)?.expect("it was just put");
/// assert_eq!(record.value()?.get("text"), Some(&Value::from("hello")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repo {
    pub(crate) parts: Parts,
}

impl Repo {
    /// Makes a repository from a store and a blob store. It is read-only until it gets a signer.
    #[must_use]
    pub fn with(store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>) -> Self {
        Self { parts: Parts::new(store, blobs) }
    }

    /// Returns the same repository with another signer.
    #[must_use]
    pub fn signing_with(mut self, signer: impl Signer + 'static) -> Self {
        self.parts.signer = Some(Arc::new(SignerSlot::fixed(Arc::new(signer))));
        self
    }

    /// Returns the same repository, with a place from which a signer is read again after a key change.
    #[cfg(feature = "sqlite")]
    pub(crate) fn renewing_signer(mut self, source: Box<SignerSource>) -> Self {
        if let Some(slot) = &self.parts.signer {
            self.parts.signer = Some(Arc::new(SignerSlot::from_source(slot.get(), source)));
        }
        self
    }

    /// Returns the same repository with another clock: a function that returns the microseconds since 1970.
    ///
    /// The revs of commits come from this clock. The times of log entries come from the store.
    #[must_use]
    pub fn with_clock(mut self, now_micros: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.parts.clock = Arc::new(Clock::reading(now_micros));
        self
    }

    /// Returns the same repository without the check of the clock. It also imports commits with revs in the future.
    ///
    /// With the check, a write fails with [`Error::Clock`] if the clock is more than a day behind the newest log entry
    /// or the rev of the present commit, or more than 400 days ahead of both.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// let path = "com.example.note/a".parse()?;
    /// // The clock shows the year 2001.
    /// let late = repo.with_clock(|| 1_000_000_000_000_000);
    /// assert!(matches!(late.put(&path, &note), Err(pds::Error::Clock(_))));
    /// late.accepting_clock().put(&path, &note)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn accepting_clock(mut self) -> Self {
        self.parts.accepts_clock = true;
        self
    }

    /// Compares the clock with the newest log entry and the rev of the present commit.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn clock(&self) -> Result<ClockReading> {
        let view = self.parts.store.view()?;
        let head = view.refs()?.get(&self.parts.name);
        // An unreadable commit is reported by the verb that needs it.
        let head = head.and_then(|head| self.parts.commit_in(view.as_ref(), head).ok());
        let after = head.and_then(|head| head.rev()).max(facts::key_since(view.as_ref())?);
        Ok(ClockReading::of(self.parts.clock.now_micros(), facts::logged(view.as_ref())?, after))
    }

    /// Returns a handle on another ref of the same repository.
    #[must_use]
    pub fn on(&self, name: RefName) -> Self {
        Self { parts: self.parts.on(name) }
    }

    /// Signs and stores the first commit of a ref, which has an empty tree. The first commit of a store
    /// records the account and the key.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`]; [`Error::WrongKey`] and [`Error::WrongDid`] if the repository has another key or
    /// belongs to another account; [`Error::Store`] if the ref already exists, and [`Error::RefLost`] if it is
    /// missing.
    pub fn init(&self, did: &Did) -> Result<Commit> {
        self.parts.until_unchanged(|| self.init_once(did))
    }

    fn init_once(&self, did: &Did) -> Result<Commit> {
        let view = self.parts.store.view()?;
        if let Some(found) = view.refs()?.get(&self.parts.name) {
            let (name, expected) = (self.parts.name.clone(), Expect::Absent);
            return Err(StoreError::Moved { name, expected, found: Some(found) }.into());
        }
        let signer = self.parts.signer_with(self.parts.key_in(view.as_ref())?.as_ref())?;
        self.parts.may_begin(view.as_ref())?;
        let known = self.parts.did_in(view.as_ref())?;
        let (seen, key_since) = (view.version(), facts::key_since(view.as_ref())?);
        let logged = facts::logged(view.as_ref())?;
        drop(view);
        if let Some(expected) = known.clone().filter(|known| known != did) {
            return Err(Error::WrongDid { expected, found: did.clone() });
        }
        let empty = Block::new(Codec::Cbor, EMPTY_NODE);
        let rev = self.parts.next_rev(key_since, logged, empty.cid())?;
        let unsigned = UnsignedCommit { did: did.clone(), data: empty.cid(), rev, prev: None };
        let commit = unsigned.sign(signer.as_ref())?;
        let mut facts = Vec::new();
        if known.is_none() {
            facts.push(FactEdit::Set(Fact::Account(did.clone())));
            facts.push(FactEdit::Set(Fact::Key((&signer.public_key()).into())));
        }
        let change = self.parts.change_to(&commit, [empty], Expect::Absent, Event::Init);
        // Another handle may have written the first commit, or changed the key.
        self.parts.store.apply(change.facts(facts).unless_changed_since(seen))?;
        Ok(commit)
    }

    /// Returns the account, or `None` before the first commit.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store cannot be read.
    pub fn did(&self) -> Result<Option<Did>> {
        self.parts.did_in(self.parts.store.view()?.as_ref())
    }

    /// Returns the key that commits are signed with: the key that the store records, or else the key of the
    /// signer.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store cannot be read.
    pub fn public_key(&self) -> Result<Option<PublicKey>> {
        self.parts.public_key()
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// Returns the blob store.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.parts.blobs
    }

    /// Returns the commit that the ref of this handle points to. `None` before the first commit, and if the
    /// ref is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn head(&self) -> Result<Option<Cid>> {
        self.get_ref(&self.parts.name)
    }

    /// Returns the commit that a ref points to.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn get_ref(&self, name: &RefName) -> Result<Option<Cid>> {
        self.parts.get_ref(name)
    }

    /// Reads a record of the present state. Returns `None` if the record does not exist.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::find`].
    pub fn find(&self, path: &RecordPath) -> Result<Option<Record>> {
        let view = self.parts.store.view()?;
        let commit = self.parts.head_in(view.as_ref())?;
        let Some(cid) = self.parts.tree_of(&commit, view.as_ref()).get(&path.to_key())? else {
            return Ok(None);
        };
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
        let view = self.parts.store.view()?;
        let commit = self.parts.head_in(view.as_ref())?;
        let bounds = snapshot::bounds(collection, &ListOptions::default());
        let range = range(view.as_ref(), commit.data(), bounds);
        snapshot::entries(range.cached(self.parts.caches.nodes().as_ref())).collect()
    }

    /// Returns the repository at its present commit.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.parts.snapshot()
    }

    /// Returns the repository at a revision. Moves no ref.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if the revision names no commit.
    pub fn checkout(&self, at: &Revision) -> Result<Snapshot> {
        self.history().checkout(at)
    }

    /// Stores a blob. Returns the reference to put into a record.
    ///
    /// # Errors
    ///
    /// [`Error::Blob`].
    pub fn put_blob(&self, media_type: &str, data: &mut dyn Read) -> Result<BlobRef> {
        let info = self.parts.blobs.put(data)?;
        let mime_type = media_type.to_owned();
        Ok(BlobRef { cid: info.cid, mime_type, size_bytes: Some(info.size_bytes) })
    }

    /// Opens a blob. Returns `None` if it is not stored.
    ///
    /// # Errors
    ///
    /// [`Error::Blob`].
    pub fn blob(&self, cid: &Cid) -> Result<Option<OpenBlob>> {
        Ok(self.parts.blobs.open(cid)?)
    }

    /// Returns the verbs on refs, the log and past states.
    #[must_use]
    pub fn history(&self) -> History<'_> {
        History::new(&self.parts)
    }

    /// Returns the verbs on signing keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(&self.parts)
    }

    /// Returns the verbs that delete states, blocks and blobs.
    #[must_use]
    pub fn retain(&self) -> Retain<'_> {
        Retain::new(&self.parts)
    }

    /// Returns the verbs on CAR files.
    #[must_use]
    pub fn transfer(&self) -> Transfer<'_> {
        Transfer::new(&self.parts)
    }

    /// Returns the verbs that merge and revert.
    #[must_use]
    pub fn merge(&self) -> Merge<'_> {
        Merge::new(&self.parts)
    }

    /// Returns the verbs that verify.
    #[must_use]
    pub fn verify(&self) -> Verify<'_> {
        Verify::new(&self.parts)
    }
}
