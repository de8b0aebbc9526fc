//! The log, read a page at a time: no view is held while the rows are worked on.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::parts::Parts;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::store::Version;

/// Visits every row of the log up to a version, oldest first. Memory does not grow with the log.
///
/// If rows are dropped meanwhile, what is visited is of no single moment; a sweep of that version then
/// fails with [`StoreError::Changed`](crate::store::StoreError::Changed).
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
