//! The order of commits in time.

use std::collections::HashMap;

use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;

/// The order of commits: by rev, and without revs by the chain of `prev`.
///
/// The commit that a file names as its root comes after all others with its rev, except for those that follow it in
/// the chain. Most old commits have no rev, and then the chain alone tells which one is newer.
///
/// ```
/// use pds::model::commit_order::CommitOrder;
///
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let first = repo.snapshot()?.commit().clone();
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// # repo.put(&"com.example.note/a".parse()?, &note)?;
/// # let second = repo.snapshot()?.commit().clone();
/// let order = CommitOrder::of([&second, &first], None);
/// assert!(order.of_commit(&first) < order.of_commit(&second));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CommitOrder(HashMap<Cid, u32>);

impl CommitOrder {
    /// Finds the place of each commit. `root` is the commit that the header of the file names.
    #[must_use]
    pub fn of<'c>(commits: impl IntoIterator<Item = &'c Commit>, root: Option<Cid>) -> Self {
        let prev: HashMap<Cid, Option<Cid>> =
            commits.into_iter().map(|commit| (commit.cid(), commit.prev())).collect();
        let above_all = u32::try_from(prev.len()).unwrap_or(u32::MAX);
        let mut depths: HashMap<Cid, u32> = HashMap::with_capacity(prev.len());
        for start in prev.keys() {
            let (mut path, mut at) = (Vec::new(), Some(*start));
            while let Some(cid) = at.filter(|cid| !depths.contains_key(cid)) {
                let Some(before) = prev.get(&cid) else { break };
                path.push(cid);
                at = *before;
            }
            let mut depth = at.and_then(|cid| depths.get(&cid)).copied().unwrap_or_default();
            for cid in path.into_iter().rev() {
                // The chain may have gaps, so the root does not need the longest one.
                let step = if Some(cid) == root { above_all.saturating_add(1) } else { 1 };
                depth = depth.saturating_add(step);
                depths.insert(cid, depth);
            }
        }
        Self(depths)
    }

    /// Returns the place of a commit. A commit that is not in the order comes before the others with its rev.
    #[must_use]
    pub fn of_commit(&self, commit: &Commit) -> (Option<Tid>, u32) {
        (commit.rev(), self.0.get(&commit.cid()).copied().unwrap_or_default())
    }

    /// Sorts commits, the oldest first.
    #[must_use]
    pub fn sorted(&self, mut commits: Vec<Commit>) -> Vec<Commit> {
        commits.sort_by_key(|commit| (self.of_commit(commit), commit.cid()));
        commits
    }
}
