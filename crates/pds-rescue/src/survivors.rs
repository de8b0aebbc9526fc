//! A walk over a damaged tree, which fills its gaps with orphaned subtrees.

use std::collections::{BTreeMap, HashSet};

use crate::orphans::{Orphan, Orphans};
use crate::survey::Lost;
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::key::Key;
use pds_core::mst::node::Position;

/// One result of the walk, in key order.
pub(super) enum Survivor {
    /// A node, before its content.
    Node {
        cid: Cid,
    },
    Record {
        key: Key,
        cid: Cid,
    },
    Lost {
        part: Part,
        cid: Cid,
    },
}

/// A walk over a damaged tree.
///
/// In place of a lost node, it walks the subtrees that fit into the gap and that no other node names.
pub(super) struct Survivors<'a> {
    blocks: &'a dyn Blocks,
    orphans: &'a Orphans,
    /// Losses of other states. Orphans in their range may belong to these states.
    others: Vec<&'a Lost>,
    sink: &'a mut dyn FnMut(Survivor) -> Result<()>,
    taken: HashSet<Cid>,
    last: Option<Key>,
    /// The current gap: the last key before it, and the lost node. The gap ends at the next key.
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

    /// Walks the tree of a root. Returns the orphans that belong to it.
    pub(super) fn follow(mut self, root: Cid) -> Result<HashSet<Cid>> {
        let (root, whole) = ((root, Position::Root), (None, None));
        Trace::new(self.blocks).follow(root, whole, &mut |step| self.step(step))?;
        self.end_gap(None)?;
        Ok(self.taken)
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Node { cid } => (self.sink)(Survivor::Node { cid }),
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

    /// Returns the subtrees that certainly belong below a lost node. No stored node names them, no lost node of
    /// another state can have named them, and no two of them overlap.
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
        // Higher orphans come first. Orphans inside a higher one are considered again at its own gaps.
        fitting.sort_by_key(|orphan| std::cmp::Reverse(orphan.level));
        let mut taken: BTreeMap<&Key, &Orphan> = BTreeMap::new();
        for orphan in fitting {
            // The chosen orphans do not overlap, so only the last one that starts before the end of this one
            // can overlap it.
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
