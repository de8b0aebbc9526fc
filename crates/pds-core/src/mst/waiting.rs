//! What is still to come of a tree that is gone through from left to right.

use crate::data::cid::Cid;
use crate::mst::key::Key;
use crate::mst::node::{Node, Position};

/// A part of a tree that waits; the next one is at the end of the list.
pub(super) enum Waiting {
    Subtree { cid: Cid, position: Position },
    Entry { key: Key, value: Cid },
}

/// Puts what stands in a node on the list: its entries, and its subtrees if they are not below the
/// lowest level that is wanted.
pub(super) fn unfold(node: &Node, lowest: u8, waiting: &mut Vec<Waiting>) {
    let below = Position::below(node.level()).filter(|_| node.level() > lowest);
    let subtree = |cid: Option<Cid>| {
        let (cid, position) = (cid?, below?);
        Some(Waiting::Subtree { cid, position })
    };
    let start = waiting.len();
    waiting.extend(subtree(node.left()));
    for entry in node.entries() {
        let key = Key::checked(entry.key);
        waiting.push(Waiting::Entry { key, value: entry.value });
        waiting.extend(subtree(entry.right));
    }
    waiting[start..].reverse();
}

/// The key that follows a subtree that has just been taken off the list; nothing but an entry can.
pub(super) fn next_key(waiting: &[Waiting]) -> Option<&[u8]> {
    match waiting.last() {
        Some(Waiting::Entry { key, .. }) => Some(key.as_bytes()),
        _ => None,
    }
}
