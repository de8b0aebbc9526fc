//! The tables: made on demand, with the number of their format.

use postgres::Row;
use sha2::{Digest, Sha256};

use crate::connection::Connection;
use crate::errors::{Result, column, number};
use pds_core::syntax::did::Did;
use pds_store::error::StoreError;

/// Makes the tables that are missing. Another process may do the same at this moment.
pub(crate) fn make_tables(connection: &mut Connection) -> Result<()> {
    let mut made = Ok(());
    for _ in 0..MAX_TRIES {
        let mut statements = include_str!("sql/schema.sql").split_inclusive(";\n");
        made = statements.try_for_each(|statement| connection.run(statement));
        if made.is_ok() {
            break;
        }
    }
    made
}

/// Finds the number of an account, after a check of the format.
pub(crate) fn find_account(connection: &mut Connection, did: &Did) -> Result<Option<i64>> {
    check_format(connection)?;
    let rows =
        connection.query_all("SELECT id FROM pds.account WHERE did = $1", &[&did.as_str()])?;
    rows.first().map(|row| column(row, 0)).transpose()
}

/// Adds an account. Its number depends on the DID alone, unless another account has that number.
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
        if find_account(connection, did)?.is_some() {
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
    let found = rows.first().map_or(Ok(0), |row| number(row, 0))?;
    match u32::try_from(found) {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(StoreError::NewerFormat { found, supported: FORMAT }),
        _ => Err(StoreError::Damaged(format!("the format number is {found}").into())),
    }
}

/// The format that this release reads and writes.
const FORMAT: u32 = 1;

/// Two processes that make the same table at once fail with an error of the catalogue.
const MAX_TRIES: usize = 5;
