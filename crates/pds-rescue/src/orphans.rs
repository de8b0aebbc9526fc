//! Orphans: nodes and records that no block names, because the node above them is lost.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::survey::may_be_a_commit;
use pds::error::Result;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::key::Key;
use pds_core::mst::node::{Node, Position};
use pds_store::error::StoreError;
use pds_store::store::Store;

/// The blocks of a store that no block in it names.
#[derive(Default)]
pub(super) struct Orphans {
    pub(super) nodes: Vec<Orphan>,
    /// Blocks that are neither nodes nor commits.
    pub(super) records: Vec<Cid>,
}

/// A node that no block names.
#[derive(Clone)]
pub(super) struct Orphan {
    pub(super) cid: Cid,
    pub(super) level: u8,
    /// The first and the last key of the node itself, or of the first node below it that has keys.
    pub(super) first: Key,
    pub(super) last: Key,
}

impl Orphans {
    /// Finds the orphans in two passes over all blocks.
    ///
    /// The set of named blocks has only the first eight bytes of each digest. After a collision, an orphan
    /// counts as named and is ignored.
    pub(super) fn of(blocks: &dyn Blocks, each: &Each<'_>) -> Result<Self> {
        let mut named: HashSet<u64> = HashSet::new();
        each(&mut |block| match Kind::of(block) {
            Kind::Node(node) => {
                named.extend(node.subtrees().map(|cid| start(&cid)));
                named.extend(node.entries().map(|entry| start(&entry.value)));
            }
            Kind::Commit(commit) => drop(named.insert(start(&commit.data()))),
            Kind::Other => {}
        })?;
        let mut found = Self::default();
        let mut bridges = Vec::new();
        each(&mut |block| {
            let cid = block.cid();
            if named.contains(&start(&cid)) {
                return;
            }
            match Kind::of(block) {
                Kind::Node(node) => match hull(&node) {
                    Some((first, last)) => {
                        found.nodes.push(Orphan { cid, level: node.level(), first, last });
                    }
                    None => bridges.push((cid, node)),
                },
                Kind::Commit(_) => {}
                Kind::Other => found.records.push(cid),
            }
        })?;
        for bridge in bridges {
            found.nodes.extend(crossed(blocks, bridge)?);
        }
        found.nodes.sort_by(|a, b| a.first.cmp(&b.first));
        found.records.sort_unstable();
        Ok(found)
    }

    /// Returns the nodes whose own keys are between two other keys, in the order of their first keys.
    pub(super) fn between(&self, after: Option<&Key>, before: Option<&Key>) -> Vec<&Orphan> {
        let from = self.nodes.partition_point(|node| after.is_some_and(|key| node.first <= *key));
        let nodes = self.nodes.iter().skip(from);
        let nodes = nodes.take_while(|node| before.is_none_or(|key| node.first < *key));
        nodes.filter(|node| before.is_none_or(|key| node.last < *key)).collect()
    }
}

impl Orphan {
    /// Returns whether the own keys of this node are between those of another one.
    pub(super) fn lies_within(&self, other: &Self) -> bool {
        other.first < self.first && self.last < other.last
    }
}

/// Calls its argument with every intact block of a source.
pub(super) type Each<'a> = dyn Fn(&mut dyn FnMut(&Block)) -> Result<()> + 'a;

/// The kind of a block.
pub(super) enum Kind {
    Node(Node),
    Commit(Box<Commit>),
    Other,
}

impl Kind {
    pub(super) fn of(block: &Block) -> Self {
        if let Some(node) = node(block) {
            return Self::Node(node);
        }
        match may_be_a_commit(block).then(|| Commit::decode(block)) {
            Some(Ok(commit)) => Self::Commit(Box::new(commit)),
            _ => Self::Other,
        }
    }
}

/// Reads a node at any position. Only a node with entries has a known level.
fn node(block: &Block) -> Option<Node> {
    let (cid, bytes) = (block.cid(), block.bytes());
    let is_like_one = cid.codec() == Codec::Cbor && bytes.starts_with(b"\xa2\x61e");
    if !is_like_one {
        return None;
    }
    let bridge = || Node::read(cid, bytes, Position::Child { level: 1 });
    Node::read(cid, bytes, Position::Root).or_else(|_| bridge()).ok()
}

pub(super) fn hull(node: &Node) -> Option<(Key, Key)> {
    let last = node.entry(node.len().checked_sub(1)?)?;
    Some((Key::new(node.entry(0)?.key).ok()?, Key::new(last.key).ok()?))
}

/// Descends from a node without entries to the first node with entries, which gives its level and keys. Returns
/// `None` if a node on the way is lost, or if there are more nodes than a tree has levels.
pub(super) fn crossed(
    blocks: &dyn Blocks,
    (cid, mut bridge): (Cid, Node),
) -> Result<Option<Orphan>> {
    let mut levels_below = 0_u8;
    while let Some(left) = bridge.left() {
        let Ok(Some(block)) = blocks.get(&left) else { return Ok(None) };
        let Some(next) = node(&block) else { return Ok(None) };
        let Some(level) = levels_below.checked_add(1) else { return Ok(None) };
        levels_below = level;
        if let Some((first, last)) = hull(&next) {
            let level = next.level().saturating_add(levels_below);
            return Ok(Some(Orphan { cid, level, first, last }));
        }
        bridge = next;
    }
    Ok(None)
}

/// Calls `visit` with every intact block of a store.
pub(super) fn each_in(store: &dyn Store, visit: &mut dyn FnMut(&Block)) -> Result<()> {
    let Some(maintain) = store.maintain() else { return Ok(()) };
    let scanned = maintain.scan_raw(&mut |name, bytes| {
        let cid = Cid::from_bytes(name).ok();
        if let Some(block) = cid.and_then(|cid| Block::verified(cid, bytes).ok()) {
            visit(&block);
        }
        ControlFlow::Continue(())
    });
    match scanned {
        Err(StoreError::Damaged(_)) => Ok(()),
        scanned => Ok(scanned?),
    }
}

pub(super) fn start(cid: &Cid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
