//! The deletion of states: marks what the remaining log rows reach, and sweeps all other blocks and blobs.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::clock::now_micros;
use crate::error::{Error, Result};
use crate::facts;
use crate::history::log_pages::each_row;
use crate::parts::Parts;
use crate::reading::Reading;
use crate::retain::handle::Retain;
use crate::retain::mark::{BlobsOf, Marked};
use crate::snapshot::read_commit;
use pds_core::data::block::{Blocks, MemoryBlocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::syntax::tid::Tid;
use pds_store::blob::store::{BlobInfo, BlobSweep};
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::Refs;
use pds_store::store::Version;
use pds_store::sweep::{Fate, Sweep, SweptBlocks};

/// The parameters of a collection: what it keeps, and how thorough it is.
pub(crate) struct Collection<'a> {
    /// Decides which rows of the log stay. `None` keeps all of them.
    pub(crate) fate: Option<&'a Decide<'a>>,
    /// Commits that replace the present commits of some refs.
    pub(crate) drafted: Option<&'a Drafted>,
    /// Delete unreferenced blobs that were stored before this time.
    pub(crate) blobs_before_micros: u64,
    /// Delete the blobs of deleted states whatever their age, and clean the files of remains.
    pub(crate) is_forgetting: bool,
    /// Count the deletions, and change nothing.
    pub(crate) dry_run: bool,
    /// The version of the store that `fate` and `drafted` belong to. `None` allows any version.
    pub(crate) seen: Option<Version>,
    /// Called with the number of blocks that were visited since the last call.
    pub(crate) progress: &'a mut dyn FnMut(u64),
}

/// Decides on a row of the log, given the number of later rows of its ref.
pub(crate) type Decide<'a> = dyn Fn(&LogEntry, u64) -> Fate + 'a;

/// Commits that are not stored yet.
#[derive(Default)]
pub(crate) struct Drafted {
    pub(crate) blocks: MemoryBlocks,
    /// The trees of the refs that get a new commit.
    pub(crate) roots: HashMap<RefName, Cid>,
    /// The signed commits; empty in a dry run.
    pub(crate) commits: Vec<pds_store::refs::RefEdit>,
}

/// The result of a collection.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) blocks: u64,
    pub(crate) block_bytes: u64,
    pub(crate) blobs: u64,
    pub(crate) blob_bytes: u64,
    /// Rows of the log that were dropped.
    pub(crate) moves: u64,
    /// Commits of the log that were deleted.
    pub(crate) states: u64,
    /// Live records that cannot be decoded. They prevent the deletion of blobs.
    pub(crate) undecodable: Vec<Cid>,
    /// The reason why the files may still contain remains of deleted data.
    pub(crate) remains: Option<StoreError>,
}

/// The result of marking.
struct Found {
    version: Version,
    /// The number of commits in the log that are not live.
    states: u64,
    /// The newest rev of these commits.
    newest: Option<Tid>,
    /// Blobs that only deleted states refer to. They are deleted whatever their age.
    forgotten: HashSet<Cid>,
    /// Whether some blob is old enough for deletion, or in `forgotten`.
    may_delete_blobs: bool,
}

/// The number of remaining rows of each ref, during a pass over the log.
#[derive(Clone, Default)]
struct Later(HashMap<RefName, u64>);

impl Later {
    /// Counts the rows of the log.
    fn count(parts: &Parts, upto: Version) -> Result<Self> {
        let mut later = Self::default();
        each_row(parts, upto, &mut |row| {
            *later.0.entry(row.name.clone()).or_default() += 1;
            Ok(())
        })?;
        Ok(later)
    }

    /// Decides on the next row. Rows that a concurrent change adds stay.
    fn fate(&mut self, row: &LogEntry, decide: &Decide<'_>) -> Fate {
        let Some(later) = self.0.get_mut(&row.name).filter(|later| **later > 0) else {
            return Fate::Stays;
        };
        *later -= 1;
        decide(row, *later)
    }
}

impl Retain<'_> {
    /// Marks live blocks and sweeps the rest. Repeats both if another process was faster.
    pub(crate) fn collect(&self, what: Collection<'_>) -> Result<Collected> {
        let what = &mut { what };
        let (mut marked, mut live) = (Marked::default(), BlobsOf::default());
        let mut done = Collected::default();
        let mut tries = MAX_TRIES;
        loop {
            let view = self.parts.store.view()?;
            let (version, refs) = (view.version(), view.refs()?);
            drop(view);
            if what.seen.is_some_and(|seen| seen != version) {
                return Err(StoreError::Changed.into());
            }
            let later = match what.fate {
                Some(_) => Later::count(self.parts, version)?,
                None => Later::default(),
            };
            let swept = self
                .look(version, &refs, &later, what, &mut marked, &mut live)
                .and_then(|found| Ok((self.sweep_blocks(&found, &later, &marked, what)?, found)));
            let (swept, found) = match swept {
                // Marks stay valid, unless a marked block may be deleted now or was missing.
                Err(error) if error.is_lost_race() && tries > 0 && what.seen.is_none() => {
                    if what.fate.is_some() || error.is_swept() || !marked.absent().is_empty() {
                        (marked, live) = (Marked::default(), BlobsOf::default());
                    }
                    tries -= 1;
                    continue;
                }
                swept => swept?,
            };
            done.blocks += swept.blocks;
            done.block_bytes += swept.bytes;
            done.moves += swept.rows;
            done.states += found.states;
            if what.dry_run {
                self.count_blobs(&found, &live, what, &mut done)?;
                return Ok(done);
            }
            self.parts.caches.clear();
            // The sweep is done, so an error from here on becomes part of its result.
            done.remains = match self.finish(&found, swept, &live, what, &mut done) {
                Ok(remains) => remains,
                // A new record may refer to a blob, so marking is repeated.
                Err(Error::Store(StoreError::Changed)) if tries > 0 => {
                    (what.drafted, what.seen) = (None, None);
                    tries -= 1;
                    continue;
                }
                Err(Error::Store(error)) => Some(error),
                Err(error) => Some(StoreError::Backend(Box::new(error))),
            };
            done.undecodable = std::mem::take(&mut live.undecodable);
            return Ok(done);
        }
    }

    fn look(
        &self,
        version: Version,
        refs: &Refs,
        later: &Later,
        what: &mut Collection<'_>,
        marked: &mut Marked,
        live: &mut BlobsOf,
    ) -> Result<Found> {
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
        // Present states must be complete. Past states may lack the known losses.
        marked.pass_over(HashSet::new());
        let is_drafted = |name: &RefName| drafted.roots.contains_key(name);
        for (_, cid) in refs.iter().filter(|(name, _)| !is_drafted(name)) {
            marked.commit(blocks, *cid, None, what.progress)?;
        }
        for root in drafted.roots.values() {
            marked.tree(blocks, *root, None, what.progress)?;
        }
        for commit in drafted.commits.iter().filter_map(|edit| edit.target) {
            marked.commit(blocks, commit, None, what.progress)?;
        }
        marked.pass_over(facts::losses(self.parts.store.view()?.as_ref())?);
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
        })?;
        let stored = self.stored_blobs()?;
        let mut forgotten = facts::erasures(self.parts.store.view()?.as_ref())?;
        let (mut states, mut newest) = (0, None);
        let (mut dead, mut dead_blobs) = (Marked::default(), BlobsOf::default());
        let looks_for_blobs = what.is_forgetting && !stored.is_empty();
        if what.fate.is_some() {
            each_row(self.parts, version, &mut |row| {
                let Some(cid) = row.after.filter(|cid| !marked.has_commit(cid)) else {
                    return Ok(());
                };
                if !self.is_first_arrival(row, cid)? {
                    return Ok(());
                }
                states += 1;
                newest = newest.max(rev_of(&reading, cid)?);
                if looks_for_blobs {
                    match dead.commit(&reading, cid, Some(marked), what.progress) {
                        // Damaged states can be deleted as well.
                        Err(error) if error.is_swept() => return Err(error),
                        Err(error) if error.is_corrupt() || error.is_not_found() => {}
                        marked => marked?,
                    }
                }
                Ok(())
            })?;
        }
        if looks_for_blobs {
            dead.find_blobs(&reading, &mut dead_blobs, what.progress)?;
            forgotten.extend(dead_blobs.cids);
        }
        let may_go = |blob: &BlobInfo| {
            blob.stored_at_micros < what.blobs_before_micros || forgotten.contains(&blob.cid)
        };
        let may_delete_blobs = stored.iter().any(may_go);
        if may_delete_blobs {
            marked.find_blobs(blocks, live, what.progress)?;
        }
        let all_known = live.undecodable.is_empty();
        let stored: HashSet<Cid> = stored.into_iter().map(|blob| blob.cid).collect();
        forgotten.retain(|cid| all_known && stored.contains(cid) && !live.cids.contains(cid));
        Ok(Found { version, states, newest, forgotten, may_delete_blobs })
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

    fn sweep_blocks(
        &self,
        found: &Found,
        later: &Later,
        marked: &Marked,
        what: &Collection<'_>,
    ) -> Result<SweptBlocks> {
        let mut facts = Vec::new();
        if what.fate.is_some() {
            facts.extend(self.keys_of_deleted(marked)?);
        }
        if what.is_forgetting {
            facts.push(FactEdit::Set(Fact::Erasing));
            facts.extend(found.forgotten.iter().map(|cid| FactEdit::Set(Fact::Erasure(*cid))));
        }
        // A missing block that no state names any more is no longer a loss.
        facts.push(FactEdit::Clear(FactKind::Loss));
        facts.extend(marked.holes_met().iter().map(|cid| FactEdit::Set(Fact::Loss(*cid))));
        let view = self.parts.store.view()?;
        let newest =
            found.newest.max(facts::forgotten(view.as_ref())?).filter(|_| found.states > 0);
        drop(view);
        facts.extend(newest.map(|rev| FactEdit::Set(Fact::Forgotten(rev))));

        let (mut counting, decide) = (later.clone(), what.fate);
        let mut fate = |row: &LogEntry| match decide {
            Some(decide) => counting.fate(row, decide),
            None => Fate::Stays,
        };
        let (live, absent) =
            (|cid: &Cid| marked.reaches(cid), |cid: &Cid| marked.absent().contains(cid));
        let mut sweep =
            Sweep::new(found.version, &live).absent(&absent).facts(facts).dry_run(what.dry_run);
        if what.fate.is_some() {
            sweep = sweep.log(&mut fate);
        }
        if let Some(drafted) = what.drafted.filter(|drafted| !drafted.commits.is_empty()) {
            let blocks: Vec<_> = drafted.blocks.iter().cloned().map(Ok).collect();
            let edits = drafted.commits.iter().cloned();
            sweep = sweep.change(Change::new(Event::Forget).blocks(blocks).edits(edits));
        }
        Ok(self.parts.store.collect(sweep)?)
    }

    /// Returns the edits that remove the named keys of deleted commits.
    fn keys_of_deleted(&self, marked: &Marked) -> Result<Vec<FactEdit>> {
        let mut edits = Vec::new();
        self.parts.store.view()?.facts(FactKind::NamedKey, &mut |fact| {
            if let Fact::NamedKey { commit, .. } = &fact
                && !marked.has_commit(commit)
            {
                edits.push(FactEdit::Remove(fact));
            }
            ControlFlow::Continue(())
        })?;
        Ok(edits)
    }

    /// Completes a sweep outside of its transaction: deletes blobs, and cleans the files. Returns the reason
    /// why remains may be left.
    fn finish(
        &self,
        found: &Found,
        swept: SweptBlocks,
        live: &BlobsOf,
        what: &Collection<'_>,
        done: &mut Collected,
    ) -> Result<Option<StoreError>> {
        // A later writer may refer to a blob that was not in use.
        if found.may_delete_blobs && self.parts.store.view()?.version() != swept.version {
            return Err(StoreError::Changed.into());
        }
        let forgotten: Vec<Cid> = found.forgotten.iter().copied().collect();
        for blob in self.parts.blobs.sweep(BlobSweep::Listed(&forgotten))? {
            done.add_blob(&blob);
        }
        if found.may_delete_blobs {
            let all_known = live.undecodable.is_empty();
            let stays = |cid: &Cid| !all_known || live.cids.contains(cid);
            let old = BlobSweep::StoredBefore { micros: what.blobs_before_micros, keep: &stays };
            for blob in self.parts.blobs.sweep(old)? {
                done.add_blob(&blob);
            }
        }
        if what.is_forgetting {
            // Abandoned uploads may contain purged data. Uploads in progress are younger than this.
            let abandoned = now_micros().saturating_sub(UPLOAD_AGE_MICROS);
            self.parts
                .blobs
                .sweep(BlobSweep::StoredBefore { micros: abandoned, keep: &|_| true })?;
        }
        let is_erasing = self.is_erasing()?;
        let is_worth_it = swept.blocks > 0 && swept.bytes >= swept.kept_bytes / WORTH_REWRITING;
        if (is_erasing || is_worth_it)
            && let Some(maintain) = self.parts.store.maintain()
            && let Err(error) = maintain.compact()
        {
            return Ok(Some(error));
        }
        if is_erasing {
            let clear = [FactKind::Erasing, FactKind::Erasure].map(FactEdit::Clear);
            self.parts.store.apply(Change::new(Event::Forget).facts(clear))?;
        }
        Ok(None)
    }

    fn count_blobs(
        &self,
        found: &Found,
        live: &BlobsOf,
        what: &Collection<'_>,
        done: &mut Collected,
    ) -> Result<()> {
        done.undecodable.clone_from(&live.undecodable);
        for blob in self.stored_blobs()? {
            let is_old = blob.stored_at_micros < what.blobs_before_micros;
            let is_dead = live.undecodable.is_empty() && !live.cids.contains(&blob.cid);
            if is_dead && (is_old || found.forgotten.contains(&blob.cid)) {
                done.add_blob(&blob);
            }
        }
        Ok(())
    }

    /// Returns whether an incomplete purge may have left remains of deleted data in the files.
    /// [`gc`](Self::gc) completes it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn is_erasing(&self) -> Result<bool> {
        facts::is_erasing(self.parts.store.view()?.as_ref())
    }

    fn stored_blobs(&self) -> Result<Vec<BlobInfo>> {
        let mut stored = Vec::new();
        self.parts.blobs.list(&mut |blob| {
            stored.push(blob);
            ControlFlow::Continue(())
        })?;
        Ok(stored)
    }
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

impl Collected {
    fn add_blob(&mut self, blob: &BlobInfo) {
        self.blobs += 1;
        self.blob_bytes += blob.size_bytes;
    }
}

/// The number of attempts after a lost race.
const MAX_TRIES: u32 = 100;

/// The file is rewritten if at least one in this many bytes was deleted. Otherwise later writes use the free
/// space.
const WORTH_REWRITING: u64 = 10;

/// The age at which an incomplete upload counts as abandoned.
const UPLOAD_AGE_MICROS: u64 = 60 * 60 * 1_000_000;
