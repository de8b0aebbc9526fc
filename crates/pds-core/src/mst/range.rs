//! Entries in key order, from any key, in either direction.

use std::collections::HashSet;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{NAMED_AGAIN, NOT_ASCENDING, Node, Position, read_node};
use crate::mst::tree::{Branch, Link};

/// A key and the CID of its record.
///
/// ```
/// # use pds::data::{Cid, Codec, MemoryBlocks};
/// # use pds::mst::{Key, Tree};
/// # let blocks = MemoryBlocks::default();
/// # let value = Cid::of(Codec::Cbor, b"1");
/// # let mut tree = Tree::empty(&blocks);
/// # tree.insert(Key::new(*b"a")?, value)?;
/// let entry = tree.range(..).next().expect("there is one")?;
/// assert_eq!((entry.key.as_bytes(), entry.value), (&b"a"[..], value));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The CID of the record.
    pub value: Cid,
}

/// Iterates over the entries of a range of a stored tree, in key order. Without [`Range::cached`] it reads every node.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree, range};
///
/// let mut blocks = MemoryBlocks::default();
/// let mut tree = Tree::empty(&blocks);
/// for name in ["a", "b", "c"] {
///     tree.insert(Key::new(name.as_bytes())?, Cid::of(Codec::Cbor, name.as_bytes()))?;
/// }
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let from_b = range(&blocks, written.root, Key::new(*b"b")?..);
/// let keys: Result<Vec<_>, _> = from_b.map(|entry| entry.map(|e| e.key.to_string())).collect();
/// assert_eq!(keys?, ["b", "c"]);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub fn range(blocks: &dyn Blocks, root: Cid, keys: impl RangeBounds<Key>) -> Range<'_> {
    Range::new(Source::uncached(blocks), Some(Child::Stored(root)), keys)
}

/// The entries of a range of a tree. An error stands for the subtree that cannot be read; the entries
/// after it follow.
///
/// ```
/// # use pds::data::{Cid, Codec, MemoryBlocks};
/// # use pds::mst::{Key, Tree};
/// # let blocks = MemoryBlocks::default();
/// # let value = Cid::of(Codec::Cbor, b"1");
/// # let mut tree = Tree::empty(&blocks);
/// # tree.insert(Key::new(*b"a")?, value)?;
/// let last = tree.range(..).reversed().next().expect("there is one")?;
/// assert_eq!(last.key.as_bytes(), b"a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Range<'t> {
    source: Source<'t>,
    root: Option<Child<'t>>,
    from: Bound<Key>,
    to: Bound<Key>,
    backwards: bool,
    started: bool,
    stack: Vec<Frame<'t>>,
    /// Subtrees that cannot be read, and are not read again where they are named again.
    failed: HashSet<Cid>,
}

/// A node and the next slot in it: subtrees have even numbers, entries odd ones.
struct Frame<'t> {
    view: View<'t>,
    /// `None` once the frame is used up.
    slot: Option<usize>,
    /// The number of the subtree that was entered last.
    entered: usize,
}

impl<'t> Range<'t> {
    pub(super) fn new(
        source: Source<'t>,
        root: Option<Child<'t>>,
        keys: impl RangeBounds<Key>,
    ) -> Self {
        Self {
            source,
            root,
            from: keys.start_bound().cloned(),
            to: keys.end_bound().cloned(),
            backwards: false,
            started: false,
            stack: Vec::new(),
            failed: HashSet::new(),
        }
    }

    /// Goes from the last key to the first; to be called before the first entry is taken.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.backwards = !self.backwards;
        self
    }

    /// Returns the same range, which takes nodes from a cache where it can. Only the root is added to the cache. `None`
    /// is no cache.
    #[must_use]
    pub fn cached(mut self, cache: impl Into<Option<&'t NodeCache>>) -> Self {
        self.source.cache = cache.into();
        self
    }

    fn advance(&mut self) -> Result<Option<Entry>, MstError> {
        if !std::mem::replace(&mut self.started, true)
            && let Some(root) = self.root
        {
            self.enter(root.view(self.source, Position::Root)?);
        }
        loop {
            let Some(frame) = self.stack.last_mut() else {
                return Ok(None);
            };
            let Some(slot) = frame.slot else {
                self.stack.pop();
                continue;
            };
            frame.slot = if self.backwards {
                slot.checked_sub(1)
            } else {
                Some(slot + 1).filter(|next| *next <= 2 * frame.view.len())
            };
            if slot % 2 == 1 {
                let Some((key, value)) = frame.view.entry(slot / 2) else {
                    return Ok(None);
                };
                let end = if self.backwards { &self.from } else { &self.to };
                if is_past(end, key, self.backwards) {
                    self.stack.clear();
                    return Ok(None);
                }
                return Ok(Some(Entry { key: Key::checked(key), value }));
            }
            frame.entered = slot / 2;
            let level = frame.view.level();
            if let (Some(child), Some(position)) =
                (frame.view.child(slot / 2), Position::below(level))
            {
                let view = self.open(child, position)?;
                self.enter(view);
            }
        }
    }

    /// Reads a subtree, whose keys must lie between its neighbours.
    ///
    /// Without this a tree that names one subtree in many places would be read without end.
    fn open(&mut self, child: Child<'t>, position: Position) -> Result<View<'t>, MstError> {
        let Child::Stored(cid) = child else { return child.view(self.source, position) };
        if self.failed.contains(&cid) {
            return Err(MstError::Invalid { cid, reason: NAMED_AGAIN });
        }
        let stored = || match self.source.cached(cid, position)? {
            Some(node) => Ok(node),
            None => read_node(self.source.blocks, cid, position).map(|(_, node)| Arc::new(node)),
        };
        let read = stored().and_then(|node| {
            let left = self.stack.iter().rev().find_map(|frame| {
                let (key, _) = frame.view.entry(frame.entered.checked_sub(1)?)?;
                Some(key)
            });
            let right = self.stack.iter().rev().find_map(|frame| {
                let (key, _) = frame.view.entry(frame.entered)?;
                Some(key)
            });
            if node.lies_between(left, right) {
                return Ok(View::Read(node));
            }
            Err(MstError::Invalid { cid, reason: NOT_ASCENDING })
        });
        if matches!(read, Err(MstError::Invalid { .. } | MstError::Undecodable { .. })) {
            self.failed.insert(cid);
        }
        read
    }

    /// Puts a node on the stack, at the first slot that can hold something of the range.
    fn enter(&mut self, view: View<'t>) {
        let last = 2 * view.len();
        let start = if self.backwards { &self.to } else { &self.from };
        let slot = match start {
            Bound::Unbounded => Some(if self.backwards { last } else { 0 }),
            Bound::Included(key) | Bound::Excluded(key) => {
                let included = matches!(start, Bound::Included(_));
                match view.search(key.as_bytes()) {
                    Err(index) => Some(2 * index),
                    Ok(index) if included => Some(2 * index + 1),
                    Ok(index) if self.backwards => Some(2 * index),
                    Ok(index) => Some(2 * index + 2),
                }
            }
        };
        self.stack.push(Frame { view, slot, entered: 0 });
    }
}

impl Iterator for Range<'_> {
    type Item = Result<Entry, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Tells whether a key lies beyond the far end of a range.
fn is_past(end: &Bound<Key>, key: &[u8], backwards: bool) -> bool {
    let (end, excluded) = match end {
        Bound::Unbounded => return false,
        Bound::Included(end) => (end.as_bytes(), false),
        Bound::Excluded(end) => (end.as_bytes(), true),
    };
    let beyond = if backwards { key < end } else { key > end };
    beyond || (excluded && key == end)
}

/// A node to be looked at: opened for editing, or read for this purpose.
enum View<'t> {
    Open(&'t Branch),
    Read(Arc<Node>),
}

/// A subtree to be looked at.
#[derive(Clone, Copy)]
pub(super) enum Child<'t> {
    Open(&'t Branch),
    Stored(Cid),
}

impl<'t> Child<'t> {
    fn view(self, source: Source<'_>, position: Position) -> Result<View<'t>, MstError> {
        match self {
            Self::Open(branch) => Ok(View::Open(branch)),
            Self::Stored(cid) => source.node(cid, position).map(View::Read),
        }
    }
}

impl Link {
    pub(super) fn child(&self) -> Child<'_> {
        match self {
            Self::Open(branch) => Child::Open(branch),
            Self::Stored(cid) => Child::Stored(*cid),
        }
    }
}

impl<'t> View<'t> {
    fn level(&self) -> u8 {
        match self {
            Self::Open(branch) => branch.level,
            Self::Read(node) => node.level(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Open(branch) => branch.entries.len(),
            Self::Read(node) => node.len(),
        }
    }

    fn search(&self, key: &[u8]) -> Result<usize, usize> {
        match self {
            Self::Open(branch) => branch.search(key),
            Self::Read(node) => node.search(key),
        }
    }

    fn entry(&self, index: usize) -> Option<(&[u8], Cid)> {
        match self {
            Self::Open(branch) => {
                branch.entries.get(index).map(|entry| (entry.key.as_bytes(), entry.value))
            }
            Self::Read(node) => node.entry(index).map(|entry| (entry.key, entry.value)),
        }
    }

    fn child(&self, index: usize) -> Option<Child<'t>> {
        match self {
            Self::Open(branch) => branch.gap(index).map(Link::child),
            Self::Read(node) => node.subtree(index).map(Child::Stored),
        }
    }
}
