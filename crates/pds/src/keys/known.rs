//! Which key signs, which key signed before, and the change from one key to the next.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::keys::handle::Keys;
use crate::snapshot::read_commit;
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
    /// [`Error`](crate::Error) when the store cannot be read.
    pub fn known(&self) -> Result<Option<PublicKey>> {
        self.parts.key_in(self.parts.store.view()?.as_ref())
    }

    /// Checks that this handle can sign: it has a signer, whose key is the key of the repository.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`](crate::Error::NoSigner) and [`Error::WrongKey`](crate::Error::WrongKey).
    pub fn check_signer(&self) -> Result<()> {
        self.parts.signer_with(self.known()?.as_ref()).map(drop)
    }

    /// Returns whether this handle has a signer.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.parts.signer.is_some()
    }

    /// Returns the key that a commit is signed with, as far as it is known: the key that was named for the
    /// commit, or else the key that held at its rev.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn of(&self, commit: &Commit) -> Result<Option<PublicKey>> {
        Ok(self.key_history()?.of(commit).cloned())
    }

    /// Works out the edits of facts that belong to a commit whose key a user has named.
    pub(crate) fn believed(
        &self,
        view: &dyn View,
        commit: &Commit,
        key: Option<&PublicKey>,
    ) -> Result<Believed> {
        let keys = self.key_history_in(view)?;
        let Some(key) = key.filter(|key| keys.of(commit) != Some(key)) else {
            return Ok(Believed::AsBefore);
        };
        if keys.of(commit).is_none() {
            return Ok(Believed::First(key.into()));
        }
        let mut newest = None;
        for (_, head) in &view.refs()? {
            newest = newest.max(read_commit(view, *head)?.rev());
        }
        Ok(match (keys.present, commit.rev()) {
            // A repository that signs here has a key that other files say nothing about.
            (Some(old), Some(until)) if self.parts.signer.is_none() && Some(until) > newest => {
                Believed::Changed { until, old: (&old).into(), new: key.into() }
            }
            _ => Believed::Named(key.into()),
        })
    }

    /// Reads which key signed when.
    pub(crate) fn key_history(&self) -> Result<KeyHistory> {
        self.key_history_in(self.parts.store.view()?.as_ref())
    }

    /// As [`key_history`](Self::key_history), at one moment.
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
        Ok(KeyHistory { ended, named, present })
    }

    /// Remembers the key that was named for a commit that is stored.
    pub(crate) fn name_key(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<()> {
        let keys = self.key_history()?;
        let Some(key) = key.filter(|key| keys.of(commit) != Some(key)) else { return Ok(()) };
        let fact = Fact::NamedKey { commit: commit.cid(), key: key.into() };
        self.parts.store.apply(Change::new(Event::Set).fact(FactEdit::Set(fact)))?;
        Ok(())
    }
}

/// The effect of a new commit on the facts about keys.
pub(crate) enum Believed {
    /// The key of the commit is the one that is known.
    AsBefore,
    /// No key was known: from now on this one is.
    First(DidKey),
    /// The commit is signed with this key, and other commits are not.
    Named(DidKey),
    /// The account has changed its key, from this commit on.
    Changed {
        /// The rev of the commit.
        until: Tid,
        /// The key before.
        old: DidKey,
        /// The key of this commit and later ones.
        new: DidKey,
    },
}

impl Believed {
    /// The event of the import of the commit.
    pub(crate) fn event(&self) -> Event {
        let (key, replaces) = match self {
            Self::AsBefore | Self::First(_) => (None, None),
            Self::Named(key) => (Some(key.clone()), None),
            Self::Changed { old, new, .. } => (Some(new.clone()), Some(old.clone())),
        };
        Event::Import { key, replaces }
    }

    /// The edits of facts that belong to the commit.
    pub(crate) fn facts(self, commit: Cid) -> Vec<FactEdit> {
        let facts = match self {
            Self::AsBefore => Vec::new(),
            Self::First(key) => vec![Fact::Key(key)],
            Self::Named(key) => vec![Fact::NamedKey { commit, key }],
            Self::Changed { until, old, new } => {
                vec![Fact::EndedKey { until, key: old }, Fact::Key(new)]
            }
        };
        facts.into_iter().map(FactEdit::Set).collect()
    }
}

/// Which key signed when.
pub(crate) struct KeyHistory {
    /// Each key that no longer signs, with the rev from which on it did not; the oldest first.
    ended: Vec<(Tid, PublicKey)>,
    /// The keys that were named for single commits.
    named: HashMap<Cid, PublicKey>,
    present: Option<PublicKey>,
}

impl KeyHistory {
    /// Returns the key that a commit is signed with: the key that was named for it, or else the key of its
    /// time.
    pub(crate) fn of(&self, commit: &Commit) -> Option<&PublicKey> {
        self.named.get(&commit.cid()).or_else(|| self.at(commit.rev()))
    }

    /// Returns the key that signed commits of a rev; a commit without a rev is older than all others.
    fn at(&self, rev: Option<Tid>) -> Option<&PublicKey> {
        let before = self.ended.iter().find(|(until, _)| rev < Some(*until));
        before.map(|(_, key)| key).or(self.present.as_ref())
    }
}
