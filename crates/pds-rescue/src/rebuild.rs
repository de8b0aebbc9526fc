//! The rebuild: a new commit of the remaining records of a damaged state.

use std::ops::Bound;

use crate::damaged::{Aside, DamagedBlock};
use crate::filled_store::Filled;
use crate::handle::Rescue;
use crate::orphans::{Orphans, each_in};
use crate::survey::{Lost, Survey, commit_at};
use crate::survivors::{Survivor, Survivors};
use crate::trace::{Part, Step, Trace};
use pds::error::{Error, Result};
use pds::history::restored::RestoredTree;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::mst::build::Builder;
use pds_core::mst::key::Key;
use pds_core::mst::node::{Node, Position};
use pds_core::mst::range::range;
use pds_core::syntax::tid::Tid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::Store;

/// The result of a rebuild.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let rebuilt = pds_rescue::Rescue::of(&repo).rebuild(&mut |_, _| Ok(()))?;
/// assert!(!rebuilt.is_new && rebuilt.lost.is_empty(), "nothing was missing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The present commit.
    pub commit: Commit,
    /// The commit before the rebuild. It is the same commit if nothing was lost.
    pub before: Cid,
    /// Whether the rebuild made the commit. If not, the commit before was complete.
    pub is_new: bool,
    /// The number of records in a new commit, and 0 otherwise.
    pub records: u64,
    /// The lost parts: parts of the commit before that the new commit lacks.
    pub lost: Vec<Lost>,
    /// Records that may belong to a lost part.
    pub earlier: Vec<Earlier>,
    /// Stored records with unknown paths.
    pub without_path: Vec<Cid>,
}

/// A record of an earlier state that may belong to a lost part of the present state. The present state may have
/// the same record, another version or none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Earlier {
    /// The path of the record.
    pub key: Key,
    /// Its block, which is stored.
    pub cid: Cid,
    /// The commit of the earlier state.
    pub commit: Cid,
}

impl Earlier {
    /// Returns the path as text. All characters except printable ASCII are escaped.
    #[must_use]
    pub fn path(&self) -> String {
        self.key.as_bytes().escape_ascii().to_string()
    }
}

/// The commit that the new commit is based on.
struct Base {
    /// Whether the commit itself is lost.
    is_lost: bool,
    data: Cid,
    prev: Option<Cid>,
    rev: Option<Tid>,
}

impl Rescue<'_> {
    /// Signs a new commit of the remaining records of the present state, if a part of the state is lost.
    ///
    /// First passes damaged blocks to `keep` and drops them, as [`mend`](Self::mend) does. A lost node is
    /// replaced by the subtrees that no other node names, because they can only belong there. Subtrees that an
    /// earlier state shares may be outdated, so their records are listed and not restored.
    ///
    /// If the commit is lost and exactly one tree has no commit, that tree is its tree. Otherwise the ref is set
    /// to the newest readable state in the log. Broken refs are restored as [`restore_refs`](Self::restore_refs)
    /// does.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`] and [`Error::WrongKey`]; [`Error::TreeLost`] if the commit is lost, its tree cannot
    /// be identified, and there is no earlier state; [`Error::RefLost`] if the ref is missing and its commit is
    /// unknown; otherwise as [`survey`](Self::survey) and [`mend`](Self::mend).
    pub fn rebuild(
        &self,
        keep: &mut dyn FnMut(&DamagedBlock, &[u8]) -> Result<()>,
    ) -> Result<Rebuilt> {
        self.repo.keys().check_signer()?;
        let present = self.repo.head()?;
        let survey = self.survey(&[])?;
        let head = self.surveyed_head(&survey, present)?;
        self.mend(&survey, &[], keep)?;
        if !survey.lost.iter().any(|lost| lost.commit == head) {
            self.restore_refs(&survey)?;
            let commit = commit_at(self.repo, head)?;
            let (lost, earlier, without_path) = (Vec::new(), Vec::new(), Vec::new());
            let (before, is_new, records) = (head, false, 0);
            return Ok(Rebuilt { commit, before, is_new, records, lost, earlier, without_path });
        }
        let loses_nodes = survey.lost.iter().any(|lost| {
            lost.commit == head && matches!(lost.part, Part::Records { .. } | Part::Commit)
        });
        let orphans = match loses_nodes {
            true => Orphans::of(self.repo.store().as_ref(), &|visit| {
                each_in(self.repo.store().as_ref(), visit)
            })?,
            false => Orphans::default(),
        };
        let base = match self.lost_base(head, &survey, &orphans) {
            Err(Error::TreeLost(_)) => {
                let mut rebuilt = self.go_back(head, present, &survey, keep)?;
                self.add_parts(head, orphans, &mut rebuilt)?;
                return Ok(rebuilt);
            }
            base => base?,
        };
        self.restore(&survey, &|name| name != self.repo.history().ref_name())?;
        self.commit_survivors(&base, head, present, &survey, orphans)
    }

    /// Returns the commit that the ref points to, or pointed to if it is a broken ref.
    fn surveyed_head(&self, survey: &Survey, present: Option<Cid>) -> Result<Cid> {
        let broken =
            survey.refs.iter().find(|broken| broken.name == *self.repo.history().ref_name());
        let head = match broken {
            Some(broken) => broken.lost.first().copied().or(broken.target),
            None => present,
        };
        match head {
            Some(head) => Ok(head),
            // This returns the error for the missing ref.
            None => Ok(self.repo.snapshot()?.commit().cid()),
        }
    }

    /// Builds a tree of the records that survive of the state `head`, and commits it.
    fn commit_survivors(
        &self,
        base: &Base,
        head: Cid,
        present: Option<Cid>,
        survey: &Survey,
        orphans: Orphans,
    ) -> Result<Rebuilt> {
        // The store records the account, and every remaining commit names it.
        let any_commit = || survey.commits.first().map(|commit| commit.did().clone());
        let did =
            self.repo.did().ok().flatten().or_else(any_commit).ok_or(Error::UnknownCommit(head))?;

        let nothing = Aside::default();
        let blocks = Filled::new(self.repo.store().as_ref(), &nothing, &[]);
        let (mut builder, mut nodes) = (Builder::default(), Vec::new());
        let (mut records, mut lost) = (0, Vec::new());
        let others = survey.lost.iter().filter(|lost| lost.commit != head).collect();
        let mut sink = |survivor| {
            match survivor {
                Survivor::Node { .. } => {}
                Survivor::Record { key, cid } => {
                    builder
                        .push(key.as_bytes(), cid, |node| keep_new(&blocks, &mut nodes, node))?;
                    records += 1;
                }
                Survivor::Lost { part, cid } => lost.push((part, cid)),
            }
            Ok(())
        };
        Survivors::new(&blocks, &orphans, others, &mut sink).follow(base.data)?;
        let root = builder.finish(|node| keep_new(&blocks, &mut nodes, node));
        let lose = |(part, cid)| {
            let ref_name = Some(self.repo.history().ref_name().clone());
            Lost { part, cid, commit: head, rev: base.rev, ref_name }
        };
        let mut lost: Vec<Lost> = lost.into_iter().map(lose).collect();
        let earlier = earlier(&blocks, survey, head, &lost);
        let without_path = orphans.records;

        let tree =
            RestoredTree { did, root, blocks: nodes, prev: base.prev, after: base.rev, present };
        let commit = self.repo.history().restore(&tree)?;
        if base.is_lost {
            // The content of the lost commit is restored, and only the commit itself is lost.
            lost.insert(0, Lost::commit(head, None));
        }
        let (before, is_new) = (head, true);
        Ok(Rebuilt { commit, before, is_new, records, lost, earlier, without_path })
    }

    /// Sets the ref to the newest readable state, because the tree of the present one is unknown.
    fn go_back(
        &self,
        head: Cid,
        present: Option<Cid>,
        survey: &Survey,
        keep: &mut dyn FnMut(&DamagedBlock, &[u8]) -> Result<()>,
    ) -> Result<Rebuilt> {
        let target = self.state_before(survey)?.ok_or(Error::TreeLost(head))?;
        let expect = present.map_or(Expect::Absent, Expect::Exactly);
        let name = self.repo.history().ref_name().clone();
        let edit = RefEdit { name, target: Some(target), expect };
        self.repo.store().apply(Change::new(Event::Repair).edit(edit))?;
        // The ref points to a readable commit now, so the recursion ends.
        let mut rebuilt = self.rebuild(keep)?;
        rebuilt.lost.insert(0, Lost::commit(head, Some(self.repo.history().ref_name().clone())));
        Ok(rebuilt)
    }

    /// Adds the records of the orphaned subtrees. It is unknown which of them belong to the lost state.
    fn add_parts(&self, head: Cid, orphans: Orphans, rebuilt: &mut Rebuilt) -> Result<()> {
        let mut trace = Trace::new(self.repo.store().as_ref());
        for orphan in &orphans.nodes {
            let root = (orphan.cid, Position::Child { level: orphan.level });
            trace.follow(root, (None, None), &mut |step| {
                if let Step::Record { key, cid } = step {
                    rebuilt.earlier.push(Earlier { key, cid, commit: head });
                }
                Ok(())
            })?;
        }
        rebuilt.without_path.extend(orphans.records);
        Ok(())
    }

    fn lost_base(&self, head: Cid, survey: &Survey, orphans: &Orphans) -> Result<Base> {
        if let Ok(commit) = commit_at(self.repo, head) {
            let (data, rev) = (commit.data(), commit.rev());
            return Ok(Base { is_lost: false, data, prev: Some(head), rev });
        }
        // The log row gives the time of the lost commit, and its rev is unknown.
        let log = self.repo.history().log(usize::MAX)?;
        let logged = log.first().and_then(|row| Tid::new(row.at_micros, 0));
        let rev = survey.commits.iter().filter_map(Commit::rev).max().max(logged);
        let before = log.iter().filter_map(|row| row.after.filter(|after| *after != head));
        let before = before.filter_map(|cid| commit_at(self.repo, cid).ok()).next();
        let data = tree_without_commit(self.repo.store().as_ref(), orphans, before.as_ref());
        let data = data.ok_or(Error::TreeLost(head))?;
        Ok(Base { is_lost: true, data, prev: before.map(|commit| commit.cid()), rev })
    }
}

/// Returns the tree of a lost commit: the only node that no other block names.
///
/// If the root is lost as well, its children have no parent either. Then there are several such nodes, or one with
/// a lower level than the tree before. The function returns `None` in both cases.
fn tree_without_commit(
    store: &dyn Store,
    orphans: &Orphans,
    before: Option<&Commit>,
) -> Option<Cid> {
    let [root] = orphans.nodes.as_slice() else { return None };
    let block = store.get(&root.cid).ok().flatten()?;
    let node = Node::read(root.cid, block.bytes(), Position::Root).ok()?;
    if let Some(before) = before {
        let block = store.get(&before.data()).ok().flatten()?;
        let earlier = Node::read(before.data(), block.bytes(), Position::Root).ok()?;
        if node.level() < earlier.level() {
            return None;
        }
    }
    Some(root.cid)
}

/// Returns the records of the newest other state in the ranges of the lost parts.
fn earlier(blocks: &dyn Blocks, survey: &Survey, head: Cid, lost: &[Lost]) -> Vec<Earlier> {
    let Some(state) = survey.commits.iter().find(|commit| commit.cid() != head) else {
        return Vec::new();
    };
    let bound = |key: &Option<Key>| key.clone().map_or(Bound::Unbounded, Bound::Excluded);
    let mut found = Vec::new();
    for lost in lost {
        let Part::Records { after, before } = &lost.part else { continue };
        let entries = range(blocks, state.data(), (bound(after), bound(before)));
        for entry in entries.flatten() {
            if matches!(blocks.get(&entry.value), Ok(Some(_))) {
                found.push(Earlier { key: entry.key, cid: entry.value, commit: state.cid() });
            }
        }
    }
    found
}

/// Keeps a node that is not stored yet. Most nodes are stored already.
fn keep_new(blocks: &dyn Blocks, nodes: &mut Vec<Block>, node: Block) {
    if !matches!(blocks.get(&node.cid()), Ok(Some(_))) {
        nodes.push(node);
    }
}
