//! Sweeps: deleting blocks and log rows.

use crate::apply::{Edits, State};
use crate::blocks::Batch;
use crate::connection::Connection;
use crate::errors::{Result, column, damaged};
use crate::facts::FactEdits;
use crate::log::{LogPage, each_row, write_log};
use pds_core::data::cid::Cid;
use pds_store::change::{BlockStream, LogStream};
use pds_store::error::StoreError;
use pds_store::log::LogEntry;
use pds_store::relink::Relink;
use pds_store::sweep::{Fate, Sweep, SweptBlocks};

/// The change of a sweep: its edits, its first blocks, its other blocks and its history.
pub(crate) type SweepChange<'a> = (Edits, Batch, Box<BlockStream<'a>>, Option<Box<LogStream<'a>>>);

/// Deletes every block that is not live, and edits the log and facts, in a transaction.
pub(crate) fn sweep(
    connection: &mut Connection,
    sweep: Sweep<'_>,
    change: Option<SweepChange<'_>>,
) -> Result<SweptBlocks> {
    let Sweep { seen, live, absent, log, facts, dry_run, .. } = sweep;
    let mut state = match dry_run {
        true => State::read(connection)?,
        false => State::lock(connection)?,
    };
    if state.version != seen {
        return Err(StoreError::Changed);
    }
    each_block(connection, &mut |_, blocks| {
        let has_reappeared = blocks.iter().any(|(cid, _)| absent(cid));
        if has_reappeared { Err(StoreError::Changed) } else { Ok(()) }
    })?;
    if let Some((edits, batch, mut rest, history)) = change {
        edits.apply(connection, &mut state, (&batch, &mut rest), history)?;
    }
    let mut swept = SweptBlocks { version: state.version, ..SweptBlocks::default() };
    each_block(connection, &mut |connection, blocks| {
        let (kept, dead): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|(cid, _)| live(cid));
        swept.kept_bytes += kept.iter().map(|(_, len)| len).sum::<u64>();
        swept.bytes += dead.iter().map(|(_, len)| len).sum::<u64>();
        swept.blocks += dead.len() as u64;
        if dry_run || dead.is_empty() {
            return Ok(());
        }
        let names: Vec<&[u8]> = dead.iter().map(|(cid, _)| cid.as_bytes().as_slice()).collect();
        let sql = "DELETE FROM pds.block WHERE account = $1 AND cid = ANY($2)";
        connection.execute(sql, &[&names]).map(drop)
    })?;
    if let Some(fate) = log {
        let mut relink = Relink::new(seen);
        each_row(connection, &mut |connection, page| {
            swept.rows += relink_page(connection, page, (&mut relink, fate), dry_run)?;
            Ok(())
        })?;
    }
    if !dry_run {
        FactEdits::of(&facts).apply(connection)?;
        state.version.change += 1;
        state.version.sweep = state.version.change;
        state.write(connection)?;
        swept.version = state.version;
    }
    Ok(swept)
}

/// Drops log rows of a page, and links the others again. Returns the number of dropped rows.
fn relink_page(
    connection: &mut Connection,
    page: LogPage,
    (relink, fate): (&mut Relink, &mut dyn FnMut(&LogEntry) -> Fate),
    dry_run: bool,
) -> Result<u64> {
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for row in page.rows {
        let row = row?;
        match relink.next(row.clone(), fate) {
            None => gone.push(row.seq.cast_signed()),
            Some(linked) if linked != row => changed.push(linked),
            Some(_) => {}
        }
    }
    if !dry_run {
        write_log(connection, &changed)?;
        let sql = "DELETE FROM pds.log WHERE account = $1 AND seq = ANY($2)";
        connection.execute(sql, &[&gone])?;
    }
    Ok(gone.len() as u64)
}

/// The names of blocks and the lengths of their bytes.
type Lengths = Vec<(Cid, u64)>;

/// Passes the name and the length of every block to `each`, by pages.
fn each_block(
    connection: &mut Connection,
    each: &mut dyn FnMut(&mut Connection, Lengths) -> Result<()>,
) -> Result<()> {
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql = "SELECT cid, length(bytes)::bigint FROM pds.block
            WHERE account = $1 AND cid > $2 ORDER BY cid LIMIT 10000";
        let rows = connection.query(sql, &[&after])?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let name: &[u8] = column(row, 0)?;
            let cid = Cid::from_bytes(name)
                .map_err(|error| damaged(format!("a name of a block: {error}")))?;
            page.push((cid, column::<i64>(row, 1)?.cast_unsigned()));
        }
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.as_bytes().to_vec();
        each(connection, page)?;
    }
}
