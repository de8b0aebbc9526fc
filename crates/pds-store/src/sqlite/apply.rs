//! Changes of a SQLite store: storing blocks, moving refs, writing facts.

use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};

use crate::change::{Applied, BlockStream, Change, LogStream};
use crate::error::StoreError;
use crate::event::Event;
use crate::log::{LogEntry, LogQuery, check_message};
use crate::ref_name::RefName;
use crate::refs::RefEdit;
use crate::sqlite::errors::store_error;
use crate::sqlite::index::{MAX_PENDING, MAX_TAIL, Tail};
use crate::sqlite::index_row::{Place, start_of};
use crate::sqlite::query_limit::Effort;
use crate::sqlite::reader::{by_id, by_place};
use crate::sqlite::rows::bad_row::MAX_CHANGE;
use crate::sqlite::rows::facts::edit_facts;
use crate::sqlite::rows::log::write_log;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::statement::{has_row, run};
use crate::sqlite::view::log_page;
use crate::store::now_micros;
use crate::version::Version;
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_BLOCK_BYTES;

/// Applies a change in a write transaction.
pub(crate) fn apply(
    transaction: &Connection,
    tail: &mut Tail,
    effort: &Effort,
    change: Change<'_>,
) -> Result<Applied, StoreError> {
    let mut state = StateRow::read(transaction)?;
    let mut version = state.version_to_write(transaction)?;
    change.seen().check(version)?;
    let Change { mut blocks, refs, facts, event, message, history, .. } = change;
    // The refs are checked before the stream is read, so that a lost race is detected at once. A
    // second edit of a ref applies to the result of the first, and is checked later.
    let mut edited = HashSet::new();
    for edit in refs.iter().filter(|edit| edited.insert(&edit.name)) {
        expected(transaction, edit)?;
    }
    let new_blocks = insert(transaction, tail, effort, &mut blocks)?;
    // The index may have grown.
    state.placed = StateRow::read(transaction)?.placed;
    let before = version.change;
    // A repair writes where refs and log disagree, and copied log rows are stored before any ref.
    let (is_copy, is_repair) = (history.is_some(), event == Event::Repair);
    if let Some(rows) = history {
        copy_history(transaction, rows, &mut version)?;
    }
    for edit in refs {
        let known = state.refs;
        let logged = match is_copy || is_repair {
            true => Some(last_logged(transaction, &edit.name)?),
            false => None,
        };
        match &logged {
            Some(Some(row)) if is_copy && edit.target.is_some() && row.after == edit.target => {
                let seq = row.seq;
                point_ref(transaction, tail, edit, seq, &mut state)?;
            }
            _ => {
                version.change += 1;
                let before = logged.map(|row| row.and_then(|row| row.after));
                let entry = (version, before, &event, &*message);
                move_ref(transaction, tail, edit, entry, &mut state)?;
            }
        }
        if state.refs != known {
            state.write(transaction)?;
        }
    }
    let more_facts = edit_facts(transaction, &facts)?;
    if more_facts != 0 {
        state.facts += more_facts;
        state.write(transaction)?;
    }
    // A change without a log row also has a number.
    if version.change == before {
        version.change += 1;
        state.change = version.change.cast_signed();
        state.write(transaction)?;
    }
    Ok(Applied { new_blocks, version })
}

/// Stores blocks, appended in the order of the stream. Returns how many were missing or damaged
/// before.
pub(crate) fn insert(
    transaction: &Connection,
    tail: &mut Tail,
    effort: &Effort,
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
        effort.renew();
        let known = if is_fresh { HashMap::new() } else { known(transaction, tail, &batch)? };
        for (index, block) in batch.drain(..).enumerate() {
            let cid = block.cid();
            if let Some(stored) = known.get(&index) {
                new_blocks += heal(transaction, *stored, &block)?;
                continue;
            }
            let Some(id) = tail.append(cid)? else {
                // A block of this transaction was written a moment ago, so its bytes need no check.
                if let Some(id) = tail.get(&cid).filter(|id| !tail.is_new(*id)) {
                    let found = stored_at(transaction, id, &cid)?;
                    let found = found.unwrap_or(Stored { id, is_sound: false });
                    new_blocks += heal(transaction, found, &block)?;
                }
                continue;
            };
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

/// Moves the next blocks from a stream into the batch. Returns whether there were any.
fn fill(batch: &mut Vec<Block>, blocks: &mut BlockStream<'_>) -> Result<bool, StoreError> {
    let mut bytes = 0;
    while bytes < BATCH_BYTES && batch.len() < BATCH_BLOCKS {
        let Some(block) = blocks.next() else { break };
        let block = block.map_err(StoreError::Blocks)?;
        if block.bytes().len() > MAX_BLOCK_BYTES {
            let message = format!("block {} has more than {MAX_BLOCK_BYTES} bytes", block.cid());
            return Err(StoreError::Blocks(message.into()));
        }
        bytes += block.bytes().len();
        batch.push(block);
    }
    Ok(!batch.is_empty())
}

/// The row of a stored block, and whether its bytes are intact.
#[derive(Clone, Copy)]
struct Stored {
    id: i64,
    is_sound: bool,
}

/// Reads a row, or returns `None` if it does not contain this block. Unreadable bytes count as
/// damaged.
fn stored_at(transaction: &Connection, id: i64, cid: &Cid) -> Result<Option<Stored>, StoreError> {
    match by_id(transaction, id, cid) {
        Ok(found) => Ok(found.map(|(_, block)| Stored { id, is_sound: block.is_ok() })),
        Err(StoreError::Damaged(_)) => Ok(Some(Stored { id, is_sound: false })),
        Err(error) => Err(error),
    }
}

/// Overwrites the damaged bytes of a block. Returns the number of blocks that this makes new: 1 or
/// 0.
fn heal(transaction: &Connection, stored: Stored, block: &Block) -> Result<u64, StoreError> {
    let name = block.cid();
    // The same change may have brought the block a moment ago.
    let is_sound = stored.is_sound
        || stored_at(transaction, stored.id, &name)?.is_some_and(|stored| stored.is_sound);
    if is_sound {
        return Ok(0);
    }
    let values = params![stored.id, name.as_bytes().as_slice(), block.bytes()];
    run(transaction, "INSERT OR REPLACE INTO blocks (id, cid, bytes) VALUES (?1, ?2, ?3)", values)
}

/// Finds the blocks that the index has. It looks them up in index order and hashes their bytes,
/// because the bytes of a row may be damaged.
fn known(
    transaction: &Connection,
    tail: &mut Tail,
    batch: &[Block],
) -> Result<HashMap<usize, Stored>, StoreError> {
    let maybe = tail.may_be_placed(transaction, batch.iter().map(Block::cid))?;
    // Usually the index has none of them. One query checks the index for several blocks at a time.
    let mut places = transaction.prepare_cached(SOME_PLACES).map_err(store_error)?;
    let starts = batch.iter().zip(maybe).enumerate().filter(|(_, (_, maybe))| *maybe);
    let mut order: Vec<(i64, usize)> =
        starts.map(|(index, (block, _))| (start_of(&block.cid()), index)).collect();
    order.sort_unstable();
    let mut known: HashMap<usize, Stored> = HashMap::new();
    for some in order.chunks(STARTS) {
        let starts: [i64; STARTS] = std::array::from_fn(|n| some[n.min(some.len() - 1)].0);
        let mut rows = places.query(starts).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            let [start, id] = [0, 1].map(|column| row.get(column));
            let (start, id): (i64, i64) = (start.map_err(store_error)?, id.map_err(store_error)?);
            for (_, index) in some.iter().filter(|(found, _)| *found == start) {
                let cid = batch[*index].cid();
                let Some(found) = stored_at(transaction, id, &cid)? else { continue };
                // If two rows have the same name, the intact one is used.
                let known = known.entry(*index).or_insert(found);
                if found.is_sound {
                    *known = found;
                }
            }
        }
    }
    Ok(known)
}

/// Reads the row of a ref, and checks that it meets the expectation.
fn expected(transaction: &Connection, edit: &RefEdit) -> Result<Option<RefRow>, StoreError> {
    let row = RefRow::find(transaction, &edit.name)?;
    let found = row.as_ref().map(|row| row.cid);
    if edit.expect.holds(found) {
        return Ok(row);
    }
    Err(StoreError::Moved { name: edit.name.clone(), expected: edit.expect, found })
}

/// Moves a ref, and writes its log row.
fn move_ref(
    transaction: &Connection,
    tail: &Tail,
    edit: RefEdit,
    (version, logged, event, message): (Version, Option<Option<Cid>>, &Event, &str),
    state: &mut StateRow,
) -> Result<(), StoreError> {
    let (name, after, seq) = (edit.name.clone(), edit.target, version.change);
    let before = point_ref(transaction, tail, edit, seq, state)?;
    let before = logged.unwrap_or(before);
    let (event, message, at_micros) = (event.clone(), message.to_owned(), now_micros());
    write_log(transaction, &LogEntry { seq, name, before, after, at_micros, event, message })
}

/// Writes or deletes the row of a ref, whose log row has the number `seq`. Returns the commit that it pointed to.
fn point_ref(
    transaction: &Connection,
    tail: &Tail,
    edit: RefEdit,
    seq: u64,
    state: &mut StateRow,
) -> Result<Option<Cid>, StoreError> {
    let before = expected(transaction, &edit)?.map(|row| row.cid);
    let RefEdit { name, target, .. } = edit;
    match target {
        Some(target) => {
            if !has_sound(transaction, tail, &target)? {
                return Err(StoreError::TargetMissing { name, target });
            }
            state.refs += i64::from(before.is_none());
            RefRow { name, cid: target, seq: seq.cast_signed() }.write(transaction)?;
        }
        None => {
            let gone = RefRow::delete(transaction, &name)?;
            state.refs -= i64::try_from(gone).unwrap_or(0);
        }
    }
    Ok(before)
}

/// Returns the last log row of a ref.
fn last_logged(transaction: &Connection, name: &RefName) -> Result<Option<LogEntry>, StoreError> {
    Ok(log_page(transaction, &LogQuery::newest_first().of(name.clone()), 1)?.pop())
}

/// Copies log rows with their own numbers and times into an empty log.
fn copy_history(
    transaction: &Connection,
    rows: Box<LogStream<'_>>,
    version: &mut Version,
) -> Result<(), StoreError> {
    if has_row(transaction, "SELECT 1 FROM log", [])? {
        return Err(StoreError::HasHistory);
    }
    for row in rows {
        let row = row.map_err(StoreError::Blocks)?;
        check_message(&row.message)?;
        if row.seq >= MAX_CHANGE.cast_unsigned() {
            return Err(StoreError::Blocks("the number of a log row is too large".into()));
        }
        write_log(transaction, &row)?;
        version.change = version.change.max(row.seq);
    }
    Ok(())
}

/// Returns whether an intact block is stored.
fn has_sound(transaction: &Connection, tail: &Tail, cid: &Cid) -> Result<bool, StoreError> {
    let found = match tail.get(cid) {
        Some(id) if tail.is_new(id) => return Ok(true),
        Some(id) => by_id(transaction, id, cid)?,
        None => by_place(transaction, cid)?,
    };
    Ok(found.is_some_and(|(_, block)| block.is_ok()))
}

const SOME_PLACES: &str = "SELECT start, id FROM places WHERE start IN \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// The number of starts that [`SOME_PLACES`] takes.
const STARTS: usize = 16;

/// The number of blocks that are looked up at a time.
const BATCH_BLOCKS: usize = 16_384;

/// The maximum total size of these blocks, in bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
