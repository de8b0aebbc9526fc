//! The known keys of a repository: the present key, earlier keys, and keys that a user has named.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::facts;
use crate::keys::first_key::first_key;
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

    /// Returns the effect of a new commit on the known keys, if a user has named its key.
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
        if keys.present.is_none() {
            return Ok(Believed::First(first_key(view, key)?));
        }
        let mut newest = None;
        for (_, head) in &view.refs()? {
            newest = newest.max(read_commit(view, *head)?.rev());
        }
        Ok(match (keys.present, commit.rev()) {
            // An import never replaces the key of a repository that can sign.
            (Some(old), Some(until)) if self.parts.signer.is_none() && Some(until) > newest => {
                Believed::Changed { until, old: (&old).into(), new: key.into() }
            }
            _ => Believed::Named(key.into()),
        })
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

/// The effect of a new commit on the facts about keys.
pub(crate) enum Believed {
    /// The key of the commit is the known one.
    AsBefore,
    /// No key was known. These are the facts about the first one.
    First(Vec<Fact>),
    /// Only this commit is signed with this key.
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
    /// Returns the event for the import of the commit.
    pub(crate) fn event(&self) -> Event {
        let (key, replaces) = match self {
            Self::AsBefore | Self::First(_) => (None, None),
            Self::Named(key) => (Some(key.clone()), None),
            Self::Changed { old, new, .. } => (Some(new.clone()), Some(old.clone())),
        };
        Event::Import { key, replaces }
    }

    /// Returns the edits of facts for the commit.
    pub(crate) fn facts(self, commit: Cid) -> Vec<FactEdit> {
        let facts = match self {
            Self::AsBefore => Vec::new(),
            Self::First(facts) => facts,
            Self::Named(key) => vec![Fact::NamedKey { commit, key }],
            Self::Changed { until, old, new } => {
                vec![Fact::EndedKey { until, key: old }, Fact::Key(new)]
            }
        };
        facts.into_iter().map(FactEdit::Set).collect()
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
