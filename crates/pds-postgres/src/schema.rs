//! The tables: made on demand, with the number of their format.

use postgres::Row;
use std::thread::sleep;
use std::time::Duration;

use crate::errors::{column, number};
use crate::pool::Pool;
use pds_core::syntax::did::Did;
use pds_store::error::StoreError;

/// Makes the tables that are missing.
pub(crate) fn make_tables(pool: &Pool) -> Result<(), StoreError> {
    for statement in include_str!("sql/schema.sql").split_inclusive(";\n") {
        let mut tries = 0;
        // Two processes that make the same table at once fail with an error of the catalogue.
        while let Err(error) = pool.write(statement, &[]) {
            tries += 1;
            if tries == MAX_TRIES {
                return Err(error);
            }
            sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Finds an account, after a check of the format. Returns its number, and that of its last change.
pub(crate) fn find_account(pool: &Pool, did: &Did) -> Result<Option<(i64, u64)>, StoreError> {
    check_format(pool)?;
    let sql = "SELECT id, change FROM pds.account WHERE did = $1";
    let rows = pool.query(sql, &[&did.as_str()])?;
    rows.first().map(|row| Ok((column(row, 0)?, number(row, 1)?))).transpose()
}

/// Adds an account with a random number, and returns the number.
///
/// An account without changes is used as it is: it was added by a process that ended before its
/// first change.
pub(crate) fn add_account(pool: &Pool, did: &Did) -> Result<i64, StoreError> {
    let sql = "INSERT INTO pds.account (id, did, change, sweep, status)
        VALUES ((random() * 9e18)::bigint, $1, 0, 0, 'active') ON CONFLICT DO NOTHING";
    loop {
        pool.write(sql, &[&did.as_str()])?;
        match find_account(pool, did)? {
            Some((id, 0)) => return Ok(id),
            Some(_) => {
                let message = format!("the database already has the account {did}");
                return Err(StoreError::Backend(message.into()));
            }
            // Another account has the number.
            None => {}
        }
    }
}

/// Lists the accounts of a database, in the order of their DIDs.
pub(crate) fn accounts(pool: &Pool) -> Result<Vec<Did>, StoreError> {
    check_format(pool)?;
    let rows = pool.query("SELECT did FROM pds.account ORDER BY did", &[])?;
    let did = |row: &Row| {
        let text: &str = column(row, 0)?;
        text.parse().map_err(|error| StoreError::Damaged(Box::new(error)))
    };
    rows.iter().map(did).collect()
}

fn check_format(pool: &Pool) -> Result<(), StoreError> {
    let rows = pool.query("SELECT coalesce(max(number), 0)::bigint FROM pds.format", &[])?;
    let found = rows.first().map_or(Ok(0), |row| number(row, 0))?;
    match u32::try_from(found) {
        Ok(FORMAT) => Ok(()),
        // Another process is making the tables.
        Ok(0) => Err(StoreError::NotAStore("the database has no format number".to_owned())),
        Ok(found) if found > FORMAT => Err(StoreError::NewerFormat { found, supported: FORMAT }),
        _ => Err(StoreError::Damaged(format!("the format number is {found}").into())),
    }
}

/// The format that this release reads and writes.
const FORMAT: u32 = 1;

const MAX_TRIES: usize = 20;
