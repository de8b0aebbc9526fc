//! A page-wise read of the log, which holds no view while a row is processed.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::parts::Parts;
use pds_store::error::StoreError;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::store::Store;
use pds_store::version::Version;

/// Calls `visit` with every row of the log up to a version, the oldest first; see [`LogPages`].
pub(crate) fn each_row(
    parts: &Parts,
    upto: Version,
    visit: &mut dyn FnMut(&LogEntry) -> Result<()>,
) -> Result<()> {
    LogPages::new(parts.store.as_ref(), upto).try_for_each(|row| visit(&row?))
}

/// The rows of the log up to a version, the oldest first. Memory use does not grow with the log.
///
/// If another process deletes rows during the read, the rows are not those of one moment. A sweep of that
/// version then fails with [`StoreError::Changed`].
pub(crate) struct LogPages<'s> {
    store: &'s dyn Store,
    upto: u64,
    /// The number that the next page starts with, or `None` after the last page.
    from: Option<u64>,
    page: std::vec::IntoIter<LogEntry>,
}

impl<'s> LogPages<'s> {
    pub(crate) fn new(store: &'s dyn Store, upto: Version) -> Self {
        Self { store, upto: upto.change, from: Some(0), page: Vec::new().into_iter() }
    }

    fn read(&mut self, from: u64) -> Result<(), StoreError> {
        let mut page = Vec::with_capacity(ROWS_AT_ONCE);
        self.from = None;
        self.store.view()?.log(&LogQuery::oldest_first().starting_at(from), &mut |row| {
            page.push(row);
            match page.len() < ROWS_AT_ONCE {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        if let Some(last) = page.last().filter(|_| page.len() == ROWS_AT_ONCE) {
            self.from = Some(last.seq.saturating_add(1));
        }
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for LogPages<'_> {
    type Item = Result<LogEntry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.page.next() {
                if row.seq <= self.upto {
                    return Some(Ok(row));
                }
                // Another process has added this row.
                (self.from, self.page) = (None, Vec::new().into_iter());
            }
            if let Err(error) = self.read(self.from?) {
                return Some(Err(error));
            }
        }
    }
}

const ROWS_AT_ONCE: usize = 1_024;
