//! A pool of connections. Each is used by one caller at a time.

use postgres::{Config, NoTls};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::address::Address;
use crate::connection::Connection;
use crate::errors::{ConnectionLost, store_error};
use crate::password::password;
use pds_store::error::StoreError;

/// The idle connections. Their number is limited. The number of connections in use is not:
/// otherwise a thread with two views would wait for itself.
pub(crate) struct Pool {
    config: Config,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(address: &Address) -> Result<Self, StoreError> {
        let mut config = Config::new();
        config.user(&address.user).dbname(&address.database).port(address.port);
        config.host(&address.host).application_name("pds").connect_timeout(CONNECT_TIME);
        if let Some(password) = password(address)? {
            config.password(password);
        }
        Ok(Self { config, idle: Mutex::default() })
    }

    /// Takes a connection for a change. Its server answered a moment ago.
    pub(crate) fn writer(&self) -> Result<Held<'_>, StoreError> {
        while let Some(mut connection) = self.pop() {
            if connection.is_alive() {
                return Ok(Held { pool: self, connection: Some(connection) });
            }
        }
        self.connect()
    }

    /// Runs a read. If its connection has ended, the read is repeated once with a new one.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(connection) = self.pop() {
            let mut held = Held { pool: self, connection: Some(connection) };
            match held.get().and_then(&read) {
                Err(StoreError::Backend(error)) if error.is::<ConnectionLost>() => {
                    // The other idle connections have probably ended too.
                    self.idle().clear();
                }
                answer => return answer,
            }
        }
        self.connect()?.get().and_then(&read)
    }

    fn connect(&self) -> Result<Held<'_>, StoreError> {
        let client = self.config.connect(NoTls).map_err(store_error)?;
        Ok(Held { pool: self, connection: Some(Connection::new(client)) })
    }

    fn pop(&self) -> Option<Connection> {
        self.idle().pop()
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
    pub(crate) fn get(&mut self) -> Result<&mut Connection, StoreError> {
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

const CONNECT_TIME: Duration = Duration::from_secs(10);
