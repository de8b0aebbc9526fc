//! Blocks as they stand, and the end of those that are not what their names say.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::errors::store_error;
use crate::data::Cid;
use crate::store::{StoreError, Visitor};

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
pub(super) fn drop_damaged(transaction: &Connection, names: &[Vec<u8>]) -> Result<u64, StoreError> {
    let names: HashSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut damaged: Vec<i64> = Vec::new();
    let mut all = transaction.prepare("SELECT id, cid, bytes FROM blocks").map_err(store_error)?;
    let mut rows = all.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let [name, bytes] = [1, 2].map(|column| row.get_ref(column));
        let name = raw(name.map_err(store_error)?);
        if names.contains(name) && !belongs(name, raw(bytes.map_err(store_error)?)) {
            damaged.push(row.get(0).map_err(store_error)?);
        }
    }
    let mut delete =
        transaction.prepare("DELETE FROM blocks WHERE id = ?1").map_err(store_error)?;
    let mut dropped = 0;
    for id in damaged {
        dropped += delete.execute([id]).map_err(store_error)? as u64;
    }
    Ok(dropped)
}

/// Tells whether some bytes are the block of a name.
pub(super) fn belongs(name: &[u8], bytes: &[u8]) -> bool {
    Cid::from_bytes(name).is_ok_and(|cid| cid.names(bytes))
}

/// The bytes of a value, whatever it is: the columns are declared as bytes, and may be damaged.
pub(super) fn raw(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::ControlFlow;

    use rusqlite::params;

    use crate::data::{Block, Blocks, Codec};
    use crate::store::{SqliteStore, Store};

    #[test]
    fn what_is_not_its_name_is_shown_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        let store = SqliteStore::create(&path).unwrap();
        let [sound, damaged] = [*b"\xa0", *b"\x80"].map(|bytes| Block::new(Codec::Cbor, bytes));
        let [name, other] = [&damaged, &sound].map(|block| block.cid().as_bytes().to_vec());
        let sql = rusqlite::Connection::open(&path).unwrap();
        for row in [
            params![name, b"rot".as_slice()],
            params![other, sound.bytes()],
            params![b"no CID", b""],
        ] {
            sql.execute("INSERT INTO blocks (cid, bytes) VALUES (?1, ?2)", row).unwrap();
        }
        let mut shown = Vec::new();
        let mut visit = |name: &[u8], bytes: &[u8]| {
            shown.push((name.to_vec(), bytes.to_vec()));
            ControlFlow::Continue(())
        };
        store.scan(&mut visit).unwrap();
        assert_eq!(shown.len(), 3);
        assert!(shown.contains(&(name.clone(), b"rot".to_vec())));
        let names = [name, other, b"no CID".to_vec(), b"absent".to_vec()];
        let mended = store.mend(&mut [Ok(damaged.clone())].into_iter(), &names).unwrap();
        assert_eq!((mended.added, mended.dropped), (1, 2));
        assert_eq!(store.get(&damaged.cid()).unwrap(), Some(damaged));
        assert_eq!(store.get(&sound.cid()).unwrap(), Some(sound));
    }
}
