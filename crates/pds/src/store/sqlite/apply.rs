//! The one write: blocks in, refs moved, the log told.

use rusqlite::{OptionalExtension, Transaction, params};

use super::cid_at;
use super::errors::store_error;
use crate::data::{Block, Cid};
use crate::store::{BlockStream, RefEdit, StoreError, now_micros};

/// Takes in blocks, in batches sorted by CID; returns how many were new.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    blocks: &mut BlockStream<'_>,
) -> Result<u64, StoreError> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .map_err(store_error)?;
    let mut new_blocks = 0;
    let mut batch: Vec<Block> = Vec::new();
    loop {
        let mut batch_bytes = 0;
        while batch_bytes < BATCH_BYTES && batch.len() < BATCH_BLOCKS {
            let Some(block) = blocks.next() else { break };
            let block = block.map_err(StoreError::Blocks)?;
            batch_bytes += block.bytes().len();
            batch.push(block);
        }
        if batch.is_empty() {
            return Ok(new_blocks);
        }
        batch.sort_unstable_by_key(Block::cid);
        for block in batch.drain(..) {
            let cid = block.cid();
            let row = params![cid.as_bytes().as_slice(), block.bytes()];
            new_blocks += statement.execute(row).map_err(store_error)? as u64;
        }
    }
}

/// Reads where a ref stands and checks that it is where it is expected.
pub(super) fn expected(
    transaction: &Transaction<'_>,
    edit: &RefEdit,
) -> Result<Option<Cid>, StoreError> {
    let mut statement =
        transaction.prepare_cached("SELECT cid FROM refs WHERE name = ?1").map_err(store_error)?;
    let found = statement
        .query_row([edit.name.as_str()], |row| cid_at(row, 0))
        .optional()
        .map_err(store_error)?;
    if edit.expect.holds(found) {
        return Ok(found);
    }
    Err(StoreError::Moved { name: edit.name.clone(), expected: edit.expect, found })
}

pub(super) fn move_ref(
    transaction: &Transaction<'_>,
    edit: &RefEdit,
    before: Option<Cid>,
    note: &str,
) -> Result<(), StoreError> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        transaction.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(store_error)
    };
    let name = edit.name.as_str();
    match edit.target {
        Some(target) => {
            let mut statement = transaction
                .prepare_cached("SELECT 1 FROM blocks WHERE cid = ?1")
                .map_err(store_error)?;
            if !statement.exists([target.as_bytes().as_slice()]).map_err(store_error)? {
                return Err(StoreError::TargetMissing { name: edit.name.clone(), target });
            }
            run(
                "INSERT INTO refs VALUES (?1, ?2) ON CONFLICT DO UPDATE SET cid = ?2",
                &[&name, &target.as_bytes().as_slice()],
            )?;
        }
        None => drop(run("DELETE FROM refs WHERE name = ?1", &[&name])?),
    }
    let blob = |cid: Option<Cid>| cid.map(|cid| cid.as_bytes().to_vec());
    run(
        "INSERT INTO log (name, before, after, at_micros, note) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[&name, &blob(before), &blob(edit.target), &now_micros().cast_signed(), &note],
    )?;
    Ok(())
}

/// How many blocks of an import are sorted at a time. A full sort would write a little faster and
/// read much slower: what is near in the tree would be far apart in the file.
const BATCH_BLOCKS: usize = 50_000;

/// How many bytes a batch has at most, whatever the size of its blocks.
const BATCH_BYTES: usize = 24 * 1024 * 1024;
