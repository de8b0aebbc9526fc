//! Looking at a whole store, and changing nothing.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use crate::damaged::{Aside, DamagedBlock};
use crate::filled::{Filled, Origin};
use crate::handle::Rescue;
use crate::stray::StrayRef;
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
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

/// What is wrong with a repository: with its blocks, and with the states that are kept in it.
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
    /// How many blocks were looked at.
    pub blocks: u64,
    /// What the store says, where its blocks cannot be read to the end.
    pub unreadable: Option<String>,
    /// What is nowhere to be had, that of the present state first; nothing is named twice.
    pub lost: Vec<Lost>,
    /// Refs that are gone, or that name what is no commit.
    pub refs: Vec<StrayRef>,
    pub(super) aside: Aside,
    pub(super) commits: Vec<Commit>,
    found: BTreeMap<Cid, Origin>,
}

/// Something that a state names and that is nowhere to be had.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds_rescue::Part;
///
/// let survey = pds_rescue::Rescue::of(&repo).survey(&[])?;
/// let records = survey.lost.iter().filter(|lost| matches!(lost.part, Part::Record { .. }));
/// assert_eq!(records.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// What it is.
    pub part: Part,
    /// The block.
    pub cid: Cid,
    /// The commit whose state it is missing from: the present one if it is in that, else the newest.
    pub commit: Cid,
    /// When that was; `None` where the commit is what is lost.
    pub rev: Option<Tid>,
    /// The ref that names that state; `None` when it is past.
    pub ref_name: Option<RefName>,
}

impl Lost {
    pub(super) fn commit(cid: Cid, ref_name: Option<RefName>) -> Self {
        Self { part: Part::Commit, cid, commit: cid, rev: None, ref_name }
    }
}

impl Survey {
    /// Returns the blocks that are not what their names say.
    #[must_use]
    pub fn damaged(&self) -> &[DamagedBlock] {
        &self.aside.blocks
    }

    /// Returns the commits that are here and can be read, the latest rev first.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// Returns what states name, is not here as it should be, and was found elsewhere.
    #[must_use]
    pub fn found(&self) -> &BTreeMap<Cid, Origin> {
        &self.found
    }

    /// Tells whether nothing is wrong, neither at present nor in the past that is kept here.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damaged().is_empty()
            && self.found.is_empty()
            && self.lost.is_empty()
            && self.refs.is_empty()
            && self.unreadable.is_none()
    }
}

/// A commit that is kept here, or should be.
struct State {
    commit: Cid,
    ref_name: Option<RefName>,
}

impl Rescue<'_> {
    /// Looks at every block and at every state that is kept here, and at what some sources have of
    /// what is missing; changes nothing.
    ///
    /// A block that is stored here under a wrong name counts as found: the CID is the proof.
    ///
    /// It reads each block once, and once more for each state that needs it and shares it with no
    /// other. Damaged blocks wait in a temporary file; the memory is in the number of tree nodes.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::repo::Error) when the store or a source cannot be read at all; damage is no
    /// error here. [`StoreError::Busy`] when states are let go of meanwhile and something is missing.
    pub fn survey(&self, sources: &[&dyn Blocks]) -> Result<Survey> {
        let mut survey = Survey::default();
        let seen = self.repo.store().view()?.version();
        self.look_at_blocks(&mut survey)?;
        survey.commits.sort_by_key(|commit| std::cmp::Reverse(commit.rev()));
        let filled = Filled::new(self.repo.store().as_ref(), &survey.aside, sources);
        survey.refs = self.stray_refs(&survey.commits, &filled)?;
        let states = self.states(&survey.commits, &survey.refs)?;
        let filled = Filled::new(self.repo.store().as_ref(), &survey.aside, sources);
        let lost = follow(&states, &filled)?;
        (survey.found, survey.lost) = (filled.into_taken(), lost);
        // A state that another process deletes meanwhile is missing, and is not lost.
        if !survey.lost.is_empty() && self.repo.store().view()?.version().sweep != seen.sweep {
            return Err(StoreError::Busy.into());
        }
        Ok(survey)
    }

    /// Hashes every block, sets aside what is damaged, and notes the commits.
    fn look_at_blocks(&self, survey: &mut Survey) -> Result<()> {
        let Survey { blocks, aside, commits, .. } = survey;
        let mut failed = None;
        let Some(maintain) = self.repo.store().maintain() else { return Ok(()) };
        let scanned = maintain.scan_raw(&mut |name, bytes| {
            *blocks += 1;
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

    /// Lists the states: the present one, those of other refs, those of the log, and all others of
    /// which there is a commit, newer ones first. A stray ref is where it is to stand.
    fn states(&self, commits: &[Commit], stray: &[StrayRef]) -> Result<Vec<State>> {
        let view = self.repo.store().view()?;
        let mut refs: BTreeMap<RefName, Cid> = view.refs()?.iter().cloned().collect();
        let mut stood = Vec::new();
        for StrayRef { name, target, lost, .. } in stray {
            refs.remove(name);
            stood.extend(lost.iter().map(|commit| (name.clone(), *commit)));
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
        for (name, commit) in refs.into_iter().chain(stood) {
            add(commit, Some(name));
        }
        // Also those of refs that were removed, and where the log begins: it keeps all of them alive.
        view.log(&LogQuery::newest_first(), &mut |row| {
            [row.after, row.before].into_iter().flatten().for_each(|commit| add(commit, None));
            ControlFlow::Continue(())
        })?;
        commits.iter().for_each(|commit| add(commit.cid(), None));
        Ok(states)
    }
}

/// Follows every state, and lists what is lost of it.
fn follow(states: &[State], filled: &Filled<'_>) -> Result<Vec<Lost>> {
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
            Step::Record { .. } => Ok(()),
            Step::LostRecord { key, cid } => lose(Part::Record { key }, cid),
            Step::LostNode { after, before, cid, .. } => lose(Part::Records { after, before }, cid),
        })?;
    }
    Ok(lost)
}

/// Passes over what is certainly no commit, without decoding it.
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
