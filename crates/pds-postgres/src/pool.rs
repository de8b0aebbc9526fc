//! A pool of connections. Each is used by one caller at a time.

use postgres::{Config, NoTls};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::address::Address;
use crate::connection::Connection;
use crate::errors::{ConnectionLost, Result, store_error};
use crate::password::password;
use pds_store::error::StoreError;

/// The idle connections. Their number is limited. The number of connections in use is not:
/// otherwise a thread with two views would wait for itself.
pub(crate) struct Pool {
    config: Config,
    account: i64,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(address: &Address) -> Result<Self> {
        let mut config = Config::new();
        config.user(&address.user).dbname(&address.database).port(address.port);
        config.host(&address.host).application_name("pds").connect_timeout(CONNECT_TIME);
        if let Some(password) = password(address)? {
            config.password(password);
        }
        Ok(Self { config, account: 0, idle: Mutex::default() })
    }

    /// Makes the pool of an account whose number `find` returns.
    pub(crate) fn open(
        address: &Address,
        find: impl Fn(&mut Connection) -> Result<i64>,
    ) -> Result<Self> {
        let mut pool = Self::new(address)?;
        let account = pool.connect().and_then(|mut held| held.get().and_then(find))?;
        pool.account = account;
        for connection in pool.idle().iter_mut() {
            connection.account = pool.account;
        }
        Ok(pool)
    }

    /// Takes a connection for a change. Its server answered a moment ago.
    pub(crate) fn writer(&self) -> Result<Held<'_>> {
        loop {
            let Some(mut connection) = self.idle().pop() else { return self.connect() };
            if connection.is_alive() {
                return Ok(Held { pool: self, connection: Some(connection) });
            }
        }
    }

    /// Runs a read. It is repeated if its connection has ended, which idle connections may have
    /// done long ago, and if it conflicts with a change.
    pub(crate) fn read<T>(&self, read: impl Fn(&mut Connection) -> Result<T>) -> Result<T> {
        for _ in 0..MAX_TRIES {
            let idle = self.idle().pop();
            let (is_new, mut held) = match idle {
                Some(idle) => (false, Held { pool: self, connection: Some(idle) }),
                None => (true, self.connect()?),
            };
            match held.get().and_then(&read) {
                Err(StoreError::Busy) => {}
                Err(StoreError::Backend(error)) if !is_new && error.is::<ConnectionLost>() => {
                    // The other idle connections have probably ended too.
                    self.idle().clear();
                }
                answer => return answer,
            }
        }
        Err(StoreError::Busy)
    }

    fn connect(&self) -> Result<Held<'_>> {
        let client = self.config.connect(NoTls).map_err(store_error)?;
        Ok(Held { pool: self, connection: Some(Connection::new(client, self.account)) })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It returns to the pool when it is dropped, unless it is in a transaction.
pub(crate) struct Held<'p> {
    pool: &'p Pool,
    /// `None` only while it is dropped.
    connection: Option<Connection>,
}

impl Held<'_> {
    pub(crate) fn get(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| StoreError::Backend("no connection".into()))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(Connection::is_free);
        let mut idle = self.pool.idle();
        if idle.len() < MAX_IDLE {
            idle.extend(connection);
        }
    }
}

/// The number of idle connections. Each is a process of the server.
const MAX_IDLE: usize = 8;

/// The number of times that a read is tried.
const MAX_TRIES: usize = 6;

const CONNECT_TIME: Duration = Duration::from_secs(10);
