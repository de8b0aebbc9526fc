//! How states leave a store: which moves the log still tells, what they reach, and what becomes of
//! the rest.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use super::clock::now_micros;
use super::keys::{META_KEYS_ENDED, META_KEYS_NAMED};
use super::mark::{BlobsOf, Marked};
use super::repair::META_LOST;
use super::{Error, Repo, Result};
use crate::blob::{BlobInfo, BlobSweep};
use crate::data::{Cid, MemoryBlocks, Overlay};
use crate::store::{LogEntry, RefName, Refs, StoreError, Sweep, SweptBlocks};
use crate::syntax::Tid;

/// Which states a collection keeps, and how thorough it is.
pub(super) struct Collection<'a> {
    /// What the log is to tell, of what it tells now; `None` if that stays as it is.
    pub(super) retell: Box<Retell<'a>>,
    /// Trees that take the place of what some refs name now.
    pub(super) drafted: &'a Drafted,
    /// Blobs that were stored before this time go when nothing refers to them.
    pub(super) blobs_before_micros: u64,
    /// Blobs of what goes do not outlive it, and nothing of it is left in any file.
    pub(super) is_forgetting: bool,
    /// Tell what would go, and change nothing.
    pub(super) dry_run: bool,
    /// Called with how many blocks have been looked at since it was called last.
    pub(super) progress: &'a mut dyn FnMut(u64),
}

pub(super) type Retell<'a> = dyn FnMut(&Refs, &[LogEntry]) -> Result<Option<Vec<LogEntry>>> + 'a;

/// Trees that are not stored.
#[derive(Default)]
pub(super) struct Drafted {
    pub(super) blocks: MemoryBlocks,
    pub(super) roots: HashMap<RefName, Cid>,
}

/// What a collection has done.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) blocks: u64,
    pub(super) block_bytes: u64,
    pub(super) blobs: u64,
    pub(super) blob_bytes: u64,
    /// Moves that the log no longer tells.
    pub(super) moves: u64,
    /// Commits that the log named and that are gone.
    pub(super) states: u64,
    /// Records because of which blobs stayed that might have gone.
    pub(super) undecodable: Vec<Cid>,
    /// Why remains of what went may still be in the files.
    pub(super) remains: Option<StoreError>,
}

/// What is to live, and what is not.
struct Found {
    version: u64,
    log: Option<Vec<LogEntry>>,
    /// Commits that the log will not name any more.
    gone: Vec<Cid>,
    moves: u64,
    /// Blobs that go whatever their age: what goes refers to them, and nothing else does.
    forgotten: HashSet<Cid>,
}

impl Repo {
    /// Marks what lives, sweeps the rest, and looks again whenever somebody else was faster.
    pub(super) fn collect(&self, what: &mut Collection<'_>) -> Result<Collected> {
        let (mut marked, mut live) = (Marked::default(), BlobsOf::default());
        let mut done = Collected::default();
        let mut tries = MAX_TRIES;
        loop {
            let refs = self.store.refs()?;
            let found = match self.look(&refs, what, &mut marked, &mut live) {
                // Another collection took away what was just being read.
                Err(_) if tries > 0 && self.store.refs()?.version != refs.version => {
                    (marked, live) = (Marked::default(), BlobsOf::default());
                    tries -= 1;
                    continue;
                }
                found => found?,
            };
            let swept = match self.sweep_blocks(&found, &marked, what) {
                // What is marked stays marked: the next look is at what has come since. What was passed
                // over is looked at again; and where the log is told anew, a state that was to stay may now go. Beside
                // somebody who never stops writing gc leaves that to the next one; forgetting does not.
                Err(Error::Store(StoreError::Changed)) if tries > 0 => {
                    let is_patient = what.is_forgetting || tries > MAX_TRIES - LOOKS_ANEW;
                    if (found.log.is_some() && is_patient) || !marked.absent().is_empty() {
                        (marked, live) = (Marked::default(), BlobsOf::default());
                    }
                    tries -= 1;
                    continue;
                }
                swept => swept?,
            };
            done.blocks += swept.blocks;
            done.block_bytes += swept.bytes;
            done.moves += found.moves;
            done.states += found.gone.len() as u64;
            if what.dry_run {
                self.weigh_blobs(&found, &live, what, &mut done)?;
                return Ok(done);
            }
            self.remembered.clear();
            // Should somebody have come since, what they wrote may refer to a blob.
            let is_quiet = self.store.refs()?.version == swept.version;
            if is_quiet {
                // What is swept is gone: that something of it is left is told beside it.
                if let Err(error) = self.finish(&found, swept, &live, what, &mut done) {
                    done.remains = Some(StoreError::Backend(Box::new(error)));
                }
                done.undecodable = std::mem::take(&mut live.undecodable);
            } else if tries == 0 {
                done.remains = Some(StoreError::Changed);
            }
            if is_quiet || tries == 0 {
                return Ok(done);
            }
            tries -= 1;
        }
    }

    fn look(
        &self,
        refs: &Refs,
        what: &mut Collection<'_>,
        marked: &mut Marked,
        live: &mut BlobsOf,
    ) -> Result<Found> {
        let blocks = &Overlay { over: &what.drafted.blocks, under: self.store.as_ref() };
        let moves = self.store.moves()?;
        let log = (what.retell)(refs, &moves)?;
        let told = log.as_deref().unwrap_or(&moves);
        let is_drafted = |name: &RefName| what.drafted.roots.contains_key(name);
        if refs.get(&self.name).is_none()
            && let lost @ Error::RefLost { .. } = self.absent()?
        {
            return Err(lost);
        }
        // The present has to be whole; of the past may be missing what a repair has told of.
        marked.pass_over(HashSet::new());
        let present = refs.entries.iter().filter(|(name, _)| !is_drafted(name));
        for (_, cid) in present {
            marked.commit(blocks, *cid, None, what.progress)?;
        }
        for root in what.drafted.roots.values() {
            marked.tree(blocks, *root, None, what.progress)?;
        }
        marked.pass_over(self.known_losses()?);
        for cid in named(told) {
            marked.commit(blocks, cid, None, what.progress).map_err(|error| match error {
                error if error.is_corrupt() || error.is_not_found() => {
                    Error::StateLost { commit: cid, source: Box::new(error) }
                }
                error => error,
            })?;
        }
        let gone: HashSet<Cid> = named(&moves).filter(|cid| !marked.has_commit(cid)).collect();
        let gone: Vec<Cid> = gone.into_iter().collect();

        let kept = self.stored_blobs()?;
        let mut forgotten = self.pending()?;
        if what.is_forgetting && !kept.is_empty() {
            forgotten.extend(self.blobs_of(&gone, marked, what.progress)?);
        }
        let may_go = |blob: &BlobInfo| {
            blob.stored_at_micros < what.blobs_before_micros || forgotten.contains(&blob.cid)
        };
        if kept.iter().any(may_go) {
            marked.find_blobs(blocks, live, what.progress)?;
        }
        let all_known = live.undecodable.is_empty();
        let kept: HashSet<Cid> = kept.into_iter().map(|blob| blob.cid).collect();
        forgotten.retain(|cid| all_known && kept.contains(cid) && !live.cids.contains(cid));
        let moves = moves.len() as u64 - told.len() as u64;
        Ok(Found { version: refs.version, log, gone, moves, forgotten })
    }

    /// Finds the blobs that some commits refer to, as far as these can be read, in what is not
    /// marked.
    fn blobs_of(
        &self,
        commits: &[Cid],
        marked: &Marked,
        progress: &mut dyn FnMut(u64),
    ) -> Result<HashSet<Cid>> {
        let (mut dead, mut blobs) = (Marked::default(), BlobsOf::default());
        for cid in commits {
            match dead.commit(self.store.as_ref(), *cid, Some(marked), progress) {
                // What is damaged may go as well as what is not.
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                marked => marked?,
            }
        }
        dead.find_blobs(self.store.as_ref(), &mut blobs, progress)?;
        Ok(blobs.cids)
    }

    fn sweep_blocks(
        &self,
        found: &Found,
        marked: &Marked,
        what: &Collection<'_>,
    ) -> Result<SweptBlocks> {
        let pending: Vec<String> = found.forgotten.iter().map(Cid::to_string).collect();
        let pending = pending.join(" ");
        let newest = self.newest_rev(&found.gone)?.max(self.forgotten()?);
        let newest = newest.map(|rev| rev.to_string());
        let mut meta = Vec::new();
        // The row that tells of a key may leave while commits that it signed stay.
        let keys = found.log.is_some().then(|| self.key_history()).transpose()?;
        let kept = keys.map(|keys| (keys.ended(), keys.named(&|cid| marked.has_commit(cid))));
        if let Some((ended, named)) = &kept {
            meta.push((META_KEYS_ENDED, ended.as_deref()));
            meta.push((META_KEYS_NAMED, named.as_deref()));
        }
        if what.is_forgetting {
            meta.push((META_ERASE, Some(pending.as_str())));
        }
        // What no state names any more that is kept is not missing any more.
        let losses: BTreeSet<String> = marked.holes_met().iter().map(Cid::to_string).collect();
        let losses = losses.into_iter().collect::<Vec<_>>().join(" ");
        meta.push((META_LOST, Some(losses.as_str()).filter(|losses| !losses.is_empty())));
        if let (false, Some(newest)) = (found.gone.is_empty(), &newest) {
            meta.push((META_FORGOTTEN, Some(newest.as_str())));
        }
        Ok(self.store.sweep(&Sweep {
            as_of: found.version,
            live: &|cid| marked.reaches(cid),
            absent: &|cid| marked.absent().contains(cid),
            log: found.log.as_deref().filter(|_| !what.dry_run),
            meta: &meta,
            dry_run: what.dry_run,
        })?)
    }

    /// Does what does not fit into the transaction: the blobs, and what is left in the files.
    fn finish(
        &self,
        found: &Found,
        swept: SweptBlocks,
        live: &BlobsOf,
        what: &Collection<'_>,
        done: &mut Collected,
    ) -> Result<()> {
        let forgotten: Vec<Cid> = found.forgotten.iter().copied().collect();
        for blob in self.blobs.sweep(BlobSweep::Listed(&forgotten))? {
            done.add_blob(&blob);
        }
        let all_known = live.undecodable.is_empty();
        let stays = |cid: &Cid| !all_known || live.cids.contains(cid);
        let old = BlobSweep::StoredBefore { micros: what.blobs_before_micros, keep: &stays };
        for blob in self.blobs.sweep(old)? {
            done.add_blob(&blob);
        }
        if what.is_forgetting {
            // What is left of uploads may be of anything; those that go on are younger than this.
            let abandoned = now_micros().saturating_sub(UPLOAD_AGE_MICROS);
            self.blobs.sweep(BlobSweep::StoredBefore { micros: abandoned, keep: &|_| true })?;
        }
        let is_erasing = self.is_erasing()?;
        let is_worth_it = swept.blocks > 0 && swept.bytes >= swept.kept_bytes / WORTH_REWRITING;
        if is_erasing || is_worth_it {
            done.remains = self.store.compact().err();
        }
        if is_erasing && done.remains.is_none() {
            self.store.set_meta(META_ERASE, None)?;
        }
        Ok(())
    }

    fn weigh_blobs(
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

    /// Tells up to which rev states were let go on purpose; `None` if none were.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn forgotten(&self) -> Result<Option<Tid>> {
        Ok(self.store.meta(META_FORGOTTEN)?.and_then(|rev| rev.parse().ok()))
    }

    /// Tells whether a forgetting was interrupted or hindered, so that remains of what went may
    /// still be in the files: [`gc`](Self::gc) completes it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn is_erasing(&self) -> Result<bool> {
        Ok(self.store.meta(META_ERASE)?.is_some())
    }

    fn stored_blobs(&self) -> Result<Vec<BlobInfo>> {
        let mut stored = Vec::new();
        self.blobs.list(&mut |blob| {
            stored.push(blob);
            ControlFlow::Continue(())
        })?;
        Ok(stored)
    }

    /// The blobs that are still to go.
    fn pending(&self) -> Result<HashSet<Cid>> {
        let text = self.store.meta(META_ERASE)?.unwrap_or_default();
        Ok(text.split_whitespace().filter_map(|cid| cid.parse().ok()).collect())
    }

    fn newest_rev(&self, commits: &[Cid]) -> Result<Option<Tid>> {
        let mut newest = None;
        for cid in commits {
            match self.commit_at(*cid) {
                Ok(commit) => newest = newest.max(commit.rev()),
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest)
    }
}

impl Collected {
    fn add_blob(&mut self, blob: &BlobInfo) {
        self.blobs += 1;
        self.blob_bytes += blob.size_bytes;
    }
}

/// The commits that some moves name.
fn named(moves: &[LogEntry]) -> impl Iterator<Item = Cid> + '_ {
    moves.iter().flat_map(|entry| [entry.before, entry.after]).flatten()
}

/// A state in the history of one ref.
pub(super) struct State<'a> {
    pub(super) commit: Cid,
    /// The move by which the ref came there; unknown for one that is told of by the next move only.
    pub(super) arrival: Option<&'a LogEntry>,
    /// How many states of this ref come after it.
    pub(super) later: usize,
}

/// Tells a log without some states: each ref moves from the last state that stays to the next one.
///
/// A ref that has been back and forth does not move to where it stands. The last move stays even so
/// if it would be the only one: a log is never empty.
pub(super) fn without(
    moves: &[LogEntry],
    stays: &mut dyn FnMut(&State<'_>) -> Result<bool>,
) -> Result<Vec<LogEntry>> {
    let mut later: HashMap<&RefName, usize> = HashMap::new();
    for entry in moves {
        *later.entry(&entry.name).or_default() += 1;
    }
    let mut stands: HashMap<&RefName, Option<Cid>> = HashMap::new();
    let mut told = Vec::with_capacity(moves.len());
    for (n, entry) in moves.iter().enumerate() {
        let LogEntry { name, .. } = entry;
        let later = later.entry(name).or_default();
        let before = match stands.get(name) {
            Some(before) => *before,
            None => match entry.before {
                Some(commit) => {
                    let state = State { commit, arrival: None, later: *later };
                    stays(&state)?.then_some(commit)
                }
                None => None,
            },
        };
        *later -= 1;
        let goes = match entry.after {
            Some(commit) => !stays(&State { commit, arrival: Some(entry), later: *later })?,
            None => false,
        };
        stands.insert(name, if goes { before } else { entry.after });
        let is_move = before != entry.after || before == entry.before;
        let is_last = n + 1 == moves.len() && told.is_empty();
        if !goes && (is_move || is_last) {
            told.push(LogEntry { before, ..entry.clone() });
        }
    }
    Ok(told)
}

/// How often a lost race is run again; each time only what has come since is marked.
const MAX_TRIES: u32 = 100;

/// How often everything is marked anew because states that were marked may go.
const LOOKS_ANEW: u32 = 10;

/// A file is rewritten when at least one part in this many of what it held is gone; otherwise the
/// room is used by what comes next.
const WORTH_REWRITING: u64 = 10;

/// How long an upload may stand still before it counts as abandoned.
const UPLOAD_AGE_MICROS: u64 = 60 * 60 * 1_000_000;

/// The rev of the newest commit that was let go on purpose.
const META_FORGOTTEN: &str = "forgotten";

/// There while remains of something forgotten may be in the files: the blobs that are to go.
const META_ERASE: &str = "erase";
