//! The known keys of a repository: the present key, earlier keys, and keys that a user has named.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::facts;
use crate::keys::handle::Keys;
use pds_core::commit::Commit;
use pds_core::crypto::did_key::DidKey;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::store::View;

impl Keys<'_> {
    /// Returns the key that commits of this repository are signed with, or `None` if it is not known.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if the store cannot be read.
    pub fn known(&self) -> Result<Option<PublicKey>> {
        self.parts.key_in(self.parts.store.view()?.as_ref())
    }

    /// Checks that this handle has a signer with the key of the repository.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`](crate::Error::NoSigner) and [`Error::WrongKey`](crate::Error::WrongKey).
    pub fn check_signer(&self) -> Result<()> {
        self.parts.until_unchanged(|| self.parts.signer_with(self.known()?.as_ref()).map(drop))
    }

    /// Returns whether this handle has a signer.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.parts.signer.is_some()
    }

    /// Returns the known key of a commit: the key that was named for the commit, or else the key of the
    /// repository at its rev.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if the store cannot be read.
    pub fn of(&self, commit: &Commit) -> Result<Option<PublicKey>> {
        Ok(self.key_history()?.of(commit).cloned())
    }

    /// Reads the history of the keys.
    pub(crate) fn key_history(&self) -> Result<KeyHistory> {
        self.key_history_in(self.parts.store.view()?.as_ref())
    }

    /// Reads the history of the keys in one view.
    pub(crate) fn key_history_in(&self, view: &dyn View) -> Result<KeyHistory> {
        let present = self.parts.key_in(view)?.or_else(|| self.parts.signer_key());
        let mut rows = Vec::new();
        for kind in [FactKind::EndedKey, FactKind::NamedKey] {
            view.facts(kind, &mut |fact| {
                rows.push(fact);
                ControlFlow::Continue(())
            })?;
        }
        let (mut ended, mut named) = (Vec::new(), HashMap::new());
        for fact in rows {
            match fact {
                Fact::EndedKey { until, key } => ended.push((until, self.parts.read_key(&key)?)),
                Fact::NamedKey { commit, key } => {
                    named.insert(commit, self.parts.read_key(&key)?);
                }
                _ => {}
            }
        }
        ended.sort_by_key(|(until, _)| *until);
        let unknown_before = facts::unknown_before(view)?;
        Ok(KeyHistory { ended, named, unknown_before, present })
    }

    /// Records the key that a user has named for a stored commit.
    pub(crate) fn name_key(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<()> {
        let keys = self.key_history()?;
        let Some(key) = key.filter(|key| keys.of(commit) != Some(key)) else { return Ok(()) };
        let fact = Fact::NamedKey { commit: commit.cid(), key: key.into() };
        self.parts.store.apply(Change::new(Event::Set).fact(FactEdit::Set(fact)))?;
        Ok(())
    }
}

/// The history of the keys of a repository.
#[derive(Clone)]
pub(crate) struct KeyHistory {
    /// Each earlier key with the rev at which it ended, the oldest first.
    ended: Vec<(Tid, PublicKey)>,
    /// The keys that were named for single commits.
    named: HashMap<Cid, PublicKey>,
    /// The rev before which the keys are unknown.
    unknown_before: Option<Tid>,
    present: Option<PublicKey>,
}

impl KeyHistory {
    /// Returns the key of new commits.
    pub(crate) fn present(&self) -> Option<&PublicKey> {
        self.present.as_ref()
    }

    /// Returns all keys: the present one, earlier ones from the newest to the oldest, and named ones.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PublicKey> {
        let ended = self.ended.iter().rev().map(|(_, key)| key);
        self.present.iter().chain(ended).chain(self.named.values())
    }

    /// Adds a fact about keys, whose text a parser reads.
    pub(crate) fn add(
        &mut self,
        fact: &Fact,
        read: &dyn Fn(&DidKey) -> Result<PublicKey>,
    ) -> Result<()> {
        match fact {
            Fact::Key(key) => self.present = Some(read(key)?),
            Fact::EndedKey { until, key } => {
                let at = self.ended.partition_point(|(before, _)| before < until);
                self.ended.insert(at, (*until, read(key)?));
            }
            Fact::NamedKey { commit, key } => drop(self.named.insert(*commit, read(key)?)),
            Fact::UnknownBefore(rev) => self.unknown_before = Some(*rev),
            _ => {}
        }
        Ok(())
    }

    /// Returns the key of a commit: the key that was named for it, or else the key at its rev.
    pub(crate) fn of(&self, commit: &Commit) -> Option<&PublicKey> {
        self.named.get(&commit.cid()).or_else(|| self.at(commit.rev()))
    }

    /// Returns the key at a rev. A commit without a rev counts as older than all others.
    fn at(&self, rev: Option<Tid>) -> Option<&PublicKey> {
        if rev < self.unknown_before {
            return None;
        }
        let before = self.ended.iter().find(|(until, _)| rev < Some(*until));
        before.map(|(_, key)| key).or(self.present.as_ref())
    }

    /// Returns the same history, in which the present key signs from a rev on. Keys that end later have signed nothing
    /// before it, except the first of them. Returns `None` if no key ends later.
    pub(crate) fn ended_by(&self, limit: Tid) -> Option<Self> {
        let first_late = self.ended.iter().position(|(until, _)| *until > limit)?;
        let (early, late) = self.ended.split_at(first_late);
        let last = late.first().map(|(_, key)| (limit, key.clone()));
        let ended = early.iter().cloned().chain(last).collect();
        Some(Self { ended, ..self.clone() })
    }

    /// Returns the facts about earlier keys.
    pub(crate) fn ended_facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.ended.iter().map(|(until, key)| Fact::EndedKey { until: *until, key: key.into() })
    }
}
