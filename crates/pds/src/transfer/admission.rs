//! The admission of a commit that arrived: its rules, and the change that stores it and moves the ref.

use crate::error::{Error, Result};
use crate::history::origin::event_of_move;
use crate::keys::handle::Keys;
use crate::model::jobs::Jobs;
use crate::model::report::Expected;
use crate::reading::Reading;
use crate::run_ahead::ahead;
use crate::transfer::earlier::Earlier;
use crate::transfer::handle::Transfer;
use crate::transfer::incoming::unboxed;
use crate::transfer::succession::{Fork, LocalChanges};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, Blocks};
use pds_store::change::{Applied, Change};
use pds_store::error::{BoxError, StoreError};
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::{Store, View, first_fact, has_sound};
use pds_store::version::Version;

impl Transfer<'_> {
    /// Admits blocks that are read and checked ahead; returns how many of them are new. `seen` is the version of the
    /// store that they rely on, unless they rely on the present state alone.
    pub(super) fn admit_ahead(
        &self,
        arrival: &Arrival<'_>,
        seen: Option<Version>,
        jobs: Jobs,
        blocks: impl Iterator<Item = Result<Block, BoxError>> + Send,
    ) -> Result<u64> {
        let size = |block: &Result<Block, BoxError>| block.as_ref().map_or(0, |b| b.bytes().len());
        let admitted = ahead(jobs, blocks, size, |blocks| self.store(arrival, seen, blocks));
        admitted.map(|applied| applied.new_blocks).map_err(unboxed)
    }

    /// Checks that a commit may follow the present one, and returns the present one. A commit without the expected
    /// signature is refused for that reason, whatever its rev and its records.
    pub(super) fn before_import(&self, commit: &Commit, is_signed: bool) -> Result<Option<Commit>> {
        let view = self.parts.store.view()?;
        let before = match view.refs()?.get(&self.parts.name) {
            // The file has the present commit, so damage of the stored one does not matter.
            Some(head) if head == commit.cid() => Some(commit.clone()),
            Some(head) => Some(self.parts.commit_in(view.as_ref(), head)?),
            None => {
                self.parts.may_begin(view.as_ref())?;
                None
            }
        };
        check_account(view.as_ref(), commit, before.as_ref())?;
        if let Some(before) = before.as_ref().filter(|_| is_signed) {
            self.succession.check_rev(self.parts, commit, before)?;
        }
        Ok(before)
    }

    /// Checks that a commit has the records that were written here. Returns the differences if they are allowed.
    pub(super) fn check_loss(
        &self,
        commit: &Commit,
        before: Option<&Commit>,
        stored: &Reading,
        blocks: &dyn Blocks,
    ) -> Result<LocalChanges> {
        // An older commit lacks what came later, and the caller has asked for it.
        let is_next =
            |before: &&Commit| before.cid() != commit.cid() && before.rev() <= commit.rev();
        let Some(before) = before.filter(is_next) else { return Ok(LocalChanges::default()) };
        let Some(fork) = Fork::between(self.parts, before, commit, blocks)? else {
            return Ok(LocalChanges::default());
        };
        let local = fork.local_changes(stored, blocks, commit);
        match local {
            // A state that cannot be read is not compared.
            Err(error) if self.succession.allows_loss && error.is_corrupt() => {
                Ok(LocalChanges::default())
            }
            Ok(LocalChanges { lost, .. }) if lost > 0 && !self.succession.allows_loss => {
                let (name, found) = (self.parts.name.clone(), commit.cid());
                Err(Error::LocalLoss { name, found, lost, is_fork: fork.is_certain })
            }
            local => local,
        }
    }

    /// Stores a commit with its blocks, and the facts about the account and its keys.
    ///
    /// A slice relies on stored blocks. `blocks` includes those that the present state does not have. The
    /// others are live, unless the ref has moved, so a concurrent sweep is harmless.
    /// Each earlier state has a move of the ref, so that the log keeps it.
    fn store(
        &self,
        arrival: &Arrival<'_>,
        seen: Option<Version>,
        blocks: &mut (dyn Iterator<Item = Result<Block, BoxError>> + '_),
    ) -> Result<Applied> {
        let Arrival { commit, before, key, earlier } = *arrival;
        let mut expect = before.map_or(Expect::Absent, |before| Expect::Exactly(before.cid()));
        let edits = earlier.moves(before, commit).into_iter().map(|target| {
            let expect = std::mem::replace(&mut expect, Expect::Exactly(target));
            RefEdit { name: self.parts.name.clone(), target: Some(target), expect }
        });
        let view = self.parts.store.view()?;
        let edits: Vec<RefEdit> =
            edits.chain(self.moves_of_followers(view.as_ref(), commit, before)?).collect();
        check_account(view.as_ref(), commit, before)?;
        let believed =
            Keys::new(self.parts).believed(view.as_ref(), commit, key, &earlier.states)?;
        let version = view.version();
        let event = event_of_move(self.parts, commit.cid(), believed.event.clone())?;
        drop(view);
        let mut facts = believed.edits();
        if before.is_none() {
            facts.push(FactEdit::Set(Fact::Account(commit.did().clone())));
        }
        let mut change = Change::new(event).blocks(blocks).edits(edits).message(self.message);
        // The new facts depend on the present ones, so the store must not have changed.
        if !facts.is_empty() {
            change = change.facts(facts).unless_changed_since(version);
        }
        if let Some(seen) = seen {
            change = change.unless_changed_since(seen);
        }
        let applied = self.parts.store.apply(change).map_err(|error| match error {
            // The ref does not follow any more, so the change is made again without it.
            StoreError::Moved { name, .. } if self.followers.contains(&name) => StoreError::Changed,
            error => error,
        })?;
        self.parts.caches.forget_base();
        Ok(applied)
    }
}

impl Transfer<'_> {
    /// Returns the moves of the refs that follow the current one.
    fn moves_of_followers(
        &self,
        view: &dyn View,
        commit: &Commit,
        before: Option<&Commit>,
    ) -> Result<Vec<RefEdit>> {
        if self.followers.is_empty() {
            return Ok(Vec::new());
        }
        let (refs, before) = (view.refs()?, before.map(Commit::cid));
        let follows = |name: &&RefName| refs.get(name) == before;
        // Another writer may move one of them before the change: then it fails, and is made again.
        let edits = self.followers.iter().filter(follows).map(|name| RefEdit {
            name: name.clone(),
            target: Some(commit.cid()),
            expect: before.map_or(Expect::Absent, Expect::Exactly),
        });
        Ok(edits.collect())
    }
}

/// A commit that is imported, with what comes before it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) commit: &'a Commit,
    /// The present commit.
    pub(crate) before: Option<&'a Commit>,
    /// The key that a user has named for the commit.
    pub(crate) key: Option<&'a PublicKey>,
    pub(crate) earlier: &'a Earlier,
}

/// Returns whether all of these blocks are stored and intact.
pub(crate) fn has_all(
    store: &dyn Store,
    blocks: impl Iterator<Item = Result<Block, BoxError>>,
) -> Result<bool> {
    for block in blocks {
        let block = block.map_err(|error| unboxed(StoreError::Blocks(error).into()))?;
        if !has_sound(store, &block.cid())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The signature of an arriving commit.
pub(super) struct SignedBy {
    /// The expected key, or the one that was valid at the rev.
    pub(super) key: Option<PublicKey>,
    /// Whether the signature is by that key, if a key is expected.
    pub(super) is_sound: bool,
}

impl SignedBy {
    /// Compares the signature of a commit with the expected keys.
    pub(super) fn known(commit: &Commit, expected: &Expected<'_>) -> Self {
        let Some(keys) = expected.keys else {
            let is_sound = is_by(commit, expected.key);
            return Self { key: expected.key.cloned(), is_sound };
        };
        let period = keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature());
        let is_sound = period.is_ok();
        Self { key: period.ok().and_then(|period| period.key.clone()), is_sound }
    }
}

/// Returns whether a commit has a signature by the expected key, if a key is expected.
pub(super) fn is_by(commit: &Commit, key: Option<&PublicKey>) -> bool {
    key.is_none_or(|key| commit.verify(key).is_ok())
}

/// Checks that a commit belongs to the account of this repository.
pub(crate) fn check_account(
    view: &dyn View,
    commit: &Commit,
    before: Option<&Commit>,
) -> Result<()> {
    let known = match first_fact(view, FactKind::Account)? {
        Some(Fact::Account(did)) => Some(did),
        _ => before.map(|before| before.did().clone()),
    };
    match known {
        Some(expected) if expected != *commit.did() => {
            Err(Error::WrongDid { expected, found: commit.did().clone() })
        }
        _ => Ok(()),
    }
}
