//! Sweeps: deleting blocks and log rows.

use std::ops::ControlFlow;

use crate::apply::Pending;
use crate::errors::{column, damaged};
use crate::pool::Pool;
use crate::step::{Known, Step};
use crate::view::PostgresView;
use pds_core::data::cid::Cid;
use pds_store::change::Seen;
use pds_store::error::StoreError;
use pds_store::log::LogQuery;
use pds_store::relink::Relink;
use pds_store::store::View;
use pds_store::sweep::{Sweep, SweptBlocks};

/// Deletes every block that is not live, and edits the log and facts, in a transaction that has
/// locked the account. A dry run needs no transaction.
pub(crate) fn sweep(
    pool: &Pool,
    mut sweep: Sweep<'_>,
    change: Option<Pending<'_>>,
) -> Result<SweptBlocks, StoreError> {
    let mut known = Known::read(pool, Seen::default())?;
    sweep.meet(known.version())?;
    let Sweep { seen, live, absent, log, facts, dry_run, .. } = sweep;
    each_block(pool, &mut |blocks| match blocks.iter().any(|(cid, _)| absent(cid)) {
        true => Err(StoreError::Changed),
        false => Ok(()),
    })?;
    if let Some(mut change) = change {
        change.apply(pool, &change.known(pool)?)?;
        known = Known::read(pool, Seen::default())?;
    }
    let mut swept = SweptBlocks { version: seen, ..SweptBlocks::default() };
    each_block(pool, &mut |blocks| {
        let mut step = Step::default();
        for (cid, len) in blocks {
            if live(&cid) {
                swept.kept_bytes += len;
            } else {
                swept.bytes += len;
                swept.blocks += 1;
                step.dead.push(cid.as_bytes().to_vec());
            }
        }
        if dry_run { Ok(()) } else { step.run(pool, &known).map(drop) }
    })?;
    let mut last = Step { changes: 1, is_sweep: true, ..Step::of_facts(&facts) };
    if let Some(fate) = log {
        let mut relink = Relink::new(seen);
        PostgresView::read(pool, 0)?.log(&LogQuery::oldest_first(), &mut |row| {
            match relink.next(row.clone(), fate) {
                None => last.dead_rows.push(row.seq.cast_signed()),
                Some(linked) if linked != row => last.rows.push(linked),
                Some(_) => {}
            }
            ControlFlow::Continue(())
        })?;
        swept.rows = last.dead_rows.len() as u64;
    }
    if !dry_run {
        swept.version = last.run(pool, &known)?.version;
    }
    Ok(swept)
}

/// Passes the names of all blocks and the lengths of their bytes to `each`, by pages.
fn each_block(
    pool: &Pool,
    each: &mut dyn FnMut(Vec<(Cid, u64)>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql = "SELECT cid, length(bytes)::bigint FROM pds.block
            WHERE account = $1 AND cid > $2 ORDER BY cid LIMIT 10000";
        let rows = pool.query(sql, &[&pool.account, &after])?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = column(last, 0)?;
        let block = |row| {
            let cid = Cid::from_bytes(column::<&[u8]>(row, 0)?);
            let cid = cid.map_err(|error| damaged(format!("a name of a block: {error}")))?;
            Ok((cid, column::<i64>(row, 1)?.cast_unsigned()))
        };
        each(rows.iter().map(block).collect::<Result<_, StoreError>>()?)?;
    }
}
