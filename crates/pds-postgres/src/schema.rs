//! The tables: made on demand, with the number of their format.

use postgres::Row;
use sha2::{Digest, Sha256};

use crate::connection::Connection;
use crate::errors::{column, number};
use pds_core::syntax::did::Did;
use pds_store::error::StoreError;

/// Makes the tables that are missing. Another process may do the same at this moment.
pub(crate) fn make_tables(connection: &mut Connection) -> Result<(), StoreError> {
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

/// The row of an account.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) id: i64,
    /// Whether no change was ever applied to it.
    pub(crate) is_new: bool,
}

/// Finds an account, after a check of the format.
pub(crate) fn find_account(
    connection: &mut Connection,
    did: &Did,
) -> Result<Option<Account>, StoreError> {
    check_format(connection)?;
    let sql = "SELECT id, change FROM pds.account WHERE did = $1";
    let rows = connection.query(sql, &[&did.as_str()])?;
    let account = |row| Ok(Account { id: column(row, 0)?, is_new: number(row, 1)? == 0 });
    rows.first().map(account).transpose()
}

/// Adds an account. Its number depends on the DID alone, unless another account has that number.
///
/// An account without changes is used as it is: it was added by a process that ended before its first change.
pub(crate) fn add_account(connection: &mut Connection, did: &Did) -> Result<Account, StoreError> {
    let digest = Sha256::digest(did.as_str().as_bytes());
    let first = digest.first_chunk().copied().unwrap_or_default();
    let mut id = (u64::from_be_bytes(first) >> 1).cast_signed();
    loop {
        let sql = "INSERT INTO pds.account (id, did, change, sweep, status)
            VALUES ($1, $2, 0, 0, 'active') ON CONFLICT DO NOTHING";
        if connection.execute(sql, &[&id, &did.as_str()])? == 1 {
            return Ok(Account { id, is_new: true });
        }
        match find_account(connection, did)? {
            Some(account) if account.is_new => return Ok(account),
            Some(_) => {
                let message = format!("the database already has the account {did}");
                return Err(StoreError::Backend(message.into()));
            }
            None => {}
        }
        id = id.wrapping_add(1) & i64::MAX;
    }
}

/// Lists the accounts of a database, in the order of their DIDs.
pub(crate) fn accounts(connection: &mut Connection) -> Result<Vec<Did>, StoreError> {
    check_format(connection)?;
    let rows = connection.query("SELECT did FROM pds.account ORDER BY did", &[])?;
    let did = |row: &Row| {
        let text: &str = column(row, 0)?;
        text.parse().map_err(|error| StoreError::Damaged(Box::new(error)))
    };
    rows.iter().map(did).collect()
}

fn check_format(connection: &mut Connection) -> Result<(), StoreError> {
    let rows = connection.query("SELECT max(number)::bigint FROM pds.format", &[])?;
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
