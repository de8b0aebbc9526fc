//! One step of the comparison of two trees.

use std::cmp::Ordering;

use crate::data::cid::Cid;
use crate::mst::node::Position;
use crate::mst::path::Next;

/// The next step of a comparison.
pub(super) enum Turn<'p> {
    End,
    /// The same subtree or entry is in both trees.
    Equal,
    /// Subtrees must be opened, in one of the trees or in both.
    Open {
        before: bool,
        after: bool,
    },
    Change {
        key: &'p [u8],
        before: Option<Cid>,
        after: Option<Cid>,
    },
}

/// Decides the next step from the next parts of two trees.
pub(super) fn turn<'p>(before: Next<'p>, after: Next<'p>) -> Turn<'p> {
    match (before, after) {
        (Next::End, Next::End) => Turn::End,
        (Next::Subtree { cid: a, position: at_a }, Next::Subtree { cid: b, position: at_b }) => {
            if a == b {
                return Turn::Equal;
            }
            // The higher subtree is opened first. Its children can be equal to the lower one.
            let (a, b) = (height(at_a), height(at_b));
            Turn::Open { before: a >= b, after: b >= a }
        }
        (Next::Subtree { .. }, _) => Turn::Open { before: true, after: false },
        (_, Next::Subtree { .. }) => Turn::Open { before: false, after: true },
        (Next::Entry { key, value }, Next::End) => {
            Turn::Change { key, before: Some(value), after: None }
        }
        (Next::End, Next::Entry { key, value }) => {
            Turn::Change { key, before: None, after: Some(value) }
        }
        (Next::Entry { key: a, value: before }, Next::Entry { key: b, value: after }) => {
            match a.cmp(b) {
                Ordering::Less => Turn::Change { key: a, before: Some(before), after: None },
                Ordering::Greater => Turn::Change { key: b, before: None, after: Some(after) },
                Ordering::Equal if before == after => Turn::Equal,
                Ordering::Equal => {
                    Turn::Change { key: b, before: Some(before), after: Some(after) }
                }
            }
        }
    }
}

/// Returns the level of a subtree. A root counts as highest, because its level is not known yet.
pub(super) fn height(position: Position) -> u8 {
    match position {
        Position::Root => u8::MAX,
        Position::Child { level } => level,
    }
}
