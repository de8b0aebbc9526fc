//! Salvage of the log: the remaining rows, linked again.

use rusqlite::Row;

use crate::error::StoreError;
use crate::log::LogEntry;
use crate::relink::Relink;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::rows::log::{read_log, read_log_numbered, write_log};
use crate::sqlite::salvage::saved::Saved;
use crate::sqlite::statement::has_row;
use crate::sqlite::sweep::relink_rows;
use crate::sweep::Fate;

impl Saved<'_> {
    /// Copies a log row that starts with its number.
    pub(crate) fn take_move(&mut self, row: &Row<'_>, first: usize) -> Result<bool, StoreError> {
        self.keep_move(read_log(row, first).ok())
    }

    /// Copies a log row from a page, where its number is stored next to it.
    pub(crate) fn take_numbered_move(&mut self, row: &Row<'_>) -> Result<bool, StoreError> {
        self.keep_move(read_log_numbered(row, 0, 2).ok())
    }

    fn keep_move(&mut self, entry: Option<LogEntry>) -> Result<bool, StoreError> {
        let Some(entry) = entry else { return Ok(false) };
        let known = "SELECT 1 FROM log WHERE seq = ?1";
        let is_known = has_row(self.to, known, [entry.seq.cast_signed()])?;
        if !is_known {
            write_log(self.to, &entry)?;
            self.done.moves += 1;
        }
        Ok(true)
    }

    /// Links the log rows again around missing ones, and decides which commit each ref points to.
    pub(crate) fn finish_log_and_refs(&mut self) -> Result<(), StoreError> {
        let (mut relink, mut keep) = (Relink::default(), |_: &LogEntry| Fate::Stays);
        let (dropped, rewritten) = relink_rows(self.to, &Effort::none(), &mut relink, &mut keep)?;
        let is_chain = dropped + rewritten == 0;
        self.done.moves -= dropped;
        self.done.has_all_moves &= is_chain;
        self.done.is_all &= is_chain;
        if !self.done.has_all_refs {
            self.settle_refs()?;
        }
        self.number_refs()?;
        self.log_lost_moves()
    }
}
