//! The search for the commits that fit a prefix of a rev or of a CID.
//!
//! Commits are looked for in the refs, along `prev`, and in the log. No other block is read, and memory use does not
//! grow with the history.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::history::parent::commit_if_here;
use crate::model::prefix::{CidPrefix, RevPrefix};
use crate::model::revision_error::{Candidate, MAX_CANDIDATES};
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::store::View;

/// Returns the stored commits whose rev fits. A whole rev is first looked for in the history of each ref, and in the log
/// only if no ref has it.
pub(crate) fn with_rev(view: &dyn View, prefix: &RevPrefix) -> Result<Vec<Candidate>> {
    let fits = |one: &Candidate| prefix.fits(one.rev);
    let mut found = Found::default();
    for (_, commit) in Backwards::of_refs(view)? {
        let Some(commit) = found.or_damage(commit)? else { continue };
        // The commits after it have even smaller revs.
        if commit.rev() < Some(prefix.first) || found.add_if(&fits, commit_of(&commit)).is_break() {
            break;
        }
    }
    if prefix.whole().is_none() || found.fitting.is_empty() {
        each_logged(view, &mut |_, commit| {
            let Some(commit) = found.or_damage(commit)?.flatten() else { return Ok(END) };
            let is_earlier = commit.rev() < Some(prefix.first);
            let flow = found.add_if(&fits, commit_of(&commit));
            Ok((flow, if is_earlier { None } else { commit.prev() }))
        })?;
    }
    match found.damage {
        Some(damage) if found.fitting.is_empty() => Err(damage),
        _ => Ok(found.fitting),
    }
}

/// Returns the stored commits whose CID fits, readable or not. If none of them is stored, returns those that the log
/// names.
pub(crate) fn with_cid(view: &dyn View, prefix: &CidPrefix) -> Result<Vec<Candidate>> {
    if let CidPrefix::Whole(cid) = prefix {
        return Ok(vec![Candidate { commit: *cid, rev: None }]);
    }
    let fits = |one: &Candidate| prefix.fits(&one.commit);
    let (mut found, mut lost) = (Found::default(), Found::default());
    for (cid, commit) in Backwards::of_refs(view)? {
        let rev = found.or_damage(commit)?.and_then(|commit| commit.rev());
        if found.add_if(&fits, Candidate { commit: cid, rev }).is_break() {
            break;
        }
    }
    each_logged(view, &mut |cid, commit| {
        let commit = match found.or_damage(commit)? {
            Some(None) => {
                // A stored commit may still be found.
                let _ = lost.add_if(&fits, Candidate { commit: cid, rev: None });
                return Ok(END);
            }
            stored => stored.flatten(),
        };
        let rev = commit.as_ref().and_then(Commit::rev);
        let flow = found.add_if(&fits, Candidate { commit: cid, rev });
        Ok((flow, commit.and_then(|commit| commit.prev())))
    })?;
    Ok(if found.fitting.is_empty() { lost.fitting } else { found.fitting })
}

fn commit_of(commit: &Commit) -> Candidate {
    Candidate { commit: commit.cid(), rev: commit.rev() }
}

/// Whether the search continues, and the commit before the visited one, if it is to be visited, too.
type Next = (ControlFlow<()>, Option<Cid>);

/// The next step after a commit that cannot be read.
const END: Next = (ControlFlow::Continue(()), None);

/// Passes every commit to `visit` that the log names, the newest first, and those before it by `prev` that the log does
/// not name.
fn each_logged(
    view: &dyn View,
    visit: &mut dyn FnMut(Cid, Result<Option<Commit>>) -> Result<Next>,
) -> Result<()> {
    let mut row = |row: LogEntry| -> Result<ControlFlow<()>> {
        let other = match row.event {
            Event::Merge { other, .. } => Some(other),
            _ => None,
        };
        for named in [row.after, other] {
            let mut at = named;
            while let Some(cid) = at {
                let (flow, prev) = visit(cid, commit_if_here(view, cid))?;
                if flow.is_break() {
                    return Ok(flow);
                }
                at = match prev {
                    Some(prev) if !is_logged(view, prev)? => Some(prev),
                    _ => None,
                };
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    let mut failed = None;
    view.log(&LogQuery::newest_first(), &mut |entry| {
        row(entry).unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}

/// Returns whether the log names a commit as the target of a move.
fn is_logged(view: &dyn View, commit: Cid) -> Result<bool> {
    let mut found = false;
    view.log(&LogQuery::newest_first().to(commit), &mut |_| {
        found = true;
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// The commits that fit so far.
#[derive(Default)]
struct Found {
    fitting: Vec<Candidate>,
    /// The first commit that could not be read. Its rev may be the one that was looked for.
    damage: Option<Error>,
}

impl Found {
    /// Adds a commit if it fits. The search ends if an error can list no more commits.
    fn add_if(
        &mut self,
        fits: &dyn Fn(&Candidate) -> bool,
        candidate: Candidate,
    ) -> ControlFlow<()> {
        let has_room = self.fitting.len() < MAX_CANDIDATES;
        if has_room && fits(&candidate) && !self.fitting.contains(&candidate) {
            self.fitting.push(candidate);
        }
        match self.fitting.len() < MAX_CANDIDATES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    /// Keeps the error about a damaged commit for the end: it does not hide the others.
    fn or_damage<T>(&mut self, read: Result<T>) -> Result<Option<T>> {
        match read {
            Err(error) if error.is_corrupt() => {
                self.damage.get_or_insert(error);
                Ok(None)
            }
            read => read.map(Some),
        }
    }
}

/// The commits that all refs point to, and those before them by `prev`, the greatest rev first. Each is passed once,
/// because a commit has a greater rev than its `prev`.
struct Backwards<'v> {
    view: &'v dyn View,
    waiting: BTreeMap<(Option<Tid>, Cid), Commit>,
    unread: Vec<Cid>,
}

impl<'v> Backwards<'v> {
    fn of_refs(view: &'v dyn View) -> Result<Self> {
        let unread = view.refs()?.iter().map(|(_, cid)| *cid).collect();
        Ok(Self { view, waiting: BTreeMap::new(), unread })
    }
}

impl Iterator for Backwards<'_> {
    type Item = (Cid, Result<Commit>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(cid) = self.unread.pop() {
            match commit_if_here(self.view, cid) {
                Ok(Some(commit)) => {
                    self.waiting.insert((commit.rev(), cid), commit);
                }
                Ok(None) => {}
                Err(error) => return Some((cid, Err(error))),
            }
        }
        let ((_, cid), commit) = self.waiting.pop_last()?;
        self.unread.extend(commit.prev());
        Some((cid, Ok(commit)))
    }
}
