//! Losses of past states that a user has accepted.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use super::Lost;
use crate::data::Cid;
use crate::repo::{Repo, Result};
use crate::store::{Change, Event, Fact, FactEdit, FactKind, View};

impl Repo {
    /// Takes note of what past states have lost, as a repair has told of it: [`gc`](Self::gc) no longer
    /// insists on reading it. What the present state of a ref has lost is never passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::repo::Error::Store).
    pub fn accept_losses(&self, lost: &[Lost]) -> Result<()> {
        let view = self.store.view()?;
        let refs = view.refs()?;
        let is_present = |commit: Cid| refs.iter().any(|(_, head)| *head == commit);
        let past = lost.iter().filter(|lost| !is_present(lost.commit));
        let past: BTreeSet<Cid> = past.map(|lost| lost.cid).collect();
        let known: BTreeSet<Cid> = losses(view.as_ref())?.into_iter().collect();
        let seen = view.version();
        drop(view);
        if past != known {
            let facts = std::iter::once(FactEdit::Clear(FactKind::Loss));
            let facts = facts.chain(past.into_iter().map(|cid| FactEdit::Set(Fact::Loss(cid))));
            self.store.apply(Change::new(Event::Repair).facts(facts).unless_changed_since(seen))?;
        }
        Ok(())
    }

    /// Returns what a repair has listed as lost of past states.
    pub(in crate::repo) fn known_losses(&self) -> Result<HashSet<Cid>> {
        losses(self.store.view()?.as_ref())
    }
}

fn losses(view: &dyn View) -> Result<HashSet<Cid>> {
    let mut losses = HashSet::new();
    view.facts(FactKind::Loss, &mut |fact| {
        if let Fact::Loss(cid) = fact {
            losses.insert(cid);
        }
        ControlFlow::Continue(())
    })?;
    Ok(losses)
}
