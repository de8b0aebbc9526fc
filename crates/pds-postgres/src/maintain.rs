//! The operations for repairs, and for the end of a collection.

use std::collections::HashMap;
use std::ops::ControlFlow::{Break, Continue};

use crate::apply::State;
use crate::blocks::Batch;
use crate::connection::{Connection, End};
use crate::errors::{Result, column, number};
use crate::store::PostgresStore;
use crate::view::PostgresView;
use pds_core::data::cid::Cid;
use pds_store::change::BlockStream;
use pds_store::error::StoreError;
use pds_store::fact::FactKind;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::Refs;
use pds_store::store::{CheckDepth, Compacted, Maintain, Replaced, View, Visitor};

impl Maintain for PostgresStore {
    fn check(&self, depth: CheckDepth) -> Result<Vec<String>> {
        let (view, mut found) = (PostgresView::begin(&self.pool)?, Vec::new());
        let refs = keep(&mut found, view.refs())?;
        let sql = "SELECT DISTINCT kind FROM pds.fact WHERE account = $1";
        for row in self.pool.read(|connection| connection.query(sql, &[]))? {
            let kind: &str = column(&row, 0)?;
            match FactKind::of(kind) {
                Some(kind) => {
                    keep(&mut found, view.facts(kind, &mut |_| Continue(())))?;
                }
                None => found.push(format!("fact {kind}: the kind is unknown")),
            }
        }
        if depth == CheckDepth::Whole {
            check_log(&view, refs.as_ref(), &mut found)?;
        }
        found.truncate(MAX_PROBLEMS);
        Ok(found)
    }

    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<()> {
        let mut after: Vec<u8> = Vec::new();
        loop {
            // The connection returns to the pool before `visit` runs, because it may read.
            let rows = self.pool.read(|connection| {
                connection.query(include_str!("sql/scan_page.sql"), &[&after])
            })?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = column(last, 0)?;
            for row in &rows {
                if visit(column(row, 0)?, column(row, 1)?).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn replace(&self, blocks: &mut BlockStream<'_>, damaged: &[Vec<u8>]) -> Result<Replaced> {
        let first = Batch::of(blocks)?;
        let mut held = self.pool.writer()?;
        held.get()?.transaction(End::Commit, |connection| {
            State::lock(connection)?;
            let mut dropped = 0;
            for names in damaged.chunks(100) {
                dropped += drop_damaged(connection, names)?;
            }
            let added = first.store(connection, blocks)?;
            Ok(Replaced { added, dropped })
        })
    }

    fn compact(&self) -> Result<Compacted> {
        let mut held = self.pool.writer()?;
        held.get()?.run("VACUUM pds.account, pds.block, pds.ref, pds.log, pds.fact")?;
        Ok(Compacted::Remains(REMAINS.to_owned()))
    }

    fn block_count(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM pds.block WHERE account = $1";
        let rows = self.pool.read(|connection| connection.query(sql, &[]))?;
        rows.first().map_or(Ok(0), |row| number(row, 0))
    }
}

/// Deletes the blocks with these names whose bytes do not match. Returns their number.
fn drop_damaged(connection: &mut Connection, names: &[Vec<u8>]) -> Result<u64> {
    let sql = "SELECT cid, bytes FROM pds.block WHERE account = $1 AND cid = ANY($2)";
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for row in connection.query(sql, &[&names])? {
        let (name, bytes): (&[u8], &[u8]) = (column(&row, 0)?, column(&row, 1)?);
        if !Cid::from_bytes(name).is_ok_and(|cid| cid.names(bytes)) {
            damaged.push(name.to_vec());
        }
    }
    let sql = "DELETE FROM pds.block WHERE account = $1 AND cid = ANY($2)";
    connection.execute(sql, &[&damaged])
}

/// Returns a valid value, or adds the problem of an invalid one.
fn keep<T>(found: &mut Vec<String>, value: Result<T>) -> Result<Option<T>> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Damaged(error)) => {
            found.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Checks the log rows. The rows of each ref must form a chain that ends with the commit that the
/// ref points to.
fn check_log(view: &dyn View, refs: Option<&Refs>, found: &mut Vec<String>) -> Result<()> {
    let mut last: HashMap<RefName, Option<Cid>> = HashMap::new();
    let mut broken = Vec::new();
    let read = view.log(&LogQuery::oldest_first(), &mut |row| {
        let LogEntry { seq, name, before, after, .. } = row;
        if last.insert(name.clone(), after).flatten() != before {
            broken.push(format!("log row {seq}: rows of ref {name} before it are missing"));
        }
        if broken.len() < MAX_PROBLEMS { Continue(()) } else { Break(()) }
    });
    found.extend(broken);
    // The end of the log is unknown if a row cannot be read.
    let is_read = keep(found, read)?.is_some() && found.len() < MAX_PROBLEMS;
    let Some(refs) = refs.filter(|_| is_read) else { return Ok(()) };
    for (name, cid) in refs {
        if last.get(name).copied().flatten() != Some(*cid) {
            found.push(format!("ref {name}: its last log row is missing"));
        }
    }
    for (name, end) in last {
        // A missing HEAD is reported with the current state.
        if end.is_some() && refs.get(&name).is_none() && name != RefName::head() {
            found.push(format!(
                "ref {name} is missing, or the log row about its deletion is missing"
            ));
        }
    }
    Ok(())
}

/// The places that a client of a server cannot clean.
const REMAINS: &str = "free space of the files of the database, its write-ahead log, its replicas \
    and its backups; the operator of the server has to remove it there";

/// The maximum number of reported problems. One is enough to act.
const MAX_PROBLEMS: usize = 20;
