//! The commits that a repository has.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_store::log::LogQuery;
use pds_store::store::View;

/// Returns every readable commit that a ref or the log names, and the stored commits before them.
pub(crate) fn known_commits(view: &dyn View) -> Result<Vec<Commit>> {
    let mut waiting: Vec<Cid> = view.refs()?.iter().map(|(_, head)| *head).collect();
    view.log(&LogQuery::oldest_first(), &mut |row| {
        waiting.extend(row.after);
        ControlFlow::Continue(())
    })?;
    let (mut seen, mut commits) = (HashSet::new(), Vec::new());
    while let Some(cid) = waiting.pop() {
        if !seen.insert(cid) {
            continue;
        }
        match read_commit(view, cid) {
            Ok(commit) => {
                waiting.extend(commit.prev());
                commits.push(commit);
            }
            Err(error) if error.is_corrupt() || error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(commits)
}
