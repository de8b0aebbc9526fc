//! Connections: a pool of idle ones, each of them used by one caller at a time.

use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Row, Statement};
use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::errors::{UnknownOutcome, connect_error, store_error};
use pds_store::error::StoreError;

/// The parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. Each statement is prepared once.
struct Connection {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    used: Instant,
}

impl Connection {
    fn prepare(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(store_error)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.used = Instant::now();
        let statement = self.prepare(sql)?;
        self.client.query(&statement, params).map_err(store_error)
    }

    /// Runs a statement that stores a whole change: its outcome is unknown if the connection ends.
    fn change(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.prepare(sql)?;
        match self.query(sql, params) {
            Err(StoreError::Backend(error)) if self.client.is_closed() => {
                Err(StoreError::Backend(UnknownOutcome(error).into()))
            }
            done => done,
        }
    }
}

/// The idle connections to an account. Their number is limited. The number of connections in use is
/// not: otherwise a thread with two views would wait for itself.
pub(crate) struct Pool {
    /// `None` in a transaction, which ends with its only connection.
    config: Option<Config>,
    /// The number of the account, once it is known.
    pub(crate) account: i64,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(config: Config) -> Self {
        Self { config: Some(config), account: 0, idle: Mutex::default() }
    }

    /// Runs a statement that only reads. It is repeated if its connection has ended, which idle
    /// connections may have done long ago, and if it conflicts with a change.
    pub(crate) fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut connection = self.take()?;
            let rows = connection.query(sql, params);
            let is_lost = connection.client.is_closed();
            self.give_back(connection);
            match rows {
                Err(_) if is_lost && tries < MAX_TRIES => self.idle().clear(),
                Err(StoreError::Busy) if self.config.is_some() && tries < MAX_TRIES => {}
                rows => return rows,
            }
        }
    }

    /// Runs a statement that writes: a whole change, or a part of a transaction.
    pub(crate) fn write(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.take_alive()?;
        let rows = match self.config {
            Some(_) => connection.change(sql, params),
            None => connection.query(sql, params),
        };
        self.give_back(connection);
        rows
    }

    /// Runs `work` in a transaction that has locked the account. If it fails, the connection is
    /// closed, and the server rolls the transaction back.
    pub(crate) fn transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take_alive()?;
        connection.query("BEGIN", &[])?;
        let sql = "SELECT 1 FROM pds.account WHERE id = $1 FOR UPDATE";
        connection.query(sql, &[&self.account])?;
        let idle = Mutex::new(vec![connection]);
        let inner = Self { config: None, account: self.account, idle };
        let done = work(&inner)?;
        let mut connection = inner.take()?;
        connection.change("COMMIT", &[])?;
        self.give_back(connection);
        Ok(done)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle().pop() {
            return Ok(connection);
        }
        let lost = || {
            let message = "the connection ended during a transaction";
            StoreError::Backend(Error::new(ErrorKind::NotConnected, message).into())
        };
        let client =
            self.config.as_ref().ok_or_else(lost)?.connect(NoTls).map_err(connect_error)?;
        Ok(Connection { client, statements: HashMap::new(), used: Instant::now() })
    }

    /// Takes a connection whose server still answers. It may have been restarted, and a write would
    /// have an unknown outcome.
    fn take_alive(&self) -> Result<Connection, StoreError> {
        loop {
            let mut connection = self.take()?;
            if self.config.is_none()
                || connection.used.elapsed() < IDLE_TIME
                || connection.client.is_valid(IDLE_TIME).is_ok()
            {
                return Ok(connection);
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE && !connection.client.is_closed() {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of idle connections. Each is a process of the server.
const MAX_IDLE: usize = 8;

/// The number of times that a read is tried.
const MAX_TRIES: usize = 6;

/// The time after which an idle connection is checked before it writes.
const IDLE_TIME: Duration = Duration::from_secs(1);
