//! Changes: one statement, or a transaction if the streams are long.

use crate::pool::Pool;
use crate::step::{Known, Step, store_blocks};
use crate::view::PostgresView;
use pds_store::change::{Applied, Change, LogStream};
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::FactEdit;
use pds_store::log::{LogEntry, check_message};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::{has_sound, latest_rows, now_micros};

/// A change whose first blocks were read.
pub(crate) struct Pending<'a> {
    change: Change<'a>,
    /// The first blocks and the facts.
    step: Step,
    /// Whether the streams have ended, so that the change is one statement and can be repeated.
    pub(crate) is_whole: bool,
}

impl<'a> Pending<'a> {
    pub(crate) fn of(mut change: Change<'a>) -> Result<Self, StoreError> {
        let mut step = Step::of_facts(&change.facts);
        let goes_on = step.take_blocks(&mut change.blocks)?;
        let is_whole = !goes_on && change.history.is_none();
        Ok(Self { change, step, is_whole })
    }

    /// Returns the account as the change expects it, if it can be applied without a read: it moves
    /// HEAD from a known commit to one of its blocks.
    pub(crate) fn guess(&self) -> Option<Known> {
        let [RefEdit { name, target: Some(target), expect }] = &self.change.refs[..] else {
            return None;
        };
        let before = match expect {
            Expect::Exactly(before) => Some(*before),
            Expect::Absent => None,
            Expect::Any | Expect::Present => return None,
        };
        let is_simple = *name == RefName::head()
            && self.step.blocks.contains_key(target)
            && self.change.facts.iter().all(|edit| matches!(edit, FactEdit::Set(_)))
            && self.change.event != Event::Repair
            && self.is_whole;
        let refs = before.map(|before| (name.clone(), before)).into_iter().collect();
        is_simple.then(|| Known { seen: self.change.seen(), refs })
    }

    /// Returns the present account, if it is as the change has seen it.
    pub(crate) fn known(&self, pool: &Pool) -> Result<Known, StoreError> {
        Known::read(pool, self.change.seen())
    }

    /// Applies the change, if the account is as it is known. Otherwise, another writer was faster.
    pub(crate) fn apply(&mut self, pool: &Pool, known: &Known) -> Result<Applied, StoreError> {
        let (mut stored, mut last) = (0, known.base());
        // A repair writes where refs and log disagree, and copied rows are stored before any ref.
        let (mut is_copy, is_repair) = (false, self.change.event == Event::Repair);
        if !self.is_whole {
            stored = store_blocks(pool, known, &mut self.change.blocks)?;
            if let Some(rows) = self.change.history.take() {
                is_copy = true;
                last = last.max(copy_history(pool, known, rows)?);
            }
        }
        self.step.rows.clear();
        self.step.refs.clear();
        for RefEdit { name, target, expect } in &self.change.refs {
            let (name, after, expected) = (name.clone(), *target, *expect);
            let edited = self.step.refs.get(&name).copied();
            let found = edited.unwrap_or_else(|| known.refs.get(&name));
            if !expected.holds(found) {
                return Err(StoreError::Moved { name, expected, found });
            }
            if let Some(target) = after
                && !self.step.blocks.contains_key(&target)
                && !has_sound(&PostgresView::read(pool, 0)?, &target)?
            {
                return Err(StoreError::TargetMissing { name, target });
            }
            let before = match edited {
                None if is_copy || is_repair => {
                    let rows = latest_rows(&PostgresView::read(pool, 0)?, &name, 1)?;
                    rows.first().and_then(|row| row.after)
                }
                _ => found,
            };
            self.step.refs.insert(name.clone(), after);
            if is_copy && after.is_some() && before == after {
                continue;
            }
            last += 1;
            let (seq, at_micros) = (last, now_micros());
            let (event, message) = (self.change.event.clone(), self.change.message.clone());
            self.step.rows.push(LogEntry { seq, name, before, after, at_micros, event, message });
        }
        self.step.changes = (last - known.base()).max(1);
        let done = self.step.run(pool, known)?;
        Ok(Applied { new_blocks: done.new_blocks + stored, ..done })
    }
}

/// Copies rows with their own numbers and times into an empty log. Returns the last number.
fn copy_history(pool: &Pool, known: &Known, rows: Box<LogStream<'_>>) -> Result<u64, StoreError> {
    if PostgresView::read(pool, 0)?.newest.is_some() {
        return Err(StoreError::HasHistory);
    }
    let (mut step, mut last) = (Step::default(), None);
    for row in rows {
        let row = row.map_err(StoreError::Blocks)?;
        check_message(&row.message)?;
        if row.seq > MAX_CHANGE || last.is_some_and(|last| row.seq <= last) {
            let message = format!("the number {} of a log row does not ascend", row.seq);
            return Err(StoreError::Blocks(message.into()));
        }
        last = Some(row.seq);
        step.rows.push(row);
        if step.rows.len() == BATCH_ROWS {
            step.run(pool, known)?;
            step.rows.clear();
        }
    }
    step.run(pool, known)?;
    Ok(last.unwrap_or_default())
}

/// The number of log rows that are written at a time.
const BATCH_ROWS: usize = 1_000;

/// The largest number of a log row. No store reaches it.
const MAX_CHANGE: u64 = u64::MAX / 4;
