//! The states in a damaged file: its commits, and the number of records that each of them still has.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::orphans::Each;
use crate::survey::may_be_a_commit;
use pds::error::Result;
use pds::model::commit_order::CommitOrder;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::mst::node::{Node, Position};
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;

/// A state whose commit was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundState {
    /// The commit.
    pub commit: Cid,
    /// The account, or `None` if the field of the commit is malformed.
    pub did: Option<Did>,
    /// The rev, or `None` if the commit has none.
    pub rev: Option<Tid>,
    /// Whether the root of its tree was found. Without it, the state has no records here.
    pub has_tree: bool,
    /// The number of its records that were found.
    pub records: u64,
    /// The number of its lost nodes and records. The records below a lost node are unknown.
    pub lost: u64,
}

/// The name of a state: its rev, or its commit if it has no rev or another state has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateName {
    /// The commit.
    pub commit: Cid,
    /// The rev.
    pub rev: Option<Tid>,
    /// Whether another state of the file has the same rev.
    pub is_shared_rev: bool,
}

impl StateName {
    fn of(commit: &Commit, is_shared_rev: bool) -> Self {
        Self { commit: commit.cid(), rev: commit.rev(), is_shared_rev }
    }
}

impl std::fmt::Display for StateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rev.filter(|_| !self.is_shared_rev) {
            Some(rev) => rev.fmt(f),
            None => self.commit.fmt(f),
        }
    }
}

/// The commits of a file, the newest first, and the one whose records are its present content.
pub(super) struct States {
    pub(super) commits: Vec<Commit>,
    /// The position of the present state.
    pub(super) present: Option<usize>,
    /// The commit that the header of the file names.
    root: Option<Cid>,
    /// The revs that more than one commit has.
    shared_revs: HashSet<Tid>,
}

impl States {
    /// Finds the commits, also those with a malformed field. The present state is the newest one whose tree is not
    /// entirely lost. It belongs to the account of the root, if the root is readable.
    pub(super) fn find(root: Option<Cid>, roots: &mut Roots<'_>, each: &Each<'_>) -> Result<Self> {
        let mut commits = Vec::new();
        let mut known = HashSet::new();
        let of_root = match root {
            Some(root) => {
                roots.blocks.get(&root)?.and_then(|block| Commit::decode_with_faults(&block).ok())
            }
            None => None,
        };
        let did = of_root.as_ref().map(|commit| commit.did().clone());
        known.extend(of_root.as_ref().map(Commit::cid));
        commits.extend(of_root);
        each(&mut |block| {
            if may_be_a_commit(block)
                && let Ok(commit) = Commit::decode_with_faults(block)
                // A record may have some fields of a commit.
                && commit.faults().len() <= 1
                && known.insert(commit.cid())
            {
                commits.push(commit);
            }
        })?;
        let order = CommitOrder::of(&commits, root);
        commits.sort_by_key(|commit| (Reverse(order.of_commit(commit)), commit.cid()));
        let did = did.or_else(|| commits.first().map(|commit| commit.did().clone()));
        let mut present = None;
        for (number, commit) in commits.iter().enumerate() {
            if did.as_ref() != Some(commit.did()) {
                continue;
            }
            if roots.has(commit.data())? {
                present = Some(number);
                break;
            }
            present = present.or(Some(number));
        }
        let shared_revs = shared_revs(&commits);
        Ok(Self { commits, present, root, shared_revs })
    }

    /// Returns the name of a state. No other state of the file has it.
    pub(super) fn name_of(&self, commit: &Commit) -> StateName {
        let is_shared = commit.rev().is_some_and(|rev| self.shared_revs.contains(&rev));
        StateName::of(commit, is_shared)
    }

    pub(super) fn present(&self) -> Option<&Commit> {
        self.commits.get(self.present?)
    }

    /// Returns the other states, the newest first, each with whether its tree should be there: the state is newer than
    /// the present one, or the header names it. Other commits may show the history only.
    pub(super) fn others(&self) -> impl Iterator<Item = (&Commit, bool)> {
        let did = self.present().map(Commit::did);
        let states = self.commits.iter().enumerate();
        states.filter(|(number, _)| Some(*number) != self.present).map(move |(number, commit)| {
            let is_newer = self.present.is_some_and(|present| number < present);
            let is_root = Some(commit.cid()) == self.root;
            (commit, is_root || is_newer && Some(commit.did()) == did)
        })
    }
}

/// Returns the revs that occur more than once.
fn shared_revs(commits: &[Commit]) -> HashSet<Tid> {
    let mut known = HashSet::new();
    commits.iter().filter_map(Commit::rev).filter(|rev| !known.insert(*rev)).collect()
}

/// Tells whether the root of a tree can be read. Many commits may share a tree, so each root is read once.
pub(super) struct Roots<'a> {
    blocks: &'a dyn Blocks,
    read: HashMap<Cid, bool>,
}

impl<'a> Roots<'a> {
    pub(super) fn of(blocks: &'a dyn Blocks) -> Self {
        Self { blocks, read: HashMap::new() }
    }

    pub(super) fn has(&mut self, data: Cid) -> Result<bool> {
        if let Some(is_read) = self.read.get(&data) {
            return Ok(*is_read);
        }
        let block = self.blocks.get(&data)?;
        let is_node = |block: Block| Node::read(data, block.bytes(), Position::Root).is_ok();
        let is_read = block.is_some_and(is_node);
        self.read.insert(data, is_read);
        Ok(is_read)
    }
}

/// Counts the records of trees. Each subtree is counted once.
pub(super) struct Tally<'a> {
    blocks: &'a dyn Blocks,
    /// The blocks that are known to be lost.
    lost: &'a HashSet<Cid>,
    counted: HashMap<Cid, Count>,
}

/// The number of records and of lost parts in a subtree.
#[derive(Clone, Copy, Default)]
struct Count {
    records: u64,
    lost: u64,
}

impl<'a> Tally<'a> {
    pub(super) fn new(blocks: &'a dyn Blocks, lost: &'a HashSet<Cid>) -> Self {
        Self { blocks, lost, counted: HashMap::new() }
    }

    pub(super) fn of(&mut self, commit: &Commit, roots: &mut Roots<'_>) -> Result<FoundState> {
        let has_tree = roots.has(commit.data())?;
        let Count { records, lost } = self.count(commit.data(), Position::Root)?;
        let (cid, did, rev) = (commit.cid(), commit.known_did().cloned(), commit.rev());
        Ok(FoundState { commit: cid, did, rev, has_tree, records, lost })
    }

    /// Counts a subtree. The levels of nodes decrease, so the recursion is not deep.
    fn count(&mut self, cid: Cid, position: Position) -> Result<Count> {
        if let Some(count) = self.counted.get(&cid) {
            return Ok(*count);
        }
        let node = match self.blocks.get(&cid)? {
            Some(block) => Node::read(cid, block.bytes(), position).ok(),
            None => None,
        };
        let mut count = Count::default();
        match node {
            Some(node) => {
                for entry in node.entries() {
                    let is_lost = self.lost.contains(&entry.value);
                    count.lost = count.lost.saturating_add(u64::from(is_lost));
                    count.records = count.records.saturating_add(u64::from(!is_lost));
                }
                let below = node.level().checked_sub(1).map(|level| Position::Child { level });
                for (cid, position) in node.subtrees().filter_map(|cid| Some((cid, below?))) {
                    let inner = self.count(cid, position)?;
                    count.lost = count.lost.saturating_add(inner.lost);
                    count.records = count.records.saturating_add(inner.records);
                }
            }
            None => count.lost = 1,
        }
        self.counted.insert(cid, count);
        Ok(count)
    }
}
