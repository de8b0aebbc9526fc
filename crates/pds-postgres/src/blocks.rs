//! Blocks: reading several in one round trip, and storing them in batches.

use std::collections::BTreeMap;

use crate::connection::Connection;
use crate::errors::{Result, column, no_account};
use pds_core::data::block::{Block, ReadError};
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_BLOCK_BYTES;
use pds_store::change::BlockStream;
use pds_store::error::StoreError;

/// The results of a read of blocks.
pub(crate) type Answers = Vec<Result<Option<Block>, ReadError>>;

/// Reads the first blocks of a list, up to a limit on their bytes. If blocks were deleted since the
/// sweep that the caller has seen, a missing block is one of them.
pub(crate) fn get_many(
    connection: &mut Connection,
    cids: &[Cid],
    swept: Option<u64>,
) -> Result<Answers> {
    let names: Vec<&[u8]> = cids.iter().map(|cid| cid.as_bytes().as_slice()).collect();
    let rows = connection.query(include_str!("sql/get_many.sql"), &[&names])?;
    let mut answers = Vec::with_capacity(rows.len());
    for (row, cid) in rows.iter().zip(cids) {
        let last: i64 = column::<Option<i64>>(row, 0)?.ok_or_else(no_account)?;
        let is_swept = swept.is_some_and(|swept| swept != last.cast_unsigned());
        answers.push(match column::<Option<&[u8]>>(row, 1)? {
            Some(bytes) => Block::verified(*cid, bytes)
                .map(Some)
                .map_err(|source| ReadError::Damaged { cid: *cid, source }),
            None if is_swept => Err(ReadError::Swept { cid: *cid }),
            None => Ok(None),
        });
    }
    Ok(answers)
}

/// Returns whether an intact block is stored.
pub(crate) fn has_sound(connection: &mut Connection, cid: &Cid) -> Result<bool> {
    let found = get_many(connection, &[*cid], None)?;
    Ok(matches!(found.first(), Some(Ok(Some(_)))))
}

/// Blocks that are stored together. A statement must not name a block twice, so they are in a map,
/// which is also the order of the index.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) blocks: BTreeMap<Cid, Block>,
    /// Whether the stream has ended.
    pub(crate) is_last: bool,
}

impl Batch {
    /// Takes the next blocks from a stream.
    pub(crate) fn of(stream: &mut BlockStream<'_>) -> Result<Self> {
        let (mut batch, mut bytes) = (Self::default(), 0);
        while bytes < BATCH_BYTES && batch.blocks.len() < BATCH_BLOCKS {
            let Some(block) = stream.next() else {
                batch.is_last = true;
                break;
            };
            let block = block.map_err(StoreError::Blocks)?;
            let (cid, len) = (block.cid(), block.bytes().len());
            if len > MAX_BLOCK_BYTES {
                let message = format!("block {cid} has more than {MAX_BLOCK_BYTES} bytes");
                return Err(StoreError::Blocks(message.into()));
            }
            bytes += len;
            batch.blocks.insert(cid, block);
        }
        Ok(batch)
    }

    /// Returns the columns of the blocks.
    pub(crate) fn columns(&self) -> (Vec<&[u8]>, Vec<&[u8]>) {
        let columns = self.blocks.iter();
        columns.map(|(cid, block)| (cid.as_bytes().as_slice(), block.bytes())).unzip()
    }

    /// Stores the blocks, and those that follow in the stream. Returns how many were missing or
    /// damaged before.
    pub(crate) fn store(
        &self,
        connection: &mut Connection,
        rest: &mut BlockStream<'_>,
    ) -> Result<u64> {
        let mut new = self.store_alone(connection)?;
        let mut is_last = self.is_last;
        while !is_last {
            let next = Self::of(rest)?;
            new += next.store_alone(connection)?;
            is_last = next.is_last;
        }
        Ok(new)
    }

    fn store_alone(&self, connection: &mut Connection) -> Result<u64> {
        let (cids, bytes) = self.columns();
        match cids.is_empty() {
            true => Ok(0),
            false => connection.execute(include_str!("sql/store_blocks.sql"), &[&cids, &bytes]),
        }
    }
}

/// Returns the results for several blocks. If there is an error, it is the result of the first
/// block.
pub(crate) fn many(cids: &[Cid], answers: Result<Answers>) -> Answers {
    match (answers, cids.first()) {
        (Ok(answers), _) => answers,
        (Err(error), Some(first)) => vec![Err(ReadError::backend(*first, error))],
        (Err(_), None) => Vec::new(),
    }
}

/// Returns the result for one block.
pub(crate) fn one(cid: Cid, answers: Answers) -> Result<Option<Block>, ReadError> {
    let missing = || Err(ReadError::backend(cid, "the database returned no row"));
    answers.into_iter().next().unwrap_or_else(missing)
}

/// The number of blocks that are worth one round trip.
pub(crate) const BATCH: usize = 500;

/// The number of blocks of a batch.
const BATCH_BLOCKS: usize = 2_000;

/// The size from which on a batch is full, in bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
