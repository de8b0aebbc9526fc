//! The rows of `refs`, `log`, `facts` and `state`, each with a checksum that is verified on
//! reading.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::event::{Event, EventData};
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, check_message};
use crate::ref_name::RefName;
use crate::sqlite::checksum::Sum;
use crate::sqlite::errors::store_error;
use crate::sqlite::place::start_of;
use crate::version::Version;
use pds_core::data::cid::Cid;

/// The error for a row that no writer of the format has written.
#[derive(Debug, thiserror::Error)]
#[error("{table} row {row}: {reason}")]
pub(crate) struct BadRow {
    table: &'static str,
    row: String,
    reason: &'static str,
}

impl From<BadRow> for StoreError {
    fn from(bad: BadRow) -> Self {
        Self::Damaged(Box::new(bad))
    }
}

/// The columns of a row, read one after another. A column of the wrong type makes the row invalid.
struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
    bad: Option<&'static str>,
}

impl<'r, 's> Columns<'r, 's> {
    fn of(row: &'r Row<'s>, first: usize) -> Self {
        Self { row, next: first, bad: None }
    }

    fn value(&mut self) -> ValueRef<'r> {
        let value = self.row.get_ref(self.next).unwrap_or(ValueRef::Null);
        self.next += 1;
        value
    }

    fn integer(&mut self) -> i64 {
        match self.value() {
            ValueRef::Integer(value) => value,
            _ => self.fail(0),
        }
    }

    fn text(&mut self) -> &'r str {
        match self.value() {
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => self.fail(""),
            },
            _ => self.fail(""),
        }
    }

    fn maybe(&mut self) -> Option<&'r str> {
        match self.value() {
            ValueRef::Null => None,
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Some(text),
                Err(_) => self.fail(None),
            },
            _ => self.fail(None),
        }
    }

    fn maybe_integer(&mut self) -> Option<i64> {
        match self.value() {
            ValueRef::Null => None,
            ValueRef::Integer(value) => Some(value),
            _ => self.fail(None),
        }
    }

    fn fail<T>(&mut self, instead: T) -> T {
        self.bad = Some("a column has the wrong type");
        instead
    }

    /// Checks the types of all columns, and the checksum of the row.
    fn check(&mut self, sum: i64) -> Result<(), &'static str> {
        let found = self.integer();
        match self.bad {
            Some(reason) => Err(reason),
            None if found != sum => Err("the checksum does not match"),
            None => Ok(()),
        }
    }
}

/// A row of `refs`: a name, the commit, and the log row that moved the ref there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefRow {
    pub(crate) name: RefName,
    pub(crate) cid: Cid,
    pub(crate) seq: i64,
}

impl RefRow {
    /// The columns that [`read`](Self::read) expects.
    pub(crate) const COLUMNS: &str = "name, cid, seq, sum";

    /// Reads a row whose columns start at `first`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, BadRow> {
        let mut columns = Columns::of(row, first);
        let (name, cid, seq) = (columns.text(), columns.text(), columns.integer());
        let sum = Self::sum(name, cid, seq);
        let row = columns.check(sum).and_then(|()| {
            let name = name.parse().map_err(|_| "the name is not a valid ref name")?;
            if !(0..=MAX_CHANGE).contains(&seq) {
                return Err(NO_CHANGE);
            }
            Ok(Self { name, cid: cid.parse().map_err(|_| NO_CID)?, seq })
        });
        row.map_err(|reason| BadRow { table: "refs", row: shown(name), reason })
    }

    /// Checks that the number of a row belongs to its name.
    pub(crate) fn numbered(self, number: i64) -> Result<Self, BadRow> {
        let name = self.name.as_str();
        if number != row_of("refs", &[name]) {
            return Err(BadRow { table: "refs", row: shown(name), reason: OTHER_NUMBER });
        }
        Ok(self)
    }

    fn sum(name: &str, cid: &str, seq: i64) -> i64 {
        Sum::of("refs").text(name).text(cid).integer(seq).finish()
    }

    /// Writes the row, and replaces the previous row of the ref.
    pub(crate) fn write(&self, to: &Connection) -> Result<(), StoreError> {
        let (name, cid) = (self.name.as_str(), self.cid.to_string());
        let sum = Self::sum(name, &cid, self.seq);
        run(
            to,
            "INSERT OR REPLACE INTO refs (id, name, cid, seq, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![row_of("refs", &[name]), name, cid, self.seq, sum],
        )
        .map(drop)
    }

    /// Finds the row of a ref.
    pub(crate) fn find(from: &Connection, name: &RefName) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT name, cid, seq, sum FROM refs WHERE id = ?1";
        let id = row_of("refs", &[name.as_str()]);
        let found = from.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| Self::read(row, 0).and_then(|row| row.numbered(id));
            statement.query_row([id], |row| Ok(read(row))).optional()
        });
        Ok(found.map_err(store_error)?.transpose()?)
    }

    /// Deletes the row of a ref. Returns the number of deleted rows.
    pub(crate) fn delete(from: &Connection, name: &RefName) -> Result<u64, StoreError> {
        run(from, "DELETE FROM refs WHERE id = ?1", [row_of("refs", &[name.as_str()])])
    }
}

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

/// The columns of `facts` that [`read_fact`] expects.
pub(crate) const FACT_COLUMNS: &str = "kind, subject, value, sum";

/// Reads a fact whose columns start at `first`.
pub(crate) fn read_fact(row: &Row<'_>, first: usize) -> Result<Fact, BadRow> {
    let mut columns = Columns::of(row, first);
    let (kind, subject, value) = (columns.text(), columns.text(), columns.text());
    let fact = columns.check(fact_sum(kind, subject, value)).and_then(|()| {
        let kind = FactKind::of(kind).ok_or("the kind is unknown")?;
        Fact::of(kind, subject, value).ok_or("the subject or the value is not valid for the kind")
    });
    fact.map_err(|reason| BadRow { table: "facts", row: shown_fact(kind, subject), reason })
}

/// Reads a fact whose columns start at `first`, and checks that the number of the row belongs to
/// its kind and subject.
pub(crate) fn read_numbered_fact(row: &Row<'_>, number: i64, first: usize) -> Result<Fact, BadRow> {
    let fact = read_fact(row, first)?;
    let (kind, subject) = (fact.kind().word(), fact.subject());
    if number != row_of("facts", &[kind, &subject]) {
        let row = shown_fact(kind, &subject);
        return Err(BadRow { table: "facts", row, reason: OTHER_NUMBER });
    }
    Ok(fact)
}

/// Returns whether a fact of the same kind and subject is stored.
pub(crate) fn has_fact(from: &Connection, fact: &Fact) -> Result<bool, StoreError> {
    let id = row_of("facts", &[fact.kind().word(), &fact.subject()]);
    let known = from.prepare_cached("SELECT 1 FROM facts WHERE id = ?1");
    known.and_then(|mut known| known.exists([id])).map_err(store_error)
}

fn shown_fact(kind: &str, subject: &str) -> String {
    shown(format!("{kind} {subject}").trim_end())
}

fn fact_sum(kind: &str, subject: &str, value: &str) -> i64 {
    Sum::of("facts").text(kind).text(subject).text(value).finish()
}

/// Applies edits of facts. Returns the change in the number of facts.
pub(crate) fn edit_facts(to: &Connection, edits: &[FactEdit]) -> Result<i64, StoreError> {
    edits.iter().try_fold(0, |more, edit| Ok(more + edit_fact(to, edit)?))
}

/// Applies an edit of a fact. Returns the change in the number of facts.
pub(crate) fn edit_fact(to: &Connection, edit: &FactEdit) -> Result<i64, StoreError> {
    let gone = match edit {
        FactEdit::Set(fact) => {
            let (kind, subject, value) = (fact.kind().word(), fact.subject(), fact.value());
            let sum = fact_sum(kind, &subject, &value);
            let sql = "INSERT INTO facts (id, kind, subject, value, sum)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let id = row_of("facts", &[kind, &subject]);
            let gone = run(to, "DELETE FROM facts WHERE id = ?1", [id])?;
            run(to, sql, params![id, kind, subject, value, sum])?;
            return Ok(1 - gone.cast_signed());
        }
        FactEdit::Remove(fact) => {
            let id = row_of("facts", &[fact.kind().word(), &fact.subject()]);
            run(to, "DELETE FROM facts WHERE id = ?1", [id])
        }
        FactEdit::Clear(kind) => run(to, "DELETE FROM facts WHERE kind = ?1", [kind.word()]),
    };
    Ok(-gone?.cast_signed())
}

/// The single row of `state`: numbers about the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The number of the last change without a log row.
    pub(crate) change: i64,
    /// The number of the last change that deleted blocks.
    pub(crate) sweep: i64,
    /// The last row of `blocks` that is indexed.
    pub(crate) placed: i64,
    /// The number of refs.
    pub(crate) refs: i64,
    /// The number of facts.
    pub(crate) facts: i64,
}

impl State {
    /// Reads the row.
    pub(crate) fn read(from: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT change, sweep, placed, refs, facts, sum FROM state WHERE id = 1";
        let found = from.prepare_cached(sql).and_then(|mut statement| {
            statement.query_row([], |row| Ok(Self::of(row, 0))).optional()
        });
        let missing = BadRow { table: "state", row: "1".to_owned(), reason: "it is missing" };
        Ok(found.map_err(store_error)?.unwrap_or(Err(missing))?)
    }

    /// Reads the row from its columns, which start at `first`.
    pub(crate) fn of(row: &Row<'_>, first: usize) -> Result<Self, BadRow> {
        let mut columns = Columns::of(row, first);
        let [change, sweep, placed, refs, facts] = std::array::from_fn(|_| columns.integer());
        let state = Self { change, sweep, placed, refs, facts };
        let are_counts = [change, sweep, refs, facts].iter().all(|n| (0..=MAX_CHANGE).contains(n));
        let is_possible = are_counts && placed >= 0;
        let possible = is_possible.then_some(state).ok_or(NO_CHANGE);
        let checked = columns.check(state.sum()).and(possible);
        checked.map_err(|reason| BadRow { table: "state", row: "1".to_owned(), reason })
    }

    fn sum(self) -> i64 {
        let sum = Sum::of("state").integer(self.change).integer(self.sweep);
        sum.integer(self.placed).integer(self.refs).integer(self.facts).finish()
    }

    /// Writes the row.
    pub(crate) fn write(self, to: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO state (id, change, sweep, placed, refs, facts, sum)
                   VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
        let Self { change, sweep, placed, refs, facts } = self;
        run(to, sql, [change, sweep, placed, refs, facts, self.sum()]).map(drop)
    }

    /// Returns the version of the store. The number of its last change may be that of the newest
    /// log row.
    pub(crate) fn version(self, from: &Connection) -> Result<Version, StoreError> {
        let newest: i64 = from
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM log")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(store_error)?;
        let change = newest.max(self.change).cast_unsigned();
        Ok(Version { change, sweep: self.sweep.cast_unsigned() })
    }

    /// As [`version`](Self::version), for a writer: the next numbers must be valid.
    pub(crate) fn version_to_write(self, from: &Connection) -> Result<Version, StoreError> {
        let version = self.version(from)?;
        if version.change > MAX_CHANGE.cast_unsigned() {
            let row = version.change.to_string();
            return Err(BadRow { table: "log", row, reason: NO_CHANGE }.into());
        }
        Ok(version)
    }
}

/// Returns the number of a row with this key: the first eight bytes of a SHA-256 over the table and
/// the key.
fn row_of(table: &str, key: &[&str]) -> i64 {
    key.iter().fold(Sum::of(table), |sum, text| sum.text(text)).finish()
}

/// Runs a statement, compiled once.
pub(crate) fn run(
    to: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<u64, StoreError> {
    let ran = to.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    ran.map(|rows| rows as u64).map_err(store_error)
}

/// Returns the start of a text that may be damaged.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(MAX_SHOWN).collect();
    text.escape_debug().to_string()
}

/// The largest valid number of a change. No store reaches it, so a larger number is damage. The
/// numbers after it still fit in the integer.
pub(crate) const MAX_CHANGE: i64 = i64::MAX / 2;

const NO_CHANGE: &str = "a number is negative or too large";

const NO_CID: &str = "a CID cannot be read";

const OTHER_NUMBER: &str = "the row has the wrong number";

const NO_KEY: &str = "a key cannot be read";

const MAX_SHOWN: usize = 80;
