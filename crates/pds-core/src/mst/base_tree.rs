//! The tree that a walk is compared with, so that the walk skips what both have.

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::comparison::height;
use crate::mst::node::Position;
use crate::mst::path::{Next, Path};
use crate::mst::seen::Room;
use crate::mst::traversal::Traversal;
use std::fmt;

/// A tree that was checked earlier. A walk [over it](crate::mst::walk::Walk::over) skips what both trees have in the
/// same place.
///
/// A subtree is in the same place if its level is the same, and if the keys around it leave as much room as in the
/// base. It is valid then, because it is valid in the base. A node of the base that cannot be read has nothing in
/// common with the walked tree.
pub struct BaseTree<'b> {
    traversal: Traversal<'b>,
    /// The subtree that comes next. It was passed, and can still be opened.
    gap: Option<(Cid, Position)>,
    is_walked: &'b (dyn Fn(&Cid) -> bool + Sync),
}

impl fmt::Debug for BaseTree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaseTree").finish_non_exhaustive()
    }
}

impl<'b> BaseTree<'b> {
    /// Makes a base of a tree in some blocks. `is_walked` returns whether a node or record is walked even if the base
    /// has it.
    pub fn new(
        blocks: &'b dyn Blocks,
        root: Cid,
        is_walked: &'b (dyn Fn(&Cid) -> bool + Sync),
    ) -> Self {
        let traversal = Traversal::new(Source::uncached(blocks), Path::new(Some(root)));
        Self { traversal, gap: None, is_walked }
    }

    /// Uses a cache for the nodes of the base. `None` means no cache.
    #[must_use]
    pub fn cached(mut self, cache: impl Into<Option<&'b NodeCache>>) -> Self {
        self.traversal.source.cache = cache.into();
        self
    }

    /// Returns whether a walk can skip a subtree with this room.
    pub(super) fn has_subtree(&mut self, cid: Cid, position: Position, room: Room<&[u8]>) -> bool {
        if (self.is_walked)(&cid) {
            return false;
        }
        loop {
            let Some((found, at)) = self.gap else {
                match self.pass_entries(|key| room.after.is_some_and(|after| key <= after)) {
                    true => continue,
                    false => return false,
                }
            };
            let place = self.traversal.path.room();
            if found == cid && at == position && room.contains(place) {
                self.gap = None;
                return true;
            }
            if place.before.zip(room.after).is_some_and(|(before, after)| before <= after) {
                self.gap = None;
            } else if height(at) > height(position) {
                self.open(found, at);
            } else {
                return false;
            }
        }
    }

    /// Returns whether a walk can skip an entry of a node on this level.
    pub(super) fn has_entry(&mut self, key: &[u8], value: Cid, level: u8) -> bool {
        if (self.is_walked)(&value) {
            return false;
        }
        loop {
            let Some((found, at)) = self.gap else {
                if self.pass_entries(|before| before < key) {
                    continue;
                }
                let next = self.traversal.path.next();
                return matches!(next, Next::Entry { key: k, value: v } if k == key && v == value);
            };
            if self.traversal.path.following().is_some_and(|before| before <= key) {
                self.gap = None;
            } else if height(at) >= level {
                self.open(found, at);
            } else {
                return false;
            }
        }
    }

    /// Passes entries up to the next subtree, and the subtree. Returns `false` if an entry that is not to be passed
    /// comes first, or the end.
    fn pass_entries(&mut self, is_passed: impl Fn(&[u8]) -> bool) -> bool {
        loop {
            match self.traversal.path.next() {
                Next::Subtree { cid, position } => {
                    self.gap = Some((cid, position));
                    self.traversal.path.pass();
                    return true;
                }
                Next::Entry { key, .. } if is_passed(key) => self.traversal.path.pass(),
                Next::Entry { .. } | Next::End => return false,
            }
        }
    }

    /// Enters the subtree that was just passed. If it cannot be read, the path continues after it.
    fn open(&mut self, cid: Cid, position: Position) {
        self.gap = None;
        let _ = self.traversal.open_cached(cid, position, false);
    }
}

#[cfg(test)]
#[path = "base_tree_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
