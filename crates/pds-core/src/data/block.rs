//! Blocks, and the trait of all sources that blocks can be read from.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::data::cid::{Cid, Codec};
use crate::data::cid_hasher::ByCid;
use crate::data::error::DataError;

/// Bytes together with their CID.
///
/// The CID is checked when a block is created, and a block is immutable: the bytes of a block
/// always match its CID. Clones share the bytes.
///
/// ```
/// use pds::data::{Block, Codec};
///
/// let block = Block::new(Codec::Raw, *b"hello");
/// assert!(Block::verified(block.cid(), *b"hello").is_ok());
/// assert!(Block::verified(block.cid(), *b"jello").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// The CID and the bytes, in one allocation: a lookup compares the CID and then usually reads
    /// the bytes.
    whole: Arc<[u8]>,
}

impl Block {
    /// Returns the block of these bytes. It computes their CID.
    #[must_use]
    pub fn new(codec: Codec, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        BlockRef { cid: Cid::of(codec, bytes), bytes }.to_block()
    }

    /// Returns the block of bytes with a claimed CID.
    ///
    /// # Errors
    ///
    /// [`DataError::HashMismatch`] if the bytes have another CID.
    pub fn verified(cid: Cid, bytes: impl AsRef<[u8]>) -> Result<Self, DataError> {
        BlockRef::verified(cid, bytes.as_ref()).map(|block| block.to_block())
    }

    /// Returns the block of the bytes after the first [`Cid::LEN`] bytes of a buffer. It writes the
    /// CID into these first bytes.
    pub(crate) fn in_place(codec: Codec, buffer: &mut [u8]) -> Self {
        if let Some((name, bytes)) = buffer.split_first_chunk_mut::<{ Cid::LEN }>() {
            *name = *Cid::of(codec, bytes).as_bytes();
        }
        Self { whole: Arc::from(&*buffer) }
    }

    /// Returns the CID of the block.
    #[must_use]
    #[inline]
    pub fn cid(&self) -> Cid {
        Cid::from_checked(self.name())
    }

    /// Returns the bytes of the block.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.whole.get(Cid::LEN..).unwrap_or_default()
    }

    /// Returns a borrowed block with the same bytes.
    #[must_use]
    pub fn borrowed(&self) -> BlockRef<'_> {
        BlockRef { cid: self.cid(), bytes: self.bytes() }
    }

    #[inline]
    fn name(&self) -> &[u8; Cid::LEN] {
        self.whole.first_chunk().expect("a block begins with its CID")
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid(), self.bytes().len())
    }
}

/// A block with borrowed bytes: from a read buffer or from a [`Block`].
///
/// As in a [`Block`], the bytes always match the CID.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlockRef<'a> {
    cid: Cid,
    bytes: &'a [u8],
}

impl<'a> BlockRef<'a> {
    /// Returns a block that borrows bytes with a claimed CID.
    ///
    /// # Errors
    ///
    /// [`DataError::HashMismatch`] if the bytes have another CID.
    pub fn verified(cid: Cid, bytes: &'a [u8]) -> Result<Self, DataError> {
        let found = Cid::of(cid.codec(), bytes);
        if found != cid {
            return Err(DataError::HashMismatch { found });
        }
        Ok(Self { cid, bytes })
    }

    /// Returns the CID of the block.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// Returns the bytes of the block.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Copies the bytes into an owned block.
    #[must_use]
    pub fn to_block(&self) -> Block {
        Block { whole: [self.cid.as_bytes(), self.bytes].concat().into() }
    }
}

impl fmt::Debug for BlockRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockRef({}, {} bytes)", self.cid, self.bytes.len())
    }
}

/// A source that blocks can be read from: a store, a CAR file, a map, or two of these overlaid.
pub trait Blocks: Send + Sync {
    /// Reads one block, or returns `None` if the source does not have it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the source cannot be read, or contains bytes that do not match the CID.
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError>;

    /// Reads several blocks in one round trip. The results are in the order of the CIDs, each as
    /// [`get`](Self::get) returns it: an error does not hide the results after it.
    ///
    /// The results may end early, because a source bounds the bytes that it returns together. There
    /// is at least one result, unless the list is empty. [`get_all`] reads on until every CID has
    /// its result.
    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>>;

    /// Returns the number of blocks that are worth one round trip.
    fn batch(&self) -> usize {
        1
    }
}

/// Reads all blocks of a list, in the order of the CIDs, in as few round trips as the source needs.
///
/// The iterator keeps the results of one round trip.
///
/// ```
/// use pds::data::{Block, Codec, MemoryBlocks, get_all};
///
/// let found = [*b"a", *b"b"].map(|bytes| Block::new(Codec::Raw, bytes));
/// let blocks: MemoryBlocks = found.iter().cloned().collect();
/// let cids = found.each_ref().map(Block::cid);
/// let read: Vec<Option<Block>> = get_all(&blocks, &cids).collect::<Result<_, _>>()?;
/// assert_eq!(read, found.map(Some));
/// # Ok::<(), pds::data::ReadError>(())
/// ```
pub fn get_all<'a>(
    blocks: &'a dyn Blocks,
    cids: &'a [Cid],
) -> impl ExactSizeIterator<Item = Result<Option<Block>, ReadError>> + 'a {
    GetAll { blocks, rest: cids, answers: Vec::new().into_iter() }
}

/// The iterator of [`get_all`].
struct GetAll<'a> {
    blocks: &'a dyn Blocks,
    /// The blocks that are still to be read.
    rest: &'a [Cid],
    /// The results of the last round trip that were not returned yet.
    answers: std::vec::IntoIter<Result<Option<Block>, ReadError>>,
}

impl Iterator for GetAll<'_> {
    type Item = Result<Option<Block>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.answers.len() == 0 {
            let answers = get_some(self.blocks, self.rest);
            self.rest = self.rest.get(answers.len()..).unwrap_or_default();
            self.answers = answers.into_iter();
        }
        self.answers.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.answers.len() + self.rest.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for GetAll<'_> {}

/// Reads the first blocks of a list, in one round trip if the source keeps the contract of
/// [`Blocks::get_many`]. Callers may rely on the number of results: at least one, and at most one
/// for each CID.
pub fn get_some(blocks: &dyn Blocks, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
    let mut answers = blocks.get_many(cids);
    answers.truncate(cids.len());
    if answers.is_empty() {
        answers.extend(cids.first().map(|cid| blocks.get(cid)));
    }
    answers
}

/// Implements [`Blocks::get_many`] for a source that has no faster way than [`Blocks::get`].
pub fn one_by_one(blocks: &dyn Blocks, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
    let (mut answers, mut bytes) = (Vec::new(), 0);
    for cid in cids {
        if bytes >= MAX_TOGETHER_BYTES {
            break;
        }
        let answer = blocks.get(cid);
        bytes += answer.as_ref().map_or(0, |found| found.as_ref().map_or(0, |b| b.bytes().len()));
        answers.push(answer);
    }
    answers
}

/// The number of bytes after which [`one_by_one`] reads no further block.
const MAX_TOGETHER_BYTES: usize = 6 * 1024 * 1024;

/// The error of a source that cannot return a block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source contains bytes under this CID that do not match it: the disk or the file is
    /// damaged.
    #[error("block {cid} is damaged")]
    Damaged {
        /// The requested block.
        cid: Cid,
        /// The CID that the bytes have.
        #[source]
        source: DataError,
    },
    /// The source could not be read.
    #[error("cannot read block {cid}")]
    Backend {
        /// The requested block.
        cid: Cid,
        /// The error of the source.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The block was deleted during a read of the state that it belongs to. The caller can start
    /// the read again.
    #[error("block {cid} was deleted while its state was being read")]
    Swept {
        /// The requested block.
        cid: Cid,
    },
}

impl ReadError {
    /// Returns the error of a source that failed to read a block.
    pub fn backend(cid: Cid, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Backend { cid, source: source.into() }
    }

    /// Returns the CID of the requested block.
    #[must_use]
    pub fn cid(&self) -> Cid {
        match self {
            Self::Damaged { cid, .. } | Self::Backend { cid, .. } | Self::Swept { cid } => *cid,
        }
    }
}

/// Blocks in memory, for proofs, event slices and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlocks(HashSet<ByName, ByCid>);

/// A block that a set finds by its CID, so that the set needs no separate key.
#[derive(Clone, Debug)]
pub(crate) struct ByName(pub(super) Block);

impl Borrow<[u8; Cid::LEN]> for ByName {
    fn borrow(&self) -> &[u8; Cid::LEN] {
        self.0.name()
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for ByName {}

impl MemoryBlocks {
    /// Adds a block and returns whether it is new.
    pub fn insert(&mut self, block: Block) -> bool {
        self.0.insert(ByName(block))
    }

    /// Removes a block and returns whether it was present.
    pub fn remove(&mut self, cid: &Cid) -> bool {
        self.0.remove(cid.as_bytes())
    }

    /// Returns whether the block is present.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.0.contains(cid.as_bytes())
    }

    /// Returns the number of blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no blocks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the blocks, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.0.iter().map(|named| &named.0)
    }

    /// Keeps the blocks for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Block) -> bool) {
        self.0.retain(|named| keep(&named.0));
    }
}

impl FromIterator<Block> for MemoryBlocks {
    fn from_iter<I: IntoIterator<Item = Block>>(blocks: I) -> Self {
        Self(blocks.into_iter().map(ByName).collect())
    }
}

impl Extend<Block> for MemoryBlocks {
    fn extend<I: IntoIterator<Item = Block>>(&mut self, blocks: I) {
        self.0.extend(blocks.into_iter().map(ByName));
    }
}

impl Blocks for MemoryBlocks {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        Ok(self.0.get(cid.as_bytes()).map(|named| named.0.clone()))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

#[cfg(test)]
#[path = "block_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
