//! The states that the log of a repository names.

use std::collections::HashSet;
use std::ops::ControlFlow;

use anyhow::Result;
use pds::Repo;
use pds::store::LogQuery;

/// The states of all refs.
#[derive(Clone, Copy, Default)]
pub(crate) struct LoggedStates {
    pub(crate) count: u64,
    /// The time of the first state, in microseconds since 1970: the time of its rev, or else of its log row.
    pub(crate) since: Option<u64>,
}

impl LoggedStates {
    /// Counts the different states that the log names.
    pub(crate) fn of(repo: &Repo) -> Result<Self> {
        let (mut states, mut first) = (HashSet::new(), None);
        repo.store().view()?.log(&LogQuery::oldest_first(), &mut |row| {
            if let Some(after) = row.after {
                states.insert(after);
                first.get_or_insert((after, row.at_micros));
            }
            ControlFlow::Continue(())
        })?;
        let since = first.map(|(commit, at)| {
            // The first state of a copied history is older than the copy.
            let commit = repo.checkout(&commit.into()).ok();
            let rev = commit.and_then(|state| state.commit().rev());
            rev.and_then(|rev| rev.rev_micros()).unwrap_or(at)
        });
        Ok(Self { count: states.len() as u64, since })
    }
}
