//! The traversal that walks, ranges and diffs share. It reads nodes ahead.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::data::block::{Block, get_some};
use crate::data::cid::Cid;
use crate::data::cid_hasher::ByCid;
use crate::mst::cache::Source;
use crate::mst::error::MstError;
use crate::mst::node::{NAMED_AGAIN, NOT_ASCENDING, Node, Position, checked_node, read_node};
use crate::mst::path::{Next, Path};
use crate::mst::seen::Seen;

/// A path through a tree, and the nodes that were read ahead.
///
/// If the source reads many blocks in one round trip ([`Blocks::batch`](crate::data::block::Blocks::batch)), the nodes
/// that come next are read together. From any other source, each node is read when it is needed.
pub(super) struct Traversal<'b> {
    pub(super) source: Source<'b>,
    pub(super) path: Path<Arc<Node>>,
    /// Nodes that the source does not have yet.
    unwritten: HashMap<Cid, Block, ByCid>,
    /// Subtrees that are not valid. They are not read again at another link.
    failed: HashSet<Cid, ByCid>,
    /// Subtrees that earlier walks have visited, if they are to be skipped.
    seen: Option<&'b mut Seen>,
    ahead: HashMap<Cid, Prefetched, ByCid>,
    /// The bytes of the blocks that were read ahead.
    ahead_bytes: usize,
    /// The number of nodes to read in the next round trip, or 1 if nothing is read ahead. It starts low and grows,
    /// because a caller may stop early.
    many: usize,
}

/// A node that was read ahead, and the position that it was checked for.
struct Prefetched {
    position: Position,
    read: Result<(Block, Arc<Node>), MstError>,
}

impl Prefetched {
    fn bytes(&self) -> usize {
        self.read.as_ref().map_or(0, |(block, _)| block.bytes().len())
    }
}

impl<'b> Traversal<'b> {
    pub(super) fn new(source: Source<'b>, path: Path<Arc<Node>>) -> Self {
        let (unwritten, failed, ahead) = Default::default();
        let many = match source.blocks.batch() {
            batch @ ..=MAX_BATCH => batch.min(FIRST_AHEAD),
            _ => 1,
        };
        Self { source, path, unwritten, failed, seen: None, ahead, ahead_bytes: 0, many }
    }

    /// Adds nodes that the source does not have yet.
    pub(super) fn with_unwritten(self, nodes: Vec<Block>) -> Self {
        Self { unwritten: nodes.into_iter().map(|node| (node.cid(), node)).collect(), ..self }
    }

    /// Skips the subtrees of this list, and adds the subtrees that are entered. Call this before the first step.
    pub(super) fn pass_over(&mut self, seen: &'b mut Seen) {
        self.seen = Some(seen);
    }

    /// Reads every node when it is needed, for a path that skips most of them.
    pub(super) fn read_singly(&mut self) {
        self.many = 1;
    }

    /// Returns whether the subtree that was just passed is on the list of subtrees to skip.
    pub(super) fn was_seen(&self, cid: Cid, position: Position) -> bool {
        self.is_seen(&self.path, cid, position)
    }

    fn is_seen(&self, path: &Path<Arc<Node>>, cid: Cid, position: Position) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.has(&cid, position, path.room()))
    }

    /// Reads the subtree that was just passed, without the cache, and enters it.
    pub(super) fn open(
        &mut self,
        cid: Cid,
        position: Position,
    ) -> Result<(Block, Arc<Node>), MstError> {
        self.refuse_failed(cid)?;
        let read = self.read(cid, position);
        let entered = read.and_then(|(block, node)| {
            self.enter(cid, position, node.clone())?;
            Ok((block, node))
        });
        entered.inspect_err(|error| self.note_failure(cid, error))
    }

    /// Takes the subtree that was just passed from the cache, or reads it, and enters it.
    ///
    /// A node that was read is added to the cache if `keep` is set. Full scans do not set it: they would only evict the
    /// nodes that other readers need.
    pub(super) fn open_cached(
        &mut self,
        cid: Cid,
        position: Position,
        keep: bool,
    ) -> Result<(), MstError> {
        self.refuse_failed(cid)?;
        let node = self.node(cid, position, keep);
        let entered = node.and_then(|node| self.enter(cid, position, node));
        entered.inspect_err(|error| self.note_failure(cid, error))
    }

    fn node(&mut self, cid: Cid, position: Position, keep: bool) -> Result<Arc<Node>, MstError> {
        if let Some(node) = self.source.cached(cid, position)? {
            return Ok(node);
        }
        let (_, node) = self.read(cid, position)?;
        if let Some(cache) = self.source.cache.filter(|_| keep) {
            cache.insert(cid, node.clone());
        }
        Ok(node)
    }

    fn enter(&mut self, cid: Cid, position: Position, node: Arc<Node>) -> Result<(), MstError> {
        let room = self.path.room();
        if !node.lies_between(room.after, room.before) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        if let Some(seen) = &mut self.seen {
            seen.entered(cid, position, room);
        }
        self.path.enter(node);
        Ok(())
    }

    fn refuse_failed(&self, cid: Cid) -> Result<(), MstError> {
        if self.failed.contains(&cid) {
            return Err(MstError::Invalid { cid, reason: NAMED_AGAIN });
        }
        Ok(())
    }

    #[cold]
    fn note_failure(&mut self, cid: Cid, error: &MstError) {
        if matches!(error, MstError::Invalid { .. } | MstError::Undecodable { .. }) {
            self.failed.insert(cid);
        }
    }

    fn read(&mut self, cid: Cid, position: Position) -> Result<(Block, Arc<Node>), MstError> {
        let read = self.read_once(cid, position);
        if let (Some(seen), Err(_)) = (&mut self.seen, &read) {
            seen.failed(cid, position);
        }
        read
    }

    fn read_once(&mut self, cid: Cid, position: Position) -> Result<(Block, Arc<Node>), MstError> {
        if !self.unwritten.is_empty()
            && let Some(block) = self.unwritten.remove(&cid)
        {
            return checked_node(Ok(Some(block)), cid, position);
        }
        match self.take_ahead(&cid) {
            Some(ahead) if ahead.position == position => ahead.read,
            _ => read_node(self.source.blocks, cid, position),
        }
    }

    fn take_ahead(&mut self, cid: &Cid) -> Option<Prefetched> {
        if self.ahead.is_empty() {
            return None;
        }
        let ahead = self.ahead.remove(cid)?;
        self.ahead_bytes = self.ahead_bytes.saturating_sub(ahead.bytes());
        Some(ahead)
    }

    /// Reads the subtree that was just passed together with the subtrees after it, if the source reads many blocks at
    /// once.
    pub(super) fn read_ahead(&mut self, cid: Cid, position: Position) {
        if self.lacks(cid, position) {
            let wanted = self.wanted(cid, position);
            self.fetch(&wanted);
        }
    }

    /// Returns whether the next part is a subtree that should be read together with others.
    pub(super) fn lacks_next(&mut self) -> bool {
        match self.path.next() {
            Next::Subtree { cid, position } => self.lacks(cid, position),
            Next::Entry { .. } | Next::End => false,
        }
    }

    fn lacks(&self, cid: Cid, position: Position) -> bool {
        self.many > 1 && matches!(self.known(cid, position), Known::No)
    }

    /// Returns a subtree and the unknown subtrees that come next.
    fn wanted(&self, cid: Cid, position: Position) -> Vec<(Cid, Position)> {
        let (mut wanted, mut path) = (vec![(cid, position)], self.path.clone());
        for _ in 0..STEPS_AHEAD {
            if wanted.len() >= self.room() {
                break;
            }
            let (cid, position) = match path.next() {
                Next::End => break,
                Next::Entry { .. } => {
                    path.pass();
                    continue;
                }
                Next::Subtree { cid, position } => (cid, position),
            };
            path.pass();
            if self.is_seen(&path, cid, position) {
                continue;
            }
            match self.known(cid, position) {
                // A node on level 0 has no subtrees.
                Known::Node(node) if node.level() > 0 && path.has_room_for(&node) => {
                    path.enter(node);
                }
                Known::Node(_) | Known::Failed => {}
                Known::No => wanted.push((cid, position)),
            }
        }
        wanted
    }

    /// Returns how many nodes may be read in the next round trip.
    pub(super) fn room(&self) -> usize {
        if self.ahead_bytes >= MAX_HELD_BYTES {
            return 1;
        }
        self.many.min(MAX_HELD.saturating_sub(self.ahead.len())).max(1)
    }

    /// Finds a node without reading it.
    pub(super) fn known(&self, cid: Cid, position: Position) -> Known {
        match self.ahead.get(&cid) {
            Some(Prefetched { read: Ok((_, node)), .. }) => return Known::Node(node.clone()),
            Some(Prefetched { read: Err(_), .. }) => return Known::Failed,
            None => {}
        }
        match self.source.cached(cid, position) {
            Ok(Some(node)) => Known::Node(node),
            Ok(None) if !self.failed.contains(&cid) && !self.unwritten.contains_key(&cid) => {
                Known::No
            }
            Ok(None) | Err(_) => Known::Failed,
        }
    }

    /// Reads nodes in one round trip.
    pub(super) fn fetch(&mut self, wanted: &[(Cid, Position)]) {
        if wanted.is_empty() {
            return;
        }
        let cids: Vec<Cid> = wanted.iter().map(|(cid, _)| *cid).collect();
        for ((cid, position), answer) in wanted.iter().zip(get_some(self.source.blocks, &cids)) {
            self.take_ahead(cid);
            let (position, read) = (*position, checked_node(answer, *cid, *position));
            let ahead = Prefetched { position, read };
            self.ahead_bytes = self.ahead_bytes.saturating_add(ahead.bytes());
            self.ahead.insert(*cid, ahead);
        }
        self.many = (2 * self.many).min(self.source.blocks.batch()).min(MAX_AHEAD);
    }
}

/// The result of looking for a node without reading it.
pub(super) enum Known {
    Node(Arc<Node>),
    /// The node cannot be entered, or need not be read ahead.
    Failed,
    /// The node must be read.
    No,
}

/// The number of nodes in the first round trip.
const FIRST_AHEAD: usize = 4;

/// The most nodes in one round trip.
const MAX_AHEAD: usize = 512;

/// The largest batch of a source whose nodes are read ahead. Larger batches belong to files, which read neighbouring
/// blocks together; nodes are far apart in a file.
const MAX_BATCH: usize = 8 * MAX_AHEAD;

/// The most nodes that are held. A tree of the usual shape needs a third of this.
const MAX_HELD: usize = 4 * MAX_AHEAD;

/// The number of held bytes from which a round trip reads one node only.
const MAX_HELD_BYTES: usize = 8 << 20;

/// The most steps of looking ahead. A limit is needed because hostile nodes have a thousand entries.
pub(super) const STEPS_AHEAD: usize = 8 * MAX_AHEAD;

#[cfg(test)]
#[path = "traversal_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
