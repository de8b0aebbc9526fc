//! Lost nodes worked out from those of other states.
//!
//! A commit changes one path through the tree. So a node that is lost is mostly one that another
//! state still has, with one thing different: a subtree, a record, an entry less. What it may have
//! been is tried; the CID says whether it was.

use std::collections::HashSet;

use crate::handle::Rescue;
use crate::orphans::{Orphan, Orphans, each_in};
use crate::survey::{Lost, Survey};
use crate::trace::Part;
use pds::error::Result;
use pds_core::data::block::{Block, Blocks, MemoryBlocks};
use pds_core::data::cid::Cid;
use pds_core::mst::key::Key;
use pds_core::mst::node::{Node, NodeEntry, Position, node_block};

impl Rescue<'_> {
    /// Works out lost tree nodes from those that other states have in the same place.
    ///
    /// Each block hashes to the CID of a node that is lost, so nothing about it is a guess.
    pub(super) fn deduce(&self, survey: &Survey) -> Result<MemoryBlocks> {
        let mut deduced = MemoryBlocks::default();
        let nodes = survey.lost.iter().filter(|lost| matches!(lost.part, Part::Records { .. }));
        let lost: Vec<&Lost> = nodes.take(MAX_NODES).collect();
        if lost.is_empty() {
            return Ok(deduced);
        }
        let blocks = self.repo.store().as_ref();
        let orphans = Orphans::of(blocks, &|visit| each_in(blocks, visit))?;
        for lost in lost {
            let Part::Records { after, before } = &lost.part else { continue };
            let mut seen = HashSet::new();
            let mut attempt = Attempt { wanted: lost.cid, orphans: &orphans, tries: MAX_TRIES };
            let states = survey.commits.iter().take(MAX_STATES);
            let found = states.filter(|state| state.cid() != lost.commit).find_map(|state| {
                let (cid, node) = node_at(blocks, state.data(), after.as_ref(), lost.level)?;
                if !seen.insert(cid) {
                    return None;
                }
                attempt.from(&node, after.as_ref(), before.as_ref())
            });
            deduced.extend(found);
        }
        Ok(deduced)
    }
}

/// Finds the node of a level that comes after a key, or the root where the level is not known.
fn node_at(
    blocks: &dyn Blocks,
    root: Cid,
    after: Option<&Key>,
    level: Option<u8>,
) -> Option<(Cid, Node)> {
    let (mut cid, mut position) = (root, Position::Root);
    loop {
        let block = blocks.get(&cid).ok().flatten()?;
        let node = Node::read(cid, block.bytes(), position).ok()?;
        match level {
            Some(level) if node.level() < level => return None,
            Some(level) if node.level() > level => {}
            _ => return Some((cid, node)),
        }
        let is_before =
            |entry: &NodeEntry<'_>| after.is_some_and(|key| entry.key <= key.as_bytes());
        let last = node.entries().take_while(is_before).last();
        cid = last.map_or(node.left(), |entry| entry.right)?;
        position = Position::Child { level: node.level().checked_sub(1)? };
    }
}

/// What a lost node may have been.
#[derive(Clone)]
struct Draft<'n> {
    left: Option<Cid>,
    entries: Vec<NodeEntry<'n>>,
}

impl Draft<'_> {
    /// The subtree before the entry of this index, or after the last.
    fn subtree(&mut self, index: usize) -> &mut Option<Cid> {
        match index.checked_sub(1).and_then(|before| self.entries.get_mut(before)) {
            Some(entry) => &mut entry.right,
            None => &mut self.left,
        }
    }
}

/// The search for one node.
struct Attempt<'a> {
    wanted: Cid,
    orphans: &'a Orphans,
    tries: u32,
}

impl Attempt<'_> {
    /// Looks for the lost node among those that differ little from another one in its place.
    fn from(&mut self, node: &Node, after: Option<&Key>, before: Option<&Key>) -> Option<Block> {
        let draft = Draft { left: node.left(), entries: node.entries().collect() };
        // The keys between which each subtree stands, and the orphans that fit there.
        let keys = node.entries().map(|entry| Key::new(entry.key).ok());
        let mut bounds: Vec<Option<Key>> = vec![after.cloned()];
        bounds.extend(keys);
        bounds.push(before.cloned());
        let level = node.level().checked_sub(1);
        let fitting = |from: usize, to: usize| -> Vec<&Orphan> {
            let (from, to) = (bounds.get(from), bounds.get(to));
            let mut fitting =
                self.orphans.between(from.and_then(Option::as_ref), to.and_then(Option::as_ref));
            fitting.retain(|orphan| Some(orphan.level) == level);
            fitting
        };
        let count = draft.entries.len();
        let places: Vec<Vec<&Orphan>> = (0..=count).map(|at| fitting(at, at + 1)).collect();
        let joined: Vec<Vec<&Orphan>> = (0..count).map(|at| fitting(at, at + 2)).collect();
        // A commit of many writes: every subtree that has but one successor is that.
        let mut renewed = draft.clone();
        for (at, fitting) in places.iter().enumerate() {
            if let [only] = fitting.as_slice() {
                *renewed.subtree(at) = Some(only.cid);
            }
        }
        let records = &self.orphans.records;
        for draft in [draft, renewed] {
            if let Some(block) = test(&mut self.tries, self.wanted, &draft) {
                return Some(block);
            }
            for (at, fitting) in places.iter().enumerate() {
                for cid in fitting.iter().map(|orphan| Some(orphan.cid)).chain([None]) {
                    let mut draft = draft.clone();
                    *draft.subtree(at) = cid;
                    if let Some(block) = test(&mut self.tries, self.wanted, &draft) {
                        return Some(block);
                    }
                }
            }
            for (at, fitting) in joined.iter().enumerate() {
                let mut draft = draft.clone();
                let sides = [*draft.subtree(at), *draft.subtree(at + 1), None];
                draft.entries.remove(at);
                for cid in sides.into_iter().chain(fitting.iter().map(|orphan| Some(orphan.cid))) {
                    *draft.subtree(at) = cid;
                    if let Some(block) = test(&mut self.tries, self.wanted, &draft) {
                        return Some(block);
                    }
                }
            }
            for at in 0..count {
                let mut draft = draft.clone();
                for cid in records {
                    draft.entries[at].value = *cid;
                    if let Some(block) = test(&mut self.tries, self.wanted, &draft) {
                        return Some(block);
                    }
                }
            }
        }
        None
    }
}

/// Makes the block and compares its CID, as long as there are tries left.
fn test(tries: &mut u32, wanted: Cid, draft: &Draft<'_>) -> Option<Block> {
    *tries = tries.checked_sub(1)?;
    let block = node_block(draft.left, draft.entries.iter().copied());
    (block.cid() == wanted).then_some(block)
}

/// How many lost nodes are worked at in one go: where more are gone, little is left to tell by.
const MAX_NODES: usize = 200;

/// How many states are looked at for each, from the newest on.
const MAX_STATES: usize = 64;

/// How many nodes are made and hashed for each: less than a tenth of a second's work.
const MAX_TRIES: u32 = 20_000;
