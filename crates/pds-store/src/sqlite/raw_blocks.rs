//! Raw access to stored blocks, and the removal of rows whose bytes do not match their names.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::StoreError;
use crate::sqlite::errors::store_error;
use crate::sqlite::query_limit::Effort;
use crate::sqlite::salvage::scan::each_row;
use crate::store::Visitor;
use pds_core::data::cid::Cid;

/// Visits every readable row of `blocks`.
pub(crate) fn scan(
    connection: &Connection,
    effort: &Effort,
    visit: &mut Visitor<'_>,
) -> Result<(), StoreError> {
    let mut is_over = false;
    let is_all = each_row(connection, "blocks", "cid, bytes", &mut |row| {
        effort.renew();
        let [name, bytes] = [1, 2].map(|column| row.get_ref(column).map(raw));
        if !is_over {
            is_over = visit(name.map_err(store_error)?, bytes.map_err(store_error)?).is_break();
        }
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if is_all || is_over {
        return Ok(());
    }
    Err(StoreError::Damaged("some rows of blocks cannot be read".into()))
}

/// Deletes the rows with these names whose bytes do not match. Returns the number of deleted rows.
pub(crate) fn drop_damaged(
    transaction: &Connection,
    effort: &Effort,
    names: &[Vec<u8>],
) -> Result<u64, StoreError> {
    let names: HashSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut damaged: Vec<i64> = Vec::new();
    each_row(transaction, "blocks", "cid, bytes", &mut |row| {
        effort.renew();
        let [name, bytes] = [1, 2].map(|column| row.get_ref(column).map(raw));
        let (name, bytes) = (name.map_err(store_error)?, bytes.map_err(store_error)?);
        if names.contains(name) && !belongs(name, bytes) {
            damaged.push(row.get(0).map_err(store_error)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut delete =
        transaction.prepare("DELETE FROM blocks WHERE id = ?1").map_err(store_error)?;
    let mut dropped = 0;
    for id in damaged {
        dropped += delete.execute([id]).map_err(store_error)? as u64;
    }
    Ok(dropped)
}

/// Returns whether the bytes match a name.
pub(crate) fn belongs(name: &[u8], bytes: &[u8]) -> bool {
    Cid::from_bytes(name).is_ok_and(|cid| cid.names(bytes))
}

/// Returns the bytes of a value of any type: the columns are declared as bytes, but may be damaged.
pub(crate) fn raw(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::params;
    use std::ops::ControlFlow;

    use crate::sqlite::store::SqliteStore;
    use crate::store::Maintain;
    use pds_core::data::block::{Block, Blocks};
    use pds_core::data::cid::Codec;

    #[test]
    fn a_block_that_does_not_match_its_name_is_visited_and_replaced() {
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
        store.scan_raw(&mut visit).unwrap();
        assert_eq!(shown.len(), 3);
        assert!(shown.contains(&(name.clone(), b"rot".to_vec())));
        let names = [name, other, b"no CID".to_vec(), b"absent".to_vec()];
        let mended = store.replace(&mut [Ok(damaged.clone())].into_iter(), &names).unwrap();
        assert_eq!((mended.added, mended.dropped), (1, 2));
        assert_eq!(store.get(&damaged.cid()).unwrap(), Some(damaged));
        assert_eq!(store.get(&sound.cid()).unwrap(), Some(sound));
    }
}
