//! The nodes and the records of a tree, in the order of a streamable CAR.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use crate::data::block::{Block, Blocks, ReadError, get_some};
use crate::data::cid::Cid;
use crate::mst::base_tree::BaseTree;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::walk::{Step, Walk, walk};

/// A node or a record of a tree, with its bytes.
#[derive(Debug)]
pub enum Content {
    /// A node.
    Node(Block),
    /// A record.
    Record {
        /// The key of the record.
        key: Key,
        /// The CID of the record.
        value: Cid,
        /// The block of the record, or `None` if it is missing.
        found: Result<Option<Block>, ReadError>,
    },
    /// A large record that was returned before. A tree may contain the same record a million times.
    Again {
        /// The key.
        key: Key,
        /// The CID of the record.
        value: Cid,
    },
}

impl Content {
    /// Returns the size of the block in bytes, or 0 without a block.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Node(block) | Self::Record { found: Ok(Some(block)), .. } => block.bytes().len(),
            Self::Record { .. } | Self::Again { .. } => 0,
        }
    }
}

/// Iterates over the nodes and the records of a whole tree, in the order of [`walk`].
///
/// If the source reads several blocks in one round trip ([`Blocks::batch`]), records are read together. A record of
/// [`LARGE_BYTES`] or more is returned once; after that it is [`Content::Again`].
///
/// ```
/// # use pds::data::{Block, Codec, MemoryBlocks};
/// # use pds::mst::{Key, Tree};
/// # let mut blocks = MemoryBlocks::default();
/// # let record = Block::new(Codec::Cbor, *b"\xa0");
/// # let mut tree = Tree::empty(&blocks);
/// # tree.insert(Key::new(*b"a")?, record.cid())?;
/// # let written = tree.write()?;
/// # blocks.extend(written.nodes.iter().cloned().chain([record.clone()]));
/// use pds::mst::{Content, contents};
///
/// for content in contents(&blocks, written.root) {
///     if let Content::Record { key, found, .. } = content? {
///         assert_eq!((key.as_bytes(), found?), (&b"a"[..], Some(record.clone())));
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn contents(blocks: &dyn Blocks, root: Cid) -> Contents<'_> {
    Contents {
        walk: walk(blocks, root),
        records: blocks,
        batch: blocks.batch(),
        steps: VecDeque::new(),
        cids: Vec::new(),
        asked: 0,
        answers: Vec::new().into_iter(),
        large: HashSet::new(),
    }
}

/// The iterator that [`contents`] returns.
pub struct Contents<'b> {
    walk: Walk<'b>,
    records: &'b dyn Blocks,
    /// The number of records that are read together.
    batch: usize,
    /// The steps of the walk that are not returned yet.
    steps: VecDeque<Result<Ahead, MstError>>,
    /// The CIDs of the records among these steps.
    cids: Vec<Cid>,
    /// The number of records that were read or that need not be read.
    asked: usize,
    /// The results of the last read.
    answers: std::vec::IntoIter<Result<Option<Block>, ReadError>>,
    /// The large records that were returned.
    large: HashSet<Cid>,
}

impl fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

enum Ahead {
    Node(Block),
    Entry { key: Key, value: Cid },
}

impl From<Step> for Ahead {
    fn from(step: Step) -> Self {
        match step {
            Step::Node { block, .. } => Self::Node(block),
            Step::Entry { key, value } => Self::Entry { key, value },
        }
    }
}

impl<'b> Contents<'b> {
    /// Skips the nodes and records that another tree has in the same place; see [`Walk::over`]. Call this before the
    /// first step.
    #[must_use]
    pub fn over(mut self, base: impl Into<Option<BaseTree<'b>>>) -> Self {
        self.walk = self.walk.over(base);
        self
    }

    /// Walks on until there is a full batch of records to read.
    fn walk_on(&mut self) {
        self.cids.clear();
        self.asked = 0;
        while self.cids.len() < self.batch {
            let Some(step) = self.walk.next() else { break };
            let ahead = step.map(Ahead::from);
            if let Ok(Ahead::Entry { value, .. }) = &ahead {
                self.cids.push(*value);
            }
            self.steps.push_back(ahead);
        }
    }

    /// Returns the next step of the walk, and reads its record alone.
    fn next_alone(&mut self) -> Option<Result<Content, MstError>> {
        Some(self.walk.next()?.map(|step| match step {
            Step::Node { block, .. } => Content::Node(block),
            Step::Entry { key, value } if self.large.contains(&value) => {
                Content::Again { key, value }
            }
            Step::Entry { key, value } => self.record(key, value, self.records.get(&value)),
        }))
    }

    /// Returns a record that was read, and remembers a large one.
    fn record(&mut self, key: Key, value: Cid, found: Result<Option<Block>, ReadError>) -> Content {
        if let Ok(Some(block)) = &found
            && block.bytes().len() >= LARGE_BYTES
        {
            self.large.insert(value);
        }
        Content::Record { key, value, found }
    }

    fn answer(&mut self) -> Result<Option<Block>, ReadError> {
        loop {
            if let Some(answer) = self.answers.next() {
                return answer;
            }
            let asked = &self.cids[self.asked..];
            let answers = get_some(self.records, asked);
            self.asked += answers.len();
            self.answers = answers.into_iter();
        }
    }
}

impl Iterator for Contents<'_> {
    type Item = Result<Content, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch <= 1 {
            return self.next_alone();
        }
        if self.steps.is_empty() {
            self.walk_on();
        }
        let (key, value) = match self.steps.pop_front()? {
            Ok(Ahead::Node(block)) => return Some(Ok(Content::Node(block))),
            Ok(Ahead::Entry { key, value }) => (key, value),
            Err(error) => return Some(Err(error)),
        };
        // If results are waiting, one of them belongs to this record and must be taken even if the record is large.
        if self.answers.len() == 0 && self.large.contains(&value) {
            self.asked += 1;
            return Some(Ok(Content::Again { key, value }));
        }
        let found = self.answer();
        if self.large.contains(&value) {
            return Some(Ok(Content::Again { key, value }));
        }
        Some(Ok(self.record(key, value, found)))
    }
}

/// The size in bytes from which [`contents`] returns a record only once.
pub const LARGE_BYTES: usize = 16 * 1024;

#[cfg(test)]
#[path = "contents_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
