//! Broken refs, and the commits that they pointed to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use crate::handle::Rescue;
use pds::error::Result;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::walk::nodes;
use pds_core::syntax::did::Did;
use pds_store::fact::{Fact, FactKind};
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::{View, first_fact, lacks_refs};

/// A ref that is missing, or that points to a block that is not a commit.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds_rescue::BrokenRef;
///
/// let survey = pds_rescue::Rescue::of(&repo).survey(&[])?;
/// assert_eq!(survey.refs.iter().filter(|broken: &&BrokenRef| broken.target.is_none()).count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenRef {
    /// The name of the ref.
    pub name: RefName,
    /// The CID that the ref points to, or `None` if the ref is missing.
    pub found: Option<Cid>,
    /// The last readable commit that the ref pointed to, or `None` if it is unknown.
    pub target: Option<Cid>,
    /// Whether the log names the target. If not, it is the newest commit with a complete tree.
    pub is_logged: bool,
    /// The unreadable commits that the ref pointed to later, the latest first.
    pub lost: Vec<Cid>,
}

impl Rescue<'_> {
    /// Returns the broken refs.
    pub(super) fn broken_refs(
        &self,
        commits: &[Commit],
        blocks: &dyn Blocks,
    ) -> Result<Vec<BrokenRef>> {
        let view = self.repo.store().view()?;
        let (refs, rows) = (view.refs()?, last_rows(view.as_ref())?);
        let mut names: BTreeSet<&RefName> = rows.keys().collect();
        names.extend(refs.iter().map(|(name, _)| name));
        if !commits.is_empty() && lacks_refs(view.as_ref())? {
            names.insert(self.repo.history().ref_name());
        }
        let mut broken = Vec::new();
        for name in names {
            let found = refs.get(name);
            let newest = rows.get(name).copied();
            let is_right = match found {
                Some(cid) => is_commit(blocks, cid)?,
                None => newest == Some(None),
            };
            if is_right {
                continue;
            }
            let (mut target, mut lost) = last_state(view.as_ref(), name, blocks)?;
            let is_logged = target.is_some();
            if !is_logged && name == self.repo.history().ref_name() {
                target = newest_commit(commits, account(view.as_ref())?.as_ref(), blocks);
            }
            if let Some(cid) = found.filter(|cid| matches!(blocks.get(cid), Ok(None))) {
                // If the log agrees with the ref, or has no readable commit, only the commit is lost.
                if newest == Some(Some(cid)) || target.is_none() {
                    continue;
                }
                if newest.is_none() {
                    lost.push(cid);
                }
            }
            broken.push(BrokenRef { name: name.clone(), found, target, is_logged, lost });
        }
        Ok(broken)
    }
}

pub(super) fn account(view: &dyn View) -> Result<Option<Did>> {
    Ok(match first_fact(view, FactKind::Account)? {
        Some(Fact::Account(did)) => Some(did),
        _ => None,
    })
}

/// Returns the commit in the last log row of each ref.
fn last_rows(view: &dyn View) -> Result<BTreeMap<RefName, Option<Cid>>> {
    let mut last = BTreeMap::new();
    view.log(&LogQuery::oldest_first(), &mut |row| {
        last.insert(row.name, row.after);
        ControlFlow::Continue(())
    })?;
    Ok(last)
}

/// Returns the last readable commit in the log rows of a ref, and the unreadable commits after it.
pub(super) fn last_state(
    view: &dyn View,
    name: &RefName,
    blocks: &dyn Blocks,
) -> Result<(Option<Cid>, Vec<Cid>)> {
    let (mut lost, mut found, mut failed) = (Vec::new(), None, None);
    view.log(&LogQuery::newest_first().of(name.clone()), &mut |row| {
        // Rows before a removal belong to an earlier ref with the same name.
        let Some(after) = row.after else { return ControlFlow::Break(()) };
        for cid in [Some(after), row.before].into_iter().flatten() {
            match is_commit(blocks, cid) {
                Ok(true) => found = Some(cid),
                Ok(false) if lost.contains(&cid) => {}
                Ok(false) => lost.push(cid),
                Err(error) => failed = Some(error),
            }
            if found.is_some() || failed.is_some() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok((found, lost)), Err)
}

/// Returns the commit with the greatest rev among those with a complete tree. All other commits must be its
/// ancestors or descendants; otherwise the result is `None`. A server commit names no `prev`, so it counts as an
/// ancestor of all commits with greater revs.
pub(super) fn newest_commit(
    commits: &[Commit],
    did: Option<&Did>,
    blocks: &dyn Blocks,
) -> Option<Cid> {
    let did = did.or_else(|| Some(commits.first()?.did()))?;
    if commits.iter().any(|commit| commit.did() != did) {
        return None;
    }
    // The commits are sorted by rev, the latest first.
    let at = commits.iter().position(|commit| has_tree(blocks, commit))?;
    let newest = commits.get(at)?;
    let before: BTreeMap<Cid, Option<Cid>> =
        commits.iter().map(|commit| (commit.cid(), commit.prev())).collect();
    let line = |from: Cid| {
        let mut seen = HashSet::new();
        std::iter::successors(Some(from), |cid| before.get(cid).copied().flatten())
            .take_while(move |cid| seen.insert(*cid))
    };
    let led_here: HashSet<Cid> = line(newest.cid()).collect();
    let is_of_the_line = |commit: &Commit| {
        let is_of_a_server = commit.prev().is_none() && commit.rev() < newest.rev();
        led_here.contains(&commit.cid())
            || is_of_a_server
            || line(commit.cid()).any(|cid| cid == newest.cid())
    };
    commits.iter().all(is_of_the_line).then(|| newest.cid())
}

fn has_tree(blocks: &dyn Blocks, commit: &Commit) -> bool {
    nodes(blocks, commit.data()).all(|node| node.is_ok())
}

fn is_commit(blocks: &dyn Blocks, cid: Cid) -> Result<bool> {
    let block = blocks.get(&cid)?;
    Ok(block.is_some_and(|block| Commit::decode(&block).is_ok()))
}
