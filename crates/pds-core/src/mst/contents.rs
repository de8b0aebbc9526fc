//! The nodes and the records of a tree, in the order of a streamable CAR.

use std::collections::{HashSet, VecDeque};

use crate::data::block::{Block, Blocks, ReadError, get_some};
use crate::data::cid::Cid;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::walk::{Step, Walk, walk};

/// A part of a tree with its bytes.
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
#[derive(Debug)]
pub enum Content {
    /// A node.
    Node(Block),
    /// A record.
    Record {
        /// Its key.
        key: Key,
        /// Its CID.
        value: Cid,
        /// Its bytes; `None` when they are missing.
        found: Result<Option<Block>, ReadError>,
    },
    /// A large record that has been given before: a tree may name one of them a million times.
    Again {
        /// The key.
        key: Key,
        /// The CID of the record.
        value: Cid,
    },
}

impl Content {
    /// Returns how many bytes the block has, if there is one.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Node(block) | Self::Record { found: Ok(Some(block)), .. } => block.bytes().len(),
            Self::Record { .. } | Self::Again { .. } => 0,
        }
    }
}

/// Goes through a whole tree as [`walk`] does, and reads its records too, many at a time where the source
/// likes that.
///
/// ```
/// use pds::data::{Block, Codec, MemoryBlocks};
/// use pds::mst::{Content, EMPTY_NODE, contents};
///
/// let root = Block::new(Codec::Cbor, EMPTY_NODE);
/// let blocks: MemoryBlocks = [root.clone()].into_iter().collect();
/// let all: Vec<Content> = contents(&blocks, root.cid()).collect::<Result<_, _>>()?;
/// assert!(matches!(&all[..], [Content::Node(node)] if *node == root));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub fn contents(blocks: &dyn Blocks, root: Cid) -> Contents<'_> {
    Contents {
        walk: walk(blocks, root),
        records: blocks,
        steps: VecDeque::new(),
        cids: Vec::new(),
        asked: 0,
        answers: Vec::new().into_iter(),
        large: HashSet::new(),
    }
}

/// The nodes and records of a tree; see [`contents`].
///
/// ```
/// # use pds::data::{Block, Codec, MemoryBlocks};
/// # use pds::mst::{EMPTY_NODE, contents};
/// # let root = Block::new(Codec::Cbor, EMPTY_NODE);
/// # let blocks: MemoryBlocks = [root.clone()].into_iter().collect();
/// assert_eq!(contents(&blocks, root.cid()).count(), 1);
/// ```
pub struct Contents<'b> {
    walk: Walk<'b>,
    records: &'b dyn Blocks,
    /// What has been walked over and is still to be given.
    steps: VecDeque<Result<Ahead, MstError>>,
    /// The records among it.
    cids: Vec<Cid>,
    /// How many of them have been asked for, or need not be.
    asked: usize,
    /// What has been answered.
    answers: std::vec::IntoIter<Result<Option<Block>, ReadError>>,
    /// Large records that have been given.
    large: HashSet<Cid>,
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
    /// Reads the records from another source than the nodes; to be called before the first step.
    #[must_use]
    pub fn with_records(self, records: &'b dyn Blocks) -> Self {
        Self { records, ..self }
    }

    /// Walks on until there are as many records to ask for as the source likes.
    fn walk_on(&mut self) {
        let batch = self.records.batch().max(1);
        self.cids.clear();
        self.asked = 0;
        while self.cids.len() < batch {
            let Some(step) = self.walk.next() else { break };
            let ahead = step.map(Ahead::from);
            if let Ok(Ahead::Entry { value, .. }) = &ahead {
                self.cids.push(*value);
            }
            self.steps.push_back(ahead);
            if batch == 1 {
                break;
            }
        }
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
        if self.steps.is_empty() {
            self.walk_on();
        }
        let (key, value) = match self.steps.pop_front()? {
            Ok(Ahead::Node(block)) => return Some(Ok(Content::Node(block))),
            Ok(Ahead::Entry { key, value }) => (key, value),
            Err(error) => return Some(Err(error)),
        };
        // Whether it is large is known once it has been read; the answers that are there are taken in any
        // case, so that they stay in step.
        if self.answers.len() == 0 && self.large.contains(&value) {
            self.asked += 1;
            return Some(Ok(Content::Again { key, value }));
        }
        let found = self.answer();
        if self.large.contains(&value) {
            return Some(Ok(Content::Again { key, value }));
        }
        if let Ok(Some(block)) = &found
            && block.bytes().len() >= LARGE_BYTES
        {
            self.large.insert(value);
        }
        Some(Ok(Content::Record { key, value, found }))
    }
}

/// From how many bytes on a record is given once.
pub const LARGE_BYTES: usize = 16 * 1024;
