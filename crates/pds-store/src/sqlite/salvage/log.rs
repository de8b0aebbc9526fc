//! Salvage of the log: the remaining rows, linked again.

use rusqlite::Row;

use crate::error::StoreError;
use crate::log::LogEntry;
use crate::relink::Relink;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::rows::log::{read_log, read_log_numbered, write_log};
use crate::sqlite::salvage::saved::Saved;
use crate::sqlite::statement::run;
use crate::sqlite::view::each_log_row;
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
        let is_known = self
            .to
            .prepare_cached(known)
            .and_then(|mut statement| statement.exists([entry.seq.cast_signed()]))
            .map_err(crate::sqlite::errors::store_error)?;
        if !is_known {
            write_log(self.to, &entry)?;
            self.done.moves += 1;
        }
        Ok(true)
    }

    /// Links the log rows again around missing ones, and decides which commit each ref points to.
    pub(crate) fn finish_log_and_refs(&mut self) -> Result<(), StoreError> {
        let effort = Effort::none();
        let (mut relink, mut is_chain) = (Relink::default(), true);
        let (to, mut dropped) = (self.to, 0);
        each_log_row(to, &effort, &mut |row| {
            let was = row.clone();
            match relink.next(row, &mut |_| Fate::Stays) {
                Some(row) if row == was => Ok(()),
                Some(row) => {
                    is_chain = false;
                    write_log(to, &row)
                }
                None => {
                    (is_chain, dropped) = (false, dropped + 1);
                    run(to, "DELETE FROM log WHERE seq = ?1", [was.seq.cast_signed()]).map(drop)
                }
            }
        })?;
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
