//! The states in a damaged file: its commits, and the number of records that each of them still has.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::orphans::Each;
use crate::survey::may_be_a_commit;
use pds::error::Result;
use pds::model::commit_order::CommitOrder;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
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
    /// The account.
    pub did: Did,
    /// The rev, or `None` if the commit has none.
    pub rev: Option<Tid>,
    /// Whether the root of its tree was found. Without it, the state has no records here.
    pub has_tree: bool,
    /// The number of its records that were found.
    pub records: u64,
    /// The number of its lost nodes and records. The records below a lost node are unknown.
    pub lost: u64,
}

/// The commits of a file, the newest first, and the one whose records are its present content.
pub(super) struct States {
    pub(super) commits: Vec<Commit>,
    /// The position of the present state.
    pub(super) present: Option<usize>,
}

impl States {
    /// Finds the commits, also those with malformed fields. The present state is the newest one whose tree is not
    /// entirely lost. It belongs to the account of the root, if the root is readable.
    pub(super) fn find(root: Option<Cid>, blocks: &dyn Blocks, each: &Each<'_>) -> Result<Self> {
        let mut commits = Vec::new();
        let mut known = HashSet::new();
        let of_root = match root {
            Some(root) => {
                blocks.get(&root)?.and_then(|block| Commit::decode_with_faults(&block).ok())
            }
            None => None,
        };
        let did = of_root.as_ref().map(|commit| commit.did().clone());
        known.extend(of_root.as_ref().map(Commit::cid));
        commits.extend(of_root);
        each(&mut |block| {
            if may_be_a_commit(block)
                && let Ok(commit) = Commit::decode_with_faults(block)
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
            if has_root(blocks, commit.data())? {
                present = Some(number);
                break;
            }
            present = present.or(Some(number));
        }
        Ok(Self { commits, present })
    }

    pub(super) fn present(&self) -> Option<&Commit> {
        self.commits.get(self.present?)
    }

    /// Returns the other states, the newest first, each with whether it is newer than the present one.
    pub(super) fn others(&self) -> impl Iterator<Item = (&Commit, bool)> {
        let did = self.present().map(Commit::did);
        let states = self.commits.iter().enumerate();
        states.filter(|(number, _)| Some(*number) != self.present).map(move |(number, commit)| {
            let is_newer = self.present.is_some_and(|present| number < present);
            (commit, is_newer && Some(commit.did()) == did)
        })
    }
}

/// Returns whether the root of a tree can be read.
pub(super) fn has_root(blocks: &dyn Blocks, data: Cid) -> Result<bool> {
    let block = blocks.get(&data)?;
    Ok(block.is_some_and(|block| Node::read(data, block.bytes(), Position::Root).is_ok()))
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

    pub(super) fn of(&mut self, commit: &Commit) -> Result<FoundState> {
        let has_tree = has_root(self.blocks, commit.data())?;
        let Count { records, lost } = self.count(commit.data(), Position::Root)?;
        let (cid, did, rev) = (commit.cid(), commit.did().clone(), commit.rev());
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
