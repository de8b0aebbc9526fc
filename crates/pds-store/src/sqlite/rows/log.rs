//! The rows of `log`.

use rusqlite::{Connection, Row, params};

use crate::error::StoreError;
use crate::event::{Event, EventData};
use crate::log::{LogEntry, check_message};
use crate::sqlite::checksum::Sum;
use crate::sqlite::index_row::start_of;
use crate::sqlite::rows::bad_row::{BadRow, MAX_CHANGE, NO_CHANGE, NO_CID};
use crate::sqlite::rows::columns::Columns;
use crate::sqlite::statement::run;
use pds_core::data::cid::Cid;

/// The columns of `log` that [`read_log`] expects.
pub(crate) const LOG_COLUMNS: &str =
    "seq, ref, before, after, at_micros, event, other, old_key, key, message, start, sum";

/// The columns of a log row, as they are stored.
struct LogRow<'r> {
    seq: i64,
    name: &'r str,
    before: Option<&'r str>,
    after: Option<&'r str>,
    at_micros: i64,
    word: &'r str,
    other: Option<&'r str>,
    old_key: Option<&'r str>,
    key: Option<&'r str>,
    message: &'r str,
    /// The first eight bytes of the digest of `after`, for the index.
    start: Option<i64>,
}

impl LogRow<'_> {
    fn sum(&self) -> i64 {
        let sum = Sum::of("log").integer(self.seq).text(self.name);
        let sum = sum.maybe(self.before).maybe(self.after).integer(self.at_micros);
        let sum = sum.text(self.word).maybe(self.other).maybe(self.old_key).maybe(self.key);
        let sum = sum.text(self.message);
        match self.start {
            Some(start) => sum.integer(start).finish(),
            None => sum.maybe(None).finish(),
        }
    }

    fn entry(&self) -> Result<LogEntry, &'static str> {
        let cid = |text: Option<&str>| text.map(str::parse::<Cid>).transpose().map_err(|_| NO_CID);
        let did_key = |text: Option<&str>| text.map(str::parse).transpose().map_err(|_| NO_KEY);
        if !(0..=MAX_CHANGE).contains(&self.seq) {
            return Err(NO_CHANGE);
        }
        check_message(self.message).map_err(|_| "the message is not valid")?;
        let (other, after) = (cid(self.other)?, cid(self.after)?);
        if after.map(|cid| start_of(&cid)) != self.start {
            return Err("the start does not match the commit");
        }
        let data = EventData { other, old_key: did_key(self.old_key)?, key: did_key(self.key)? };
        Ok(LogEntry {
            seq: self.seq.cast_unsigned(),
            name: self.name.parse().map_err(|_| "the name is not a valid ref name")?,
            before: cid(self.before)?,
            after,
            at_micros: self.at_micros.cast_unsigned(),
            event: Event::of(self.word, &data).ok_or("the event is unknown")?,
            message: self.message.to_owned(),
        })
    }
}

/// Reads a log row whose columns start at `first`.
pub(crate) fn read_log(row: &Row<'_>, first: usize) -> Result<LogEntry, BadRow> {
    read_log_numbered(row, first, first + 1)
}

/// Reads a log row whose number and other columns start at separate positions.
pub(crate) fn read_log_numbered(
    row: &Row<'_>,
    number: usize,
    first: usize,
) -> Result<LogEntry, BadRow> {
    let mut columns = Columns::of(row, number);
    let seq = columns.integer();
    columns.next = first;
    let read = LogRow {
        seq,
        name: columns.text(),
        before: columns.maybe(),
        after: columns.maybe(),
        at_micros: columns.integer(),
        word: columns.text(),
        other: columns.maybe(),
        old_key: columns.maybe(),
        key: columns.maybe(),
        message: columns.text(),
        start: columns.maybe_integer(),
    };
    let entry = columns.check(read.sum()).and_then(|()| read.entry());
    entry.map_err(|reason| BadRow { table: "log", row: read.seq.to_string(), reason })
}

/// Writes a log row.
pub(crate) fn write_log(to: &Connection, entry: &LogEntry) -> Result<(), StoreError> {
    let text = |cid: Option<Cid>| cid.map(|cid| cid.to_string());
    let data = entry.event.data();
    let (before, after, other) = (text(entry.before), text(entry.after), text(data.other));
    let row = LogRow {
        seq: entry.seq.cast_signed(),
        name: entry.name.as_str(),
        before: before.as_deref(),
        after: after.as_deref(),
        at_micros: entry.at_micros.cast_signed(),
        word: entry.event.word(),
        other: other.as_deref(),
        old_key: data.old_key.as_ref().map(|key| key.as_str()),
        key: data.key.as_ref().map(|key| key.as_str()),
        message: &entry.message,
        start: entry.after.map(|cid| start_of(&cid)),
    };
    run(
        to,
        "INSERT OR REPLACE INTO log
         (seq, ref, before, after, at_micros, event, other, old_key, key, message, start, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            row.seq,
            row.name,
            row.before,
            row.after,
            row.at_micros,
            row.word,
            row.other,
            row.old_key,
            row.key,
            row.message,
            row.start,
            row.sum(),
        ],
    )
    .map(drop)
}

const NO_KEY: &str = "a key cannot be read";
