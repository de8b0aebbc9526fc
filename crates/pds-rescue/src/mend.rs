//! Taking in blocks from other sources, and moving damaged ones out of the way.

use crate::damaged::DamagedBlock;
use crate::filled::Filled;
use crate::handle::Rescue;
use crate::survey::{Survey, commit_at};
use pds::error::{Error, Result};
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Blocks;
use pds_store::change::Change;
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::store::{Replaced, first_fact};
impl Rescue<'_> {
    /// Takes in what a survey has found in its sources, and drops the damaged blocks.
    ///
    /// The sources must be those of the survey. Each damaged block is handed to `keep` before
    /// anything changes; then all happens in one step.
    ///
    /// # Errors
    ///
    /// What `keep` fails with; [`Error::Store`] when a source no longer has what it
    /// had, or the store cannot be written. Nothing has changed then.
    pub fn mend(
        &self,
        survey: &Survey,
        sources: &[&dyn Blocks],
        keep: &mut dyn FnMut(&DamagedBlock, &[u8]) -> Result<()>,
    ) -> Result<Replaced> {
        let damaged = survey.damaged();
        if damaged.is_empty() && survey.found().is_empty() {
            return Ok(Replaced::default());
        }
        for block in damaged {
            keep(block, &survey.aside.bytes(block)?)?;
        }
        let filled = Filled::new(self.repo.store().as_ref(), &survey.aside, sources);
        let mut blocks = survey.found().keys().map(|cid| match filled.elsewhere(cid) {
            Ok(Some((block, _))) => Ok(block),
            Ok(None) => Err(BoxError::from(format!("block {cid} is no longer in its source"))),
            Err(error) => Err(error.into()),
        });
        let names: Vec<Vec<u8>> = damaged.iter().map(|block| block.name.clone()).collect();
        let cannot = || Error::Store(StoreError::ReadOnly);
        let replaced =
            self.repo.store().maintain().ok_or_else(cannot)?.replace(&mut blocks, &names);
        Ok(replaced?)
    }

    /// Writes down whose repository it is, and the key that commits are signed with, where the store has
    /// lost that, or has something else in its place: the present commit names the account, and proves a
    /// key that may have signed it. Where there is no such commit, neither is known.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn restore_identity(&self, key: Option<&PublicKey>) -> Result<()> {
        let head = self.repo.head()?.map(|head| commit_at(self.repo, head)).transpose();
        let head = match head {
            Err(error) if error.is_corrupt() || error.is_not_found() => None,
            head => head?,
        };
        let view = self.repo.store().view()?;
        let has_account = first_fact(view.as_ref(), FactKind::Account)?.is_some();
        let known = self.repo.keys().known();
        let is_unreadable = known.as_ref().is_err_and(|error| error.is_corrupt());
        let has_key = if is_unreadable { false } else { known?.is_some() };
        drop(view);
        let mut facts = Vec::new();
        if is_unreadable {
            facts.push(FactEdit::Clear(FactKind::Key));
        }
        if let Some(head) = head {
            if !has_account {
                facts.push(FactEdit::Set(Fact::Account(head.did().clone())));
            }
            if let Some(key) = key.filter(|key| !has_key && head.verify(key).is_ok()) {
                facts.push(FactEdit::Set(Fact::Key(key.into())));
            }
        }
        if !facts.is_empty() {
            self.repo.store().apply(Change::new(Event::Repair).facts(facts))?;
        }
        Ok(())
    }
}
