//! The repair of blocks and facts: restores blocks from sources, and drops damaged blocks.

use crate::damaged::DamagedBlock;
use crate::filled_store::Filled;
use crate::handle::Rescue;
use crate::survey::{Survey, commit_at};
use pds::error::{Error, Result};
use pds::model::progress::StepKind;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Blocks;
use pds_store::change::Change;
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::store::{Replaced, first_fact};
impl Rescue<'_> {
    /// Stores the blocks that a survey has found in its sources, and drops the damaged blocks.
    ///
    /// The sources must be those of the survey. Each damaged block is passed to `keep` before the store
    /// changes. The change is atomic.
    ///
    /// # Errors
    ///
    /// The error that `keep` returns; [`Error::Store`] if a source no longer has a block, or the store cannot be
    /// written. After an error, nothing has changed.
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
        let found = survey.found().keys().inspect(|_| self.progress.one(StepKind::Blocks));
        let mut blocks = found.map(|cid| match filled.elsewhere(cid) {
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

    /// Restores the account and the key of the repository, if the store has lost them or has invalid values. The
    /// present commit names the account, and its signature proves the given key. Without a readable present
    /// commit, nothing is restored.
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
