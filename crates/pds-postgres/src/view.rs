//! A view: one statement reads its version, refs and first facts. It holds no transaction.

use std::ops::ControlFlow;

use crate::apply::commit;
use crate::blocks::{BATCH, get_many, many, one};
use crate::connection::Connection;
use crate::errors::{Result, column, no_account, number};
use crate::facts::{FactRow, fact, fact_page, fact_row};
use crate::log::{PAGE_ROWS, log_page};
use crate::pool::Pool;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;
use pds_store::fact::{Fact, FactKind};
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::Refs;
use pds_store::store::View;
use pds_store::version::Version;

/// A view of an account.
pub(crate) struct PostgresView<'s> {
    pool: &'s Pool,
    version: Version,
    /// The number of the newest log row. Rows of later changes are not part of the view.
    newest: Option<i64>,
    refs: Vec<(String, Vec<u8>)>,
    facts: Vec<FactRow>,
}

impl<'s> PostgresView<'s> {
    pub(crate) fn begin(pool: &'s Pool) -> Result<Self> {
        pool.read(|connection| Self::read(pool, connection))
    }

    fn read(pool: &'s Pool, connection: &mut Connection) -> Result<Self> {
        let (mut refs, mut facts, mut found) = (Vec::new(), Vec::new(), None);
        for row in connection.query(include_str!("sql/view.sql"), &[&FACTS])? {
            let cid: Option<Vec<u8>> = column(&row, 7)?;
            match column::<&str>(&row, 0)? {
                "account" => {
                    let version = Version { change: number(&row, 4)?, sweep: number(&row, 5)? };
                    found = Some((version, column(&row, 6)?));
                    refs.extend(cid.map(|cid| ("HEAD".to_owned(), cid)));
                }
                "ref" => refs.push((column(&row, 1)?, cid.unwrap_or_default())),
                _ => facts.extend(fact_row(&row, 1)?),
            }
        }
        let (version, newest) = found.ok_or_else(no_account)?;
        Ok(Self { pool, version, newest, refs, facts })
    }

    /// Reads the facts of a kind by pages, if they are too many for the first statement. They are
    /// of the same moment as long as the store does not change.
    fn fact_pages(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let from = (kind, after.as_deref());
            let (change, page) = self.pool.read(|connection| fact_page(connection, from, FACTS))?;
            if change.map(i64::cast_unsigned) != Some(self.version.change) {
                return Err(StoreError::Changed);
            }
            for row in &page {
                if each(fact(row)?).is_break() {
                    return Ok(());
                }
            }
            let Some([_, subject, _]) = page.into_iter().next_back() else { return Ok(()) };
            after = Some(subject);
        }
    }
}

impl Blocks for PostgresView<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        one(*cid, self.get_many(&[*cid]))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let swept = Some(self.version.sweep);
        let read = |connection: &mut Connection| get_many(connection, cids, swept);
        many(cids, self.pool.read(read))
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

impl View for PostgresView<'_> {
    fn version(&self) -> Version {
        self.version
    }

    fn refs(&self) -> Result<Refs> {
        let parse = |(name, cid): &(String, Vec<u8>)| {
            let name: Result<RefName, _> = name.parse();
            let name = name.map_err(|error| StoreError::Damaged(Box::new(error)))?;
            Ok(commit(Some(cid))?.map(|cid| (name, cid)))
        };
        self.refs.iter().filter_map(|row| parse(row).transpose()).collect()
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<()> {
        let Some(newest) = self.newest else { return Ok(()) };
        let (mut query, mut count) = (query.clone(), FIRST_ROWS);
        loop {
            // The connection returns to the pool before `each` runs, because it may read the view.
            let page = self.pool.read(|connection| log_page(connection, &query, newest, count))?;
            if page.sweep != self.version.sweep {
                return Err(StoreError::Changed);
            }
            let is_last = i64::try_from(page.rows.len()).is_ok_and(|rows| rows < count);
            for row in page.rows {
                if each(row?).is_break() {
                    return Ok(());
                }
            }
            let next = page.last.and_then(|last| match query.newest_first {
                true => last.checked_sub(1),
                false => last.checked_add(1),
            });
            let Some(next) = next.filter(|_| !is_last) else { return Ok(()) };
            (query.from, count) = (Some(next), PAGE_ROWS);
        }
    }

    fn facts(&self, kind: FactKind, each: &mut dyn FnMut(Fact) -> ControlFlow<()>) -> Result<()> {
        if i64::try_from(self.facts.len()) == Ok(FACTS) {
            return self.fact_pages(kind, each);
        }
        for row in self.facts.iter().filter(|[found, ..]| *found == kind.word()) {
            if each(fact(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The number of facts that are read together.
const FACTS: i64 = 1_000;

/// The number of log rows that are read first: most readers need only a few.
const FIRST_ROWS: i64 = 50;
