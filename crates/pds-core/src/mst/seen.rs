//! Subtrees that earlier walks have gone through.

use std::collections::HashMap;

use crate::data::cid::Cid;
use crate::mst::key::Key;
use crate::mst::node::Position;

/// The subtrees that earlier walks have gone through. A walk that is given them passes over them.
///
/// A subtree is the same wherever it hangs, but its keys must lie between the keys around it. So it is passed over
/// only where it has as much room as before. Otherwise its node is read again, and the same rule decides about each
/// subtree below it.
#[derive(Debug, Default)]
pub struct Seen(HashMap<Cid, Visit>);

/// The position of a subtree that was found, and its room.
#[derive(Debug)]
struct Visit {
    position: Position,
    /// `None` if its node could not be read: it cannot be read in any other room either.
    room: Option<Room<Key>>,
}

/// The keys around a subtree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<K> {
    pub(super) after: Option<K>,
    pub(super) before: Option<K>,
}

impl Room<&[u8]> {
    /// Tells whether this is as much room as another one, or more.
    fn contains(self, other: &Room<Key>) -> bool {
        let starts_early = self.after.is_none_or(|after| {
            other.after.as_ref().is_some_and(|other| after <= other.as_bytes())
        });
        let ends_late = self.before.is_none_or(|before| {
            other.before.as_ref().is_some_and(|other| before >= other.as_bytes())
        });
        starts_early && ends_late
    }
}

impl Seen {
    /// Tells whether a subtree can be passed over at its place.
    pub(super) fn has(&self, cid: &Cid, position: Position, room: Room<&[u8]>) -> bool {
        let visit = self.0.get(cid).filter(|visit| visit.position == position);
        visit.is_some_and(|visit| visit.room.as_ref().is_none_or(|before| room.contains(before)))
    }

    /// Notes that a subtree is gone through at its place.
    pub(super) fn entered(&mut self, cid: Cid, position: Position, room: Room<&[u8]>) {
        let Room { after, before } = room;
        let room = Room { after: after.map(Key::checked), before: before.map(Key::checked) };
        self.0.insert(cid, Visit { position, room: Some(room) });
    }

    /// Notes that the node of a subtree cannot be read.
    pub(super) fn failed(&mut self, cid: Cid, position: Position) {
        self.0.insert(cid, Visit { position, room: None });
    }
}
