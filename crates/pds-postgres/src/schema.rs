//! The tables: made on demand, with the number of their format.

use postgres::Row;
use sha2::{Digest, Sha256};
use std::thread::sleep;
use std::time::Duration;

use crate::connection::Connection;
use crate::errors::{Result, column, number};
use pds_core::syntax::did::Did;
use pds_store::error::StoreError;

/// Makes the tables that are missing. The number of the format is written last.
pub(crate) fn make_tables(connection: &mut Connection) -> Result<()> {
    for statement in include_str!("sql/schema.sql").split_inclusive(";\n") {
        let mut tries = 1;
        while let Err(error) = connection.run(statement) {
            // Of two processes that make the same table at once, one gets an error of the catalogue.
            if tries == MAX_TRIES {
                return Err(error);
            }
            tries += 1;
            sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Finds the number of an account, after a check of the format.
pub(crate) fn find_account(connection: &mut Connection, did: &Did) -> Result<Option<i64>> {
    check_format(connection)?;
    let rows =
        connection.query_all("SELECT id FROM pds.account WHERE did = $1", &[&did.as_str()])?;
    rows.first().map(|row| column(row, 0)).transpose()
}

/// Adds an account. Its number depends on the DID alone, unless another account has that number.
///
/// An account without changes is used as it is: it was added by a process that ended before its
/// first change.
pub(crate) fn add_account(connection: &mut Connection, did: &Did) -> Result<i64> {
    let digest = Sha256::digest(did.as_str().as_bytes());
    let first = digest.first_chunk().copied().unwrap_or_default();
    let mut id = (u64::from_be_bytes(first) >> 1).cast_signed();
    loop {
        let sql = "INSERT INTO pds.account (id, did, change, sweep, status)
            VALUES ($1, $2, 0, 0, 'active') ON CONFLICT DO NOTHING";
        connection.account = id;
        if connection.execute(sql, &[&did.as_str()])? == 1 {
            return Ok(id);
        }
        if let Some(id) = find_account(connection, did)? {
            let sql = "SELECT change FROM pds.account WHERE did = $1";
            let rows = connection.query_all(sql, &[&did.as_str()])?;
            if rows.first().map(|row| number(row, 0)).transpose()? == Some(0) {
                return Ok(id);
            }
            let message = format!("the database already has the account {did}");
            return Err(StoreError::Backend(message.into()));
        }
        id = id.wrapping_add(1) & i64::MAX;
    }
}

/// Lists the accounts of a database, in the order of their DIDs.
pub(crate) fn accounts(connection: &mut Connection) -> Result<Vec<Did>> {
    check_format(connection)?;
    let rows = connection.query_all("SELECT did FROM pds.account ORDER BY did", &[])?;
    let did = |row: &Row| {
        let text: &str = column(row, 0)?;
        text.parse().map_err(|error| StoreError::Damaged(Box::new(error)))
    };
    rows.iter().map(did).collect()
}

fn check_format(connection: &mut Connection) -> Result<()> {
    let rows = connection.query_all("SELECT max(number)::bigint FROM pds.format", &[])?;
    let found: Option<i64> = rows.first().map_or(Ok(None), |row| column(row, 0))?;
    let unfinished = || StoreError::NotAStore("the tables are not complete".to_owned());
    let found = found.ok_or_else(unfinished)?;
    match u32::try_from(found) {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(StoreError::NewerFormat { found, supported: FORMAT }),
        _ => Err(StoreError::Damaged(format!("the format number is {found}").into())),
    }
}

/// The format that this release reads and writes.
const FORMAT: u32 = 1;

/// The number of times that a table is made, if that fails.
const MAX_TRIES: u32 = 10;
