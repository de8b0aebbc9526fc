//! The refs of a damaged file whose rows could not all be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::Saved;
use super::scan::each_row;
use crate::store::sqlite::limit::Effort;
use crate::store::sqlite::rows::{RefRow, write_log};
use crate::store::sqlite::view::each_log_row;
use crate::store::{Event, LogEntry, RefName, StoreError, now_micros};
use pds_core::data::Cid;

/// A ref of a salvaged store that does not point where its row says, or that had no row.
///
/// ```
/// use pds::store::{RefName, SqliteStore};
///
/// let dir = tempfile::tempdir()?;
/// let store = dir.path().join("r/pds.db");
/// let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let head = repo.head()?;
/// drop(repo);
/// rusqlite::Connection::open(&store)?.execute_batch("DROP TABLE refs")?;
/// let salvaged = SqliteStore::salvage(&store, &dir.path().join("copy.db"))?;
/// let [moved] = &*salvaged.moved else { panic!("there was one ref") };
/// assert_eq!((&moved.name, moved.found, moved.target), (&RefName::head(), None, head));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedRef {
    /// The name of the ref.
    pub name: RefName,
    /// The commit of the row that was read; `None` where there was no row.
    pub found: Option<Cid>,
    /// The commit that the ref points to in the new store; `None` where it is left out.
    pub target: Option<Cid>,
}

impl Saved<'_> {
    /// Decides where refs point. A row may be one that was in use once: of a row of `refs` and a row of
    /// the log, the newer one counts. A ref without a row in `refs` is restored only from a complete log.
    pub(super) fn settle_refs(&mut self) -> Result<(), StoreError> {
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

    /// Makes each ref name the last row of the log that moved it, where the rows have been linked again.
    pub(super) fn number_refs(&mut self) -> Result<(), StoreError> {
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

    /// Appends a row to the log for each ref whose last row is lost, so that the log leads to where the ref
    /// points.
    pub(super) fn log_lost_moves(&mut self) -> Result<(), StoreError> {
        let (refs, log) = (self.ref_rows()?, self.last_moves()?);
        let is_lost =
            |row: &RefRow| log.get(&row.name).is_none_or(|(seq, _)| *seq < row.seq.cast_unsigned());
        let moved = refs.values().filter(|row| is_lost(row));
        let moved = moved.map(|row| (row.name.clone(), Some(row.cid)));
        // Where all refs are known, one that is not there was removed; HEAD cannot be removed.
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

    /// Reads the last row of the log about each ref: its number, and the commit.
    fn last_moves(&self) -> Result<BTreeMap<RefName, (u64, Option<Cid>)>, StoreError> {
        let mut moves = BTreeMap::new();
        each_log_row(self.to, &Effort::none(), &mut |row| {
            moves.insert(row.name, (row.seq, row.after));
            Ok(())
        })?;
        Ok(moves)
    }
}
