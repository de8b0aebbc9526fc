//! Salvage of refs when not all of their rows can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::error::StoreError;
use crate::event::Event;
use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::rows::log::write_log;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::salvage::saved::{SalvagedRef, Saved};
use crate::sqlite::salvage::scan::each_row;
use crate::sqlite::view::each_log_row;
use crate::store::now_micros;
use pds_core::data::cid::Cid;

impl Saved<'_> {
    /// Decides which commit each ref points to. A row may be outdated, so the newer one of its row
    /// in `refs` and its log row is used. A ref without a row in `refs` is restored only from a
    /// complete log.
    pub(crate) fn settle_refs(&mut self) -> Result<(), StoreError> {
        let (refs, log) = (self.ref_rows()?, self.last_moves()?);
        let names: BTreeSet<&RefName> = refs.keys().chain(log.keys()).collect();
        for name in names {
            let (found, logged) = (refs.get(name), log.get(name));
            let target = match (found, logged) {
                (Some(row), Some((seq, after))) if *seq > row.seq.cast_unsigned() => *after,
                (Some(row), _) => Some(row.cid),
                (None, Some((_, after))) => after.filter(|_| self.done.has_all_moves),
                (None, None) => None,
            };
            let found = found.map(|row| row.cid);
            if target != found {
                let seq = logged.map_or(0, |(seq, _)| *seq);
                self.set_ref(name, target, seq)?;
                self.done.moved.push(SalvagedRef { name: name.clone(), found, target });
            }
        }
        Ok(())
    }

    /// Updates the log row number in each ref after the log was linked again.
    pub(crate) fn number_refs(&mut self) -> Result<(), StoreError> {
        let log = self.last_moves()?;
        for (name, row) in self.ref_rows()? {
            if let Some((seq, after)) = log.get(&name)
                && *after == Some(row.cid)
                && row.seq.cast_unsigned() != *seq
            {
                RefRow { seq: seq.cast_signed(), ..row }.write(self.to)?;
            }
        }
        Ok(())
    }

    /// Appends a log row for each ref whose last log row is lost, so that its log ends with the
    /// commit that it points to.
    pub(crate) fn log_lost_moves(&mut self) -> Result<(), StoreError> {
        let (refs, log) = (self.ref_rows()?, self.last_moves()?);
        let is_lost =
            |row: &RefRow| log.get(&row.name).is_none_or(|(seq, _)| *seq < row.seq.cast_unsigned());
        let moved = refs.values().filter(|row| is_lost(row));
        let moved = moved.map(|row| (row.name.clone(), Some(row.cid)));
        // If all refs are known, a missing one was removed. HEAD cannot be removed.
        let has_all_refs = self.done.has_all_refs;
        let is_removed = |name: &RefName, after: &Option<Cid>| {
            let is_gone = after.is_some() && !refs.contains_key(name);
            has_all_refs && is_gone && *name != RefName::head()
        };
        let removed = log.iter().filter(|(name, (_, after))| is_removed(name, after));
        let lost: Vec<_> = moved.chain(removed.map(|(name, _)| (name.clone(), None))).collect();
        let numbers = log.values().map(|(seq, _)| *seq);
        self.done.has_all_moves &= lost.is_empty();
        self.done.is_all &= lost.is_empty();
        let mut seq =
            numbers.chain(refs.values().map(|row| row.seq.cast_unsigned())).max().unwrap_or(0);
        for (name, after) in lost {
            seq += 1;
            if let Some(cid) = after {
                RefRow { name: name.clone(), cid, seq: seq.cast_signed() }.write(self.to)?;
            }
            let before = log.get(&name).and_then(|(_, after)| *after);
            let (event, message) = (Event::Repair, String::new());
            let at_micros = now_micros();
            write_log(self.to, &LogEntry { seq, name, before, after, at_micros, event, message })?;
        }
        Ok(())
    }

    fn set_ref(&mut self, name: &RefName, target: Option<Cid>, seq: u64) -> Result<(), StoreError> {
        self.done.refs -= RefRow::delete(self.to, name)?;
        if let Some(cid) = target {
            RefRow { name: name.clone(), cid, seq: seq.cast_signed() }.write(self.to)?;
            self.done.refs += 1;
        }
        Ok(())
    }

    fn ref_rows(&self) -> Result<BTreeMap<RefName, RefRow>, StoreError> {
        let mut refs = BTreeMap::new();
        each_row(self.to, "refs", RefRow::COLUMNS, &mut |row| {
            let row = RefRow::read(row, 1)?;
            refs.insert(row.name.clone(), row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(refs)
    }

    /// Reads the last log row of each ref: its number and the commit.
    fn last_moves(&self) -> Result<BTreeMap<RefName, (u64, Option<Cid>)>, StoreError> {
        let mut moves = BTreeMap::new();
        each_log_row(self.to, &Effort::none(), &mut |row| {
            moves.insert(row.name, (row.seq, row.after));
            Ok(())
        })?;
        Ok(moves)
    }
}
