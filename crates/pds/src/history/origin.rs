//! The origin of commits: signed here, or imported from elsewhere.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::facts;
use crate::history::ancestry::Arrivals;
use crate::history::handle::History;
use crate::parts::Parts;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::store::View;

impl History<'_> {
    /// Returns whether states before a log entry were purged, so that the changes of its commit are unknown. The ref
    /// points to `commit` after the entry.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub fn is_cut_before(&self, entry: &LogEntry, commit: &Commit) -> Result<bool> {
        let view = self.parts.store.view()?;
        is_cut(view.as_ref(), is_signature(&entry.event, commit.cid()), commit, entry.before)
    }
}

/// Returns whether states between a commit and the known state before it were purged.
pub(crate) fn is_cut_before(
    parts: &Parts,
    view: &dyn View,
    commit: &Commit,
    before: Option<Cid>,
) -> Result<bool> {
    let is_local = is_local(parts, view, commit.cid())?;
    is_cut(view, is_local, commit, before)
}

fn is_cut(view: &dyn View, is_local: bool, commit: &Commit, before: Option<Cid>) -> Result<bool> {
    // A commit that was signed here names the one before it. Any other commit follows what the ref pointed to.
    Ok(match before {
        before if is_local => commit.prev() != before,
        Some(_) => false,
        None => facts::forgotten(view)?.is_some(),
    })
}

/// Returns whether an event signs the commit that the ref points to afterwards.
fn is_signature(event: &Event, commit: Cid) -> bool {
    match event {
        Event::Merge { other, .. } => *other != commit,
        Event::Import { .. } | Event::Repair | Event::Set | Event::Reset | Event::Remove => false,
        _ => true,
    }
}

/// Returns whether the log records that a commit was signed here.
///
/// A commit that also came from elsewhere, for example in a file, is not local: another place has it.
pub(crate) fn is_local(parts: &Parts, view: &dyn View, commit: Cid) -> Result<bool> {
    let (mut is_signed, mut is_repaired, mut is_foreign) = (false, false, false);
    view.log(&LogQuery::oldest_first().to(commit), &mut |row| {
        match row.event {
            Event::Import { .. } => is_foreign = true,
            Event::Merge { other, .. } if other == commit => is_foreign = true,
            Event::Repair => is_repaired = true,
            event => is_signed |= is_signature(&event, commit),
        }
        ControlFlow::Continue(())
    })?;
    // A repair sets a ref to any commit, and signs only if it has a key.
    Ok(!is_foreign && (is_signed || (is_repaired && parts.signer.is_some())))
}

/// Returns the commits from elsewhere that a local commit is based on: those that its line of local commits
/// begins with, and those that were merged into the line. Commits that are no longer stored are left out.
pub(crate) fn foreign_bases(
    parts: &Parts,
    view: &dyn View,
    blocks: &dyn Blocks,
    local: &Commit,
) -> Result<Vec<Commit>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::from([local.cid()]));
    let mut waiting = vec![local.clone()];
    while let Some(commit) = waiting.pop() {
        for before in known_before(view, &commit, blocks)? {
            if !seen.insert(before.cid()) {
                continue;
            }
            match is_local(parts, view, before.cid())? {
                true => waiting.push(before),
                false => found.push(before),
            }
        }
    }
    Ok(found)
}

/// Returns whether a commit is known to descend from another one: by its `prev`, or by the merges in the log.
///
/// The answer `false` proves nothing, because most servers sign commits without `prev`.
pub(crate) fn descends(
    view: &dyn View,
    blocks: &dyn Blocks,
    commit: &Commit,
    from: &Commit,
) -> Result<bool> {
    let (mut waiting, mut seen) = (vec![commit.clone()], HashSet::new());
    while let Some(commit) = waiting.pop() {
        if commit.prev() == Some(from.cid()) {
            return Ok(true);
        }
        for before in known_before(view, &commit, blocks)? {
            if before.cid() == from.cid() {
                return Ok(true);
            }
            // A parent has a smaller rev than its children.
            if before.rev() > from.rev() && seen.insert(before.cid()) {
                waiting.push(before);
            }
        }
    }
    Ok(false)
}

/// Returns the known parents of a commit; a parent that cannot be read is unknown.
fn known_before(view: &dyn View, commit: &Commit, blocks: &dyn Blocks) -> Result<Vec<Commit>> {
    match Arrivals(view).before(commit, blocks) {
        Err(error) if error.is_corrupt() => Ok(Vec::new()),
        before => before,
    }
}
