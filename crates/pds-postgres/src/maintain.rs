//! The operations for repairs, and for the end of a collection.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::errors::{column, number};
use crate::step::{Known, Step, store_blocks};
use crate::store::PostgresStore;
use crate::view::{PostgresView, fact};
use pds_core::data::cid::Cid;
use pds_store::change::{BlockStream, Seen};
use pds_store::error::StoreError;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::store::{CheckDepth, Compacted, Maintain, Replaced, View, Visitor};

impl Maintain for PostgresStore {
    fn check(&self, depth: CheckDepth) -> Result<Vec<String>, StoreError> {
        let (view, mut found) = (PostgresView::read(&self.pool, i64::MAX)?, Vec::new());
        let refs = note(&mut found, view.refs())?;
        view.fact_rows().try_for_each(|row| note(&mut found, fact(row)).map(drop))?;
        if depth == CheckDepth::Present {
            return Ok(found);
        }
        let mut ends: BTreeMap<RefName, Option<Cid>> = BTreeMap::new();
        let read = view.log(
            &LogQuery::oldest_first(),
            &mut |LogEntry { seq, name, before, after, .. }| {
                if ends.insert(name.clone(), after).flatten() != before {
                    found.push(format!("log row {seq}: rows of ref {name} before it are missing"));
                }
                ControlFlow::Continue(())
            },
        );
        if let (Some(()), Some(refs)) = (note(&mut found, read)?, refs) {
            for (name, cid) in &refs {
                if ends.remove(name).flatten() != Some(*cid) {
                    found.push(format!("ref {name}: its last log row is missing"));
                }
            }
        }
        found.truncate(MAX_PROBLEMS);
        Ok(found)
    }

    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        let mut after: Vec<u8> = Vec::new();
        loop {
            let sql = include_str!("sql/scan_page.sql");
            let rows = self.pool.query(sql, &[&self.pool.account, &after])?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = column(last, 0)?;
            for row in &rows {
                if visit(column(row, 0)?, column(row, 1)?).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn replace(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError> {
        self.pool.transaction(|pool| {
            let (known, mut dropped) = (Known::read(pool, Seen::default())?, 0);
            for names in damaged.chunks(100) {
                let sql = "SELECT cid, bytes FROM pds.block WHERE account = $1 AND cid = ANY($2)";
                let mut step = Step::default();
                for row in pool.query(sql, &[&pool.account, &names])? {
                    let (name, bytes): (&[u8], &[u8]) = (column(&row, 0)?, column(&row, 1)?);
                    if !Cid::from_bytes(name).is_ok_and(|cid| cid.names(bytes)) {
                        step.dead.push(name.to_vec());
                    }
                }
                dropped += step.dead.len() as u64;
                step.run(pool, &known)?;
            }
            Ok(Replaced { added: store_blocks(pool, &known, blocks)?, dropped })
        })
    }

    fn compact(&self) -> Result<Compacted, StoreError> {
        self.pool.write("VACUUM pds.account, pds.block, pds.ref, pds.log, pds.fact", &[])?;
        Ok(Compacted::Remains(REMAINS.to_owned()))
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM pds.block WHERE account = $1";
        let rows = self.pool.query(sql, &[&self.pool.account])?;
        rows.first().map_or(Ok(0), |row| number(row, 0))
    }
}

/// Returns a valid value, or notes the problem of an invalid one.
fn note<T>(found: &mut Vec<String>, value: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match value {
        Err(StoreError::Damaged(problem)) => {
            found.push(problem.to_string());
            Ok(None)
        }
        value => value.map(Some),
    }
}

/// The places that a client of a server cannot clean.
const REMAINS: &str = "deleted rows and free space in the files of the database, its write-ahead \
    log, its replicas and its backups; the operator of the server has to remove it there";

/// The maximum number of reported problems. One is enough to act.
const MAX_PROBLEMS: usize = 20;
