//! A new commit over what has survived.

use std::ops::Bound;

use crate::damaged::{Aside, DamagedBlock};
use crate::filled::Filled;
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

/// What a rebuilding has done.
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
    /// The one that stood before; the same where nothing of it is lost.
    pub before: Cid,
    /// Whether it was made now; if not, nothing was missing from the one that stood.
    pub is_new: bool,
    /// How many records it has, where it is new.
    pub records: u64,
    /// What the commit before had and this one has not.
    pub lost: Vec<Lost>,
    /// Records that may have stood where it is not known what did.
    pub earlier: Vec<Earlier>,
    /// Records that are here and whose paths are not known any more.
    pub without_path: Vec<Cid>,
}

/// A record of an earlier state, or of a part of a lost one, at a place of which it is not known what
/// stood there last: it may have been there still, or have been changed, or deleted.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// for earlier in pds_rescue::Rescue::of(&repo).rebuild(&mut |_, _| Ok(()))?.earlier {
///     println!("{} was {} in commit {}", earlier.path(), earlier.cid, earlier.commit);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Where it stood.
    pub key: Key,
    /// Its block, which is here.
    pub cid: Cid,
    /// In which commit.
    pub commit: Cid,
}

impl Earlier {
    /// Returns the path as text, with everything but printable ASCII escaped.
    #[must_use]
    pub fn path(&self) -> String {
        self.key.as_bytes().escape_ascii().to_string()
    }
}

/// The commit that is to be followed by a new one.
struct Base {
    /// Whether the commit itself is lost.
    is_lost: bool,
    data: Cid,
    prev: Option<Cid>,
    rev: Option<Tid>,
}

impl Rescue<'_> {
    /// Makes a new signed commit of everything of the present state that has survived, if anything of
    /// it has not.
    ///
    /// Damaged blocks are handed to `keep` and dropped first, as [`mend`](Self::mend) does. Below a lost
    /// node, subtrees are taken that no other node names: they can have stood nowhere else. Subtrees that
    /// an earlier state shares may have been replaced or deleted since, and are listed instead.
    ///
    /// Where the commit is lost, the tree that no commit names is its tree, if there is exactly one. If
    /// not, the ref goes back to the newest state that the log tells of and that can be read. Stray refs
    /// are set as [`restore_refs`](Self::restore_refs) does.
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`] and [`Error::WrongKey`]; [`Error::TreeLost`] when the commit is lost, its tree
    /// cannot be told, and there is no earlier state; [`Error::RefLost`] when the ref is gone and nothing
    /// tells where it stood; otherwise as [`survey`](Self::survey) and [`mend`](Self::mend).
    pub fn rebuild(
        &self,
        keep: &mut dyn FnMut(&DamagedBlock, &[u8]) -> Result<()>,
    ) -> Result<Rebuilt> {
        self.repo.keys().check_signer()?;
        let stood = self.repo.head()?;
        let survey = self.survey(&[])?;
        let stray = survey.refs.iter().find(|stray| stray.name == *self.repo.history().ref_name());
        let head = match stray {
            Some(stray) => stray.lost.first().copied().or(stray.target),
            None => stood,
        };
        let head = match head {
            Some(head) => head,
            // The reason why the ref does not exist.
            None => self.repo.snapshot()?.commit().cid(),
        };
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
                let mut rebuilt = self.go_back(head, stood, &survey, keep)?;
                self.add_parts(head, orphans, &mut rebuilt)?;
                return Ok(rebuilt);
            }
            base => base?,
        };
        self.restore(&survey, &|name| name != self.repo.history().ref_name())?;
        // Whose it is stands in the store, and in every commit that is left.
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
        let earlier = earlier(&blocks, &survey, head, &lost);
        let without_path = orphans.records;

        let tree = RestoredTree {
            did,
            root,
            blocks: nodes,
            prev: base.prev,
            after: base.rev,
            present: stood,
        };
        let commit = self.repo.history().restore(&tree)?;
        if base.is_lost {
            // Its content is here again, and is the present.
            lost.insert(0, Lost::commit(head, None));
        }
        let (before, is_new) = (head, true);
        Ok(Rebuilt { commit, before, is_new, records, lost, earlier, without_path })
    }

    /// Moves to the newest state that can be read, since of the present one nothing can be told.
    fn go_back(
        &self,
        head: Cid,
        stood: Option<Cid>,
        survey: &Survey,
        keep: &mut dyn FnMut(&DamagedBlock, &[u8]) -> Result<()>,
    ) -> Result<Rebuilt> {
        let target = self.state_before(survey)?.ok_or(Error::TreeLost(head))?;
        let expect = stood.map_or(Expect::Absent, Expect::Exactly);
        let name = self.repo.history().ref_name().clone();
        let edit = RefEdit { name, target: Some(target), expect };
        self.repo.store().apply(Change::new(Event::Repair).edit(edit))?;
        // There is a commit now, so this does not come here again.
        let mut rebuilt = self.rebuild(keep)?;
        rebuilt.lost.insert(0, Lost::commit(head, Some(self.repo.history().ref_name().clone())));
        Ok(rebuilt)
    }

    /// Lists what is left of a state that cannot be told: nobody knows what of it stood in it last.
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
        // Of the lost commit only the time of its row in the log is known.
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

/// Finds the tree of a commit that is lost: the one node that nothing names.
///
/// A root that is lost with its commit leaves its children behind, which look alike. There are
/// several of them, or one that is lower than the tree before was; neither is taken.
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

/// Lists what the newest other state has where it is not known what stood.
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

/// Most nodes are as they were, and are here.
fn keep_new(blocks: &dyn Blocks, nodes: &mut Vec<Block>, node: Block) {
    if !matches!(blocks.get(&node.cid()), Ok(Some(_))) {
        nodes.push(node);
    }
}
