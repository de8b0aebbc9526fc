//! The rows of the log.

use postgres::Row;

use crate::connection::Connection;
use crate::errors::{Result, column, damaged, no_account, number};
use pds_core::crypto::did_key::DidKey;
use pds_core::data::cid::Cid;
use pds_store::event::{Event, EventData};
use pds_store::log::{LogEntry, LogQuery, check_message};

/// A part of the log.
pub(crate) struct LogPage {
    /// The number of the last sweep when the page was read.
    pub(crate) sweep: u64,
    pub(crate) rows: Vec<Result<LogEntry>>,
    /// The number of the last row.
    pub(crate) last: Option<u64>,
}

/// Reads the next rows of a query, a limited number of them. Rows after `newest` are left out.
pub(crate) fn log_page(
    connection: &mut Connection,
    query: &LogQuery,
    newest: i64,
    count: i64,
) -> Result<LogPage> {
    let from = query.from.map(|from| i64::try_from(from).unwrap_or(i64::MAX));
    let (first, last, sql) = match query.newest_first {
        true => {
            (i64::MIN, newest.min(from.unwrap_or(newest)), include_str!("sql/log_newest_first.sql"))
        }
        false => (from.unwrap_or(i64::MIN), newest, include_str!("sql/log_oldest_first.sql")),
    };
    let (name, to) = (query.name.as_ref().map(|name| name.as_str()), query.to);
    let to = to.as_ref().map(|to| to.as_bytes().as_slice());
    let found = connection.query(sql, &[&first, &last, &name, &to, &count])?;
    let sweep = found.first().map(|row| number(row, 0)).transpose()?.ok_or_else(no_account)?;
    let (mut rows, mut last) = (Vec::new(), None);
    for row in &found {
        if let Some(seq) = column::<Option<i64>>(row, 1)? {
            last = u64::try_from(seq).ok();
            rows.push(entry(row).map_err(|reason| damaged(format!("log row {seq}: {reason}"))));
        }
    }
    Ok(LogPage { sweep, rows, last })
}

/// Passes every row to `each`, oldest first, by pages.
pub(crate) fn each_row(
    connection: &mut Connection,
    each: &mut dyn FnMut(&mut Connection, LogPage) -> Result<()>,
) -> Result<()> {
    let mut query = LogQuery::oldest_first();
    loop {
        let page = log_page(connection, &query, i64::MAX, PAGE_ROWS)?;
        let Some(last) = page.last else { return Ok(()) };
        each(connection, page)?;
        query.from = Some(last + 1);
    }
}

fn entry(row: &Row) -> Result<LogEntry, String> {
    let text = |index| column::<&str>(row, index).map_err(|error| error.to_string());
    let cid = |index| match column::<Option<&[u8]>>(row, index) {
        Ok(bytes) => bytes.map(Cid::from_bytes).transpose().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let key = |index| match column::<Option<&str>>(row, index) {
        Ok(text) => text.map(str::parse::<DidKey>).transpose().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let data = EventData { other: cid(7)?, old_key: key(8)?, key: key(9)? };
    let message = text(10)?;
    check_message(message).map_err(|error| error.to_string())?;
    Ok(LogEntry {
        seq: number(row, 1).map_err(|error| error.to_string())?,
        name: text(2)?.parse().map_err(|_| "the name is not a valid ref name")?,
        before: cid(3)?,
        after: cid(4)?,
        at_micros: column::<i64>(row, 5).map_err(|error| error.to_string())?.cast_unsigned(),
        event: Event::of(text(6)?, &data).ok_or("the event is unknown")?,
        message: message.to_owned(),
    })
}

/// Writes rows. A row with the same number is linked again.
pub(crate) fn write_log(connection: &mut Connection, rows: &[LogEntry]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let data: Vec<EventData> = rows.iter().map(|row| row.event.data()).collect();
    connection.execute(
        include_str!("sql/write_log.sql"),
        &[
            &each(rows, |row| row.seq.cast_signed()),
            &each(rows, |row| row.name.as_str()),
            &each(rows, |row| row.before.as_ref().map(bytes)),
            &each(rows, |row| row.after.as_ref().map(bytes)),
            &each(rows, |row| row.at_micros.cast_signed()),
            &each(rows, |row| row.event.word()),
            &each(&data, |data| data.other.as_ref().map(bytes)),
            &each(&data, |data| data.old_key.as_ref().map(DidKey::as_str)),
            &each(&data, |data| data.key.as_ref().map(DidKey::as_str)),
            &each(rows, |row| row.message.as_str()),
        ],
    )?;
    Ok(())
}

/// Returns a column.
fn each<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(crate) fn bytes(cid: &Cid) -> &[u8] {
    cid.as_bytes()
}

/// The number of rows that are read or written at a time.
pub(crate) const PAGE_ROWS: i64 = 1_000;
