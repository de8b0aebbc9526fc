//! The parts of an open repository, and the short reads at the start of every verb.

use std::fmt;
use std::sync::Arc;

use crate::caches::Caches;
use crate::clock::{Clock, ClockReading, ClockVerdict};
use crate::error::{Error, Result};
use crate::model::revision_error::RevisionError;
use crate::reading::{Moment, Reading};
use crate::signer_slot::SignerSlot;
use crate::snapshot::Snapshot;
use crate::{facts, snapshot};
use pds_core::commit::Commit;
use pds_core::crypto::did_key::DidKey;
use pds_core::crypto::public_key::PublicKey;
use pds_core::crypto::signer::Signer;
use pds_core::data::block::Blocks;
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::node::EMPTY_NODE;
use pds_core::mst::tree::Tree;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use pds_store::blob::store::BlobStore;
use pds_store::error::StoreError;
use pds_store::fact::{Fact, FactKind};
use pds_store::ref_name::RefName;
use pds_store::store::{Store, View, first_fact, lacks_refs, latest_rows};

/// The parts of an open repository. The handles borrow them; a clone is another handle on the same
/// repository.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) signer: Option<Arc<SignerSlot>>,
    /// The ref that this handle reads and moves.
    pub(crate) name: RefName,
    pub(crate) clock: Arc<Clock>,
    /// Whether commits are signed without a check of the clock, and revs in the future are accepted.
    pub(crate) accepts_clock: bool,
    pub(crate) caches: Arc<Caches>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("ref", &self.name).finish_non_exhaustive()
    }
}

impl Parts {
    /// Makes a handle on `HEAD` that cannot sign.
    pub(crate) fn new(store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>) -> Self {
        let (signer, name) = (None, RefName::head());
        let (caches, clock) = (Arc::new(Caches::new()), Arc::default());
        Self { store, blobs, signer, name, clock, accepts_clock: false, caches }
    }

    /// Returns a handle on another ref.
    pub(crate) fn on(&self, name: RefName) -> Self {
        Self { name, ..self.clone() }
    }

    /// Returns the account, or `None` before the first commit.
    pub(crate) fn did_in(&self, view: &dyn View) -> Result<Option<Did>> {
        if let Some(did) = facts::account(view)? {
            return Ok(Some(did));
        }
        let head = view.refs()?.get(&self.name);
        let head = head.map(|head| self.commit_in(view, head)).transpose()?;
        Ok(head.map(|commit| commit.did().clone()))
    }

    /// Returns the account, or `None` if the commit that names it cannot be read.
    pub(crate) fn known_did(&self) -> Result<Option<Did>> {
        match self.did_in(self.store.view()?.as_ref()) {
            Err(error) if error.is_corrupt() || error.is_not_found() => Ok(None),
            did => did,
        }
    }

    /// Returns the key that the store records.
    pub(crate) fn key_in(&self, view: &dyn View) -> Result<Option<PublicKey>> {
        match first_fact(view, FactKind::Key)? {
            Some(Fact::Key(key)) => Ok(Some(self.read_key(&key)?)),
            _ => Ok(None),
        }
    }

    /// Decodes a key that the store records.
    pub(crate) fn read_key(&self, key: &DidKey) -> Result<PublicKey> {
        self.caches.key(key.as_str()).map_err(|error| {
            StoreError::Damaged(format!("a recorded key cannot be read: {error}").into()).into()
        })
    }

    /// Returns the key of the signer, if there is one.
    pub(crate) fn signer_key(&self) -> Option<PublicKey> {
        self.signer.as_ref().map(|signer| signer.get().public_key())
    }

    /// Returns the key that commits are signed with: the key that the store records, or else the signer's.
    pub(crate) fn public_key(&self) -> Result<Option<PublicKey>> {
        Ok(self.key_in(self.store.view()?.as_ref())?.or_else(|| self.signer_key()))
    }

    /// Returns the signer, if it has the key that the store records. If not, another process may have changed the key,
    /// so the signer is read again.
    ///
    /// If the store records yet another key by then, the state that the caller has read is out of date:
    /// [`StoreError::Changed`].
    pub(crate) fn signer_with(&self, known: Option<&PublicKey>) -> Result<Arc<dyn Signer>> {
        let slot = self.signer.as_ref().ok_or(Error::NoSigner)?;
        let is_known = |signer: &Arc<dyn Signer>| known.is_none_or(|k| *k == signer.public_key());
        let signer = slot.get();
        let signer = if is_known(&signer) { signer } else { slot.renew()? };
        match known {
            Some(expected) if !is_known(&signer) => {
                if self.key_in(self.store.view()?.as_ref())?.as_ref() != known {
                    return Err(StoreError::Changed.into());
                }
                let expected = Box::new(expected.clone());
                Err(Error::WrongKey { expected, found: Box::new(signer.public_key()) })
            }
            _ => Ok(signer),
        }
    }

    /// Checks that the clock is near the newest time that the repository knows: the time of the newest log entry, and
    /// the rev that the next commit has to exceed.
    pub(crate) fn check_clock(&self, after: Option<Tid>, logged: Option<u64>) -> Result<()> {
        let reading = ClockReading::of(self.clock.now_micros(), logged, after);
        match reading.verdict() {
            ClockVerdict::Behind | ClockVerdict::Ahead if !self.accepts_clock => {
                Err(Error::Clock(reading))
            }
            _ => Ok(()),
        }
    }

    /// Makes the rev of a commit that is about to be signed, after a check of the clock. `base` names the commit or the
    /// tree that it is made on.
    pub(crate) fn next_rev(
        &self,
        after: Option<Tid>,
        logged: Option<u64>,
        base: Cid,
    ) -> Result<Tid> {
        self.check_clock(after, logged)?;
        self.clock.next(after).ok_or(Error::RevExhausted(base))
    }

    /// Reads a commit from the store.
    pub(crate) fn commit_at(&self, cid: Cid) -> Result<Commit> {
        self.commit_in(self.store.as_ref(), cid)
    }

    /// Returns a commit from the cache, or else reads it from some blocks of this repository.
    pub(crate) fn commit_in(&self, blocks: &dyn Blocks, cid: Cid) -> Result<Commit> {
        if let Some(commit) = self.caches.commit(cid) {
            return Ok(commit);
        }
        let commit = snapshot::read_commit(blocks, cid)?;
        self.caches.keep_commit(&commit);
        Ok(commit)
    }

    /// Returns the commit that the ref points to.
    pub(crate) fn present_in(&self, view: &dyn View) -> Result<Cid> {
        view.refs()?.get(&self.name).map_or_else(|| Err(self.absent(view)?), Ok)
    }

    /// Returns the commit that a ref points to.
    pub(crate) fn get_ref(&self, name: &RefName) -> Result<Option<Cid>> {
        Ok(self.store.view()?.refs()?.get(name))
    }

    /// Reads the commit that the ref points to.
    pub(crate) fn head_in(&self, view: &dyn View) -> Result<Commit> {
        let head = self.present_in(view)?;
        self.commit_in(view, head)
    }

    /// Returns the repository at a commit, with the cache of this repository.
    pub(crate) fn snapshot_of(&self, commit: Commit, blocks: Arc<dyn Blocks>) -> Snapshot {
        Snapshot::at(blocks, commit).cached(self.caches.nodes().clone())
    }

    /// Returns the tree of a commit, with the cache of this repository.
    pub(crate) fn tree_of<'b>(&'b self, commit: &Commit, blocks: &'b dyn Blocks) -> Tree<'b> {
        Tree::open(blocks, commit.data()).cached(self.caches.nodes().as_ref())
    }

    /// Returns the repository at its present commit.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let view = self.store.view()?;
        let commit = self.head_in(view.as_ref())?;
        Ok(self.snapshot_of(commit, self.moment_of(view.as_ref())?.blocks))
    }

    /// Begins a long read: the refs of this moment, and the blocks as they are read later.
    pub(crate) fn moment(&self) -> Result<Moment> {
        self.moment_of(self.store.view()?.as_ref())
    }

    /// Begins a long read at the moment of a view.
    pub(crate) fn moment_of(&self, view: &dyn View) -> Result<Moment> {
        let (version, refs) = (view.version(), view.refs()?);
        let blocks = Arc::new(Reading::since(self.store.clone(), version));
        Ok(Moment { version, refs, blocks })
    }

    /// Begins a long read of blocks.
    pub(crate) fn reading(&self) -> Result<Arc<Reading>> {
        let version = self.store.view()?.version();
        Ok(Arc::new(Reading::since(self.store.clone(), version)))
    }

    /// Returns the error for a ref without a commit: it never existed, or it is missing.
    pub(crate) fn absent(&self, view: &dyn View) -> Result<Error> {
        let name = self.name.clone();
        let newest = latest_rows(view, &self.name, 1)?.pop().map(|row| row.after);
        let is_lost = match newest {
            Some(after) => after.is_some(),
            None => name == RefName::head() && self.has_blocks(view)? && lacks_refs(view)?,
        };
        Ok(match newest.flatten() {
            target if is_lost => Error::RefLost { name, target },
            _ => Error::NoCommit(name),
        })
    }

    /// Returns whether the store has had blocks since the moment of a view. Another writer may have stored those that
    /// are counted later.
    fn has_blocks(&self, view: &dyn View) -> Result<bool> {
        let Some(maintain) = self.store.maintain() else { return Ok(false) };
        Ok(maintain.block_count()? > 0 && self.store.view()?.version() == view.version())
    }

    /// Checks that the first commit of the ref may be written: the ref is not missing.
    pub(crate) fn may_begin(&self, view: &dyn View) -> Result<()> {
        check_name(&self.name)?;
        match self.absent(view)? {
            lost @ Error::RefLost { .. } => Err(lost),
            _ => Ok(()),
        }
    }
}

/// Refuses names of refs that are also the text of a commit or a rev.
pub(crate) fn check_name(name: &RefName) -> Result<()> {
    let text = name.as_str();
    if text.parse::<Cid>().is_ok() || text.parse::<Tid>().is_ok() {
        return Err(RevisionError::new(text, "a ref name must not be a CID or a rev").into());
    }
    Ok(())
}

/// Returns the CID of the tree without keys.
pub(crate) fn empty_cid() -> Cid {
    Cid::of(Codec::Cbor, &EMPTY_NODE)
}
