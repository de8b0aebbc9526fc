//! Blocks as they stand, and the end of those that are not what their names say.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::errors::store_error;
use crate::store::{StoreError, Visitor, belongs};

/// Shows every row, as far as the table can be read.
pub(super) fn scan(connection: &Connection, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
    // NOT INDEXED: what stands in the table counts, not what an index says of it.
    let mut statement = connection
        .prepare("SELECT cid, bytes FROM blocks NOT INDEXED ORDER BY rowid")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let [name, bytes] = [0, 1].map(|column| row.get_ref(column));
        if visit(raw(name.map_err(store_error)?), raw(bytes.map_err(store_error)?)).is_break() {
            break;
        }
    }
    Ok(())
}

/// Deletes the rows of these names whose bytes are not what the name says; returns how many.
pub(super) fn drop_damaged(
    transaction: &Transaction<'_>,
    names: &[Vec<u8>],
) -> Result<u64, StoreError> {
    let mut find = transaction
        .prepare_cached("SELECT rowid, bytes FROM blocks WHERE cid = ?1")
        .map_err(store_error)?;
    let mut delete =
        transaction.prepare_cached("DELETE FROM blocks WHERE rowid = ?1").map_err(store_error)?;
    let mut dropped = 0;
    for name in names {
        let found = find
            .query_row([name.as_slice()], |row| {
                Ok((row.get::<_, i64>(0)?, belongs(name, raw(row.get_ref(1)?))))
            })
            .optional()
            .map_err(store_error)?;
        if let Some((row, false)) = found {
            dropped += delete.execute([row]).map_err(store_error)? as u64;
        }
    }
    Ok(dropped)
}

/// The bytes of a value, whatever it is: the columns are declared as bytes, and may be damaged.
pub(super) fn raw(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}
