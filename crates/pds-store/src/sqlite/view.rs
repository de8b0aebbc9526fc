//! A view of a SQLite store: a read transaction on its own connection.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::fact::{Fact, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::refs::Refs;
use crate::sqlite::errors::store_error;
use crate::sqlite::index_row::start_of;
use crate::sqlite::pool::Pool;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::reader::Reader;
use crate::sqlite::rows::facts::{FACT_COLUMNS, read_numbered_fact};
use crate::sqlite::rows::log::{LOG_COLUMNS, read_log};
use crate::store::View;
use crate::version::Version;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

/// A view of a SQLite store.
pub(crate) struct SqliteView<'s> {
    pool: &'s Pool,
    /// `None` only while the view is dropped.
    reader: Mutex<Option<Reader>>,
    version: Version,
}

impl<'s> SqliteView<'s> {
    pub(crate) fn begin(pool: &'s Pool) -> Result<Self, StoreError> {
        let mut reader = pool.take()?;
        let version = match reader.begin() {
            Ok(version) => version,
            Err(error) => {
                if reader.end().is_ok() {
                    pool.put_back(reader);
                }
                return Err(error);
            }
        };
        Ok(Self { pool, reader: Mutex::new(Some(reader)), version })
    }

    fn reader(&self) -> Locked<'_> {
        Locked(self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a read. If the file changed under its reader, the result is an error.
    fn read<T>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut locked = self.reader();
        let reader = locked.get()?;
        reader.effort.renew();
        let answer = read(reader);
        match reader.frozen.as_ref().is_some_and(|file| file.has_changed()) {
            true => Err(StoreError::Changed),
            false => answer,
        }
    }
}

struct Locked<'v>(MutexGuard<'v, Option<Reader>>);

impl Locked<'_> {
    fn get(&mut self) -> Result<&mut Reader, StoreError> {
        self.0.as_mut().ok_or_else(|| StoreError::Backend("the view has ended".into()))
    }
}

impl Drop for SqliteView<'_> {
    fn drop(&mut self) {
        let reader = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A reader whose transaction cannot be ended is closed.
        if let Some(mut reader) = reader
            && reader.end().is_ok()
        {
            self.pool.put_back(reader);
        }
    }
}

impl Blocks for SqliteView<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.read(|reader| Ok(reader.get(cid))).map_err(|error| ReadError::backend(*cid, error))?
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        many(cids, self.read(|reader| Ok(reader.get_many(cids))))
    }
}

/// Returns the results for several blocks. If there is an error, it is the result of the first
/// block.
pub(crate) fn many(
    cids: &[Cid],
    answers: Result<Vec<Result<Option<Block>, ReadError>>, StoreError>,
) -> Vec<Result<Option<Block>, ReadError>> {
    match (answers, cids.first()) {
        (Ok(answers), _) => answers,
        (Err(error), Some(first)) => vec![Err(ReadError::backend(*first, error))],
        (Err(_), None) => Vec::new(),
    }
}

impl View for SqliteView<'_> {
    fn version(&self) -> Version {
        self.version
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        self.read(Reader::refs)
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (mut query, mut count) = (query.clone(), FIRST_ROWS);
        loop {
            // The lock is released while `each` runs, because it may read this view.
            let page = self.read(|reader| log_page(&reader.connection, &query, count))?;
            let Some(last) = page.last().map(|row| row.seq) else { return Ok(()) };
            let is_last = page.len() < count;
            count = (count * 4).min(ROWS_AT_ONCE);
            if page.into_iter().try_for_each(&mut *each).is_break() || is_last {
                return Ok(());
            }
            let next = match query.newest_first {
                true => last.checked_sub(1),
                false => last.checked_add(1),
            };
            let Some(next) = next else { return Ok(()) };
            query.from = Some(next);
        }
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.read(|reader| fact_page(&reader.connection, kind, after))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            let is_last = page.len() < ROWS_AT_ONCE;
            let mut facts = page.into_iter().map(|(_, fact)| fact);
            if facts.try_for_each(&mut *each).is_break() || is_last {
                return Ok(());
            }
        }
    }
}

/// Reads the next rows of a query, up to `count`.
pub(crate) fn log_page(
    connection: &Connection,
    query: &LogQuery,
    count: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut sql = format!("SELECT {LOG_COLUMNS} FROM log WHERE true");
    let mut values: Vec<Value> = Vec::new();
    if let Some(name) = &query.name {
        sql.push_str(" AND ref = ?");
        values.push(name.as_str().to_owned().into());
    }
    if let Some(to) = query.to {
        sql.push_str(" AND start = ? AND after = ?");
        values.extend([start_of(&to).into(), to.to_string().into()]);
    }
    if let Some(from) = query.from {
        sql.push_str(if query.newest_first { " AND seq <= ?" } else { " AND seq >= ?" });
        values.push(i64::try_from(from).unwrap_or(i64::MAX).into());
    }
    sql.push_str(if query.newest_first { " ORDER BY seq DESC" } else { " ORDER BY seq" });
    sql.push_str(" LIMIT ?");
    values.push(i64::try_from(count).unwrap_or(i64::MAX).into());
    let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(store_error)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        page.push(read_log(row, 0)?);
    }
    Ok(page)
}

/// Reads the next facts of a kind after a row, a limited number of them, with the numbers of their
/// rows.
fn fact_page(
    connection: &Connection,
    kind: FactKind,
    after: Option<i64>,
) -> Result<Vec<(i64, Fact)>, StoreError> {
    let sql = format!(
        "SELECT id, {FACT_COLUMNS} FROM facts WHERE kind = ?1 AND (?2 IS NULL OR id > ?2)
         ORDER BY id LIMIT {ROWS_AT_ONCE}"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
    let mut rows = statement.query(params![kind.word(), after]).map_err(store_error)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let number = row.get(0).map_err(store_error)?;
        page.push((number, read_numbered_fact(row, number, 1)?));
    }
    Ok(page)
}

/// Reads every log row with a connection, oldest first, in pages.
pub(crate) fn each_log_row(
    connection: &Connection,
    effort: &Effort,
    each: &mut dyn FnMut(LogEntry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut query = LogQuery::oldest_first();
    loop {
        effort.renew();
        let page = log_page(connection, &query, ROWS_AT_ONCE)?;
        let Some(last) = page.last().map(|row| row.seq) else { return Ok(()) };
        page.into_iter().try_for_each(&mut *each)?;
        let Some(next) = last.checked_add(1) else { return Ok(()) };
        query.from = Some(next);
    }
}

/// The number of log rows that are read first: most readers need only a few.
const FIRST_ROWS: usize = 8;

/// The maximum number of rows that are read at a time, so that reading a long log takes no more
/// memory.
const ROWS_AT_ONCE: usize = 256;
