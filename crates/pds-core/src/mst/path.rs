//! The position of a traversal: the nodes from the root down to the part of the tree that comes next.

use std::ops::{Bound, Deref};

use crate::data::cid::Cid;
use crate::mst::key::Key;
use crate::mst::node::{Node, Position};
use crate::mst::seen::Room;

/// The nodes of one path, each with its next slot. It goes through a tree, or a range of it, in key order or from the
/// last key to the first.
#[derive(Clone, Debug)]
pub(super) struct Path<N> {
    /// The root, until it has been passed.
    root: Option<Cid>,
    frames: Vec<Opened<N>>,
    backwards: bool,
    /// The end of the range where the path begins; unbounded after the first entry.
    near: Bound<Key>,
    /// The end of the range where the path ends.
    far: Bound<Key>,
    /// The number of levels to visit, until the level of the root is known.
    levels: Option<u8>,
    /// The lowest level to visit. Subtrees of its nodes are left out.
    lowest: u8,
    /// A finished node, whose memory can be used for the next one.
    spare: Option<N>,
}

/// A node and the number of its slots that were passed. Subtrees have even slots, entries odd ones.
#[derive(Clone, Debug)]
struct Opened<N> {
    node: N,
    passed: usize,
}

/// The part of a tree that comes next.
pub(super) enum Next<'p> {
    Subtree { cid: Cid, position: Position },
    Entry { key: &'p [u8], value: Cid },
    End,
}

impl<N: Deref<Target = Node>> Path<N> {
    /// Starts before the root of a tree. Without a root, the path is empty.
    pub(super) fn new(root: Option<Cid>) -> Self {
        let (near, far) = (Bound::Unbounded, Bound::Unbounded);
        let (frames, spare) = (Vec::new(), None);
        Self { root, frames, backwards: false, near, far, levels: None, lowest: 0, spare }
    }

    /// Starts before a range of a tree.
    pub(super) fn within(root: Option<Cid>, from: Bound<Key>, to: Bound<Key>) -> Self {
        Self { near: from, far: to, ..Self::new(root) }
    }

    /// Reverses the direction. Call this before the first step.
    pub(super) fn reverse(&mut self) {
        self.backwards = !self.backwards;
        std::mem::swap(&mut self.near, &mut self.far);
    }

    /// Limits the path to this many levels, from the root down. Call this before the first step.
    pub(super) fn limit(&mut self, levels: u8) {
        self.levels = Some(levels);
    }

    /// Returns the part of the tree that comes next, and leaves finished nodes.
    pub(super) fn next(&mut self) -> Next<'_> {
        if let Some(cid) = self.root {
            return Next::Subtree { cid, position: Position::Root };
        }
        let index = loop {
            let Some(frame) = self.frames.last_mut() else { return Next::End };
            if let Some(slot) = frame.slot(frame.passed, self.backwards) {
                if slot % 2 == 1 {
                    break slot / 2;
                }
                if let Some((cid, position)) = subtree(&frame.node, slot / 2, self.lowest) {
                    return Next::Subtree { cid, position };
                }
                frame.passed += 1;
                if let Some(slot) = frame.slot(frame.passed, self.backwards) {
                    break slot / 2;
                }
            }
            self.spare = self.frames.pop().map(|frame| frame.node);
        };
        match self.frames.last().and_then(|frame| frame.node.entry(index)) {
            Some(entry) if !is_past(&self.far, entry.key, self.backwards) => {
                Next::Entry { key: entry.key, value: entry.value }
            }
            _ => Next::End,
        }
    }

    /// Passes the part that comes next. A subtree can be entered after it was passed.
    pub(super) fn pass(&mut self) {
        let Some(frame) = self.frames.last_mut() else {
            self.root = None;
            return;
        };
        if frame.passed % 2 == 1 && !matches!(self.near, Bound::Unbounded) {
            self.near = Bound::Unbounded;
        }
        frame.passed += 1;
    }

    /// Returns whether the keys of a node are between the keys around the subtree that was just passed.
    ///
    /// Without this check, a subtree with many links to it would be visited once for each link.
    pub(super) fn has_room_for(&self, node: &Node) -> bool {
        let Room { after, before } = self.room();
        node.lies_between(after, before)
    }

    /// Returns the keys around the subtree that was just passed.
    pub(super) fn room(&self) -> Room<&[u8]> {
        let after = self.neighbour(|slot| (slot / 2).checked_sub(1));
        Room { after, before: self.following() }
    }

    /// Returns the level of the node whose parts come next.
    pub(super) fn level(&self) -> Option<u8> {
        self.frames.last().map(|frame| frame.node.level())
    }

    /// Returns the key that follows the subtree that was just passed.
    pub(super) fn following(&self) -> Option<&[u8]> {
        self.neighbour(|slot| Some(slot / 2))
    }

    /// Finds the nearest entry on one side of the subtree that was just passed.
    fn neighbour(&self, index: impl Fn(usize) -> Option<usize>) -> Option<&[u8]> {
        self.frames.iter().rev().find_map(|frame| {
            let slot = frame.slot(frame.passed.checked_sub(1)?, self.backwards)?;
            Some(frame.node.entry(index(slot)?)?.key)
        })
    }

    /// Enters the node of the subtree that was just passed, at the first slot that can hold a key of the range.
    pub(super) fn enter(&mut self, node: N) {
        if let Some(levels) = self.levels.take() {
            self.lowest = node.level().saturating_sub(levels.saturating_sub(1));
        }
        let passed = self.start(&node);
        self.frames.push(Opened { node, passed });
    }

    fn start(&self, node: &Node) -> usize {
        let (key, included) = match &self.near {
            Bound::Unbounded => return 0,
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
        };
        let slot = match node.search(key.as_bytes()) {
            Err(index) => 2 * index,
            Ok(index) if included => 2 * index + 1,
            Ok(index) if self.backwards => 2 * index,
            Ok(index) => 2 * index + 2,
        };
        if self.backwards { 2 * node.len() - slot } else { slot }
    }

    /// Returns a finished node, whose memory can be used for the next one.
    pub(super) fn take_spare(&mut self) -> Option<N> {
        self.spare.take()
    }
}

impl<N: Deref<Target = Node>> Opened<N> {
    /// Returns the slot after this many slots; `None` at the end of the node.
    fn slot(&self, passed: usize, backwards: bool) -> Option<usize> {
        let rest = (2 * self.node.len()).checked_sub(passed)?;
        Some(if backwards { rest } else { passed })
    }
}

fn subtree(node: &Node, index: usize, lowest: u8) -> Option<(Cid, Position)> {
    let position = Position::below(node.level()).filter(|_| node.level() > lowest)?;
    Some((node.subtree(index)?, position))
}

/// Returns whether a key is beyond the far end of a range.
fn is_past(far: &Bound<Key>, key: &[u8], backwards: bool) -> bool {
    let (far, excluded) = match far {
        Bound::Unbounded => return false,
        Bound::Included(far) => (far.as_bytes(), false),
        Bound::Excluded(far) => (far.as_bytes(), true),
    };
    let beyond = if backwards { key < far } else { key > far };
    beyond || (excluded && key == far)
}
