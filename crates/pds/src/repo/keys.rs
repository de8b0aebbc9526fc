//! Which key signs here, which one did before, and the change from one to the next.

use std::sync::Arc;

use super::{Error, META_KEY, Repo, Result};
use crate::commit::Commit;
use crate::crypto::{PublicKey, Signer};
use crate::data::Sitting;
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
            let head = self.head()?.ok_or_else(|| Error::NoCommit(self.name.clone()))?;
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

    /// Remembers how a change of the key has ended: with a new key, or with none.
    pub(super) fn settle_key(&self, new: Option<&str>) -> Result<()> {
        if let Some(new) = new {
            self.store.set_meta(META_KEY, Some(new))?;
        }
        Ok(self.store.set_meta(META_KEY_NEXT, None)?)
    }

    /// Returns the key that the store says commits are signed with, whoever holds this handle.
    pub(super) fn known_key(&self) -> Result<Option<PublicKey>> {
        let _sitting = Sitting::begin(self.blocks.as_ref());
        let parse = |text: String| self.blocks.key(&text);
        let known = self.store.meta(META_KEY)?.map(parse).transpose()?;
        match self.store.meta(META_KEY_NEXT)?.map(parse).transpose()? {
            Some(next) if self.has_rotated_to(&next)? => Ok(Some(next)),
            _ => Ok(known),
        }
    }

    /// Tells whether a commit was signed by which a key took over.
    pub(super) fn has_rotated_to(&self, key: &PublicKey) -> Result<bool> {
        let rotations = self.moves()?.into_iter().filter_map(|row| keys_in(&row.note));
        Ok(rotations.into_iter().any(|(_, new)| new == *key))
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
        let kept = self.store.meta(META_KEYS_ENDED)?.unwrap_or_default();
        let kept: Vec<&str> = kept.split_whitespace().collect();
        let mut ended: Vec<(Tid, PublicKey)> = kept
            .chunks_exact(2)
            .filter_map(|pair| {
                Some((pair[0].parse().ok()?, PublicKey::from_did_key(pair[1]).ok()?))
            })
            .collect();
        for row in self.moves()? {
            if let (Some((old, _)), Some(commit)) = (keys_in(&row.note), row.after) {
                match self.commit_at(commit) {
                    Ok(commit) => ended.extend(commit.rev().map(|rev| (rev, old))),
                    // What cannot be read is somebody else's finding.
                    Err(error) if error.is_not_found() || error.is_corrupt() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        ended.sort_by_key(|(rev, _)| *rev);
        ended.dedup_by_key(|(rev, _)| *rev);
        Ok(KeyHistory { ended, present: self.public_key()? })
    }
}

/// Which key signed when.
pub(super) struct KeyHistory {
    /// Each key that is no longer used, with the rev from which on it was not; the oldest first.
    ended: Vec<(Tid, PublicKey)>,
    present: Option<PublicKey>,
}

impl KeyHistory {
    /// Writes down which keys have ended, to be kept when rows leave the log; `None` if none has.
    pub(super) fn ended(&self) -> Option<String> {
        let pairs = self.ended.iter().map(|(rev, key)| format!("{rev} {}", key.did_key()));
        let pairs: Vec<String> = pairs.collect();
        (!pairs.is_empty()).then(|| pairs.join(" "))
    }

    /// Returns the key that signed commits of a rev; a commit without one is older than all others.
    pub(super) fn at(&self, rev: Option<Tid>) -> Option<&PublicKey> {
        let before = self.ended.iter().find(|(end, _)| rev < Some(*end));
        before.map(|(_, key)| key).or(self.present.as_ref())
    }
}

/// Reads the old and the new key from what the log says about a change.
fn keys_in(note: &str) -> Option<(PublicKey, PublicKey)> {
    let (old, new) = note.strip_prefix(ROTATION)?.strip_prefix(' ')?.split_once(' ')?;
    Some((PublicKey::from_did_key(old).ok()?, PublicKey::from_did_key(new).ok()?))
}

/// What the log of a change says: these words, the old key and the new one.
const ROTATION: &str = "key rotate";

/// Keys that are no longer used, each after the rev from which on it was not.
pub(super) const META_KEYS_ENDED: &str = "keys-ended";

/// The did:key that commits are about to be signed with: whether they are, the log says.
const META_KEY_NEXT: &str = "key-next";
