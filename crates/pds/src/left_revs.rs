//! The revs that refs have left behind: a new commit has a greater rev than these, too.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::parts::Parts;
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_CLOCK_DRIFT_MICROS;
use pds_core::syntax::tid::Tid;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::log::LogQuery;
use pds_store::store::View;

impl Parts {
    /// Returns the time of the newest log entry, and the greatest rev of these commits: the last one that was signed
    /// here, on any ref, and those that refs were moved from and to since.
    ///
    /// So the revs of this repository ascend, also after a reset. Older commits are not read, because the last signed
    /// one has a greater rev. A repair may sign a commit with a smaller rev than one from the future. So the search ends
    /// at a repair, and revs in the future do not count.
    pub(crate) fn newest(&self, view: &dyn View) -> Result<(Option<u64>, Option<Tid>)> {
        let (mut commits, mut logged): (Vec<Cid>, _) = (Vec::new(), None);
        let read = view.log(&LogQuery::newest_first(), &mut |row| {
            logged.get_or_insert(row.at_micros);
            let is_move = match &row.event {
                Event::Import { .. } | Event::Set | Event::Reset | Event::Remove => true,
                Event::Merge { other, .. } => row.after == Some(*other),
                _ => false,
            };
            if is_move {
                commits.extend([row.before, row.after].into_iter().flatten());
            } else if row.event != Event::Repair {
                commits.extend(row.after);
            }
            match is_move && commits.len() < MAX_COMMITS {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        match read {
            Err(StoreError::Damaged(_)) => return Ok((None, None)),
            read => read?,
        }
        let future = self.clock.now_micros().saturating_add(MAX_CLOCK_DRIFT_MICROS);
        let mut left = None;
        for commit in commits {
            match self.commit_in(view, commit) {
                Ok(commit) => left = left.max(commit.rev().filter(|rev| rev.micros() <= future)),
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((logged, left))
    }
}

/// The most commits that are read. A mirror may have many imports and no signed commit.
const MAX_COMMITS: usize = 1_000;
