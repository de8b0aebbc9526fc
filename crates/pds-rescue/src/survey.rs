//! The survey: a read-only check of a whole store, for a repair.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use crate::broken_ref::BrokenRef;
use crate::damaged::{Aside, DamagedBlock};
use crate::filled_store::{Filled, Origin};
use crate::handle::Rescue;
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
use pds::model::progress::{Progress, StepKind};
use pds::repo::Repo;
use pds::snapshot::Snapshot;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::node::Position;
use pds_core::syntax::tid::Tid;
use pds_store::error::StoreError;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;

/// The damage of a repository: damaged blocks, lost blocks and broken refs.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let survey = pds_rescue::Rescue::of(&repo).survey(&[])?;
/// assert!(survey.is_clean());
/// assert_eq!(survey.blocks, 2, "a commit and an empty tree");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The number of blocks that were read.
    pub blocks: u64,
    /// The error of the store, if it could not read all blocks.
    pub unreadable: Option<String>,
    /// The lost blocks, those of the present state first. Each is listed once.
    pub lost: Vec<Lost>,
    /// Refs that are missing, or that point to a block that is not a commit.
    pub refs: Vec<BrokenRef>,
    pub(super) aside: Aside,
    pub(super) commits: Vec<Commit>,
    found: BTreeMap<Cid, Origin>,
}

/// A block that a state needs, and that neither the store nor a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The part of the state.
    pub part: Part,
    /// The block.
    pub cid: Cid,
    /// The commit of the state that needs the block: the present state, or else the newest one.
    pub commit: Cid,
    /// The rev of that commit, or `None` if the commit itself is lost.
    pub rev: Option<Tid>,
    /// The ref that points to that state, or `None` for a past state.
    pub ref_name: Option<RefName>,
}

impl Lost {
    pub(super) fn commit(cid: Cid, ref_name: Option<RefName>) -> Self {
        Self { part: Part::Commit, cid, commit: cid, rev: None, ref_name }
    }
}

impl Survey {
    /// Returns the damaged blocks.
    #[must_use]
    pub fn damaged(&self) -> &[DamagedBlock] {
        &self.aside.blocks
    }

    /// Returns the stored and readable commits, the latest rev first.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// Returns the blocks that are missing or damaged in the store and were found elsewhere.
    #[must_use]
    pub fn found(&self) -> &BTreeMap<Cid, Origin> {
        &self.found
    }

    /// Returns whether nothing is wrong with the present state and the stored past states.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damaged().is_empty()
            && self.found.is_empty()
            && self.lost.is_empty()
            && self.refs.is_empty()
            && self.unreadable.is_none()
    }
}

/// A commit that is stored, or that should be.
struct State {
    commit: Cid,
    ref_name: Option<RefName>,
}

impl Rescue<'_> {
    /// Checks every block and every state, and searches the sources for missing blocks. Changes nothing.
    ///
    /// A stored block under a wrong name counts as found, because its CID proves it.
    ///
    /// Each block is read once, and once more for the states that need it. Damaged blocks are kept in a
    /// temporary file. Memory use grows with the number of tree nodes.
    ///
    /// # Errors
    ///
    /// [`Error`](pds::Error) if the store or a source cannot be read; damage is not an error.
    /// [`StoreError::Busy`] if blocks are missing, and another process has deleted states meanwhile.
    pub fn survey(&self, sources: &[&dyn Blocks]) -> Result<Survey> {
        let mut survey = Survey::default();
        let seen = self.repo.store().view()?.version();
        self.look_at_blocks(&mut survey)?;
        survey.commits.sort_by_key(|commit| std::cmp::Reverse(commit.rev()));
        let filled = Filled::new(self.repo.store().as_ref(), &survey.aside, sources);
        survey.refs = self.broken_refs(&survey.commits, &filled)?;
        let states = self.states(&survey.commits, &survey.refs)?;
        let filled = Filled::new(self.repo.store().as_ref(), &survey.aside, sources);
        let lost = follow(&states, &filled, self.progress)?;
        (survey.found, survey.lost) = (filled.into_taken(), lost);
        // Blocks may be missing because another process has deleted their state. They are not lost.
        if !survey.lost.is_empty() && self.repo.store().view()?.version().sweep != seen.sweep {
            return Err(StoreError::Busy.into());
        }
        Ok(survey)
    }

    /// Hashes every block, copies damaged blocks aside, and collects the commits.
    fn look_at_blocks(&self, survey: &mut Survey) -> Result<()> {
        let Survey { blocks, aside, commits, .. } = survey;
        let mut failed = None;
        let Some(maintain) = self.repo.store().maintain() else { return Ok(()) };
        let scanned = maintain.scan_raw(&mut |name, bytes| {
            *blocks += 1;
            self.progress.one(StepKind::Blocks);
            let cid = Cid::from_bytes(name).ok();
            let Some(block) = cid.and_then(|cid| Block::verified(cid, bytes).ok()) else {
                failed = aside.keep(name, bytes).err();
                return if failed.is_some() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                };
            };
            if may_be_a_commit(&block)
                && let Ok(commit) = Commit::decode(&block)
            {
                commits.push(commit);
            }
            ControlFlow::Continue(())
        });
        match scanned {
            _ if failed.is_some() => failed.map_or(Ok(()), Err),
            Err(error @ StoreError::Damaged(_)) => {
                survey.unreadable = Some(error.to_string());
                Ok(())
            }
            scanned => Ok(scanned?),
        }
    }

    /// Returns the states: the present one, those of other refs, those of the log, and those of all other
    /// commits, newer ones first. A broken ref counts with its target.
    fn states(&self, commits: &[Commit], broken: &[BrokenRef]) -> Result<Vec<State>> {
        let view = self.repo.store().view()?;
        let mut refs: BTreeMap<RefName, Cid> = view.refs()?.iter().cloned().collect();
        let mut former = Vec::new();
        for BrokenRef { name, target, lost, .. } in broken {
            refs.remove(name);
            former.extend(lost.iter().map(|commit| (name.clone(), *commit)));
            refs.extend(target.map(|target| (name.clone(), target)));
        }
        let mut states = Vec::new();
        let mut known = HashSet::new();
        let mut add = |commit, ref_name| {
            if known.insert(commit) {
                states.push(State { commit, ref_name });
            }
        };
        if let Some(head) = refs.get(self.repo.history().ref_name()) {
            add(*head, Some(self.repo.history().ref_name().clone()));
        }
        for (name, commit) in refs.into_iter().chain(former) {
            add(commit, Some(name));
        }
        // The log also keeps the states of removed refs alive, and the state before its first row.
        view.log(&LogQuery::newest_first(), &mut |row| {
            [row.after, row.before].into_iter().flatten().for_each(|commit| add(commit, None));
            ControlFlow::Continue(())
        })?;
        commits.iter().for_each(|commit| add(commit.cid(), None));
        Ok(states)
    }
}

/// Walks the tree of every state. Returns the lost blocks.
fn follow(states: &[State], filled: &Filled<'_>, progress: Progress<'_>) -> Result<Vec<Lost>> {
    let mut trace = Trace::new(filled);
    let mut named = HashSet::new();
    let mut lost = Vec::new();
    for State { commit: cid, ref_name } in states {
        let decoded = filled.get(cid)?.map(|block| Commit::decode(&block));
        let Some(Ok(commit)) = decoded else {
            lost.push(Lost::commit(*cid, ref_name.clone()));
            continue;
        };
        let rev = commit.rev();
        let mut lose = |part: Part, cid| {
            let key = match &part {
                Part::Record { key } => Some(key.clone()),
                Part::Commit | Part::Records { .. } => None,
            };
            if named.insert((cid, key)) {
                let (commit, ref_name) = (commit.cid(), ref_name.clone());
                lost.push(Lost { part, cid, commit, rev, ref_name });
            }
            Ok(())
        };
        let whole = (None, None);
        trace.follow((commit.data(), Position::Root), whole, &mut |step| match step {
            Step::Node { .. } => Ok(()),
            Step::Record { .. } => {
                progress.one(StepKind::Records);
                Ok(())
            }
            Step::LostRecord { key, cid } => lose(Part::Record { key }, cid),
            Step::LostNode { after, before, cid, .. } => lose(Part::Records { after, before }, cid),
        })?;
    }
    Ok(lost)
}

/// Returns whether a block may be a commit, without decoding it.
pub(super) fn may_be_a_commit(block: &Block) -> bool {
    const SIGNATURE_FIELD: &[u8] = b"\x63sig";
    let bytes = block.bytes();
    let is_map = bytes.first().is_some_and(|byte| byte >> 5 == 5);
    let has_signature = || bytes.windows(SIGNATURE_FIELD.len()).any(|at| at == SIGNATURE_FIELD);
    block.cid().codec() == Codec::Cbor && is_map && has_signature()
}

/// Reads a commit from the store of a repository.
pub(crate) fn commit_at(repo: &Repo, cid: Cid) -> Result<Commit> {
    Ok(Snapshot::open(repo.store().clone(), cid)?.commit().clone())
}
