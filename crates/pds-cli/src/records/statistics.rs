//! Counts of records per collection and month, and the largest records.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pds::Snapshot;
use pds::data::{Cid, Value};
use pds::syntax::RecordPath;

use crate::failures::partial::Gaps;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::records::record_reader::{ReadRecord, RecordReader};
use crate::records::record_time::time_of;

/// The counts of a state. Memory does not depend on the number of records.
#[derive(Default)]
pub(crate) struct Statistics {
    /// The collections in the order of the tree.
    pub(crate) collections: Vec<CollectionCounts>,
    /// The records of each month in UTC, by year and month.
    pub(crate) months: BTreeMap<(i16, i8), u64>,
    /// The largest records, largest first.
    pub(crate) largest: Vec<LargeRecord>,
}

/// The counts of a collection, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct CollectionCounts {
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The records that are missing or damaged, which count as records without bytes.
    pub(crate) unreadable: u64,
    /// The time of the oldest record, in microseconds since 1970.
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
}

/// A record and its size.
#[derive(Clone, Debug)]
pub(crate) struct LargeRecord {
    pub(crate) path: RecordPath,
    pub(crate) cid: Cid,
    pub(crate) bytes: u64,
}

impl CollectionCounts {
    /// Returns the mean size of the readable records, or 0 without any.
    pub(crate) fn mean(&self) -> u64 {
        let readable = self.records.saturating_sub(self.unreadable);
        (self.bytes + readable / 2).checked_div(readable).unwrap_or(0)
    }

    /// Adds the counts of another collection.
    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.unreadable += other.unreadable;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

impl Statistics {
    /// Reads every record of a state once. Unreadable records and missing parts of the tree are named.
    pub(crate) fn of(snapshot: &Snapshot, gaps: &mut Gaps) -> Result<Self> {
        let mut found = Self::default();
        let mut progress = Progress::things("records", None);
        let mut records = RecordReader::new(snapshot, Vec::new());
        while let Some(record) = records.next_record(gaps)? {
            found.add(record);
            progress.add(1);
        }
        Ok(found)
    }

    /// Returns the counts of all collections together.
    pub(crate) fn total(&self) -> CollectionCounts {
        self.collections.iter().fold(CollectionCounts::default(), |mut total, one| {
            total.add(one);
            total
        })
    }

    fn add(&mut self, record: ReadRecord) {
        let ReadRecord { path, cid, block } = record;
        let value = block.as_ref().ok().and_then(|block| Value::decode(block.bytes()).ok());
        // A time that no calendar here has would hide the other times of the collection.
        let time = time_of(&path.rkey, value.as_ref()).filter(|time| month_of(*time).is_some());
        let mut one =
            CollectionCounts { records: 1, first: time, last: time, ..Default::default() };
        match &block {
            Ok(block) => one.bytes = block.bytes().len() as u64,
            Err(reason) => {
                say(&format!("{path} {reason}"));
                one.unreadable = 1;
            }
        }
        match self.collections.last_mut().filter(|last| last.name == path.collection.as_str()) {
            Some(last) => last.add(&one),
            None => {
                let name = path.collection.to_string();
                self.collections.push(CollectionCounts { name, ..one });
            }
        }
        if let Some(month) = time.and_then(month_of) {
            *self.months.entry(month).or_default() += 1;
        }
        if block.is_ok() {
            self.note_size(LargeRecord { path, cid, bytes: one.bytes });
        }
    }

    /// Keeps the largest records. Of two with the same size, the first in key order is kept.
    fn note_size(&mut self, record: LargeRecord) {
        let at = self.largest.partition_point(|other| other.bytes >= record.bytes);
        if at < MOST_LARGEST {
            self.largest.insert(at, record);
            self.largest.truncate(MOST_LARGEST);
        }
    }
}

/// Returns the year and the month of a time in UTC.
pub(crate) fn month_of(micros: u64) -> Option<(i16, i8)> {
    let time = Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()?;
    let time = time.to_zoned(TimeZone::UTC);
    Some((time.year(), time.month()))
}

/// The number of records that are listed as the largest.
const MOST_LARGEST: usize = 10;
