//! The statement that writes: everything that a change stores or deletes at once.

use postgres::types::ToSql;
use std::collections::{BTreeMap, BTreeSet};

use crate::errors::number;
use crate::pool::Pool;
use crate::view::PostgresView;
use pds_core::crypto::did_key::DidKey;
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_BLOCK_BYTES;
use pds_store::change::{Applied, BlockStream, Seen};
use pds_store::error::StoreError;
use pds_store::event::EventData;
use pds_store::fact::{Fact, FactEdit};
use pds_store::log::LogEntry;
use pds_store::ref_name::RefName;
use pds_store::refs::Refs;
use pds_store::store::View;
use pds_store::version::Version;

/// The account as a writer knows it: HEAD, and the numbers and other refs unless it is a guess.
pub(crate) struct Known {
    pub(crate) seen: Seen,
    pub(crate) refs: Refs,
}

impl Known {
    /// Reads the present account, if it is as a writer has seen it.
    pub(crate) fn read(pool: &Pool, seen: Seen) -> Result<Self, StoreError> {
        let view = PostgresView::read(pool, 0)?;
        let Version { change, sweep } = view.version;
        seen.check(view.version)?;
        let seen = Seen { change: Some(change), sweep: Some(sweep) };
        Ok(Self { seen, refs: view.refs()? })
    }

    /// Returns the version of the account.
    pub(crate) fn version(&self) -> Version {
        let Seen { change, sweep } = self.seen;
        Version { change: change.unwrap_or_default(), sweep: sweep.unwrap_or_default() }
    }

    /// Returns the number that new log rows are counted from.
    pub(crate) fn base(&self) -> u64 {
        self.seen.change.unwrap_or_default()
    }
}

/// A write: the values that it stores, and the names of what it deletes.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) blocks: BTreeMap<Cid, Block>,
    pub(crate) dead: Vec<Vec<u8>>,
    /// Log rows: new ones, or in a sweep those that are linked again.
    pub(crate) rows: Vec<LogEntry>,
    pub(crate) dead_rows: Vec<i64>,
    /// The refs, with `None` for those that are removed.
    pub(crate) refs: BTreeMap<RefName, Option<Cid>>,
    /// The kinds that lose all facts that are not listed.
    pub(crate) cleared: BTreeSet<&'static str>,
    /// The values of facts by kind and subject, with `None` for those that are removed.
    pub(crate) facts: BTreeMap<(&'static str, String), Option<String>>,
    /// The number of changes that the account counts.
    pub(crate) changes: u64,
    pub(crate) is_sweep: bool,
}

impl Step {
    /// Returns a write with the effect of a list of edits, which no longer depends on their order.
    pub(crate) fn of_facts(edits: &[FactEdit]) -> Self {
        let mut step = Self::default();
        let key = |fact: &Fact| (fact.kind().word(), fact.subject());
        for edit in edits {
            match edit {
                FactEdit::Set(fact) => drop(step.facts.insert(key(fact), Some(fact.value()))),
                FactEdit::Remove(fact) => drop(step.facts.insert(key(fact), None)),
                FactEdit::Clear(kind) => {
                    step.facts.retain(|(found, _), _| *found != kind.word());
                    step.cleared.insert(kind.word());
                }
            }
        }
        step
    }

    /// Takes the next blocks from a stream, a limited number of them. Returns whether more follow.
    pub(crate) fn take_blocks(&mut self, stream: &mut BlockStream<'_>) -> Result<bool, StoreError> {
        let mut bytes = 0;
        while bytes < BATCH_BYTES && self.blocks.len() < BATCH_BLOCKS {
            let Some(block) = stream.next() else { return Ok(false) };
            let block = block.map_err(StoreError::Blocks)?;
            let (cid, len) = (block.cid(), block.bytes().len());
            if len > MAX_BLOCK_BYTES {
                let message = format!("block {cid} has more than {MAX_BLOCK_BYTES} bytes");
                return Err(StoreError::Blocks(message.into()));
            }
            bytes += len;
            self.blocks.insert(cid, block);
        }
        Ok(true)
    }

    /// Returns whether the write has only blocks, and moves no other ref than HEAD.
    fn is_commit(&self) -> bool {
        self.refs.keys().all(|name| *name == RefName::head())
            && !self.is_sweep
            && self.dead.is_empty()
            && self.dead_rows.is_empty()
            && self.cleared.is_empty()
            && self.facts.is_empty()
    }

    /// Makes the write, if the account is as it is known. Otherwise, another writer was faster.
    pub(crate) fn run(&self, pool: &Pool, known: &Known) -> Result<Applied, StoreError> {
        let rows = &self.rows;
        let (head, data) = (known.refs.get(&RefName::head()), column(rows, |row| row.event.data()));
        let values: [&(dyn ToSql + Sync); 26] = [
            &pool.account,
            &known.seen.change.map(u64::cast_signed),
            &known.seen.sweep.map(u64::cast_signed),
            &head.as_ref().map(bytes),
            &self.changes.cast_signed(),
            &self.is_sweep,
            &column(self.refs.keys(), RefName::as_str),
            &column(self.refs.values(), |cid| cid.as_ref().map(bytes)),
            &column(self.blocks.keys(), bytes),
            &column(self.blocks.values(), Block::bytes),
            &column(rows, |row| row.seq.wrapping_sub(known.base()).cast_signed()),
            &column(rows, |row| row.name.as_str()),
            &column(rows, |row| row.before.as_ref().map(bytes)),
            &column(rows, |row| row.after.as_ref().map(bytes)),
            &column(rows, |row| row.at_micros.cast_signed()),
            &column(rows, |row| row.event.word()),
            &column(&data, |data: &EventData| data.other.as_ref().map(bytes)),
            &column(&data, |data| data.old_key.as_ref().map(DidKey::as_str)),
            &column(&data, |data| data.key.as_ref().map(DidKey::as_str)),
            &column(rows, |row| row.message.as_str()),
            &self.dead,
            &self.dead_rows,
            &column(&self.cleared, |kind| *kind),
            &column(self.facts.keys(), |(kind, _)| *kind),
            &column(self.facts.keys(), |(_, subject)| subject.as_str()),
            &column(self.facts.values(), Option::as_deref),
        ];
        let found = match self.is_commit() {
            true => pool.write(COMMIT, &values[..20])?,
            false => pool.write(WRITE, &values)?,
        };
        let row = found.first().ok_or(StoreError::Busy)?;
        let version = Version { change: number(row, 0)?, sweep: number(row, 1)? };
        Ok(Applied { new_blocks: number(row, 2)?, version })
    }
}

/// Stores the blocks of a stream in a transaction that has locked the account. Returns how many of
/// them were missing or damaged before.
pub(crate) fn store_blocks(
    pool: &Pool,
    known: &Known,
    stream: &mut BlockStream<'_>,
) -> Result<u64, StoreError> {
    let mut new_blocks = 0;
    loop {
        let mut step = Step::default();
        let goes_on = step.take_blocks(stream)?;
        new_blocks += step.run(pool, known)?.new_blocks;
        if !goes_on {
            return Ok(new_blocks);
        }
    }
}

fn bytes(cid: &Cid) -> &[u8] {
    cid.as_bytes()
}

/// Returns a column of values.
fn column<R, T>(rows: impl IntoIterator<Item = R>, value: impl FnMut(R) -> T) -> Vec<T> {
    rows.into_iter().map(value).collect()
}

/// A write without deletions, other refs and facts, which takes two thirds of the time.
const COMMIT: &str =
    concat!(include_str!("sql/write_begin.sql"), include_str!("sql/write_end.sql"));

/// Any write.
const WRITE: &str = concat!(
    include_str!("sql/write_begin.sql"),
    include_str!("sql/write_more.sql"),
    include_str!("sql/write_end.sql")
);

/// The number of blocks of a batch.
const BATCH_BLOCKS: usize = 2_000;

/// The size from which on a batch is full, in bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
