//! Which key signs here, which one did before, and the change from one to the next.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::ancestry::MERGE;
use super::{Error, META_KEY, Repo, Result};
use crate::commit::Commit;
use crate::crypto::{PublicKey, Signer};
use crate::data::{Cid, Sitting};
use crate::store::{LogEntry, StoreError};
use crate::syntax::Tid;

impl Repo {
    /// Signs the present state with another key, with which commits are signed from then on, and
    /// returns a handle that does.
    ///
    /// The log keeps both public keys. The commit is what decides: until it is stored the old key
    /// holds, and from then on the new one, also where the process ends before it is remembered. For
    /// a repository in a directory see [`rotate_key_in`](Self::rotate_key_in).
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
        let old = self.known_signer()?.public_key().did_key();
        let new = next.public_key().did_key();
        self.store.set_meta(META_KEY_NEXT, Some(&new))?;
        let rotated = self.until_first(|| {
            self.known_signer()?;
            let head = self.present()?;
            let head = self.commit_at(head)?;
            let note = format!("{ROTATION} {old} {new}");
            let draft = self.draft_edits(&head, &head, Vec::new(), self.store.as_ref(), note)?;
            let commit = draft.commit().clone().sign(&next)?;
            self.store_draft(draft, &commit)?;
            Ok(commit)
        });
        match rotated {
            Ok(commit) => {
                self.settle_key(Some(&new))?;
                Ok((self.clone().signing_with(next), commit))
            }
            Err(error) => {
                // Where this fails too, the log says that nothing happened.
                let _ = self.settle_key(None);
                Err(error)
            }
        }
    }

    /// Returns the key that a commit is signed with, as far as it is known: the one that was named when it
    /// was taken in, or else the one that held at its rev.
    ///
    /// # Errors
    ///
    /// [`Error`] when the store cannot be read.
    pub fn key_of(&self, commit: &Commit) -> Result<Option<PublicKey>> {
        Ok(self.key_history()?.of(commit).cloned())
    }

    /// Tells what is believed of keys once a commit was taken in that is signed with a key that
    /// somebody named.
    pub(super) fn believed(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<Believed> {
        let keys = self.key_history()?;
        let (Some(key), Some(known)) = (key, keys.of(commit)) else {
            return Ok(Believed::AsBefore);
        };
        if key == known {
            return Ok(Believed::AsBefore);
        }
        let mut newest = None;
        for (_, head) in self.refs()? {
            newest = newest.max(self.commit_at(head)?.rev());
        }
        Ok(match keys.present {
            // Whoever signs here has a key that others say nothing about.
            Some(present) if !self.can_sign() && commit.rev() > newest => {
                Believed::Changed { old: present, new: key.clone() }
            }
            _ => Believed::Named(key.clone()),
        })
    }

    /// Remembers the key that signs from now on, where that is another one.
    pub(super) fn believe(&self, believed: &Believed) -> Result<()> {
        match believed {
            Believed::Changed { new, .. } => {
                Ok(self.store.set_meta(META_KEY, Some(&new.did_key()))?)
            }
            Believed::AsBefore | Believed::Named(_) => Ok(()),
        }
    }

    /// Remembers that the key that is known signed what is here, and that another one signs what comes.
    pub(super) fn end_known_key(&self, next: &PublicKey) -> Result<()> {
        let Some(known) = self.known_key()?.filter(|known| known != next) else { return Ok(()) };
        let mut keys = self.key_history()?;
        keys.ended.push((self.next_tid()?, known));
        Ok(self.store.set_meta(META_KEYS_ENDED, keys.ended().as_deref())?)
    }

    /// Remembers how a change of the key has ended: with a new key, or with none.
    pub(super) fn settle_key(&self, new: Option<&str>) -> Result<()> {
        if let Some(new) = new {
            self.store.set_meta(META_KEY, Some(new))?;
        }
        Ok(self.store.set_meta(META_KEY_NEXT, None)?)
    }

    /// Returns the key that the store says commits are signed with, whoever holds this handle.
    pub(super) fn known_key(&self) -> Result<Option<PublicKey>> {
        let _sitting = Sitting::begin(self.store.as_ref());
        let known = self.key_in(META_KEY)?;
        match self.key_in(META_KEY_NEXT)? {
            Some(next) if self.has_taken_over(&next)? => Ok(Some(next)),
            _ => Ok(known),
        }
    }

    fn key_in(&self, meta: &str) -> Result<Option<PublicKey>> {
        let text = self.store.meta(meta)?;
        let key = text.map(|text| self.remembered.key(&text)).transpose();
        key.map_err(|error| {
            StoreError::Damaged(format!("{meta} in it is no key: {error}").into()).into()
        })
    }

    /// Forgets what stands where keys should, and is none.
    pub(super) fn drop_damaged_keys(&self) -> Result<()> {
        for meta in [META_KEY, META_KEY_NEXT] {
            if self.key_in(meta).is_err_and(|error| error.is_corrupt()) {
                self.store.set_meta(meta, None)?;
            }
        }
        Ok(())
    }

    /// Tells whether a key that was about to sign does: the last change of the key that the log knows of was
    /// to it.
    ///
    /// Rows may have left the log since. Then it is remembered, or it was announced and the present commit is
    /// signed with it.
    pub(super) fn has_taken_over(&self, key: &PublicKey) -> Result<bool> {
        let rows = self.moves()?.into_iter();
        let rotations = rows.filter_map(|row| Some((row.seq, keys_in(&row.note)?.1)));
        if let Some((_, last)) = rotations.max_by_key(|(seq, _)| *seq) {
            if last == *key {
                return Ok(true);
            }
        } else if self.key_in(META_KEY_NEXT)?.as_ref() == Some(key) {
            let head = self.head()?.and_then(|head| self.commit_at(head).ok());
            if head.is_some_and(|head| head.verify(key).is_ok()) {
                return Ok(true);
            }
        }
        Ok(self.key_in(META_KEY)?.as_ref() == Some(key))
    }

    /// Returns the signer, once it is sure that it signs with the key of this repository.
    pub(super) fn known_signer(&self) -> Result<&Arc<dyn Signer>> {
        let signer = self.signer.as_ref().ok_or(Error::NoSigner)?;
        match self.known_key()? {
            Some(expected) if expected != signer.public_key() => {
                let found = signer.public_key();
                Err(Error::WrongKey { expected: Box::new(expected), found: Box::new(found) })
            }
            _ => Ok(signer),
        }
    }

    /// Reads from the log which key signed when, and from what was kept of rows that have left it.
    pub(super) fn key_history(&self) -> Result<KeyHistory> {
        let _sitting = Sitting::begin(self.store.as_ref());
        // Not every store reads all of a sitting at once, and a key may be changing: then rows and key would be of
        // two moments. Other writes do no harm, and may never end.
        loop {
            let present = self.public_key()?;
            let history = self.key_history_with(present)?;
            if self.public_key()? == history.present {
                return Ok(history);
            }
        }
    }

    fn key_history_with(&self, present: Option<PublicKey>) -> Result<KeyHistory> {
        // Rows first: what of them leaves the log is kept in these texts by then.
        let rows = self.moves()?;
        let mut ended: Vec<(Tid, PublicKey)> = self.kept_keys(META_KEYS_ENDED)?;
        let mut named: HashMap<Cid, PublicKey> =
            self.kept_keys(META_KEYS_NAMED)?.into_iter().collect();
        for (at, row) in rows.iter().enumerate() {
            named.extend(named_in(row));
            if let (Some((old, _)), Some(commit)) = (keys_in(&row.note), row.after) {
                let end = match self.rev_of(commit)? {
                    Some(rev) => Some(rev),
                    None => self.rev_after(rows.get(..at).unwrap_or_default())?,
                };
                ended.extend(end.map(|rev| (rev, old)));
            }
        }
        ended.sort_by_key(|(rev, _)| *rev);
        ended.dedup_by_key(|(rev, _)| *rev);
        Ok(KeyHistory { ended, named, present })
    }

    /// The rev of a commit; `None` where it cannot be read, which is somebody else's finding.
    fn rev_of(&self, commit: Cid) -> Result<Option<Tid>> {
        match self.commit_at(commit) {
            Ok(commit) => Ok(commit.rev()),
            Err(error) if error.is_not_found() || error.is_corrupt() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first rev after those of all commits that these rows name: where the commit that changed the key is
    /// lost, what came before it is still told from what came after.
    fn rev_after(&self, rows: &[LogEntry]) -> Result<Option<Tid>> {
        let mut newest = None;
        for commit in rows.iter().filter_map(|row| row.after) {
            newest = newest.max(self.rev_of(commit)?);
        }
        Ok(newest.map(|rev| Tid::from_u64(rev.as_u64().saturating_add(1))))
    }

    /// Remembers the key that was named for a commit that is here.
    pub(super) fn name_key(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<()> {
        let mut keys = self.key_history()?;
        let Some(key) = key.filter(|key| keys.of(commit) != Some(key)) else { return Ok(()) };
        keys.named.insert(commit.cid(), key.clone());
        Ok(self.store.set_meta(META_KEYS_NAMED, keys.named(&|_| true).as_deref())?)
    }

    /// Reads keys from the texts about the repository: what each belongs to, and the key.
    fn kept_keys<T: FromStr>(&self, name: &str) -> Result<Vec<(T, PublicKey)>> {
        let text = self.store.meta(name)?.unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let pairs = words.chunks_exact(2).filter_map(|pair| {
            Some((pair[0].parse().ok()?, PublicKey::from_did_key(pair[1]).ok()?))
        });
        Ok(pairs.collect())
    }
}

/// What becomes of what is known of keys when a commit is taken in.
pub(super) enum Believed {
    AsBefore,
    /// The commit is signed with this key, and others are not.
    Named(PublicKey),
    /// The account has changed its key, from this commit on.
    Changed {
        old: PublicKey,
        new: PublicKey,
    },
}

impl Believed {
    /// What the log says of the import.
    pub(super) fn import_note(&self) -> String {
        match self {
            Self::AsBefore => IMPORT.to_owned(),
            Self::Named(key) => format!("{IMPORT} {}", key.did_key()),
            Self::Changed { old, new } => format!("{IMPORT} {} {}", old.did_key(), new.did_key()),
        }
    }
}

/// Which key signed when.
pub(super) struct KeyHistory {
    /// Each key that is no longer used, with the rev from which on it was not; the oldest first.
    ended: Vec<(Tid, PublicKey)>,
    /// The keys of commits that were taken in under another one than that of their time: it was said.
    named: HashMap<Cid, PublicKey>,
    present: Option<PublicKey>,
}

impl KeyHistory {
    /// Writes down which keys have ended, to be kept when rows leave the log; `None` if none has.
    pub(super) fn ended(&self) -> Option<String> {
        in_turns(self.ended.iter().map(|(rev, key)| (rev, key)))
    }

    /// Writes down which keys were named for commits that stay; `None` if none was.
    pub(super) fn named(&self, stays: &dyn Fn(&Cid) -> bool) -> Option<String> {
        let named: BTreeMap<&Cid, &PublicKey> =
            self.named.iter().filter(|(cid, _)| stays(cid)).collect();
        in_turns(named.into_iter())
    }

    /// Returns the key that a commit is signed with: the one that was named when it was taken in, or
    /// else the one of its time.
    pub(super) fn of(&self, commit: &Commit) -> Option<&PublicKey> {
        self.named.get(&commit.cid()).or_else(|| self.at(commit.rev()))
    }

    /// Returns the key that signed commits of a rev; a commit without one is older than all others.
    fn at(&self, rev: Option<Tid>) -> Option<&PublicKey> {
        let before = self.ended.iter().find(|(end, _)| rev < Some(*end));
        before.map(|(_, key)| key).or(self.present.as_ref())
    }
}

fn in_turns<'a>(pairs: impl Iterator<Item = (impl fmt::Display, &'a PublicKey)>) -> Option<String> {
    let pairs: Vec<String> = pairs.map(|(of, key)| format!("{of} {}", key.did_key())).collect();
    (!pairs.is_empty()).then(|| pairs.join(" "))
}

/// Reads from a row of the log which commit was taken in under a key that somebody named.
fn named_in(row: &LogEntry) -> Option<(Cid, PublicKey)> {
    let words: Vec<&str> = row.note.split(' ').collect();
    let (commit, key) = match words[..] {
        [MERGE, commit, key] => (commit.parse().ok()?, key),
        [IMPORT, key] | [IMPORT, _, key] => (row.after?, key),
        _ => return None,
    };
    Some((commit, PublicKey::from_did_key(key).ok()?))
}

/// Reads the old and the new key from what the log says about a change.
fn keys_in(note: &str) -> Option<(PublicKey, PublicKey)> {
    let keys = note.strip_prefix(ROTATION).or_else(|| note.strip_prefix(IMPORT))?;
    let (old, new) = keys.strip_prefix(' ')?.split_once(' ')?;
    Some((PublicKey::from_did_key(old).ok()?, PublicKey::from_did_key(new).ok()?))
}

/// What the log of an import says: this word, with the key of the commit if it was named, or with the
/// old key and the new one if it is the first by another key.
const IMPORT: &str = "import";

/// What the log of a change says: these words, the old key and the new one.
const ROTATION: &str = "key rotate";

/// Keys that are no longer used, each after the rev from which on it was not.
pub(super) const META_KEYS_ENDED: &str = "keys-ended";

/// Commits that were taken in under a key that was named for them, each with that key.
pub(super) const META_KEYS_NAMED: &str = "keys-named";

/// The did:key that commits are about to be signed with: whether they are, the log says.
const META_KEY_NEXT: &str = "key-next";
