//! Which commits came before which, and where two lines of them part.

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

/// What keeps the other side of the last merge of a file.
pub(crate) fn merged_ref() -> RefName {
    "merged".parse().expect("letters are a name")
}

/// The log's knowledge of commits.
struct Arrivals<'v>(&'v dyn View);

impl Arrivals<'_> {
    /// Finds the commits that came before one: what it names, what was merged into it, and for the
    /// commit of a server, which names none, the one of the server that stood there before.
    fn before(&self, commit: &Commit, blocks: &dyn Blocks) -> Result<Vec<Commit>> {
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
            // One file after another says nothing about which commit follows on which.
            let stood = row.before.filter(|_| row.name != merged_ref());
            if let (None, Some(stood)) = (commit.prev(), stood) {
                before.extend(of_server(blocks, stood)?);
            }
        }
        // A move back comes later in the log, and from something later.
        before.retain(|before| before.rev() < commit.rev());
        Ok(before)
    }
}

/// Goes back from commits that were made here to the one of a server that they were made on: of what
/// was made here a server knows nothing.
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

/// Who has a commit behind it.
#[derive(Clone, Copy, Default)]
struct Reached {
    by_ours: bool,
    by_theirs: bool,
}

/// Commits that are still to be looked at, the latest at the end.
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

/// Finds the latest commit in the store that two commits have in common, one of which may be
/// among blocks that are not in the store.
///
/// Revs ascend along the way from a commit to the ones after it, so going back by the greatest rev
/// meets every commit after all that lead to it, and ends where the lines meet.
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
        // A commit that came along without its tree says where it comes from, and is no base.
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
