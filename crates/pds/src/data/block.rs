//! Blocks, and the trait of everything they can be read from.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use super::by_cid::ByCid;
use super::{Cid, Codec, DataError, Memo};

/// Some bytes and the CID that they hash to.
///
/// A block is checked when it is made and cannot be changed, so whoever holds one may rely on it.
/// Cloning shares the bytes.
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
    /// The CID and the bytes, in one piece: whoever looks a block up compares its name and then mostly reads it.
    whole: Arc<[u8]>,
}

impl Block {
    /// Makes a block of some bytes, computing their CID.
    #[must_use]
    pub fn new(codec: Codec, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        BlockRef { cid: Cid::of(codec, bytes), bytes }.to_block()
    }

    /// Makes a block of bytes that claim to have this CID.
    ///
    /// # Errors
    ///
    /// [`DataError::HashMismatch`] when they do not.
    pub fn verified(cid: Cid, bytes: impl AsRef<[u8]>) -> Result<Self, DataError> {
        BlockRef::verified(cid, bytes.as_ref()).map(|block| block.to_block())
    }

    /// Makes a block of what stands in a buffer after [`Cid::LEN`] bytes, which become its name.
    pub(crate) fn in_place(codec: Codec, buffer: &mut [u8]) -> Self {
        if let Some((name, bytes)) = buffer.split_first_chunk_mut::<{ Cid::LEN }>() {
            *name = *Cid::of(codec, bytes).as_bytes();
        }
        Self { whole: Arc::from(&*buffer) }
    }

    /// Returns the name of the block.
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

    /// Lends the block.
    #[must_use]
    pub fn borrowed(&self) -> BlockRef<'_> {
        BlockRef { cid: self.cid(), bytes: self.bytes() }
    }

    /// How many hold these bytes.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.whole)
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

/// A block whose bytes are lent: from a read buffer, or from a [`Block`].
///
/// Like a [`Block`] it always hashes to its CID.
///
/// ```
/// use pds::data::{BlockRef, Cid, Codec};
///
/// let bytes = *b"hello";
/// let block = BlockRef::verified(Cid::of(Codec::Raw, &bytes), &bytes)?;
/// assert_eq!(block.to_block().bytes(), b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlockRef<'a> {
    cid: Cid,
    bytes: &'a [u8],
}

impl<'a> BlockRef<'a> {
    /// Lends bytes that claim to have this CID.
    ///
    /// # Errors
    ///
    /// [`DataError::HashMismatch`] when they do not.
    pub fn verified(cid: Cid, bytes: &'a [u8]) -> Result<Self, DataError> {
        let found = Cid::of(cid.codec(), bytes);
        if found != cid {
            return Err(DataError::HashMismatch { found });
        }
        Ok(Self { cid, bytes })
    }

    /// Returns the name of the block.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// Returns the bytes of the block.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Makes a block of its own, to be kept.
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

/// Something blocks can be read from: a store, a CAR file, a map, or two of these overlaid.
///
/// ```
/// use pds::data::{Block, Blocks, Codec, MemoryBlocks};
///
/// fn size(blocks: &dyn Blocks, block: &Block) -> usize {
///     blocks.get(&block.cid()).ok().flatten().map_or(0, |block| block.bytes().len())
/// }
///
/// let block = Block::new(Codec::Raw, *b"hello");
/// assert_eq!(size(&MemoryBlocks::from_iter([block.clone()]), &block), 5);
/// ```
pub trait Blocks: Send + Sync {
    /// Reads one block; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the source cannot be read, or holds bytes that do not hash to the CID.
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError>;

    /// Reads several blocks in one round trip; the answers are in the order of the questions.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError>;

    /// How many blocks it pays to ask for at once, when more are known than are needed next.
    fn at_once(&self) -> usize {
        1
    }

    /// Reads the first few of these blocks: as many as the source likes to hold together, at least one. One
    /// that fails does not hide the next.
    fn get_some(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().take(1).map(|cid| self.get(cid)).collect()
    }

    /// Returns where what these blocks decode to may be remembered; most sources have no such place.
    fn memo(&self) -> Option<&Memo> {
        None
    }

    /// Takes note that this thread begins to read several blocks in a row; see [`Sitting`].
    fn sit_down(&self) {}

    /// Takes note that it has read them.
    fn rise(&self) {}
}

/// Several reads in a row by one thread, which a source may answer from one moment: not before the
/// sitting began, and cheaper than each on its own.
///
/// A sitting is for one answer that takes many reads, and not for what waits for somebody else: a
/// source may be unable to give up room before it has ended. It may be begun within another one.
///
/// ```
/// use pds::data::{Block, Blocks, Codec, MemoryBlocks, Sitting};
///
/// let found = [*b"a", *b"b"].map(|bytes| Block::new(Codec::Raw, bytes));
/// let blocks: MemoryBlocks = found.iter().cloned().collect();
/// let sitting = Sitting::begin(&blocks);
/// for block in found {
///     assert_eq!(blocks.get(&block.cid()).unwrap(), Some(block));
/// }
/// drop(sitting);
/// ```
pub struct Sitting<'b> {
    blocks: &'b dyn Blocks,
    /// It belongs to the thread that has begun it.
    here: PhantomData<*const ()>,
}

impl<'b> Sitting<'b> {
    /// Begins; it ends when what is returned is dropped.
    #[must_use]
    pub fn begin(blocks: &'b dyn Blocks) -> Self {
        blocks.sit_down();
        Self { blocks, here: PhantomData }
    }
}

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        self.blocks.rise();
    }
}

/// A source of blocks that failed.
///
/// ```
/// use pds::data::{Cid, Codec, ReadError};
///
/// let cid = Cid::of(Codec::Raw, b"hello");
/// assert_eq!(ReadError::backend(cid, "the disk is gone").cid(), cid);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source holds other bytes under this CID than it names: the disk or the file is damaged.
    #[error("block {cid} is damaged")]
    Damaged {
        /// The block that was asked for.
        cid: Cid,
        /// What its bytes hash to.
        #[source]
        source: DataError,
    },
    /// The source could not be read.
    #[error("cannot read block {cid}")]
    Backend {
        /// The block that was asked for.
        cid: Cid,
        /// What the source says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReadError {
    /// Says that the source failed while it was asked for a block.
    pub fn backend(cid: Cid, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Backend { cid, source: source.into() }
    }

    /// Returns the block that was asked for.
    #[must_use]
    pub fn cid(&self) -> Cid {
        match self {
            Self::Damaged { cid, .. } | Self::Backend { cid, .. } => *cid,
        }
    }
}

/// Blocks kept in memory: proofs, event slices, tests.
///
/// ```
/// use pds::data::{Block, Blocks, Codec, MemoryBlocks};
///
/// let block = Block::new(Codec::Raw, *b"hello");
/// let blocks: MemoryBlocks = [block.clone()].into_iter().collect();
/// assert_eq!(blocks.get(&block.cid()).unwrap(), Some(block));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryBlocks(HashSet<ByName, ByCid>);

/// A block that is found by its CID, which so stands in memory once.
#[derive(Clone, Debug)]
pub(super) struct ByName(pub(super) Block);

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
    /// Keeps a block; returns whether it is new here.
    pub fn insert(&mut self, block: Block) -> bool {
        self.0.insert(ByName(block))
    }

    /// Drops a block; returns whether it was here.
    pub fn remove(&mut self, cid: &Cid) -> bool {
        self.0.remove(cid.as_bytes())
    }

    /// Tells whether a block is here.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.0.contains(cid.as_bytes())
    }

    /// Returns how many blocks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the blocks, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.0.iter().map(|named| &named.0)
    }

    /// Keeps the blocks of which this is true.
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

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

/// Two sources read as one: what the upper does not have is asked of the lower.
///
/// ```
/// use pds::data::{Block, Blocks, Codec, MemoryBlocks, Overlay};
///
/// let block = Block::new(Codec::Raw, *b"hello");
/// let (slice, store) = (MemoryBlocks::default(), MemoryBlocks::from_iter([block.clone()]));
/// let both = Overlay { over: &slice, under: &store };
/// assert_eq!(both.get(&block.cid())?, Some(block));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// Asked first: a slice, a proof, a draft.
    pub over: &'a dyn Blocks,
    /// Asked for the rest: usually a store.
    pub under: &'a dyn Blocks,
}

impl Blocks for Overlay<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        match self.over.get(cid)? {
            Some(block) => Ok(Some(block)),
            None => self.under.get(cid),
        }
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        let mut found = self.over.get_many(cids)?;
        let absent: Vec<Cid> =
            cids.iter().zip(&found).filter(|(_, block)| block.is_none()).map(|(c, _)| *c).collect();
        if absent.is_empty() {
            return Ok(found);
        }
        let mut rest = self.under.get_many(&absent)?.into_iter();
        for slot in found.iter_mut().filter(|slot| slot.is_none()) {
            *slot = rest.next().flatten();
        }
        Ok(found)
    }

    fn at_once(&self) -> usize {
        self.over.at_once().max(self.under.at_once())
    }

    fn get_some(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let found = self.over.get_some(cids);
        let below = |(answer, cid)| match answer {
            Ok(None) => self.under.get(cid),
            answer => answer,
        };
        found.into_iter().zip(cids).map(below).collect()
    }

    fn sit_down(&self) {
        self.over.sit_down();
        self.under.sit_down();
    }

    fn rise(&self) {
        self.over.rise();
        self.under.rise();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_answers_from_both_in_order() {
        let [a, b, c] = [*b"a", *b"b", *b"c"].map(|bytes| Block::new(Codec::Raw, bytes));
        let over: MemoryBlocks = [a.clone()].into_iter().collect();
        let under: MemoryBlocks = [b.clone()].into_iter().collect();
        let both = Overlay { over: &over, under: &under };
        let answers = both.get_many(&[b.cid(), c.cid(), a.cid(), b.cid()]).unwrap();
        assert_eq!(answers, [Some(b.clone()), None, Some(a.clone()), Some(b.clone())]);
        assert_eq!(both.get(&b.cid()).unwrap(), Some(b));
        assert_eq!(both.get(&c.cid()).unwrap(), None);
    }
}
