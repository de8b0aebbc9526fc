//! One connection with its prepared statements, and its transactions.

use postgres::types::ToSql;
use postgres::{Client, Error, Row, Statement};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::errors::{ConnectionLost, Result, UnknownOutcome, store_error};
use pds_store::error::StoreError;

/// The parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. Each statement is prepared once.
pub(crate) struct Connection {
    /// The number of the account.
    pub(crate) account: i64,
    client: Client,
    statements: HashMap<&'static str, Statement>,
    used: Instant,
    is_in_transaction: bool,
}

impl Connection {
    pub(crate) fn new(client: Client, account: i64) -> Self {
        let (statements, used) = (HashMap::new(), Instant::now());
        Self { account, client, statements, used, is_in_transaction: false }
    }

    /// Returns whether another caller can use the connection.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_in_transaction && !self.client.is_closed()
    }

    /// Checks that the server still answers, if the connection was idle for a while.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.used.elapsed() < IDLE_TIME || self.client.is_valid(IDLE_TIME).is_ok()
    }

    /// Runs a statement about the account, whose number is its first parameter.
    pub(crate) fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>> {
        let (statement, account) = (self.prepared(sql)?, self.account);
        let rows = self.client.query(&statement, &all(&account, params));
        rows.map_err(|error| self.failed(error))
    }

    /// Runs a statement about all accounts.
    pub(crate) fn query_all(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>> {
        let statement = self.prepared(sql)?;
        self.client.query(&statement, params).map_err(|error| self.failed(error))
    }

    /// Runs a statement that is a whole change: its outcome is unknown if the connection ends.
    pub(crate) fn change(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>> {
        let (statement, account) = (self.prepared(sql)?, self.account);
        let rows = self.client.query(&statement, &all(&account, params));
        rows.map_err(|error| self.unknown(error))
    }

    /// Runs a statement, and returns the number of rows that it wrote.
    pub(crate) fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64> {
        let (statement, account) = (self.prepared(sql)?, self.account);
        let rows = self.client.execute(&statement, &all(&account, params));
        rows.map_err(|error| self.failed(error))
    }

    /// Runs a statement without parameters and results.
    pub(crate) fn run(&mut self, sql: &str) -> Result<()> {
        let done = self.client.batch_execute(sql);
        done.map_err(|error| self.failed(error))
    }

    /// Runs `work` in a transaction. It is rolled back if `work` fails or panics.
    pub(crate) fn transaction<T>(
        &mut self,
        end: End,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.run(match end {
            End::Commit => "BEGIN",
            End::Rollback => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        })?;
        // A connection whose transaction does not end is closed.
        self.is_in_transaction = true;
        let mut done = work(self);
        if done.is_ok() && end == End::Commit {
            match self.client.batch_execute("COMMIT") {
                Ok(()) => {
                    self.is_in_transaction = false;
                    return done;
                }
                Err(error) => done = Err(self.unknown(error)),
            }
        }
        if !self.client.is_closed() && self.client.batch_execute("ROLLBACK").is_ok() {
            self.is_in_transaction = false;
        }
        done
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement> {
        self.used = Instant::now();
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(|error| self.failed(error))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    fn failed(&self, error: Error) -> StoreError {
        match self.client.is_closed() {
            true => StoreError::Backend(ConnectionLost(error).into()),
            false => store_error(error),
        }
    }

    fn unknown(&self, error: Error) -> StoreError {
        match self.client.is_closed() {
            true => StoreError::Backend(UnknownOutcome(error).into()),
            false => store_error(error),
        }
    }
}

/// Returns the parameters of a statement, with the account before the others.
fn all<'a>(account: &'a i64, params: Params<'a>) -> Vec<&'a (dyn ToSql + Sync)> {
    let account: [&'a (dyn ToSql + Sync); 1] = [account];
    [&account, params].concat()
}

/// The end of a transaction whose work succeeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    /// The work only reads, from one moment.
    Rollback,
}

/// The time after which an idle connection is checked before it writes. Its server may have been
/// restarted, and the failed write would have an unknown outcome.
const IDLE_TIME: Duration = Duration::from_secs(1);
