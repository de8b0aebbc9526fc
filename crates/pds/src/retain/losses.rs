//! Known losses: missing blocks of past states that the user has accepted.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::facts;
use crate::retain::handle::Retain;
use pds_core::data::cid::Cid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};

impl Retain<'_> {
    /// Records missing blocks of past states, so that [`gc`](Self::gc) can run without them. Each loss is the
    /// commit of a state and the CID of the missing block. Losses of a state that a ref points to are never
    /// accepted: they are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub fn accept_losses(&self, lost: impl IntoIterator<Item = (Cid, Cid)>) -> Result<()> {
        let view = self.parts.store.view()?;
        let refs = view.refs()?;
        let is_present = |commit: Cid| refs.iter().any(|(_, head)| *head == commit);
        let past = lost.into_iter().filter(|(commit, _)| !is_present(*commit));
        let past: BTreeSet<Cid> = past.map(|(_, cid)| cid).collect();
        let known: BTreeSet<Cid> = facts::losses(view.as_ref())?.into_iter().collect();
        let seen = view.version();
        drop(view);
        if past != known {
            let facts = std::iter::once(FactEdit::Clear(FactKind::Loss));
            let facts = facts.chain(past.into_iter().map(|cid| FactEdit::Set(Fact::Loss(cid))));
            let change = Change::new(Event::Repair).facts(facts).unless_changed_since(seen);
            self.parts.store.apply(change)?;
        }
        Ok(())
    }
}
