//! What leaves: blocks, rows of the log, and what is left of them in the file.

use rusqlite::{Connection, params};

use super::errors::store_error;
use super::places::{Place, Tail, start_of};
use super::{cid_at, optional_cid_at, ref_name, set_meta, version};
use crate::data::Cid;
use crate::store::{LogEntry, RefName, StoreError, Sweep, SweptBlocks};

/// Reads the whole log, oldest first.
pub(super) fn moves(connection: &Connection) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT seq, name, before, after, at_micros, note FROM log ORDER BY seq")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut moves = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let name: String = row.get(1).map_err(store_error)?;
        moves.push(LogEntry {
            seq: row.get::<_, i64>(0).map_err(store_error)?.cast_unsigned(),
            name: ref_name(&name)?,
            before: optional_cid_at(row, 2).map_err(store_error)?,
            after: optional_cid_at(row, 3).map_err(store_error)?,
            at_micros: row.get::<_, i64>(4).map_err(store_error)?.cast_unsigned(),
            note: row.get(5).map_err(store_error)?,
        });
    }
    Ok(moves)
}

/// Reads the latest moves of one ref, newest first.
pub(super) fn log(
    connection: &Connection,
    name: &RefName,
    limit: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, before, after, at_micros, note FROM log
             WHERE name = ?1 ORDER BY seq DESC LIMIT ?2",
        )
        .map_err(store_error)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![name.as_str(), limit], |row| {
        Ok(LogEntry {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            name: name.clone(),
            before: optional_cid_at(row, 1)?,
            after: optional_cid_at(row, 2)?,
            at_micros: row.get::<_, i64>(3)?.cast_unsigned(),
            note: row.get(4)?,
        })
    });
    rows.map_err(store_error)?.map(|row| row.map_err(store_error)).collect()
}

/// Tells what a sweep would do.
pub(super) fn weigh(
    connection: &mut Connection,
    sweep: &Sweep<'_>,
) -> Result<SweptBlocks, StoreError> {
    let transaction = connection.transaction().map_err(store_error)?;
    check(&transaction, sweep)?;
    find_dead(&transaction, sweep, |_| {})
}

/// Deletes what does not live, and tells the log and the texts anew.
pub(super) fn sweep(
    transaction: &Connection,
    tail: &mut Tail,
    sweep: &Sweep<'_>,
) -> Result<SweptBlocks, StoreError> {
    check(transaction, sweep)?;
    // Whoever knows the tail relies on it as long as it is one.
    tail.end(transaction)?;
    // What goes is overwritten where it stood: should nobody live to compact, little is left.
    transaction.query_row("PRAGMA secure_delete = ON", [], |_| Ok(())).map_err(store_error)?;
    let mut dead = Vec::new();
    let swept = find_dead(transaction, sweep, |place| dead.push(place))?;
    let prepare = |sql| transaction.prepare(sql).map_err(store_error);
    let mut delete = prepare("DELETE FROM blocks WHERE id = ?1")?;
    let mut displace = prepare("DELETE FROM places WHERE start = ?1 AND id = ?2")?;
    for Place { start, id } in dead {
        displace.execute([start, id]).map_err(store_error)?;
        delete.execute([id]).map_err(store_error)?;
    }
    if let Some(log) = sweep.log {
        rewrite_log(transaction, log, sweep.as_of.saturating_add(1))?;
    }
    for (key, value) in sweep.meta {
        set_meta(transaction, key, *value)?;
    }
    Ok(SweptBlocks { version: version(transaction)?, ..swept })
}

/// Rewrites the file without what was deleted: neither free pages, nor the room between rows, nor
/// the WAL keep any of it.
pub(super) fn compact(connection: &Connection) -> Result<(), StoreError> {
    // The copy is as large as what is kept, so it is made in a file, not in memory.
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

fn check(transaction: &Connection, sweep: &Sweep<'_>) -> Result<(), StoreError> {
    if version(transaction)? != sweep.as_of {
        return Err(StoreError::Changed);
    }
    match sweep.log {
        Some([]) => Err(StoreError::NoEdits),
        _ => Ok(()),
    }
}

/// Weighs all blocks, and calls back with the place of each that does not live.
fn find_dead(
    transaction: &Connection,
    sweep: &Sweep<'_>,
    mut call: impl FnMut(Place),
) -> Result<SweptBlocks, StoreError> {
    let mut all =
        transaction.prepare("SELECT rowid, cid, length(bytes) FROM blocks").map_err(store_error)?;
    let mut rows = all.query([]).map_err(store_error)?;
    let mut swept = SweptBlocks { blocks: 0, bytes: 0, kept_bytes: 0, version: sweep.as_of };
    while let Some(row) = rows.next().map_err(store_error)? {
        let len = row.get::<_, i64>(2).map_err(store_error)?.cast_unsigned();
        let cid = cid_at(row, 1).map_err(store_error)?;
        if (sweep.absent)(&cid) {
            return Err(StoreError::Changed);
        }
        if (sweep.live)(&cid) {
            swept.kept_bytes += len;
        } else {
            swept.blocks += 1;
            swept.bytes += len;
            call(Place { start: start_of(&cid), id: row.get(0).map_err(store_error)? });
        }
    }
    Ok(swept)
}

/// Replaces the rows of the log; the last one gets the number of the new version.
fn rewrite_log(transaction: &Connection, log: &[LogEntry], newest: u64) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM log", []).map_err(store_error)?;
    let mut insert = transaction
        .prepare("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .map_err(store_error)?;
    for (n, entry) in log.iter().enumerate() {
        let seq = if n + 1 == log.len() { newest } else { entry.seq };
        let blob = |cid: Option<Cid>| cid.map(|cid| cid.as_bytes().to_vec());
        let row = params![
            seq.cast_signed(),
            entry.name.as_str(),
            blob(entry.before),
            blob(entry.after),
            entry.at_micros.cast_signed(),
            entry.note,
        ];
        insert.execute(row).map_err(store_error)?;
    }
    Ok(())
}
