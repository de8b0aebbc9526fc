//! What is wrong with a file as such, whatever stands in it.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::errors::store_error;
use super::places::{lost_by_index, placed, start_of};
use super::schema::{self, Layout, Readable};
use super::{SqliteStore, cid_at, ref_name, sweep};
use crate::store::StoreError;

impl SqliteStore {
    /// Asks SQLite about the whole file, and returns what it finds wrong; nothing when all is well.
    ///
    /// This is about the form of the file, its index, and the rows of its smaller tables, not about the
    /// blocks. It reads all of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file cannot be read, or is the store of a later release.
    pub fn check_file(path: &Path) -> Result<Vec<String>, StoreError> {
        let checked =
            schema::open_for_reading(path).and_then(|Readable { connection, layout, .. }| {
                let _moment = one_moment(&connection)?;
                let mut said = check_tables(&connection, layout)?;
                said.extend(asked(&connection, "integrity_check")?);
                if said.is_empty() {
                    sweep::moves(&connection)?;
                    check_refs(&connection)?;
                    said.extend(twice_text(&connection, layout)?);
                }
                if said.is_empty() && layout == Layout::Two {
                    let lost = lost_by_index(&connection)?;
                    if lost > 0 {
                        said.push(format!("the index does not know {lost} blocks"));
                    }
                }
                Ok(said)
            });
        match checked {
            Err(StoreError::Damaged(error)) => Ok(vec![error.to_string()]),
            Err(StoreError::NotAStore(said)) if path.is_file() => Ok(vec![said]),
            checked => checked,
        }
    }
}

/// The part of it that is cheap: no block is hashed for it.
pub(super) fn quick(connection: &Connection, layout: Layout) -> Result<Vec<String>, StoreError> {
    let _moment = one_moment(connection)?;
    let mut said = check_tables(connection, layout)?;
    said.extend(asked(connection, "quick_check")?);
    if said.is_empty() {
        said.extend(twice_text(connection, layout)?);
    }
    Ok(said)
}

/// Begins to look at a file as it is at one moment: rows that others take into the index meanwhile would seem
/// to stand in it twice.
fn one_moment(connection: &Connection) -> Result<Transaction<'_>, StoreError> {
    connection.unchecked_transaction().map_err(store_error)
}

/// Checks that there are the tables of the format, and that SQLite holds values to what they are declared as.
fn check_tables(connection: &Connection, layout: Layout) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 1";
    let mut statement = connection.prepare(sql).map_err(store_error)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(store_error)?;
    let names: HashSet<String> = names.collect::<Result<_, _>>().map_err(store_error)?;
    let is_wrong = |name: &str| {
        let belongs = name != "places" || layout == Layout::Two;
        names.contains(name) != belongs
    };
    let tables = ["blocks", "places", "refs", "log", "meta"].into_iter();
    let said = tables.filter(|name| is_wrong(name)).map(|name| match names.contains(name) {
        true => format!("there is a table {name}, which this format does not have"),
        false => format!("the table {name} is missing, or is not what it was made as"),
    });
    Ok(said.collect())
}

/// Tells whether all pages are where they belong, and have the form they must have.
pub(super) fn is_in_order(connection: &Connection) -> rusqlite::Result<bool> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(said == "ok")
}

/// As [`is_in_order`], of one table and what SQLite keeps to find its rows.
pub(super) fn is_table_in_order(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let check = format!("PRAGMA integrity_check({table})");
    let said: String = connection.query_row(&check, [], |row| row.get(0))?;
    Ok(said == "ok")
}

fn asked(connection: &Connection, pragma: &str) -> Result<Vec<String>, StoreError> {
    let pragma = format!("PRAGMA {pragma}({MAX_PROBLEMS})");
    let mut statement = connection.prepare(&pragma).map_err(store_error)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0));
    let said: Result<Vec<String>, _> = rows.map_err(store_error)?.collect();
    let said = said.map_err(store_error)?;
    Ok(if said == ["ok"] { Vec::new() } else { said })
}

fn check_refs(connection: &Connection) -> Result<(), StoreError> {
    let mut refs = connection.prepare("SELECT name, cid FROM refs").map_err(store_error)?;
    let mut rows = refs.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        ref_name(&row.get::<_, String>(0).map_err(store_error)?)?;
        cid_at(row, 1).map_err(store_error)?;
    }
    Ok(())
}

fn twice_text(connection: &Connection, layout: Layout) -> Result<Option<String>, StoreError> {
    // Format 1 has an index that does not let it happen.
    let twice = if layout == Layout::Two { twice(connection)? } else { 0 };
    Ok((twice > 0).then(|| format!("{twice} blocks stand in it more than once")))
}

/// Counts the rows that have the name of another one: in the index they are neighbours, and what is not in
/// the index yet is looked up.
fn twice(connection: &Connection) -> Result<u64, StoreError> {
    let prepare = |sql| connection.prepare(sql).map_err(store_error);
    let mut alike =
        prepare("SELECT a.cid = b.cid FROM blocks a, blocks b WHERE a.id = ?1 AND b.id = ?2")?;
    let (mut twice, mut earlier) = (0, None);
    let mut all = prepare("SELECT start, id FROM places ORDER BY start, id")?;
    let mut rows = all.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
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
        // A name that is none is another matter.
        let Ok(cid) = cid_at(row, 0) else { continue };
        let is_known = !seen.insert(cid)
            || known
                .exists(params![start_of(&cid), cid.as_bytes().as_slice()])
                .map_err(store_error)?;
        twice += u64::from(is_known);
    }
    Ok(twice)
}

/// How many problems are named; one is enough to act.
const MAX_PROBLEMS: u32 = 20;
