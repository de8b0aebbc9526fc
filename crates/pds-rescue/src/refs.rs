//! The restoration of broken refs.

use crate::broken_ref::{BrokenRef, account, last_state, newest_commit};
use crate::handle::Rescue;
use crate::survey::Survey;
use pds::error::Result;
use pds_core::data::cid::Cid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};

impl Rescue<'_> {
    /// Points the broken refs of a survey to their targets. Returns the number of restored refs.
    ///
    /// Call it after [`mend`](Self::mend), which restores the commits. The log gets a row `repair` for each ref.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](pds::Error::Store) if one of the refs has moved since the survey, or the store cannot be
    /// written. After an error, no ref has changed.
    pub fn restore_refs(&self, survey: &Survey) -> Result<u64> {
        self.restore(survey, &|_| true)
    }

    /// Restores the broken refs with chosen names; see [`restore_refs`](Self::restore_refs).
    pub(super) fn restore(
        &self,
        survey: &Survey,
        chosen: &dyn Fn(&RefName) -> bool,
    ) -> Result<u64> {
        let broken =
            survey.refs.iter().filter(|broken| broken.target.is_some() && chosen(&broken.name));
        let edits: Vec<RefEdit> = broken
            .map(|BrokenRef { name, found, target, .. }| {
                let expect = found.map_or(Expect::Absent, Expect::Exactly);
                RefEdit { name: name.clone(), target: *target, expect }
            })
            .collect();
        let set = edits.len() as u64;
        if !edits.is_empty() {
            self.repo.store().apply(Change::new(Event::Repair).edits(edits))?;
        }
        Ok(set)
    }

    /// Returns the newest readable state of this ref, for a ref with an unreadable present commit.
    pub(super) fn state_before(&self, survey: &Survey) -> Result<Option<Cid>> {
        let view = self.repo.store().view()?;
        let blocks = self.repo.store().as_ref();
        let (target, _) = last_state(view.as_ref(), self.repo.history().ref_name(), blocks)?;
        let did = account(view.as_ref())?;
        Ok(target.or_else(|| newest_commit(&survey.commits, did.as_ref(), blocks)))
    }
}
