//! The nodes from the root to where a tree is being gone through, from left to right.

use std::ops::Deref;

use crate::data::cid::Cid;
use crate::mst::node::{Node, Position};
use crate::mst::seen::Room;

/// The nodes of one path, each with its next slot.
#[derive(Debug)]
pub(super) struct Path<N> {
    frames: Vec<Frame<N>>,
    /// The last key before the subtree that was passed last; empty if there is none.
    before: Vec<u8>,
    /// Subtrees of nodes on this level are left out.
    lowest: u8,
    /// A node that is done with; its memory serves the next.
    spare: Option<N>,
}

/// A node and the next slot in it: subtrees have even numbers, entries odd ones.
#[derive(Debug)]
struct Frame<N> {
    node: N,
    slot: usize,
}

/// What comes next.
pub(super) enum Next<'p> {
    Subtree { cid: Cid, position: Position },
    Entry { key: &'p [u8], value: Cid },
    End,
}

impl<N: Deref<Target = Node>> Path<N> {
    pub(super) fn new() -> Self {
        Self { frames: Vec::new(), before: Vec::new(), lowest: 0, spare: None }
    }

    /// Leaves out what is below this level.
    pub(super) fn down_to(&mut self, lowest: u8) {
        self.lowest = lowest;
    }

    /// Tells what comes next, and leaves nodes behind in which nothing does.
    pub(super) fn next(&mut self) -> Next<'_> {
        loop {
            let Some(frame) = self.frames.last_mut() else { return Next::End };
            let index = frame.slot / 2;
            if frame.slot % 2 == 1 {
                break;
            }
            if let Some((cid, position)) = subtree(&frame.node, index, self.lowest) {
                return Next::Subtree { cid, position };
            }
            frame.slot += 1;
            if index == frame.node.len() {
                self.leave();
            }
        }
        let entry = self.frames.last().and_then(|frame| frame.node.entry(frame.slot / 2));
        entry.map_or(Next::End, |entry| Next::Entry { key: entry.key, value: entry.value })
    }

    /// Passes over what comes next; a subtree may be entered after that.
    pub(super) fn pass(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.slot % 2 == 0
            && let Some(entry) = (frame.slot / 2).checked_sub(1).and_then(|at| frame.node.entry(at))
        {
            self.before.clear();
            self.before.extend_from_slice(entry.key);
        }
        frame.slot += 1;
        // After its last subtree a node has nothing to come, and makes room at once.
        if frame.slot > 2 * frame.node.len() {
            self.leave();
        }
    }

    /// Tells whether a node's keys lie between those around the subtree that was just passed.
    pub(super) fn has_room_for(&self, node: &Node) -> bool {
        let Room { after, before } = self.room();
        node.lies_between(after, before)
    }

    /// Returns the keys around the subtree that was just passed.
    pub(super) fn room(&self) -> Room<&[u8]> {
        // The slot of each node above is the one after the subtree that is gone into.
        let next = self.frames.iter().rev().find_map(|frame| frame.node.entry(frame.slot / 2));
        let after = Some(self.before.as_slice()).filter(|before| !before.is_empty());
        Room { after, before: next.map(|entry| entry.key) }
    }

    /// Goes into the node of the subtree that was just passed.
    pub(super) fn enter(&mut self, node: N) {
        self.frames.push(Frame { node, slot: 0 });
    }

    /// Hands out a node that is done with.
    pub(super) fn take_spare(&mut self) -> Option<N> {
        self.spare.take()
    }

    fn leave(&mut self) {
        self.spare = self.frames.pop().map(|frame| frame.node);
    }
}

fn subtree(node: &Node, index: usize, lowest: u8) -> Option<(Cid, Position)> {
    let position = Position::below(node.level()).filter(|_| node.level() > lowest)?;
    Some((node.subtree(index)?, position))
}
