//! The ancestry of commits: the search for the common ancestor of two commits.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::Result;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::event::Event;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::{Store, View};

/// Returns the name of the ref that keeps the other side of the last merge of a file.
pub(crate) fn merged_ref() -> RefName {
    "merged".parse().expect("letters are a name")
}

/// The parents of commits, as the log records them.
pub(crate) struct Arrivals<'v>(pub(crate) &'v dyn View);

impl Arrivals<'_> {
    /// Returns the parents of a commit: its `prev`, and the commits that were merged into it. The commit of a
    /// server names no `prev`; its parent is the server commit that the ref pointed to before.
    pub(crate) fn before(&self, commit: &Commit, blocks: &dyn Blocks) -> Result<Vec<Commit>> {
        let named = commit.prev().map(|prev| read(blocks, prev)).transpose()?.flatten();
        let mut before: Vec<Commit> = named.into_iter().collect();
        let mut rows = Vec::new();
        self.0.log(&LogQuery::oldest_first().to(commit.cid()), &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })?;
        for row in rows {
            if let Event::Merge { other, .. } = row.event
                && other != commit.cid()
            {
                before.extend(read(blocks, other)?);
            }
            // The order of merged files does not make one commit the parent of another.
            let last = row.before.filter(|_| row.name != merged_ref());
            if let (None, Some(last)) = (commit.prev(), last) {
                before.extend(of_server(blocks, last)?);
            }
        }
        // A ref that was moved back pointed to a later commit before. Only earlier commits are parents.
        before.retain(|before| before.rev() < commit.rev());
        Ok(before)
    }
}

/// Returns the server commit below commits that were made locally. A server does not know local commits, so
/// they are no parents of its commits.
fn of_server(blocks: &dyn Blocks, from: Cid) -> Result<Option<Commit>> {
    let mut at = read(blocks, from)?;
    while let Some(prev) = at.as_ref().and_then(Commit::prev) {
        at = read(blocks, prev)?;
    }
    Ok(at)
}

fn read(blocks: &dyn Blocks, cid: Cid) -> Result<Option<Commit>> {
    let block = blocks.get(&cid)?;
    Ok(block.map(|block| Commit::decode(&block)).transpose()?)
}

/// The sides that have a commit in their history.
#[derive(Clone, Copy, Default)]
struct Reached {
    by_ours: bool,
    by_theirs: bool,
}

/// Commits that wait for their visit, the latest at the end.
#[derive(Default)]
struct Waiting(BTreeMap<(Option<Tid>, Cid), (Commit, Reached)>);

impl Waiting {
    fn reach(&mut self, commit: Commit, by: Reached) {
        let place = (commit.rev(), commit.cid());
        let (_, reached) = self.0.entry(place).or_insert((commit, Reached::default()));
        reached.by_ours |= by.by_ours;
        reached.by_theirs |= by.by_theirs;
    }
}

/// Returns the latest stored common ancestor of two commits. `blocks` may have one of them that is not stored.
///
/// A parent has a smaller rev than its children. The search always continues from the greatest rev, so it visits
/// every commit after all of its children, and ends at the first commit that both sides reach.
pub(crate) fn common_ancestor(
    store: &dyn Store,
    blocks: &dyn Blocks,
    ours: &Commit,
    theirs: &Commit,
) -> Result<Option<Commit>> {
    let view = store.view()?;
    let arrivals = Arrivals(view.as_ref());
    let mut waiting = Waiting::default();
    waiting.reach(ours.clone(), Reached { by_ours: true, by_theirs: false });
    waiting.reach(theirs.clone(), Reached { by_ours: false, by_theirs: true });
    while let Some((_, (commit, reached))) = waiting.0.pop_last() {
        // A commit that is not stored has no tree here. It leads to its parents, but is not a base itself.
        let is_common = reached.by_ours && reached.by_theirs;
        if is_common && store.get(&commit.cid())?.is_some() {
            return Ok(Some(commit));
        }
        for before in arrivals.before(&commit, blocks)? {
            waiting.reach(before, reached);
        }
    }
    Ok(None)
}
