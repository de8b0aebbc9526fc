//! A store with its gaps filled from other sources of blocks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::damaged::Aside;
use pds_core::data::block::{Block, Blocks, ReadError, one_by_one};
use pds_core::data::cid::Cid;
use pds_store::error::damage;

/// Several sources read as one. A block that is missing or damaged in one source is read from the next.
///
/// ```
/// use std::sync::Arc;
/// use pds::data::{Block, Blocks, Codec, MemoryBlocks};
/// use pds_rescue::Sources;
///
/// let block = Block::new(Codec::Raw, *b"hello");
/// let copy = MemoryBlocks::from_iter([block.clone()]);
/// let sources = Sources(vec![Arc::new(MemoryBlocks::default()), Arc::new(copy)]);
/// assert_eq!(sources.get(&block.cid())?, Some(block));
/// # Ok::<(), pds::data::ReadError>(())
/// ```
#[derive(Clone)]
pub struct Sources(pub Vec<Arc<dyn Blocks>>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

impl Blocks for Sources {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        for source in &self.0 {
            if let Some(block) = sound(source.get(cid))? {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        one_by_one(self, cids)
    }
}

/// The origin of a block that is missing or damaged in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The store itself, under a wrong name.
    Here,
    /// One of the sources, counted from zero.
    Source(usize),
}

/// The blocks of a store, with missing and damaged blocks read from sources. A damaged block counts as missing,
/// and a CID makes all sources equally trusted.
pub(super) struct Filled<'a> {
    store: &'a dyn Blocks,
    aside: &'a Aside,
    sources: &'a [&'a dyn Blocks],
    taken: Mutex<BTreeMap<Cid, Origin>>,
}

impl<'a> Filled<'a> {
    pub(super) fn new(
        store: &'a dyn Blocks,
        aside: &'a Aside,
        sources: &'a [&'a dyn Blocks],
    ) -> Self {
        Self { store, aside, sources, taken: Mutex::default() }
    }

    /// Returns the origins of the blocks that were read and did not come from the store.
    pub(super) fn into_taken(self) -> BTreeMap<Cid, Origin> {
        self.taken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a block from any source except the store.
    pub(super) fn elsewhere(&self, cid: &Cid) -> Result<Option<(Block, Origin)>, ReadError> {
        let here = self.aside.find(cid).map_err(|error| ReadError::backend(*cid, error))?;
        if let Some(block) = here {
            return Ok(Some((block, Origin::Here)));
        }
        for (number, source) in self.sources.iter().enumerate() {
            if let Some(block) = sound(source.get(cid))? {
                return Ok(Some((block, Origin::Source(number))));
            }
        }
        Ok(None)
    }
}

impl Blocks for Filled<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        if let Some(block) = sound(self.store.get(cid))? {
            return Ok(Some(block));
        }
        let Some((block, origin)) = self.elsewhere(cid)? else {
            return Ok(None);
        };
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(*cid, origin);
        Ok(Some(block))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        one_by_one(self, cids)
    }
}

/// Turns the error for a damaged block into a missing block.
fn sound(read: Result<Option<Block>, ReadError>) -> Result<Option<Block>, ReadError> {
    match read {
        Err(error) if damage(&error).is_some() => Ok(None),
        read => read,
    }
}
