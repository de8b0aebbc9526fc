//! Damage: what is wrong with a repository, what can be had again, and what is lost.
//!
//! Vocabulary: a *damaged block* is a row of the store whose bytes do not hash to its name; a
//! *source* is any other place that may have blocks, good or bad; a *state* is a commit that is
//! kept here, named by a ref, by the log, or by nothing any more; what a state names and nobody
//! has is *lost*; a *stray ref* is gone, or names what is no commit.
//!
//! Three steps, each of which can be the last: [`Repo::survey`] looks and changes nothing;
//! [`Repo::mend`] takes in what the sources have and moves damaged blocks out of the way, and
//! [`Repo::restore_refs`] sets stray refs to where they stood; [`Repo::rebuild`] signs a new commit over what has survived. Since a CID is a proof of the bytes, a
//! source needs no trust. Nothing is guessed: where it is not certain that a record belongs to the
//! present state, it is listed and not brought back.
//!
//! [`recover`] reads what is left of a damaged CAR file, of which no repository can be made.

mod accepted;
mod damaged;
#[cfg(feature = "sqlite")]
mod database;
mod deduced;
mod filled;
mod orphans;
#[cfg(feature = "sqlite")]
mod quarantine;
mod rebuild;
mod recover;
mod stray;
mod survey;
mod survivors;
mod trace;

pub use self::damaged::DamagedBlock;
#[cfg(feature = "sqlite")]
pub(super) use self::database::REPAIR_PREFIX;
#[cfg(feature = "sqlite")]
pub use self::database::{SalvagedCopy, salvage_database, undo_interrupted_salvage};
pub use self::filled::{Origin, Sources};
#[cfg(feature = "sqlite")]
pub use self::quarantine::{QUARANTINE_DIRECTORY, Quarantine};
pub use self::rebuild::{Earlier, Rebuilt};
pub use self::recover::{Recovered, Recovery, recover};
pub use self::stray::StrayRef;
pub use self::survey::{Lost, Survey};
pub use self::trace::Part;

use self::filled::Filled;
use super::{Error, Repo, Result};
use crate::crypto::PublicKey;
use crate::data::Blocks;
use crate::store::{
    BoxError, Change, Event, Fact, FactEdit, FactKind, Replaced, StoreError, first_fact,
};

impl Repo {
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
        let filled = Filled::new(self.store.as_ref(), &survey.aside, sources, &survey.deduced);
        let mut blocks = survey.found().keys().map(|cid| match filled.elsewhere(cid) {
            Ok(Some((block, _))) => Ok(block),
            Ok(None) => Err(BoxError::from(format!("block {cid} is no longer in its source"))),
            Err(error) => Err(error.into()),
        });
        let names: Vec<Vec<u8>> = damaged.iter().map(|block| block.name.clone()).collect();
        let cannot = || Error::Store(StoreError::ReadOnly);
        let replaced = self.store.maintain().ok_or_else(cannot)?.replace(&mut blocks, &names);
        self.remembered.clear();
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
        let head = self.head()?.map(|head| self.commit_at(head)).transpose();
        let head = match head {
            Err(error) if error.is_corrupt() || error.is_not_found() => None,
            head => head?,
        };
        let view = self.store.view()?;
        let has_account = first_fact(view.as_ref(), FactKind::Account)?.is_some();
        let known = self.key_in(view.as_ref());
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
            self.store.apply(Change::new(Event::Repair).facts(facts))?;
        }
        Ok(())
    }
}
