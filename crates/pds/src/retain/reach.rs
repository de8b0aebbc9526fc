//! The states that a collection keeps and those that it deletes, with the blobs of both.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::history::log_pages::each_row;
use crate::parts::Parts;
use crate::reading::Reading;
use crate::retain::collection::{Collection, Decide, Drafted};
use crate::retain::handle::Retain;
use crate::retain::mark::{BlobsOf, Marked};
use crate::snapshot::read_commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::syntax::tid::Tid;
use pds_store::blob::store::BlobInfo;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::Refs;
use pds_store::sweep::Fate;
use pds_store::version::Version;

/// What the states of a store reach, as far as a sweep needs it.
pub(super) struct Coverage {
    pub(super) version: Version,
    /// The number of commits in the log that are not live.
    pub(super) states: u64,
    /// The newest rev of these commits.
    pub(super) newest: Option<Tid>,
    /// Blobs that only deleted states refer to. They are deleted whatever their age.
    pub(super) forgotten: HashSet<Cid>,
    /// Whether some blob is old enough for deletion, or in `forgotten`.
    pub(super) may_delete_blobs: bool,
}

/// The number of remaining rows of each ref, during a pass over the log.
#[derive(Clone, Default)]
pub(super) struct Later(HashMap<RefName, u64>);

impl Later {
    /// Counts the rows of the log.
    pub(super) fn count(parts: &Parts, upto: Version) -> Result<Self> {
        let mut later = Self::default();
        each_row(parts, upto, &mut |row| {
            *later.0.entry(row.name.clone()).or_default() += 1;
            Ok(())
        })?;
        Ok(later)
    }

    /// Decides on the next row. Rows that a concurrent change adds stay.
    pub(super) fn fate(&mut self, row: &LogEntry, decide: &Decide<'_>) -> Fate {
        let Some(later) = self.0.get_mut(&row.name).filter(|later| **later > 0) else {
            return Fate::Stays;
        };
        *later -= 1;
        decide(row, *later)
    }
}

/// The states that a collection deletes.
#[derive(Default)]
struct Deleted {
    states: u64,
    newest: Option<Tid>,
    blobs: HashSet<Cid>,
}

impl Retain<'_> {
    /// Marks the blocks of the states that stay, and finds the `stored` blobs that no such state refers to.
    pub(super) fn reach(
        &self,
        version: Version,
        refs: &Refs,
        later: &Later,
        stored: Vec<BlobInfo>,
        what: &mut Collection<'_>,
        (marked, live): (&mut Marked, &mut BlobsOf),
    ) -> Result<Coverage> {
        let reading = Reading::since(self.parts.store.clone(), version);
        let nothing = Drafted::default();
        let drafted = what.drafted.unwrap_or(&nothing);
        let blocks = &Overlay { over: &drafted.blocks, under: &reading };
        if refs.get(&self.parts.name).is_none()
            && let lost @ Error::RefLost { .. } =
                self.parts.absent(self.parts.store.view()?.as_ref())?
        {
            return Err(lost);
        }
        self.mark_states(blocks, version, (refs, drafted), later, what, marked)?;

        let looks_for_blobs = what.is_forgetting && !stored.is_empty();
        let deleted = match what.fate {
            Some(_) => self.deleted_states(&reading, version, marked, looks_for_blobs, what)?,
            None => Deleted::default(),
        };
        let mut forgotten = facts::erasures(self.parts.store.view()?.as_ref())?;
        forgotten.extend(deleted.blobs);
        let may_go = |blob: &BlobInfo| {
            blob.stored_at_micros < what.blobs_before_micros || forgotten.contains(&blob.cid)
        };
        let may_delete_blobs = stored.iter().any(may_go);
        if may_delete_blobs {
            marked.find_blobs(blocks, live, what.progress)?;
        }
        let stored: HashSet<Cid> = stored.into_iter().map(|blob| blob.cid).collect();
        forgotten.retain(|cid| stored.contains(cid) && !live.cids.contains(cid));
        let Deleted { states, newest, .. } = deleted;
        Ok(Coverage { version, states, newest, forgotten, may_delete_blobs })
    }

    /// Marks the present states, or those that replace them, and the states in the log rows that stay. Present states
    /// must be complete; past states may lack the known losses.
    pub(super) fn mark_states(
        &self,
        blocks: &dyn Blocks,
        version: Version,
        (refs, drafted): (&Refs, &Drafted),
        later: &Later,
        what: &mut Collection<'_>,
        marked: &mut Marked,
    ) -> Result<()> {
        marked.pass_over(HashSet::new());
        mark_present(blocks, refs, drafted, marked, what.progress)?;
        marked.pass_over(facts::losses(self.parts.store.view()?.as_ref())?);
        self.mark_past(blocks, version, later, what, marked)
    }

    /// Marks the states in the log rows that stay.
    fn mark_past(
        &self,
        blocks: &dyn Blocks,
        version: Version,
        later: &Later,
        what: &mut Collection<'_>,
        marked: &mut Marked,
    ) -> Result<()> {
        let mut counting = later.clone();
        each_row(self.parts, version, &mut |row| {
            let stays = match what.fate {
                Some(decide) => counting.fate(row, decide) != Fate::Goes,
                None => true,
            };
            let Some(cid) = row.after.filter(|_| stays) else { return Ok(()) };
            marked.commit(blocks, cid, None, what.progress).map_err(|error| match error {
                error if error.is_swept() => error,
                error if error.is_corrupt() || error.is_not_found() => {
                    Error::StateLost { commit: cid, source: Box::new(error) }
                }
                error => error,
            })
        })
    }

    /// Counts the states in the log that are not marked, and finds their blobs if `looks_for_blobs`.
    fn deleted_states(
        &self,
        reading: &Reading,
        version: Version,
        marked: &Marked,
        looks_for_blobs: bool,
        what: &mut Collection<'_>,
    ) -> Result<Deleted> {
        let (mut found, mut dead) = (Deleted::default(), Marked::new(looks_for_blobs));
        each_row(self.parts, version, &mut |row| {
            let Some(cid) = row.after.filter(|cid| !marked.has_commit(cid)) else {
                return Ok(());
            };
            if !self.is_first_arrival(row, cid)? {
                return Ok(());
            }
            found.states += 1;
            found.newest = found.newest.max(rev_of(reading, cid)?);
            if looks_for_blobs {
                match dead.commit(reading, cid, Some(marked), what.progress) {
                    // Damaged states can be deleted as well.
                    Err(error) if error.is_swept() => return Err(error),
                    Err(error) if error.is_corrupt() || error.is_not_found() => {}
                    marked => marked?,
                }
            }
            Ok(())
        })?;
        let mut blobs = BlobsOf::default();
        dead.find_blobs(reading, &mut blobs, what.progress)?;
        found.blobs = blobs.cids;
        Ok(found)
    }

    /// Returns whether a log row is the first one that names a commit.
    fn is_first_arrival(&self, row: &LogEntry, commit: Cid) -> Result<bool> {
        let mut first = None;
        self.parts.store.view()?.log(&LogQuery::oldest_first().to(commit), &mut |found| {
            first = Some(found.seq);
            ControlFlow::Break(())
        })?;
        Ok(first == Some(row.seq))
    }
}

/// Marks the commits that the refs point to, or those that replace them.
fn mark_present(
    blocks: &dyn Blocks,
    refs: &Refs,
    drafted: &Drafted,
    marked: &mut Marked,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let is_drafted = |name: &RefName| drafted.roots.contains_key(name);
    for (_, cid) in refs.iter().filter(|(name, _)| !is_drafted(name)) {
        marked.commit(blocks, *cid, None, progress)?;
    }
    for root in drafted.roots.values() {
        marked.tree(blocks, *root, None, progress)?;
    }
    for commit in drafted.commits.iter().filter_map(|edit| edit.target) {
        marked.commit(blocks, commit, None, progress)?;
    }
    Ok(())
}

/// Returns the rev of a commit, or `None` if the commit cannot be read.
fn rev_of(blocks: &dyn Blocks, commit: Cid) -> Result<Option<Tid>> {
    match read_commit(blocks, commit) {
        Ok(commit) => Ok(commit.rev()),
        Err(error) if error.is_swept() => Err(error),
        Err(error) if error.is_corrupt() || error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
