//! Sweeps of a SQLite store: deleting blocks and log rows, and removing their remains from the
//! file.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::log::LogEntry;
use crate::relink::Relink;
use crate::sqlite::apply;
use crate::sqlite::errors::store_error;
use crate::sqlite::index::Tail;
use crate::sqlite::index_row::{Place, start_of};
use crate::sqlite::query_limit::Effort;
use crate::sqlite::raw_blocks::raw;
use crate::sqlite::rows::facts::edit_facts;
use crate::sqlite::rows::log::write_log;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::statement::run;
use crate::sqlite::view::each_log_row;
use crate::sweep::{Fate, Sweep, SweptBlocks};
use crate::version::Version;
use pds_core::data::cid::Cid;

/// Counts the deletions of a sweep.
pub(crate) fn count(
    transaction: &Connection,
    effort: &Effort,
    mut sweep: Sweep<'_>,
) -> Result<SweptBlocks, StoreError> {
    let version = StateRow::read(transaction)?.version(transaction)?;
    sweep.meet(version)?;
    effort.renew();
    check_absent(transaction, effort, sweep.absent)?;
    let mut swept = SweptBlocks { version, ..SweptBlocks::default() };
    let mut after = i64::MIN;
    while let Some(dead) = next_dead(transaction, effort, sweep.live, &mut after, &mut swept)? {
        drop(dead);
    }
    if let Some(fate) = sweep.log {
        let mut relink = Relink::new(version);
        each_log_row(transaction, effort, &mut |row| {
            swept.rows += u64::from(relink.next(row, fate).is_none());
            Ok(())
        })?;
    }
    Ok(swept)
}

/// Deletes every block that is not live, and edits the log and facts.
pub(crate) fn sweep(
    transaction: &Connection,
    tail: &mut Tail,
    effort: &Effort,
    mut sweep: Sweep<'_>,
) -> Result<SweptBlocks, StoreError> {
    let version = StateRow::read(transaction)?.version_to_write(transaction)?;
    sweep.meet(version)?;
    effort.renew();
    check_absent(transaction, effort, sweep.absent)?;
    if let Some(change) = sweep.change.take() {
        apply::apply(transaction, tail, effort, change)?;
    }
    // Readers that know the tail rely on its rows as long as it is the tail.
    tail.end(transaction)?;
    // Deleted content is overwritten in place, so that little of it is left if the process ends
    // before the file is compacted.
    transaction.query_row("PRAGMA secure_delete = ON", [], |_| Ok(())).map_err(store_error)?;
    let (mut swept, mut after) = (SweptBlocks::default(), i64::MIN);
    while let Some(dead) = next_dead(transaction, effort, sweep.live, &mut after, &mut swept)? {
        for Place { start, id } in dead {
            effort.renew();
            run(transaction, "DELETE FROM places WHERE start = ?1 AND id = ?2", [start, id])?;
            run(transaction, "DELETE FROM blocks WHERE id = ?1", [id])?;
        }
    }
    if let Some(fate) = sweep.log {
        swept.rows = relink_log(transaction, effort, version, fate)?;
    }
    let more_facts = edit_facts(transaction, &sweep.facts)?;
    let mut state = StateRow::read(transaction)?;
    state.facts += more_facts;
    // A change that was applied first has its own numbers.
    let change = state.version(transaction)?.change.max(version.change);
    let change = change.saturating_add(1).cast_signed();
    StateRow { change, sweep: change, ..state }.write(transaction)?;
    let version = StateRow::read(transaction)?.version(transaction)?;
    Ok(SweptBlocks { version, ..swept })
}

/// Checks that no block has reappeared that was missing during marking.
fn check_absent(
    transaction: &Connection,
    effort: &Effort,
    absent: &dyn Fn(&Cid) -> bool,
) -> Result<(), StoreError> {
    let mut all = transaction.prepare_cached("SELECT cid FROM blocks").map_err(store_error)?;
    let mut rows = all.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        effort.renew();
        let cid = Cid::from_bytes(row.get_ref(0).map(raw).map_err(store_error)?);
        if cid.is_ok_and(|cid| absent(&cid)) {
            return Err(StoreError::Changed);
        }
    }
    Ok(())
}

/// Drops log rows and links the rest again. Returns the number of dropped rows. Afterwards each ref
/// names its last row.
fn relink_log(
    transaction: &Connection,
    effort: &Effort,
    marked: Version,
    fate: &mut dyn FnMut(&LogEntry) -> Fate,
) -> Result<u64, StoreError> {
    let mut relink = Relink::new(marked);
    let (dropped, _) = relink_rows(transaction, effort, &mut relink, fate)?;
    for (name, seq) in relink.ends() {
        if let Some(row) = RefRow::find(transaction, &name)?
            && row.seq.cast_unsigned() != seq
        {
            RefRow { seq: seq.cast_signed(), ..row }.write(transaction)?;
        }
    }
    Ok(dropped)
}

/// Drops log rows, and writes the rows whose link or message changes. Returns the numbers of
/// dropped and of rewritten rows.
pub(crate) fn relink_rows(
    transaction: &Connection,
    effort: &Effort,
    relink: &mut Relink,
    fate: &mut dyn FnMut(&LogEntry) -> Fate,
) -> Result<(u64, u64), StoreError> {
    let (mut dropped, mut rewritten) = (0, 0);
    each_log_row(transaction, effort, &mut |row| {
        let was = row.clone();
        match relink.next(row, fate) {
            Some(row) if row == was => Ok(()),
            Some(row) => {
                rewritten += 1;
                write_log(transaction, &row)
            }
            None => {
                dropped += 1;
                run(transaction, "DELETE FROM log WHERE seq = ?1", [was.seq.cast_signed()])
                    .map(drop)
            }
        }
    })?;
    Ok((dropped, rewritten))
}

/// Reads a limited number of the next blocks. Returns those that are not live, or `None` at the
/// end.
fn next_dead(
    transaction: &Connection,
    effort: &Effort,
    live: &dyn Fn(&Cid) -> bool,
    after: &mut i64,
    swept: &mut SweptBlocks,
) -> Result<Option<Vec<Place>>, StoreError> {
    effort.renew();
    let mut some = transaction
        .prepare_cached(
            "SELECT id, cid, length(bytes) FROM blocks WHERE id > ?1 ORDER BY id LIMIT ?2",
        )
        .map_err(store_error)?;
    let mut rows = some.query([*after, BLOCKS_AT_ONCE]).map_err(store_error)?;
    let (mut dead, mut is_end) = (Vec::new(), true);
    while let Some(row) = rows.next().map_err(store_error)? {
        is_end = false;
        *after = row.get(0).map_err(store_error)?;
        let len = row.get::<_, i64>(2).map_err(store_error)?.cast_unsigned();
        let name = row.get_ref(1).map(raw).map_err(store_error)?;
        let cid = Cid::from_bytes(name)
            .map_err(|error| StoreError::Damaged(format!("blocks row {after}: {error}").into()))?;
        if live(&cid) {
            swept.kept_bytes += len;
        } else {
            swept.blocks += 1;
            swept.bytes += len;
            dead.push(Place { start: start_of(&cid), id: *after });
        }
    }
    Ok((!is_end).then_some(dead))
}

/// Rewrites the file without the deleted content. No remains of it are left in free pages, between
/// rows, or in the WAL.
pub(crate) fn compact(connection: &Connection) -> Result<(), StoreError> {
    // The copy is as large as the kept content, so it is made in a file and not in memory.
    let run = |sql: &str| connection.execute_batch(sql).map_err(store_error);
    run("PRAGMA temp_store = FILE")?;
    let copied = run("VACUUM");
    run("PRAGMA temp_store = MEMORY")?;
    copied?;
    let is_blocked: bool = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(store_error)?;
    if is_blocked { Err(StoreError::Busy) } else { Ok(()) }
}

/// The number of blocks that a sweep reads at a time.
const BLOCKS_AT_ONCE: i64 = 16_384;
