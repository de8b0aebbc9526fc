//! The one write: blocks in, refs moved, the log told.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::cid_at;
use super::errors::store_error;
use super::places::{MAX_PENDING, MAX_TAIL, Place, Tail, start_of};
use crate::data::{Block, Cid};
use crate::store::{BlockStream, RefEdit, StoreError, now_micros};

/// Takes in blocks, appended in the order in which they come; returns how many were new.
pub(super) fn insert(
    transaction: &Connection,
    tail: &mut Tail,
    blocks: &mut BlockStream<'_>,
) -> Result<u64, StoreError> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO blocks (id, cid, bytes) VALUES (?1, ?2, ?3)")
        .map_err(store_error)?;
    let is_fresh = tail.newest == 0;
    let mut new_blocks = 0;
    // Places that no longer fit into the tail.
    let mut pending: Vec<Place> = Vec::new();
    let mut has_placed = false;
    let mut batch: Vec<Block> = Vec::new();
    while fill(&mut batch, blocks)? {
        let known = if is_fresh { HashSet::new() } else { known(transaction, tail, &batch)? };
        for (index, block) in batch.drain(..).enumerate() {
            let cid = block.cid();
            if known.contains(&index) {
                continue;
            }
            let Some(id) = tail.append(cid)? else { continue };
            let row = params![id, cid.as_bytes().as_slice(), block.bytes()];
            new_blocks += statement.execute(row).map_err(store_error)? as u64;
            if tail.len() > MAX_TAIL {
                pending.extend(tail.drain());
            }
        }
        if pending.len() > MAX_PENDING {
            new_blocks -= tail.place(transaction, &mut pending, has_placed)?;
            has_placed = true;
        }
    }
    if has_placed || !pending.is_empty() {
        pending.extend(tail.drain());
        new_blocks -= tail.place(transaction, &mut pending, has_placed)?;
    }
    Ok(new_blocks)
}

/// Takes the next blocks off a stream; tells whether there were any.
fn fill(batch: &mut Vec<Block>, blocks: &mut BlockStream<'_>) -> Result<bool, StoreError> {
    let mut bytes = 0;
    while bytes < BATCH_BYTES && batch.len() < BATCH_BLOCKS {
        let Some(block) = blocks.next() else { break };
        let block = block.map_err(StoreError::Blocks)?;
        bytes += block.bytes().len();
        batch.push(block);
    }
    Ok(!batch.is_empty())
}

/// Finds which of some blocks the index knows, looking them up in its order.
fn known(
    transaction: &Connection,
    tail: &mut Tail,
    batch: &[Block],
) -> Result<HashSet<usize>, StoreError> {
    let maybe = tail.may_be_placed(transaction, batch.iter().map(Block::cid))?;
    // Mostly there is none: the index alone says so, for several at a time.
    let mut places = transaction.prepare_cached(SOME_PLACES).map_err(store_error)?;
    let starts = batch.iter().zip(maybe).enumerate().filter(|(_, (_, maybe))| *maybe);
    let mut order: Vec<(i64, usize)> =
        starts.map(|(index, (block, _))| (start_of(&block.cid()), index)).collect();
    order.sort_unstable();
    let mut known = HashSet::new();
    for some in order.chunks(STARTS) {
        let starts: [i64; STARTS] = std::array::from_fn(|n| some[n.min(some.len() - 1)].0);
        let mut rows = places.query(starts).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            let [start, id] = [0, 1].map(|column| row.get(column));
            let (start, id): (i64, i64) = (start.map_err(store_error)?, id.map_err(store_error)?);
            for (_, index) in some.iter().filter(|(found, _)| *found == start) {
                if has_row(transaction, id, &batch[*index].cid())? {
                    known.insert(*index);
                }
            }
        }
    }
    Ok(known)
}

/// Tells whether a row has a block of this name.
fn has_row(transaction: &Connection, id: i64, cid: &Cid) -> Result<bool, StoreError> {
    transaction
        .prepare_cached("SELECT 1 FROM blocks WHERE id = ?1 AND cid = ?2")
        .and_then(|mut row| row.exists(params![id, cid.as_bytes().as_slice()]))
        .map_err(store_error)
}

/// Reads where a ref stands and checks that it is where it is expected.
pub(super) fn expected(
    transaction: &Connection,
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
    transaction: &Connection,
    tail: &Tail,
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
            if !exists(transaction, tail, &target)? {
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

/// Tells whether there is a block.
fn exists(transaction: &Connection, tail: &Tail, cid: &Cid) -> Result<bool, StoreError> {
    match tail.get(cid) {
        Some(id) if tail.is_new(id) => return Ok(true),
        Some(id) => return has_row(transaction, id, cid),
        None => {}
    }
    let mut statement = transaction
        .prepare_cached(
            "SELECT 1 FROM places p CROSS JOIN blocks b ON b.id = p.id
             WHERE p.start = ?1 AND b.cid = ?2",
        )
        .map_err(store_error)?;
    statement.exists(params![start_of(cid), cid.as_bytes().as_slice()]).map_err(store_error)
}

const SOME_PLACES: &str = "SELECT start, id FROM places WHERE start IN \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// How many starts [`SOME_PLACES`] takes.
const STARTS: usize = 16;

/// How many blocks are looked for at a time.
const BATCH_BLOCKS: usize = 16_384;

/// How many bytes they have at most together.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
