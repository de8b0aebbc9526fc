//! The list of subtrees that earlier walks have visited.

use std::collections::HashMap;

use crate::data::cid::Cid;
use crate::mst::key::Key;
use crate::mst::node::Position;

/// The subtrees that earlier walks have visited, for a walk that skips them.
///
/// The keys of a subtree must be between the keys around it, which differ from place to place. So a walk skips a
/// subtree only if the keys around it leave as much room as in an earlier place. Otherwise the walk reads its node
/// again, and decides for each subtree below it by the same rule.
#[derive(Debug, Default)]
pub struct Seen {
    visits: HashMap<Cid, Visit>,
    /// What each change since the call of [`begin`](Self::begin) has replaced.
    replaced: Option<Vec<(Cid, Option<Visit>)>>,
}

/// The position of a visited subtree, and its room.
#[derive(Debug)]
struct Visit {
    position: Position,
    /// The keys around the subtree. `None` if its node could not be read: the room makes no difference then.
    room: Option<Room<Key>>,
}

/// The keys around a subtree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<K> {
    pub(super) after: Option<K>,
    pub(super) before: Option<K>,
}

impl Room<&[u8]> {
    /// Returns whether this room includes another one.
    pub(super) fn contains(self, other: Room<&[u8]>) -> bool {
        let starts_early =
            self.after.is_none_or(|after| other.after.is_some_and(|other| after <= other));
        let ends_late =
            self.before.is_none_or(|before| other.before.is_some_and(|other| before >= other));
        starts_early && ends_late
    }
}

impl Room<Key> {
    fn borrowed(&self) -> Room<&[u8]> {
        let [after, before] =
            [&self.after, &self.before].map(|key| key.as_ref().map(Key::as_bytes));
        Room { after, before }
    }
}

impl Seen {
    /// Starts a part that can be undone. The part before it no longer can.
    pub fn begin(&mut self) {
        self.replaced = Some(Vec::new());
    }

    /// Forgets the visits since the last [`begin`](Self::begin).
    pub fn undo(&mut self) {
        for (cid, before) in self.replaced.take().into_iter().flatten().rev() {
            match before {
                Some(before) => drop(self.visits.insert(cid, before)),
                None => drop(self.visits.remove(&cid)),
            }
        }
    }

    fn visit(&mut self, cid: Cid, visit: Visit) {
        let before = self.visits.insert(cid, visit);
        if let Some(replaced) = &mut self.replaced {
            replaced.push((cid, before));
        }
    }

    /// Returns whether a walk can skip a subtree in this place.
    pub(super) fn has(&self, cid: &Cid, position: Position, room: Room<&[u8]>) -> bool {
        let visit = self.visits.get(cid).filter(|visit| visit.position == position);
        visit.is_some_and(|visit| {
            visit.room.as_ref().is_none_or(|before| room.contains(before.borrowed()))
        })
    }

    /// Records that a walk has entered a subtree in this place.
    pub(super) fn entered(&mut self, cid: Cid, position: Position, room: Room<&[u8]>) {
        let Room { after, before } = room;
        let room = Room { after: after.map(Key::checked), before: before.map(Key::checked) };
        self.visit(cid, Visit { position, room: Some(room) });
    }

    /// Records that the node of a subtree cannot be read.
    pub(super) fn failed(&mut self, cid: Cid, position: Position) {
        self.visit(cid, Visit { position, room: None });
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
