//! The other states that arrive with a file or from another repository: usually earlier ones.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::facts;
use crate::keys::commits::known_commits;
use crate::keys::signers::{AllKeys, SignedState, Signer};
use crate::model::commit_order::CommitOrder;
use crate::model::finding::{Finding, Severity, Stage};
use crate::model::report::Expected;
use crate::parts::Parts;
use crate::transfer::counted_blocks::CountedBlocks;
use crate::transfer::state_blocks::State;
use crate::verify::check::Check;
use crate::verify::noted_blobs::NotedBlobs;
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
    Invalid(Arc<Finding>),
    /// It belongs to another account.
    OtherAccount(Did),
    /// Another commit, which is stored, has the same rev.
    SameRev(Cid),
    /// `forget` has deleted states up to a rev that is not smaller, so it may have what was purged.
    Purged,
    /// There are too many states, or too many blocks of invalid states.
    TooMany,
}

/// The other states that are stored with a commit, and the commits that are not.
#[derive(Clone, Default)]
pub(crate) struct Earlier {
    /// The states in the order of their revs.
    pub(crate) states: Vec<SignedState>,
    pub(crate) left_out: Vec<LeftOut>,
    /// The blobs that records of these states refer to.
    pub(crate) blobs: NotedBlobs,
    order: CommitOrder,
    /// The rev up to which states must not return.
    purged: Option<Tid>,
}

/// The context in which arriving commits are checked.
pub(crate) struct Judge<'a> {
    pub(crate) parts: &'a Parts,
    /// The imported commit.
    pub(crate) root: &'a Commit,
    /// The key that must have signed the imported commit.
    pub(crate) key: Option<&'a PublicKey>,
    pub(crate) keys: &'a AllKeys<'a>,
    /// Whether a rev may be in the future.
    pub(crate) accepts_clock: bool,
    /// The blocks that arrive, and the stored ones.
    pub(crate) blocks: &'a dyn Blocks,
    /// Makes the tree that the trees are compared with.
    pub(crate) base: &'a dyn Fn() -> Option<BaseTree<'a>>,
}

/// The trees that were checked, and what the invalid ones cost.
struct Work<'b> {
    trees: Trees<'b>,
    blocks: &'b CountedBlocks<'b>,
    /// The roots of the trees that were checked.
    checked: HashSet<Cid>,
    /// The first error of each invalid tree.
    invalid: HashMap<Cid, Arc<Finding>>,
    /// The cost of reading them.
    wasted: u64,
}

impl Earlier {
    /// Checks a commit and others that arrived with it, and chooses those of the others that are stored.
    ///
    /// Every key that is known may have signed them. A state that no known key has signed is stored unchecked if it is
    /// older than all states with known keys: it may be from the time of an earlier key.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the commit itself is not valid.
    pub(crate) fn of(commits: Vec<Commit>, judge: &Judge<'_>) -> Result<Self> {
        let all = commits.iter().chain([judge.root]);
        let order = CommitOrder::of(all, Some(judge.root.cid()));
        let mut earlier = Self { order, ..Self::default() };
        if commits.is_empty() {
            return Ok(earlier);
        }
        earlier.purged = facts::purged(judge.parts.store.view()?.as_ref())?;
        let blocks = CountedBlocks::of(judge.blocks);
        let trees = Trees::of(&blocks);
        let mut work = Work {
            trees,
            blocks: &blocks,
            checked: HashSet::new(),
            invalid: HashMap::new(),
            wasted: 0,
        };
        let expected = Expected::default().key(judge.key).accept_clock(judge.accepts_clock);
        if let Some(finding) = work.check(judge.root, &expected, judge)?.1 {
            return Err(Error::Refused(Box::new(Finding::clone(&finding))));
        }
        let arrived = judge.signed(earlier.order.sorted(commits))?;
        for state in arrived {
            let (commit, rev) = (state.commit.cid(), state.commit.rev());
            let reason = if state.commit.did() != judge.root.did() {
                Some(Reason::OtherAccount(state.commit.did().clone()))
            } else if rev.is_some() && rev == judge.root.rev() {
                Some(Reason::SameRev(judge.root.cid()))
            } else if work.wasted > MAX_WASTED_BYTES || earlier.states.len() >= MAX_EARLIER_STATES {
                Some(Reason::TooMany)
            } else {
                earlier.admits(&state, judge, &mut work)?
            };
            match reason {
                None => earlier.states.push(state),
                Some(reason) => earlier.left_out.push(LeftOut { commit, rev, reason }),
            }
        }
        Ok(earlier)
    }

    /// Checks a state. Returns the reason why it is not stored, if there is one.
    fn admits(
        &mut self,
        state: &SignedState,
        judge: &Judge<'_>,
        work: &mut Work<'_>,
    ) -> Result<Option<Reason>> {
        let commit = &state.commit;
        let before = self.states.last().filter(|before| before.commit.rev() == commit.rev());
        if let Some(before) = before.filter(|before| before.commit.rev().is_some()) {
            return Ok(Some(Reason::SameRev(before.commit.cid())));
        }
        let is_new = !work.checked.contains(&commit.data());
        if is_new && judge.blocks.get(&commit.data())?.is_none() {
            return Ok(Some(Reason::WithoutTree));
        }
        if self.purged.is_some() && commit.rev() <= self.purged {
            return Ok(Some(Reason::Purged));
        }
        let expected = Expected::default().did(judge.root.did()).accept_clock(judge.accepts_clock);
        // The check of an invalid signature finds out what is wrong with it.
        let expected = match state.signer {
            Signer::Invalid => expected.key(judge.keys.expected(commit)).keys(judge.keys.in_time()),
            _ => expected,
        };
        let (blobs, first) = work.check(commit, &expected, judge)?;
        self.blobs.add_all(blobs);
        Ok(first.map(Reason::Invalid))
    }

    /// Returns the states as states to read. Every block of them must be readable.
    pub(crate) fn to_read(&self) -> Vec<State> {
        self.states
            .iter()
            .map(|state| State { commit: state.commit.cid(), is_whole: true })
            .collect()
    }

    /// Returns the newest state, if it is newer than the imported commit.
    pub(crate) fn newer_than(&self, root: &Commit) -> Option<&Commit> {
        let is_newer = |state: &&Commit| self.order.of_commit(state) > self.order.of_commit(root);
        self.states.last().map(|state| &state.commit).filter(is_newer)
    }

    /// Returns the commits that the ref moves to: the states in the order of their revs, and the imported one at the
    /// end. `before` is the commit that it points to. If older states arrive, the ref moves to it again, after them.
    pub(crate) fn moves(&self, before: Option<&Commit>, root: &Commit) -> Vec<Cid> {
        let mut moves: Vec<Cid> = self.states.iter().map(|state| state.commit.cid()).collect();
        if let Some(before) = before.filter(|before| before.cid() != root.cid()) {
            let place = self.order.of_commit(before);
            let older = |state: &&SignedState| self.order.of_commit(&state.commit) < place;
            let older = self.states.iter().take_while(older).count();
            if older > 0 && place < self.order.of_commit(root) {
                moves.insert(older, before.cid());
            }
        }
        moves.push(root.cid());
        moves
    }
}

impl Judge<'_> {
    /// Finds the signers of commits. The signature of an unknown signer is invalid, unless the commit is older than all
    /// commits of known signers.
    fn signed(&self, commits: Vec<Commit>) -> Result<Vec<SignedState>> {
        let sign = |commit: Commit| SignedState { signer: self.keys.signer(&commit), commit };
        let is_own = |commit: &Commit| commit.did() == self.root.did();
        let mut arrived: Vec<SignedState> = commits.into_iter().map(sign).collect();
        if !arrived.iter().any(|state| state.signer == Signer::Unknown) {
            return Ok(arrived);
        }
        let root = self.key.is_some() || matches!(self.keys.signer(self.root), Signer::Known(_));
        let root = root.then(|| self.root.rev());
        let known = arrived.iter().filter(|state| is_own(&state.commit));
        let known = known.filter(|state| matches!(state.signer, Signer::Known(_)));
        let view = self.parts.store.view()?;
        let stored = known_commits(view.as_ref())?;
        let stored = stored.iter().filter(|commit| self.keys.own().of(commit).is_some());
        let oldest = known.map(|state| state.commit.rev()).chain(root);
        let oldest = oldest.chain(stored.map(Commit::rev)).min();
        for state in arrived.iter_mut().filter(|state| state.signer == Signer::Unknown) {
            if oldest.is_some_and(|oldest| state.commit.rev() >= oldest) {
                state.signer = Signer::Invalid;
            }
        }
        Ok(arrived)
    }
}

impl Work<'_> {
    /// Checks a state. Returns the blobs that its records refer to, and its first error.
    fn check(
        &mut self,
        commit: &Commit,
        expected: &Expected<'_>,
        judge: &Judge<'_>,
    ) -> Result<(NotedBlobs, Option<Arc<Finding>>)> {
        let mut check = Check::of(commit, expected).for_import();
        let is_fatal = |finding: &Finding| {
            finding.severity() == Severity::Error && finding.stage() != Stage::Record
        };
        let of_commit = check.drain().find(is_fatal);
        if let Some(first) = of_commit {
            return Ok((NotedBlobs::default(), Some(Arc::new(first))));
        }
        if let Some(first) = self.invalid.get(&commit.data()) {
            return Ok((NotedBlobs::default(), Some(first.clone())));
        }
        let (mut first, before) = (None, self.blocks.cost());
        let mut find = |finding: Finding| {
            if is_fatal(&finding) {
                first.get_or_insert(finding);
            }
        };
        self.checked.insert(commit.data());
        self.trees.begin();
        self.trees.check_over(commit.data(), (judge.base)(), &mut check, &mut find)?;
        let Some(first) = first else {
            return Ok((check.blobs.take().unwrap_or_default(), None));
        };
        // Later states that share the invalid part are invalid, too.
        self.trees.undo();
        self.wasted += self.blocks.cost() - before;
        let first = Arc::new(first);
        self.invalid.insert(commit.data(), first.clone());
        Ok((NotedBlobs::default(), Some(first)))
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

/// The most bytes that are read for invalid states. Shared parts are read again for each of these states, so this
/// limits the work that a file can cause.
const MAX_WASTED_BYTES: u64 = 256 * 1024 * 1024;
