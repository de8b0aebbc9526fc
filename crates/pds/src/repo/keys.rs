//! Which key signs, which key signed before, and the change from one key to the next.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Error, Repo, Result};
use crate::commit::Commit;
use crate::crypto::{DidKey, PublicKey, Signer};
use crate::data::Cid;
use crate::store::{Change, Event, Fact, FactEdit, FactKind, StoreError, View, first_fact};
use crate::syntax::Tid;

impl Repo {
    /// Signs the present state with another key, which signs all later commits, and returns a handle that
    /// has it.
    ///
    /// The commit and the keys are stored in one step: the old key holds before it, and after it the
    /// new one. The log keeps both public keys. For a repository in a directory see
    /// [`rotate_key_in`](Self::rotate_key_in).
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// use pds::crypto::{Curve, SigningKey};
    ///
    /// let next = SigningKey::generate(Curve::P256)?;
    /// # use pds::crypto::Signer;
    /// let (rotated, commit) = repo.rotate_key(next.clone())?;
    /// commit.verify(&next.public_key())?;
    /// let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// rotated.put(&"com.example.note/a".parse()?, &note)?;
    /// assert!(repo.put(&"com.example.note/b".parse()?, &note).is_err(), "this has the old key");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`] and [`Error::WrongKey`] when this handle does not have the present key;
    /// otherwise as [`write`](Self::write). Nothing has changed then.
    pub fn rotate_key(&self, next: impl Signer + 'static) -> Result<(Self, Commit)> {
        let new = DidKey::from(&next.public_key());
        let commit = self.until_first(|| {
            let base = self.base()?;
            let old = DidKey::from(&self.signer_of(&base)?.public_key());
            let event = Event::Rotate { old: old.clone(), new: new.clone() };
            // Commits of every ref that the old key has signed are earlier.
            let newest = self.newest_rev()?;
            let store = self.store.as_ref();
            let draft = self.draft_edits(&base, newest, Vec::new(), store, event)?;
            let commit = draft.commit().clone().sign(&next)?;
            let until = draft.commit().rev;
            let facts =
                [Fact::EndedKey { until, key: old }, Fact::Key(new.clone())].map(FactEdit::Set);
            self.store_draft(draft, &commit, facts.into())?;
            Ok(commit)
        })?;
        Ok((self.clone().signing_with(next), commit))
    }

    /// Remembers the key that signs later commits, for a repository without a signer. The key that was
    /// known before is still expected of the commits that are stored.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read or written.
    pub fn remember_key(&self, key: &PublicKey) -> Result<()> {
        self.until_first(|| {
            let view = self.store.view()?;
            let (known, version) = (self.key_in(view.as_ref())?, view.version());
            drop(view);
            let mut facts = vec![FactEdit::Set(Fact::Key(key.into()))];
            if let Some(known) = known.filter(|known| known != key) {
                let until = self.clock.next(self.newest_rev()?);
                let until = until.ok_or_else(|| Error::RevExhausted(super::empty_cid()))?;
                facts.push(FactEdit::Set(Fact::EndedKey { until, key: (&known).into() }));
            }
            let change = Change::new(Event::Set).facts(facts).unless_changed_since(version);
            self.store.apply(change)?;
            Ok(())
        })
    }

    /// Returns the newest rev of all commits that refs point to, as far as they can be read.
    fn newest_rev(&self) -> Result<Option<Tid>> {
        let view = self.store.view()?;
        let mut newest = self.key_since(view.as_ref())?;
        for (_, head) in &view.refs()? {
            match self.commit_in(view.as_ref(), *head) {
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                commit => newest = newest.max(commit?.rev()),
            }
        }
        Ok(newest)
    }

    /// Returns the rev from which on the present key signs.
    pub(super) fn key_since(&self, view: &dyn View) -> Result<Option<Tid>> {
        let mut since = None;
        view.facts(FactKind::EndedKey, &mut |fact| {
            if let Fact::EndedKey { until, .. } = fact {
                since = since.max(Some(until));
            }
            ControlFlow::Continue(())
        })?;
        Ok(since)
    }

    /// Returns the key that a commit is signed with, as far as it is known: the key that was named for the
    /// commit, or else the key that held at its rev.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn key_of(&self, commit: &Commit) -> Result<Option<PublicKey>> {
        Ok(self.key_history()?.of(commit).cloned())
    }

    /// Works out the edits of facts that belong to a commit whose key a user has named.
    pub(super) fn believed(
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
            newest = newest.max(super::snapshot::read_commit(view, *head)?.rev());
        }
        Ok(match (keys.present, commit.rev()) {
            // A repository that signs here has a key that other files say nothing about.
            (Some(old), Some(until)) if !self.can_sign() && Some(until) > newest => {
                Believed::Changed { until, old: (&old).into(), new: key.into() }
            }
            _ => Believed::Named(key.into()),
        })
    }

    /// Returns the key that the store names, with or without a signer on this handle.
    pub(super) fn known_key(&self) -> Result<Option<PublicKey>> {
        self.key_in(self.store.view()?.as_ref())
    }

    /// Reads the key that signs at present.
    pub(super) fn key_in(&self, view: &dyn View) -> Result<Option<PublicKey>> {
        match first_fact(view, FactKind::Key)? {
            Some(Fact::Key(key)) => Ok(Some(self.read_key(&key)?)),
            _ => Ok(None),
        }
    }

    fn read_key(&self, key: &DidKey) -> Result<PublicKey> {
        self.remembered.key(key.as_str()).map_err(|error| {
            StoreError::Damaged(format!("a key in it cannot be read: {error}").into()).into()
        })
    }

    /// Checks that a key may sign for this repository, given the key that the store names.
    pub(super) fn signer_with(&self, known: Option<&PublicKey>) -> Result<&Arc<dyn Signer>> {
        let signer = self.signer.as_ref().ok_or(Error::NoSigner)?;
        let found = signer.public_key();
        match known {
            Some(expected) if *expected != found => {
                let (expected, found) = (Box::new(expected.clone()), Box::new(found));
                Err(Error::WrongKey { expected, found })
            }
            _ => Ok(signer),
        }
    }

    /// Reads which key signed when.
    pub(super) fn key_history(&self) -> Result<KeyHistory> {
        self.key_history_in(self.store.view()?.as_ref())
    }

    /// As [`key_history`](Self::key_history), at one moment.
    pub(super) fn key_history_in(&self, view: &dyn View) -> Result<KeyHistory> {
        let of_signer = || self.signer.as_ref().map(|signer| signer.public_key());
        let present = self.key_in(view)?.or_else(of_signer);
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
                Fact::EndedKey { until, key } => ended.push((until, self.read_key(&key)?)),
                Fact::NamedKey { commit, key } => {
                    named.insert(commit, self.read_key(&key)?);
                }
                _ => {}
            }
        }
        ended.sort_by_key(|(until, _)| *until);
        Ok(KeyHistory { ended, named, present })
    }

    /// Remembers the key that was named for a commit that is stored.
    pub(super) fn name_key(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<()> {
        let keys = self.key_history()?;
        let Some(key) = key.filter(|key| keys.of(commit) != Some(key)) else { return Ok(()) };
        let fact = Fact::NamedKey { commit: commit.cid(), key: key.into() };
        self.store.apply(Change::new(Event::Set).fact(FactEdit::Set(fact)))?;
        Ok(())
    }
}

/// The effect of a new commit on the facts about keys.
pub(super) enum Believed {
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
    pub(super) fn event(&self) -> Event {
        let (key, replaces) = match self {
            Self::AsBefore | Self::First(_) => (None, None),
            Self::Named(key) => (Some(key.clone()), None),
            Self::Changed { old, new, .. } => (Some(new.clone()), Some(old.clone())),
        };
        Event::Import { key, replaces }
    }

    /// The edits of facts that belong to the commit.
    pub(super) fn facts(self, commit: Cid) -> Vec<FactEdit> {
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
pub(super) struct KeyHistory {
    /// Each key that no longer signs, with the rev from which on it did not; the oldest first.
    ended: Vec<(Tid, PublicKey)>,
    /// The keys that were named for single commits.
    named: HashMap<Cid, PublicKey>,
    present: Option<PublicKey>,
}

impl KeyHistory {
    /// Returns the key that a commit is signed with: the key that was named for it, or else the key of its
    /// time.
    pub(super) fn of(&self, commit: &Commit) -> Option<&PublicKey> {
        self.named.get(&commit.cid()).or_else(|| self.at(commit.rev()))
    }

    /// Returns the key that signed commits of a rev; a commit without a rev is older than all others.
    fn at(&self, rev: Option<Tid>) -> Option<&PublicKey> {
        let before = self.ended.iter().find(|(until, _)| rev < Some(*until));
        before.map(|(_, key)| key).or(self.present.as_ref())
    }
}
