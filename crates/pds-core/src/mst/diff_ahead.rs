//! The read-ahead of a diff: it reads the nodes that the comparison will open, many of them in one round trip.

use std::sync::Arc;

use crate::data::cid::Cid;
use crate::mst::comparison::{Turn, turn};
use crate::mst::node::{Node, Position};
use crate::mst::path::{Next, Path};
use crate::mst::traversal::{Known, STEPS_AHEAD, Traversal};

/// Reads the nodes that the comparison of two trees needs next.
///
/// The function compares copies of the two paths as far as their nodes are known. After an unknown node, it continues
/// at the next key that both sides reach. So it never reads a node that the comparison itself would skip.
pub(super) fn read_ahead(before: &mut Traversal<'_>, after: &mut Traversal<'_>) {
    let (mut a, mut b) = (Look::new(before), Look::new(after));
    for _ in 0..STEPS_AHEAD {
        if a.is_full() || b.is_full() {
            break;
        }
        let goes_on = match turn(a.path.next(), b.path.next()) {
            Turn::End => false,
            Turn::Equal => {
                a.path.pass();
                b.path.pass();
                true
            }
            Turn::Change { before, after, .. } => {
                before.inspect(|_| a.path.pass());
                after.inspect(|_| b.path.pass());
                true
            }
            Turn::Open { before, after } => {
                let a_is_open = !before || a.open();
                let b_is_open = !after || b.open();
                (a_is_open || a.skip(&mut b)) && (b_is_open || b.skip(&mut a))
            }
        };
        if !goes_on {
            break;
        }
    }
    let wanted = (a.wanted, b.wanted);
    before.fetch(&wanted.0);
    after.fetch(&wanted.1);
}

/// One side of the comparison.
struct Look<'l, 'b> {
    traversal: &'l Traversal<'b>,
    path: Path<Arc<Node>>,
    wanted: Vec<(Cid, Position)>,
}

impl<'l, 'b> Look<'l, 'b> {
    fn new(traversal: &'l Traversal<'b>) -> Self {
        Self { traversal, path: traversal.path.clone(), wanted: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.wanted.len() >= self.traversal.room()
    }

    /// Passes the subtree that comes next, and enters it if its node is known. Returns `false` if it cannot enter.
    fn open(&mut self) -> bool {
        let Next::Subtree { cid, position } = self.path.next() else { return true };
        self.path.pass();
        match self.traversal.known(cid, position) {
            Known::Node(node) if self.path.has_room_for(&node) => {
                self.path.enter(node);
                return true;
            }
            Known::Node(_) | Known::Failed => {}
            Known::No => self.wanted.push((cid, position)),
        }
        false
    }

    /// Passes every part of the other side that may overlap with the subtree that this side has just passed. Returns
    /// whether there is a key at which both sides can continue.
    fn skip(&mut self, other: &mut Self) -> bool {
        let mut key = self.path.following().map(Box::from);
        let (mut ahead, mut behind) = (self, other);
        while let Some(to) = key {
            match behind.skip_to(&to) {
                None => return true,
                Some(further) => key = further,
            }
            std::mem::swap(&mut ahead, &mut behind);
        }
        false
    }

    /// Passes all parts before a key. If a subtree extends beyond the key, returns the key after that subtree, if
    /// there is one.
    fn skip_to(&mut self, to: &[u8]) -> Option<Option<Box<[u8]>>> {
        loop {
            match self.path.next() {
                Next::End => return None,
                Next::Entry { key, .. } if key >= to => return None,
                Next::Entry { .. } => self.path.pass(),
                Next::Subtree { .. } => {
                    self.path.pass();
                    match self.path.following() {
                        Some(following) if following <= to => {}
                        following => return Some(following.map(Box::from)),
                    }
                }
            }
        }
    }
}
