//! The facts about keys that arriving commits add.

use crate::error::Result;
use crate::keys::first_key::{after, first_key};
use crate::keys::handle::Keys;
use crate::keys::signers::{SignedState, Signer};
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit};
use pds_store::store::View;

/// The effect of arriving commits on what is known about keys.
pub(crate) struct Believed {
    /// The event of the import.
    pub(crate) event: Event,
    facts: Vec<Fact>,
}

impl Keys<'_> {
    /// Returns the effect of a new commit on the known keys, if a user has named its key, and of the other states that
    /// arrive with it, in the order of their revs.
    ///
    /// A key that was named for a newer commit begins with the first of the states that it has signed, and is the
    /// expected key of all later ones. Any other key is recorded for the states that it has signed. States of unknown
    /// signers stay unchecked.
    pub(crate) fn believed(
        &self,
        view: &dyn View,
        commit: &Commit,
        key: Option<&PublicKey>,
        others: &[SignedState],
    ) -> Result<Believed> {
        let mut known = self.key_history_in(view)?;
        let begins = view.refs()?.is_empty();
        let event = Event::Import { key: None, replaces: None, begins };
        let mut believed = Believed { event, facts: Vec::new() };
        if let Some(key) = key.filter(|key| known.of(commit) != Some(key)) {
            match known.present() {
                None => {
                    believed.facts = first_key(view, key)?;
                    believed.facts.extend(ended(None, None, (commit, key), others));
                }
                // An import never replaces the key of a repository that can sign.
                Some(old) if self.parts.signer.is_none() && commit.rev() > newest(view)? => {
                    let (replaces, since) = (Some(old.into()), newest(view)?);
                    believed.event = Event::Import { key: Some(key.into()), replaces, begins };
                    believed.facts = ended(Some(old), since, (commit, key), others);
                    believed.facts.push(Fact::Key(key.into()));
                }
                Some(_) => {
                    believed.event =
                        Event::Import { key: Some(key.into()), replaces: None, begins };
                    believed.facts = vec![named(commit.cid(), key)];
                }
            }
        }
        let read = |key: &_| self.parts.read_key(key);
        for fact in &believed.facts {
            known.add(fact, &read)?;
        }
        let unknown = others.iter().filter(|state| state.signer == Signer::Unknown);
        let unknown = unknown.filter(|state| known.of(&state.commit).is_some());
        if let Some(last) = unknown.map(|state| state.commit.rev()).max() {
            let fact = Fact::UnknownBefore(after(last));
            known.add(&fact, &read)?;
            believed.facts.push(fact);
        }
        for SignedState { commit, signer } in others {
            if let Signer::Known(key) = signer
                && known.of(commit) != Some(key)
            {
                believed.facts.push(named(commit.cid(), key));
            }
        }
        Ok(believed)
    }
}

impl Believed {
    /// Returns the edits of facts.
    pub(crate) fn edits(self) -> Vec<FactEdit> {
        self.facts.into_iter().map(FactEdit::Set).collect()
    }
}

/// Returns the facts about the keys that ended between a rev and the commit: each ends with the first state of the next.
fn ended(
    present: Option<&PublicKey>,
    since: Option<Tid>,
    (commit, key): (&Commit, &PublicKey),
    others: &[SignedState],
) -> Vec<Fact> {
    let between = |rev: Option<Tid>| rev > since && rev < commit.rev();
    let signed = others.iter().filter_map(|state| match &state.signer {
        Signer::Known(key) if between(state.commit.rev()) => Some((state.commit.rev(), key)),
        _ => None,
    });
    let (mut ended, mut before) = (Vec::new(), present);
    for (rev, next) in signed.chain([(commit.rev(), key)]) {
        if let (Some(key), Some(until)) = (before.filter(|before| *before != next), rev) {
            ended.push(Fact::EndedKey { until, key: key.into() });
        }
        before = Some(next);
    }
    if ended.len() > MAX_ENDED {
        // The keys between are named for their states.
        let old = present.map(|key| key.into());
        ended = match (ended.pop(), old) {
            (Some(Fact::EndedKey { until, .. }), Some(key)) => vec![Fact::EndedKey { until, key }],
            _ => Vec::new(),
        };
    }
    ended
}

fn named(commit: Cid, key: &PublicKey) -> Fact {
    Fact::NamedKey { commit, key: key.into() }
}

/// Returns the newest rev of the commits that refs point to.
fn newest(view: &dyn View) -> Result<Option<Tid>> {
    let mut newest = None;
    for (_, head) in &view.refs()? {
        newest = newest.max(read_commit(view, *head)?.rev());
    }
    Ok(newest)
}

/// The most changes of a key that are recorded as such.
const MAX_ENDED: usize = 1_000;
