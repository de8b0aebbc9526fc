//! The steps of a write: from writes to a draft, and from a signed draft to a stored commit.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::commit_base::Base;
use crate::error::{Error, Result};
use crate::facts;
use crate::model::progress::{Progress, StepKind};
use crate::model::write::{Draft, RecordChange, Target, Write, WriteOptions, Written};
use crate::parts::Parts;
use crate::reading::Reading;
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::crypto::signature::Signature;
use pds_core::crypto::signer::Signer;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::mst::key::Key;
use pds_core::syntax::record_path::RecordPath;
use pds_core::syntax::tid::Tid;
use pds_store::change::{Applied, Change};
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::fact::FactEdit;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::View;
use pds_store::version::Version;

/// The result of storing a draft that was signed elsewhere.
enum Signed {
    Stored,
    /// The draft changes nothing; this is the present commit.
    Unchanged(Cid),
    /// The rev of the draft is older than the present key.
    Void,
}

impl Parts {
    /// Drafts, signs and stores a commit with some writes.
    ///
    /// # Errors
    ///
    /// As [`Repo::write`](crate::Repo::write).
    pub(crate) fn write(&self, writes: &[Write], options: &WriteOptions) -> Result<Written> {
        let attempt = || {
            let base = self.base()?;
            let draft = self.draft_on(&base, Event::Write, writes, options)?;
            self.sign_and_store(draft, &base, Progress::default())
        };
        match options.swap_commit {
            Some(_) => self.until_unchanged(attempt),
            None => self.until_first(attempt),
        }
    }

    /// Signs and stores a draft, and reports each block. A draft without changes is dropped.
    pub(crate) fn sign_and_store(
        &self,
        draft: Draft,
        base: &Base,
        progress: Progress<'_>,
    ) -> Result<Written> {
        let signer = self.signer_of(base)?;
        if draft.is_unchanged() {
            self.check_unchanged(&draft, &base.commit)?;
            return Ok(Written { commit: base.commit.clone(), changes: draft.changes });
        }
        let commit = draft.commit.clone().sign(signer.as_ref())?;
        let changes = draft.changes.clone();
        let applied = self.store_draft(draft, &commit, Vec::new(), progress)?;
        self.keep_written(base, &commit, applied.version);
        Ok(Written { commit, changes })
    }

    /// Keeps the state after a write in the caches.
    pub(crate) fn keep_written(&self, base: &Base, commit: &Commit, version: Version) {
        self.caches.keep_commit(commit);
        let logged = Some(self.clock.now_micros());
        let next = Base { commit: commit.clone(), logged, version, ..base.clone() };
        self.caches.keep_base(&self.name, next);
    }

    /// Repeats an attempt until no other writer is faster. Each attempt makes a new draft.
    pub(crate) fn until_first<T>(&self, attempt: impl FnMut() -> Result<T>) -> Result<T> {
        self.until(attempt, &|error| {
            error.is_lost_race() || matches!(error, Error::Store(StoreError::Moved { .. }))
        })
    }

    /// Repeats an attempt until no other change comes between its read and its write. A moved ref is an error.
    pub(crate) fn until_unchanged<T>(&self, attempt: impl FnMut() -> Result<T>) -> Result<T> {
        self.until(attempt, &Error::is_lost_race)
    }

    fn until<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T>,
        is_lost: &dyn Fn(&Error) -> bool,
    ) -> Result<T> {
        for _ in 0..MAX_TRIES {
            match attempt() {
                Err(error) if is_lost(&error) => self.caches.forget_base(),
                Err(error) => {
                    // Stale cached state may be the reason.
                    self.caches.forget_base();
                    return Err(error);
                }
                done => return done,
            }
        }
        attempt()
    }

    /// Returns the state that the next commit of this ref is made on. It is the result of the last write of
    /// this process, or else the stored state. If another process has written since, the change fails with
    /// [`StoreError::Changed`].
    pub(crate) fn base(&self) -> Result<Base> {
        if let Some(base) = self.caches.base(&self.name) {
            return Ok(base);
        }
        let view = self.store.view()?;
        self.base_in(view.as_ref(), self.head_in(view.as_ref())?)
    }

    /// Returns the state that a commit is made on, in one view.
    pub(crate) fn base_in(&self, view: &dyn View, commit: Commit) -> Result<Base> {
        let (key, key_since) = (self.key_in(view)?, facts::key_since(view)?);
        let ((logged, left), version) = (self.newest(view)?, view.version());
        let key_since = key_since.max(left);
        Ok(Base { commit, key, key_since, logged, version })
    }

    /// Returns the signer, after a check that it has the key of the repository.
    pub(crate) fn signer_of(&self, base: &Base) -> Result<Arc<dyn Signer>> {
        self.signer_with(base.key.as_ref())
    }

    /// Computes the commit of some writes, and stores nothing.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub(crate) fn draft(&self, writes: &[Write], options: &WriteOptions) -> Result<Draft> {
        self.until_first(|| self.draft_on(&self.base()?, Event::Write, writes, options))
    }

    /// Checks that the ref points to the commit that the caller expects, if it expects one.
    pub(crate) fn check_swap(
        &self,
        options: &WriteOptions,
        base: Cid,
        seen: Version,
    ) -> Result<()> {
        match options.swap_commit {
            Some(expected) if expected != base => {
                self.check_present(seen)?;
                let (name, expected) = (self.name.clone(), Expect::Exactly(expected));
                Err(StoreError::Moved { name, expected, found: Some(base) }.into())
            }
            _ => Ok(()),
        }
    }

    fn draft_on(
        &self,
        base: &Base,
        event: Event,
        writes: &[Write],
        options: &WriteOptions,
    ) -> Result<Draft> {
        let Base { commit: head, version: seen, key_since, logged, .. } = base;
        let (base, seen, later_than) = (head.cid(), *seen, head.rev().max(*key_since));
        self.check_swap(options, base, seen)?;
        let reading = Reading::since(self.store.clone(), seen);
        let mut tree = self.tree_of(head, &reading);
        let mut blocks = Vec::with_capacity(writes.len() * 2);
        let mut changes = Vec::with_capacity(writes.len());
        let mut places = HashMap::with_capacity(writes.len());
        for write in writes {
            let path = match &write.target {
                Target::Path(path) => path.clone(),
                Target::Collection(collection) => {
                    let rkey = self.next_rev(later_than, *logged, base)?.into();
                    RecordPath::new(collection.clone(), rkey)
                }
            };
            let record = write.body.as_ref().map(|body| Self::record(&path, body));
            let record = record.transpose()?;
            let after = record.as_ref().map(Block::cid);
            let key = Key::new(path.to_key())?;
            let before = match after {
                Some(after) => tree.insert(key, after)?,
                None => tree.remove(key.as_bytes())?,
            };
            // The edit cannot leak: only this draft has the tree, and an error drops both.
            if !write.expect.holds(before) {
                self.check_present(seen)?;
                return Err(Error::Conflict { path, expected: write.expect, found: before });
            }
            blocks.extend(record);
            note_change(&mut changes, places.entry(path), before, after);
        }
        if changes.len() < writes.len() {
            drop_undone(&mut changes, &mut blocks);
        }
        let old = || self.snapshot_of(head.clone(), Arc::new(reading.clone()));
        self.check_blobs(&changes, &blocks, &old, options.allow_missing_blobs)?;
        let written = tree.write()?;
        blocks.extend(written.nodes);
        if written.root != head.data() {
            self.check_clock(later_than, *logged)?;
        }
        let rev = self.clock.next(later_than).ok_or(Error::RevExhausted(base))?;
        let did = head.did().clone();
        let commit = UnsignedCommit { did, data: written.root, rev, prev: Some(base) };
        let (base_data, message) = (Some(head.data()), options.message.clone());
        Ok(Draft { base: Some(base), commit, blocks, changes, base_data, event, message, seen })
    }

    /// Checks that the store has not changed since a version.
    pub(crate) fn check_present(&self, seen: Version) -> Result<()> {
        match self.store.view()?.version().change == seen.change {
            true => Ok(()),
            false => Err(StoreError::Changed.into()),
        }
    }

    /// Drafts a commit that gives some records other CIDs. `records` has their blocks. The rev is greater
    /// than that of the base and than `later_than`. Each edit is reported as a block.
    pub(crate) fn draft_edits(
        &self,
        base: &Base,
        later_than: Option<Tid>,
        edits: Vec<RecordChange>,
        records: &dyn Blocks,
        event: Event,
        progress: Progress<'_>,
    ) -> Result<Draft> {
        let (head, seen) = (&base.commit, base.version);
        let reading = Reading::since(self.store.clone(), seen);
        let mut tree = self.tree_of(head, &reading);
        let mut blocks = Vec::with_capacity(edits.len() * 2);
        for RecordChange { path, after, .. } in &edits {
            progress.one(StepKind::Blocks);
            // The block may be stored only for a state that is about to be deleted, so the draft brings
            // every record that its base does not have.
            if let Some(cid) = *after {
                let missing = || Error::RecordMissing { path: path.to_string(), cid };
                blocks.push(records.get(&cid)?.ok_or_else(missing)?);
            }
            let key = Key::new(path.to_key())?;
            match after {
                Some(after) => tree.insert(key, *after)?,
                None => tree.remove(key.as_bytes())?,
            };
        }
        let written = tree.write()?;
        let later_than = later_than.max(head.rev()).max(base.key_since);
        let rev = self.next_rev(later_than, base.logged, head.cid())?;
        let (did, prev) = (head.did().clone(), Some(head.cid()));
        let commit = UnsignedCommit { did, data: written.root, rev, prev };
        let base_data = Some(head.data());
        blocks.extend(written.nodes);
        let message = String::new();
        Ok(Draft { base: prev, commit, blocks, changes: edits, base_data, event, message, seen })
    }

    /// Stores a draft with a signature that was made elsewhere. A draft without changes is dropped, and the
    /// present commit is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the signature is not by the known key of this repository; [`Error::Store`] if the
    /// head has moved or the key has changed since the draft was made.
    #[allow(clippy::needless_pass_by_value, reason = "a draft is stored once")]
    pub(crate) fn commit(&self, draft: Draft, signature: Signature) -> Result<Commit> {
        let commit = draft.commit.clone().with_signature(signature);
        match self.until_unchanged(|| self.commit_signed(&draft, &commit))? {
            Signed::Stored => Ok(commit),
            Signed::Unchanged(present) => self.commit_at(present),
            Signed::Void => Err(StoreError::Changed.into()),
        }
    }

    /// Stores a signed draft.
    ///
    /// Signing may take long, so the store may have changed; only the ref and the key must be the same.
    /// Blocks that the draft does not bring belong to the state that the ref still points to.
    fn commit_signed(&self, draft: &Draft, commit: &Commit) -> Result<Signed> {
        let (key, since, seen) = {
            let view = self.store.view()?;
            (self.key_in(view.as_ref())?, facts::key_since(view.as_ref())?, view.version())
        };
        if let Some(key) = key.or_else(|| self.signer_key()) {
            commit.verify(&key)?;
        }
        if let (true, Some(base)) = (draft.is_unchanged(), draft.base) {
            return Ok(Signed::Unchanged(base));
        }
        if commit.rev() < since {
            return Ok(Signed::Void);
        }
        let blocks = draft.blocks.iter().cloned();
        let change = self.change_to(commit, blocks, draft.expected(), draft.event.clone());
        let change = change.message(draft.message.clone()).unless_changed_since(seen);
        self.store.apply(change)?;
        self.caches.forget_base();
        Ok(Signed::Stored)
    }

    /// Stores a draft with its commit, if the store has not changed since the draft was made.
    pub(crate) fn store_draft(
        &self,
        draft: Draft,
        commit: &Commit,
        facts: Vec<FactEdit>,
        progress: Progress<'_>,
    ) -> Result<Applied> {
        let expect = draft.expected();
        let Draft { blocks, event, message, seen, .. } = draft;
        let blocks = blocks.into_iter().inspect(move |_| progress.one(StepKind::Blocks));
        let change = self.change_to(commit, blocks, expect, event).message(message).facts(facts);
        let applied = self.store.apply(change.unless_changed_since(seen))?;
        self.caches.keep_commit(commit);
        self.caches.forget_base();
        Ok(applied)
    }

    /// Makes the change that stores a commit with its new blocks, and points the current ref to it.
    pub(crate) fn change_to<'a, I>(
        &self,
        commit: &Commit,
        blocks: I,
        expect: Expect,
        event: Event,
    ) -> Change<'a>
    where
        I: IntoIterator<Item = Block>,
        I::IntoIter: 'a,
    {
        self.change_with(commit, blocks.into_iter().map(Ok), expect, event)
    }

    /// As [`change_to`](Self::change_to), with blocks that are read while they are stored.
    pub(crate) fn change_with<'a>(
        &self,
        commit: &Commit,
        blocks: impl Iterator<Item = Result<Block, BoxError>> + 'a,
        expect: Expect,
        event: Event,
    ) -> Change<'a> {
        let edit = RefEdit { name: self.name.clone(), target: Some(commit.cid()), expect };
        Change::new(event).blocks(blocks.chain([Ok(commit.block().clone())])).edit(edit)
    }
}

/// Drops records that a later write of the same batch has replaced or deleted.
fn drop_undone(changes: &mut Vec<RecordChange>, blocks: &mut Vec<Block>) {
    changes.retain(|change| change.before.is_some() || change.after.is_some());
    let kept: HashSet<Cid> = changes.iter().filter_map(|change| change.after).collect();
    blocks.retain(|block| kept.contains(&block.cid()));
}

/// The number of attempts after a lost race. Another writer succeeds each time, so bad luck alone does not
/// reach the limit.
const MAX_TRIES: u32 = 1_000;

/// Notes a write. Several writes of one record are one change.
fn note_change(
    changes: &mut Vec<RecordChange>,
    place: Entry<'_, RecordPath, usize>,
    before: Option<Cid>,
    after: Option<Cid>,
) {
    match place {
        Entry::Occupied(place) => {
            if let Some(first) = changes.get_mut(*place.get()) {
                first.after = after;
            }
        }
        Entry::Vacant(place) => {
            let path = place.key().clone();
            place.insert(changes.len());
            changes.push(RecordChange { path, before, after });
        }
    }
}
