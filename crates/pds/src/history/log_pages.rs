//! A page-wise read of the log, which holds no view while a row is processed.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::parts::Parts;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::version::Version;

/// Calls `visit` with every row of the log up to a version, the oldest first. Memory use does not grow with the
/// log.
///
/// If another process deletes rows during the read, the visited rows are not one consistent log. A sweep of that
/// version then fails with [`StoreError::Changed`](crate::store::StoreError::Changed).
pub(crate) fn each_row(
    parts: &Parts,
    upto: Version,
    visit: &mut dyn FnMut(&LogEntry) -> Result<()>,
) -> Result<()> {
    let mut from = 0;
    loop {
        let mut page = Vec::with_capacity(ROWS_AT_ONCE);
        parts.store.view()?.log(&LogQuery::oldest_first().from(from), &mut |row| {
            page.push(row);
            match page.len() < ROWS_AT_ONCE {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        let is_last = page.len() < ROWS_AT_ONCE;
        for row in &page {
            if row.seq > upto.change {
                return Ok(());
            }
            visit(row)?;
        }
        match page.last() {
            Some(last) if !is_last => from = last.seq.saturating_add(1),
            _ => return Ok(()),
        }
    }
}

const ROWS_AT_ONCE: usize = 1_024;
