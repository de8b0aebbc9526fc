//! Reads: each is one statement. A view holds no transaction.

use postgres::Row;
use std::ops::ControlFlow;

use crate::errors::{column, damaged, no_account, number};
use crate::pool::Pool;
use pds_core::crypto::did_key::DidKey;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_store::error::{BoxError, StoreError};
use pds_store::event::{Event, EventData};
use pds_store::fact::{Fact, FactKind};
use pds_store::log::{LogEntry, LogQuery, check_message};
use pds_store::ref_name::RefNameError;
use pds_store::refs::Refs;
use pds_store::store::View;
use pds_store::version::Version;

/// A view of an account.
pub(crate) struct PostgresView<'s> {
    pool: &'s Pool,
    pub(crate) version: Version,
    /// The number of the newest log row. Rows of later changes are not part of the view.
    pub(crate) newest: Option<i64>,
    rows: Vec<Row>,
    has_all_facts: bool,
}

impl<'s> PostgresView<'s> {
    /// Reads the present moment with its refs and a limited number of facts.
    pub(crate) fn read(pool: &'s Pool, facts: i64) -> Result<Self, StoreError> {
        let rows = pool.query(include_str!("sql/view.sql"), &[&pool.account, &facts])?;
        let account = part(&rows, "account").next().ok_or_else(no_account)?;
        let version = Version { change: number(account, 4)?, sweep: number(account, 5)? };
        let newest = column(account, 6)?;
        let has_all_facts = i64::try_from(part(&rows, "fact").count()) != Ok(facts);
        Ok(Self { pool, version, newest, rows, has_all_facts })
    }

    /// Returns the rows of the facts that were read.
    pub(crate) fn fact_rows(&self) -> impl Iterator<Item = &Row> {
        part(&self.rows, "fact")
    }
}

fn part<'r>(rows: &'r [Row], name: &str) -> impl Iterator<Item = &'r Row> {
    rows.iter().filter(move |row| row.try_get::<_, &str>(0).is_ok_and(|found| found == name))
}

impl Blocks for PostgresView<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.get_many(&[*cid]).pop().unwrap_or(Ok(None))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        get_many(self.pool, cids, Some(self.version.sweep))
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

impl View for PostgresView<'_> {
    fn version(&self) -> Version {
        self.version
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        let parse = |row| {
            let (name, cid): (&str, &[u8]) = (column(row, 1)?, column(row, 7)?);
            let name = name.parse().map_err(|e: RefNameError| StoreError::Damaged(e.into()))?;
            let cid = Cid::from_bytes(cid);
            Ok((name, cid.map_err(|error| damaged(format!("the commit of a ref: {error}")))?))
        };
        part(&self.rows, "ref").map(parse).collect()
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let Some(newest) = self.newest else { return Ok(()) };
        let sql = match query.newest_first {
            true => include_str!("sql/log_newest_first.sql"),
            false => include_str!("sql/log_oldest_first.sql"),
        };
        let mut from = query.from.map(|from| i64::try_from(from).unwrap_or(i64::MAX));
        let name = query.name.as_ref().map(|name| name.as_str());
        let to = query.to.as_ref().map(|to| to.as_bytes().as_slice());
        let mut count = FIRST_ROWS;
        loop {
            let account = self.pool.account;
            let rows = self.pool.query(sql, &[&account, &from, &newest, &name, &to, &count])?;
            for row in &rows {
                if number(row, 0)? != self.version.sweep {
                    return Err(StoreError::Changed);
                }
                let Some(seq): Option<i64> = column(row, 1)? else { return Ok(()) };
                let entry = entry(row).map_err(|why| damaged(format!("log row {seq}: {why}")))?;
                if each(entry).is_break() {
                    return Ok(());
                }
                from = Some(seq.saturating_add(if query.newest_first { -1 } else { 1 }));
            }
            if i64::try_from(rows.len()) != Ok(count) {
                return rows.first().map(drop).ok_or_else(no_account);
            }
            count = PAGE_ROWS;
        }
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if !self.has_all_facts {
            let all = Self::read(self.pool, i64::MAX)?;
            return if all.version == self.version {
                all.facts(kind, each)
            } else {
                Err(StoreError::Changed)
            };
        }
        for row in self.fact_rows() {
            if column::<&str>(row, 1)? == kind.word() && each(fact(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the fact of a row of a view.
pub(crate) fn fact(row: &Row) -> Result<Fact, StoreError> {
    let (kind, subject, value): (&str, &str, &str) =
        (column(row, 1)?, column(row, 2)?, column(row, 3)?);
    let found = FactKind::of(kind).and_then(|kind| Fact::of(kind, subject, value));
    found.ok_or_else(|| {
        damaged(format!("fact {kind} {subject}: the kind is unknown, or its texts are not valid"))
    })
}

fn entry(row: &Row) -> Result<LogEntry, BoxError> {
    let cid = |index| -> Result<Option<Cid>, BoxError> {
        Ok(row.try_get::<_, Option<&[u8]>>(index)?.map(Cid::from_bytes).transpose()?)
    };
    let key = |index| -> Result<Option<DidKey>, BoxError> {
        Ok(row.try_get::<_, Option<&str>>(index)?.map(str::parse).transpose()?)
    };
    let data = EventData { other: cid(7)?, old_key: key(8)?, key: key(9)? };
    let message: String = row.try_get(10)?;
    check_message(&message)?;
    Ok(LogEntry {
        seq: number(row, 1)?,
        name: row.try_get::<_, &str>(2)?.parse()?,
        before: cid(3)?,
        after: cid(4)?,
        at_micros: row.try_get::<_, i64>(5)?.cast_unsigned(),
        event: Event::of(row.try_get(6)?, &data).ok_or("the event is unknown")?,
        message,
    })
}

/// Reads the first blocks of a list, up to a limit on their bytes. If blocks were deleted since the
/// sweep that the caller has seen, a missing block is one of them.
pub(crate) fn get_many(
    pool: &Pool,
    cids: &[Cid],
    swept: Option<u64>,
) -> Vec<Result<Option<Block>, ReadError>> {
    let Some(first) = cids.first() else { return Vec::new() };
    let names: Vec<&[u8]> = cids.iter().map(|cid| cid.as_bytes().as_slice()).collect();
    let sql = include_str!("sql/get_many.sql");
    let rows = match pool.query(sql, &[&pool.account, &names]) {
        Ok(rows) => rows,
        Err(error) => return vec![Err(ReadError::backend(*first, error))],
    };
    let answer = |(row, cid): (&Row, &Cid)| {
        let failed = |error| ReadError::backend(*cid, error);
        let last: Option<i64> = column(row, 0).map_err(failed)?;
        match column::<Option<&[u8]>>(row, 1).map_err(failed)? {
            Some(bytes) => Block::verified(*cid, bytes)
                .map(Some)
                .map_err(|source| ReadError::Damaged { cid: *cid, source }),
            None if swept.is_some_and(|swept| last != Some(swept.cast_signed())) => {
                Err(ReadError::Swept { cid: *cid })
            }
            None => Ok(None),
        }
    };
    rows.iter().zip(cids).map(answer).collect()
}

/// The number of blocks that are worth one round trip.
pub(crate) const BATCH: usize = 500;

/// The number of facts that are read together with the refs.
pub(crate) const FACTS: i64 = 1_000;

/// The number of log rows that are read first: most readers need only a few.
const FIRST_ROWS: i64 = 50;

/// The number of log rows that are read next.
const PAGE_ROWS: i64 = 1_000;
