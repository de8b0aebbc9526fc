//! A tree with holes, stitched together from what has survived of it.

use std::collections::{BTreeMap, HashSet};

use crate::orphans::{Orphan, Orphans};
use crate::survey::Lost;
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::key::Key;
use pds_core::mst::node::Position;

/// What comes of a tree, in key order.
pub(super) enum Survivor {
    Record { key: Key, cid: Cid },
    Lost { part: Part, cid: Cid },
}

/// The way along a tree, over its holes.
///
/// Where a node is lost, the subtrees that nothing names and that fit into the hole are followed in
/// its place.
pub(super) struct Survivors<'a> {
    blocks: &'a dyn Blocks,
    orphans: &'a Orphans,
    /// What other states have lost and this one has not: orphans there may be theirs.
    others: Vec<&'a Lost>,
    sink: &'a mut dyn FnMut(Survivor) -> Result<()>,
    taken: HashSet<Cid>,
    last: Option<Key>,
    /// A lost node, and the last key before it; it ends at the next key that comes.
    gap: Option<(Option<Key>, Cid)>,
}

impl<'a> Survivors<'a> {
    pub(super) fn new(
        blocks: &'a dyn Blocks,
        orphans: &'a Orphans,
        others: Vec<&'a Lost>,
        sink: &'a mut dyn FnMut(Survivor) -> Result<()>,
    ) -> Self {
        let (taken, last, gap) = (HashSet::new(), None, None);
        Self { blocks, orphans, others, sink, taken, last, gap }
    }

    /// Follows the tree of a root, to its end; returns the orphans that were found to be of it.
    pub(super) fn follow(mut self, root: Cid) -> Result<HashSet<Cid>> {
        let (root, whole) = ((root, Position::Root), (None, None));
        Trace::new(self.blocks).follow(root, whole, &mut |step| self.step(step))?;
        self.end_gap(None)?;
        Ok(self.taken)
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Record { key, cid } => {
                self.end_gap(Some(&key))?;
                self.last = Some(key.clone());
                (self.sink)(Survivor::Record { key, cid })
            }
            Step::LostRecord { key, cid } => {
                self.end_gap(Some(&key))?;
                self.last = Some(key.clone());
                (self.sink)(Survivor::Lost { part: Part::Record { key }, cid })
            }
            Step::LostNode { after, before, cid, level } => {
                self.gap.get_or_insert((self.last.clone(), cid));
                let taken = self.orphans_between(after.as_ref(), before.as_ref(), level);
                for (at, orphan) in taken.iter().enumerate() {
                    self.taken.insert(orphan.cid);
                    let next = taken.get(at + 1).map(|next| next.first.clone());
                    let bounds = (self.last.clone().or(after.clone()), next.or(before.clone()));
                    let root = (orphan.cid, Position::Child { level: orphan.level });
                    let blocks = self.blocks;
                    Trace::new(blocks).follow(root, bounds, &mut |step| self.step(step))?;
                    self.gap.get_or_insert((self.last.clone(), cid));
                }
                Ok(())
            }
        }
    }

    fn end_gap(&mut self, before: Option<&Key>) -> Result<()> {
        let Some((after, cid)) = self.gap.take() else { return Ok(()) };
        let part = Part::Records { after, before: before.cloned() };
        (self.sink)(Survivor::Lost { part, cid })
    }

    /// Chooses the subtrees that certainly stood below a lost node: no node names them that is here,
    /// none can have that another state has lost, and no two of them claim the same place.
    fn orphans_between(
        &self,
        after: Option<&Key>,
        before: Option<&Key>,
        level: Option<u8>,
    ) -> Vec<Orphan> {
        let is_elsewhere = |lost: &&Lost| match &lost.part {
            Part::Commit => true,
            Part::Record { .. } => false,
            Part::Records { after: from, before: to } => {
                let apart = |end: Option<&Key>, start: Option<&Key>| {
                    end.zip(start).is_some_and(|(end, start)| end <= start)
                };
                !apart(to.as_ref(), after) && !apart(before, from.as_ref())
            }
        };
        if self.others.iter().any(is_elsewhere) {
            return Vec::new();
        }
        let mut fitting = self.orphans.between(after, before);
        fitting.retain(|orphan| level.is_none_or(|level| orphan.level < level));
        // Higher ones first: what lies within one of them comes up again where that has a gap.
        fitting.sort_by_key(|orphan| std::cmp::Reverse(orphan.level));
        let mut taken: BTreeMap<&Key, &Orphan> = BTreeMap::new();
        for orphan in fitting {
            // Those taken are apart from each other, so only the last that starts early enough can meet
            // this one.
            let near = taken.range::<&Key, _>(..=&orphan.last).next_back().map(|(_, near)| *near);
            match near.filter(|near| orphan.first <= near.last) {
                None => drop(taken.insert(&orphan.first, orphan)),
                Some(higher) if orphan.level < higher.level && orphan.lies_within(higher) => {}
                Some(_) => return Vec::new(),
            }
        }
        taken.into_values().cloned().collect()
    }
}
