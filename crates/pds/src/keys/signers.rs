//! The signers of states that arrive together, judged by all keys that are known.

use std::collections::HashSet;

use crate::keys::known::KeyHistory;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::{KeyError, KeyHistory as KeysInTime};

/// An arriving state, with its signer.
#[derive(Clone, Debug)]
pub(crate) struct SignedState {
    pub(crate) commit: Commit,
    pub(crate) signer: Signer,
}

/// What is known about the signer of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// No key of the account is known, so the signature is not checked.
    NotAsked,
    /// A key of the account.
    Known(PublicKey),
    /// The signature is by no known key.
    Unknown,
    /// The signature is not valid: the log of the account says so, or the known keys do.
    Invalid,
}

/// All keys that are known when states arrive.
pub(crate) struct AllKeys<'a> {
    own: &'a KeyHistory,
    of_source: Option<&'a KeyHistory>,
    in_time: Option<&'a KeysInTime>,
    /// Different keys, the likely ones first.
    keys: Vec<&'a PublicKey>,
}

impl<'a> AllKeys<'a> {
    /// Collects the keys: the named one, those that this repository knows, and those that the source knows, which may
    /// be another repository. `in_time` is the key history of a log; it decides alone.
    pub(crate) fn new(
        named: Option<&'a PublicKey>,
        own: &'a KeyHistory,
        of_source: Option<&'a KeyHistory>,
        in_time: Option<&'a KeysInTime>,
    ) -> Self {
        let asked = named.into_iter().chain(own.all());
        let mut seen = HashSet::new();
        let mut keys: Vec<&PublicKey> = asked.filter(|key| seen.insert(*key)).collect();
        // Without an expected key, nothing is checked, so the source is not asked either.
        if !keys.is_empty() {
            let others = of_source.into_iter().flat_map(KeyHistory::all);
            keys.extend(others.filter(|key| seen.insert(*key)));
        }
        keys.truncate(MAX_KEYS_TRIED);
        Self { own, of_source, in_time, keys }
    }

    /// Returns the signer of a commit.
    pub(crate) fn signer(&self, commit: &Commit) -> Signer {
        if let Some(keys) = self.in_time {
            let signed = keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature());
            return match signed.map(|period| period.key.clone()) {
                Ok(Some(key)) => Signer::Known(key),
                // Without a rev, it is not known which key was valid.
                Err(KeyError::AnotherTime { key, .. }) if commit.rev().is_none() => {
                    Signer::Known(*key)
                }
                _ => Signer::Invalid,
            };
        }
        if self.keys.is_empty() {
            return Signer::NotAsked;
        }
        let likely = [self.own.of(commit), self.of_source.and_then(|keys| keys.of(commit))];
        let mut keys = likely.into_iter().flatten().chain(self.keys.iter().copied());
        match keys.find(|key| commit.verify(key).is_ok()) {
            Some(key) => Signer::Known(key.clone()),
            None => Signer::Unknown,
        }
    }

    /// Returns the keys that this repository knows.
    pub(crate) fn own(&self) -> &'a KeyHistory {
        self.own
    }

    /// Returns a key that a commit should be signed with.
    pub(crate) fn expected(&self, commit: &Commit) -> Option<&PublicKey> {
        self.own.of(commit).or_else(|| self.keys.first().copied())
    }

    /// Returns the key history of a log, if one was given.
    pub(crate) fn in_time(&self) -> Option<&'a KeysInTime> {
        self.in_time
    }
}

/// The most keys that each signature is checked with. An account changes its key a few times in its life.
const MAX_KEYS_TRIED: usize = 64;
