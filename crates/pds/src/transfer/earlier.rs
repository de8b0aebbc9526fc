//! The other states that arrive with a file or from another repository: usually earlier ones.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::keys::known::KeyHistory;
use crate::model::commit_order::CommitOrder;
use crate::model::finding::{Finding, Severity, Stage};
use crate::model::report::Expected;
use crate::transfer::state_blocks::State;
use crate::verify::check::Check;
use crate::verify::shared_subtrees::Trees;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_EARLIER_STATES;
use pds_core::mst::base_tree::BaseTree;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;
use pds_store::log::LogQuery;
use pds_store::store::View;

/// A commit that arrived with the imported one and was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The commit.
    pub commit: Cid,
    /// Its rev.
    pub rev: Option<Tid>,
    /// The reason.
    pub reason: Reason,
}

/// The reason why a commit was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It arrived without its tree.
    WithoutTree,
    /// It is not valid, or its tree is not complete. This is the first error.
    Invalid(Box<Finding>),
    /// It belongs to another account.
    OtherAccount(Did),
    /// Another commit, which is stored, has the same rev.
    SameRev(Cid),
    /// There are too many states, or too many blocks of invalid states.
    TooMany,
}

/// The other states that are stored with a commit, and the commits that are not.
#[derive(Clone, Default)]
pub(crate) struct Earlier {
    /// The states in the order of their revs.
    pub(crate) states: Vec<Commit>,
    pub(crate) left_out: Vec<LeftOut>,
    /// The blobs that records of these states refer to.
    pub(crate) blobs: BTreeSet<Cid>,
    order: CommitOrder,
}

/// The context in which arriving commits are checked.
pub(crate) struct Judge<'a> {
    /// The imported commit.
    pub(crate) root: &'a Commit,
    /// The key of commits for which the repository knows no other key.
    pub(crate) key: Option<&'a PublicKey>,
    pub(crate) keys: &'a KeyHistory,
    /// Whether a rev may be in the future.
    pub(crate) accepts_clock: bool,
    /// The blocks that arrive, and the stored ones.
    pub(crate) blocks: &'a dyn Blocks,
    /// Makes the tree that the trees are compared with.
    pub(crate) base: &'a dyn Fn() -> Option<BaseTree<'a>>,
}

impl Earlier {
    /// Checks commits that arrived with another one, and chooses those that are stored.
    pub(crate) fn of(commits: Vec<Commit>, judge: &Judge<'_>) -> Result<Self> {
        let all = commits.iter().chain([judge.root]);
        let order = CommitOrder::of(all, Some(judge.root.cid()));
        let mut earlier = Self { order, ..Self::default() };
        let commits = earlier.order.sorted(commits);
        let mut trees = Trees::of(judge.blocks);
        let mut wasted = 0;
        for commit in commits {
            let reason = if commit.did() != judge.root.did() {
                Some(Reason::OtherAccount(commit.did().clone()))
            } else if commit.rev().is_some() && commit.rev() == judge.root.rev() {
                Some(Reason::SameRev(judge.root.cid()))
            } else if wasted > MAX_WASTED || earlier.states.len() >= MAX_EARLIER_STATES {
                Some(Reason::TooMany)
            } else {
                earlier.admits(&commit, judge, &mut trees, &mut wasted)?
            };
            match reason {
                None => earlier.states.push(commit),
                Some(reason) => earlier.left_out.push(LeftOut {
                    commit: commit.cid(),
                    rev: commit.rev(),
                    reason,
                }),
            }
        }
        Ok(earlier)
    }

    /// Checks a state. Returns the reason why it is not stored, if there is one.
    fn admits(
        &mut self,
        commit: &Commit,
        judge: &Judge<'_>,
        trees: &mut Trees<'_>,
        wasted: &mut u64,
    ) -> Result<Option<Reason>> {
        let before = self.states.last().filter(|before| before.rev() == commit.rev());
        if let Some(before) = before.filter(|before| before.rev().is_some()) {
            return Ok(Some(Reason::SameRev(before.cid())));
        }
        if judge.blocks.get(&commit.data())?.is_none() {
            return Ok(Some(Reason::WithoutTree));
        }
        let key = judge.keys.of(commit).or(judge.key);
        let expected = Expected::default().did(judge.root.did()).key(key);
        let expected = expected.accept_clock(judge.accepts_clock);
        let mut check = Check::of(commit, &expected).for_import();
        let mut first = None;
        let mut find = |finding: Finding| {
            if finding.severity() == Severity::Error && finding.stage() != Stage::Record {
                first.get_or_insert(finding);
            }
        };
        trees.begin();
        trees.check_over(commit.data(), (judge.base)(), &mut check, &mut find)?;
        let Some(first) = first else {
            self.blobs.extend(check.blobs.take().unwrap_or_default());
            return Ok(None);
        };
        // Later states that share the invalid part are invalid, too.
        trees.undo();
        *wasted += 1 + check.report.nodes + check.report.records;
        Ok(Some(Reason::Invalid(Box::new(first))))
    }

    /// Returns the states as states to read. Every block of them must be readable.
    pub(crate) fn to_read(&self) -> Vec<State> {
        self.states.iter().map(|state| State { commit: state.cid(), is_whole: true }).collect()
    }

    /// Returns the newest state, if it is newer than the imported commit.
    pub(crate) fn newer_than(&self, root: &Commit) -> Option<&Commit> {
        let is_newer = |state: &&Commit| self.order.of_commit(state) > self.order.of_commit(root);
        self.states.last().filter(is_newer)
    }

    /// Returns the commits that the ref moves to: the states in the order of their revs, and the imported one at the
    /// end. `before` is the commit that it points to. If older states arrive, the ref moves to it again, after them.
    pub(crate) fn moves(&self, before: Option<&Commit>, root: &Commit) -> Vec<Cid> {
        let mut moves: Vec<Cid> = self.states.iter().map(Commit::cid).collect();
        if let Some(before) = before.filter(|before| before.cid() != root.cid()) {
            let place = self.order.of_commit(before);
            let older = |state: &&Commit| self.order.of_commit(state) < place;
            let older = self.states.iter().take_while(older).count();
            if older > 0 && place < self.order.of_commit(root) {
                moves.insert(older, before.cid());
            }
        }
        moves.push(root.cid());
        moves
    }
}

/// Returns the commits of a file that no log row names, without its root. There is a limit on their number.
pub(crate) fn commits_in<F: ReadAt>(
    car: &CarFile<F>,
    blocks: &dyn Blocks,
    view: &dyn View,
) -> Result<Vec<Commit>> {
    let mut commits = Vec::new();
    for cid in car.possible_commits() {
        let cid = cid?;
        if car.roots().first() == Some(&cid) || is_logged(view, cid)? {
            continue;
        }
        // Records may begin as a commit does.
        commits.extend(blocks.get(&cid)?.and_then(|block| Commit::decode(&block).ok()));
        // One more than the limit shows that there are too many.
        if commits.len() > MAX_EARLIER_STATES {
            break;
        }
    }
    Ok(commits)
}

/// Returns whether a log row names a commit.
pub(crate) fn is_logged(view: &dyn View, commit: Cid) -> Result<bool> {
    let mut is_logged = false;
    view.log(&LogQuery::newest_first().to(commit), &mut |_| {
        is_logged = true;
        ControlFlow::Break(())
    })?;
    Ok(is_logged)
}

/// The most blocks that are read for invalid states. Shared parts are read again for each of these states, so this
/// limits the work that a file can cause.
const MAX_WASTED: u64 = 1_000_000;
