//! Checks of the file itself: its schema, its pages, and the rows of its small tables.

use rusqlite::{Connection, Row, Transaction, params};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use crate::error::StoreError;
use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::sqlite::errors::store_error;
use crate::sqlite::index::{lost_by_index, placed};
use crate::sqlite::index_row::start_of;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::raw_blocks::raw;
use crate::sqlite::rows::facts::{FACT_COLUMNS, read_numbered_fact};
use crate::sqlite::rows::log::{LOG_COLUMNS, read_log};
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::salvage::scan::{each_row, is_damage};
use crate::sqlite::schema;
use crate::sqlite::schema::{FORMAT, OBJECTS, Opened};
use crate::store::CheckDepth;
use pds_core::data::cid::Cid;

/// The thoroughness of comparing the index with the blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    /// The index must have every intact block. This hashes all blocks.
    Sound,
    /// No block may be in the index twice.
    Unique,
}

/// Checks a file at one moment.
pub(crate) fn check(
    opened: &Opened,
    depth: CheckDepth,
    index: Index,
) -> Result<Vec<String>, StoreError> {
    let Opened { connection, effort, .. } = opened;
    // Without this, rows that another process adds to the index meanwhile would look like
    // duplicates.
    let _moment = one_moment(connection)?;
    let mut found: Vec<String> = check_format(connection)?.into_iter().collect();
    found.extend(check_schema(connection)?);
    effort.lift();
    match depth {
        // SQLite would evaluate foreign expressions in the schema.
        _ if !found.is_empty() => {}
        CheckDepth::Whole => found.extend(ask(connection, "integrity_check", None)?),
        CheckDepth::Present => {
            for table in PRESENT_TABLES {
                found.extend(ask(connection, "quick_check", Some(table))?);
            }
        }
    }
    effort.renew();
    if found.is_empty() {
        found.extend(check_rows(connection, effort, depth)?);
    }
    if found.is_empty() && depth == CheckDepth::Whole {
        let twice = twice(connection, effort)?;
        if twice > 0 {
            found.push(format!("{twice} blocks are stored more than once"));
        }
    }
    if found.is_empty() && index == Index::Sound {
        let lost = lost_by_index(connection, effort)?;
        if lost > 0 {
            found.push(format!("{lost} blocks are missing from the index"));
        }
    }
    Ok(found)
}

fn one_moment(connection: &Connection) -> Result<Transaction<'_>, StoreError> {
    connection.unchecked_transaction().map_err(store_error)
}

/// Checks the number of the format. The file was opened without any check.
fn check_format(connection: &Connection) -> Result<Option<String>, StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(store_error)?;
    Ok((found != i64::from(FORMAT)).then(|| format!("the format number is {found}")))
}

/// Compares the schema with that of the format. Every other object in it is foreign: a trigger, a
/// view, an index, a table, or another declaration of a column.
pub(crate) fn check_schema(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut expected: HashMap<&str, &schema::Object> =
        OBJECTS.iter().map(|object| (object.name, object)).collect();
    let mut statement = connection
        .prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column| row.get_ref(column).map(|value| String::from_utf8_lossy(raw(value)));
        let (kind, name) = (text(0).map_err(store_error)?, text(1).map_err(store_error)?);
        let sql = text(2).map_err(store_error)?;
        if found.len() >= MAX_PROBLEMS {
            continue;
        }
        match expected.remove(&*name) {
            Some(object) if object.kind == kind && object.sql == sql => {}
            Some(_) => found.push(format!("the {kind} {name} differs from the format")),
            None => {
                let name: String = name.chars().take(MAX_SHOWN).collect();
                found.push(format!("the {kind} {name:?} is not part of the format"));
            }
        }
    }
    let mut missing: Vec<&schema::Object> = expected.into_values().collect();
    missing.sort_by_key(|object| object.name);
    found.extend(
        missing.iter().map(|object| format!("the {} {} is missing", object.kind, object.name)),
    );
    Ok(found)
}

/// Checks every row of the small tables: its checksum, its values, and its consistency with the
/// other rows.
fn check_rows(
    connection: &Connection,
    effort: &Effort,
    depth: CheckDepth,
) -> Result<Vec<String>, StoreError> {
    let mut found = Problems::default();
    let state = found.keep(StateRow::read(connection))?;
    let mut refs: Vec<RefRow> = Vec::new();
    let are_refs_read = each(connection, effort, "refs", RefRow::COLUMNS, &mut |row| {
        let number: i64 = row.get(0).map_err(store_error)?;
        let row = RefRow::read(row, 1).and_then(|row| row.numbered(number));
        refs.extend(found.keep(row.map_err(StoreError::from))?);
        Ok(())
    })?;
    found.add_unread("refs", are_refs_read);
    if let Some(state) = state
        && usize::try_from(state.refs) != Ok(refs.len())
    {
        found.add(format!("refs: {} rows instead of {}", refs.len(), state.refs));
    }
    let mut facts = 0;
    let are_facts_read = each(connection, effort, "facts", FACT_COLUMNS, &mut |row| {
        let number: i64 = row.get(0).map_err(store_error)?;
        facts += 1;
        let fact = read_numbered_fact(row, number, 1);
        found.keep(fact.map_err(StoreError::from)).map(drop)
    })?;
    found.add_unread("facts", are_facts_read);
    if let Some(state) = state
        && state.facts != facts
    {
        found.add(format!("facts: {facts} rows instead of {}", state.facts));
    }
    if depth == CheckDepth::Whole {
        check_log(connection, effort, &refs, &mut found)?;
    }
    Ok(found.0)
}

/// Checks the log rows. The rows of each ref must form a chain that ends with the commit that the
/// ref points to.
fn check_log(
    connection: &Connection,
    effort: &Effort,
    refs: &[RefRow],
    found: &mut Problems,
) -> Result<(), StoreError> {
    let mut last: HashMap<RefName, LogEntry> = HashMap::new();
    // An unreadable row may belong to any ref.
    let mut is_broken = false;
    let are_read = each(connection, effort, "log", LOG_COLUMNS, &mut |row| {
        let Some(entry) = found.keep(read_log(row, 1).map_err(StoreError::from))? else {
            is_broken = true;
            return Ok(());
        };
        let before = last.get(&entry.name).and_then(|last| last.after);
        if !is_broken && before != entry.before {
            found.add(format!(
                "log row {}: rows of ref {} before it are missing",
                entry.seq, entry.name
            ));
        }
        last.insert(entry.name.clone(), entry);
        Ok(())
    })?;
    found.add_unread("log", are_read);
    if is_broken || !are_read {
        return Ok(());
    }
    for row in refs {
        if last.get(&row.name).is_none_or(|last| last.seq.cast_signed() < row.seq) {
            found.add(format!("ref {}: log row {} is missing", row.name, row.seq));
        }
    }
    // Refs that only the log has are not damage of the file: readers compare both.
    Ok(())
}

/// A bounded list of problems.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: String) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(problem);
        }
    }

    /// Adds a problem if SQLite could not read a table completely.
    fn add_unread(&mut self, table: &str, is_read: bool) {
        if !is_read {
            self.add(format!("rows of the table {table} cannot be read"));
        }
    }

    /// Returns a valid row, or adds the problem of an invalid one.
    fn keep<T>(&mut self, row: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match row {
            Ok(row) => Ok(Some(row)),
            Err(StoreError::Damaged(error)) => {
                self.add(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Passes every row of a table to `visit`, with its number before its columns. Returns whether
/// SQLite could read all of them.
fn each(
    connection: &Connection,
    effort: &Effort,
    table: &str,
    columns: &str,
    visit: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    each_row(connection, table, columns, &mut |row| {
        effort.renew();
        visit(row)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Returns whether all pages are in the right place and well formed.
pub(crate) fn is_in_order(connection: &Connection) -> rusqlite::Result<bool> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(said == "ok")
}

/// As [`is_in_order`] for one table, whose declaration must be that of the format. Its indexes are
/// not compared with it, because SQLite would evaluate the expressions of a foreign index.
pub(crate) fn is_table_in_order(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = OBJECTS.iter().find(|object| object.name == table).map(|object| object.sql);
    let is_of_format = "SELECT EXISTS (SELECT 1 FROM sqlite_schema
                        WHERE type = 'table' AND name = ?1 AND sql = ?2)";
    if !connection.query_row(is_of_format, params![table, sql], |row| row.get(0))? {
        return Ok(false);
    }
    let check = format!("PRAGMA quick_check({table})");
    let said: String = connection.query_row(&check, [], |row| row.get(0))?;
    Ok(said == "ok")
}

fn ask(
    connection: &Connection,
    pragma: &str,
    table: Option<&str>,
) -> Result<Vec<String>, StoreError> {
    let pragma = match table {
        Some(table) => format!("PRAGMA {pragma}({table})"),
        None => format!("PRAGMA {pragma}({MAX_PROBLEMS})"),
    };
    let asked = connection.prepare(&pragma).and_then(|mut statement| {
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.take(MAX_PROBLEMS).collect::<rusqlite::Result<Vec<_>>>()
    });
    // A table that is a view, or is missing, has already been reported.
    let said = is_damage(asked)?.unwrap_or_else(|| vec![format!("{pragma} fails")]);
    Ok(if said == ["ok"] { Vec::new() } else { said })
}

/// Counts the rows with the name of another row. In the index such rows are neighbours; the rows of
/// the tail are looked up.
fn twice(connection: &Connection, effort: &Effort) -> Result<u64, StoreError> {
    let prepare = |sql| connection.prepare(sql).map_err(store_error);
    let mut alike =
        prepare("SELECT a.cid = b.cid FROM blocks a, blocks b WHERE a.id = ?1 AND b.id = ?2")?;
    let (mut twice, mut earlier) = (0, None);
    let mut all = prepare("SELECT start, id FROM places ORDER BY start, id")?;
    let mut rows = all.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        effort.renew();
        let place: (i64, i64) = row.try_into().map_err(store_error)?;
        if let Some((start, id)) = earlier
            && start == place.0
        {
            let mut found = alike.query(params![id, place.1]).map_err(store_error)?;
            let found = found.next().map_err(store_error)?;
            let is_alike = found.map(|row| row.get::<_, bool>(0)).transpose();
            twice += u64::from(is_alike.map_err(store_error)?.unwrap_or(false));
        }
        earlier = Some(place);
    }
    let mut tail = prepare("SELECT cid FROM blocks WHERE id > ?1")?;
    let mut known = prepare(
        "SELECT 1 FROM places p CROSS JOIN blocks b ON b.id = p.id
         WHERE p.start = ?1 AND b.cid = ?2",
    )?;
    let mut seen = HashSet::new();
    let mut rows = tail.query([placed(connection)?]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        effort.renew();
        // A name that is not a CID is a different problem.
        let name = row.get_ref(0).map(raw).map_err(store_error)?;
        let Ok(cid) = Cid::from_bytes(name) else { continue };
        let is_known = !seen.insert(cid)
            || known
                .exists(params![start_of(&cid), cid.as_bytes().as_slice()])
                .map_err(store_error)?;
        twice += u64::from(is_known);
    }
    Ok(twice)
}

/// The tables of the current state. Its blocks are looked up and hashed one by one, so that
/// checking it takes no longer when there are many past states. Past states and the log are checked
/// with the history.
const PRESENT_TABLES: [&str; 3] = ["refs", "facts", "state"];

/// The maximum number of reported problems. One is enough to act.
const MAX_PROBLEMS: usize = 20;

const MAX_SHOWN: usize = 80;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
