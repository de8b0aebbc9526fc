//! A limit on the effort of queries, so that a malicious file cannot keep a query busy without end.

use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::StoreError;
use crate::sqlite::errors::store_error;

/// The remaining effort of a connection's queries before SQLite interrupts them.
///
/// A query over many rows calls [`renew`](Self::renew) for each row.
#[derive(Clone, Debug)]
pub(crate) struct Effort(Arc<AtomicU32>);

impl Effort {
    /// Limits the queries of a connection.
    pub(crate) fn bound(connection: &mut Connection) -> Result<Self, StoreError> {
        let left = Arc::new(AtomicU32::new(MAX_ROUNDS));
        let effort = Self(left.clone());
        let is_over = move || {
            let spent =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            spent.is_err()
        };
        connection.progress_handler(ROUND, Some(is_over)).map_err(store_error)?;
        Ok(effort)
    }

    /// Returns an effort that limits nothing, for a connection to a file that this process has just
    /// created.
    pub(crate) fn none() -> Self {
        Self(Arc::default())
    }

    /// Removes the limit, for checks of a whole file. These detect cycles of pages themselves.
    pub(crate) fn lift(&self) {
        self.0.store(u32::MAX, Ordering::Relaxed);
    }

    /// Restores the full effort for the next query, or for the rest of this one.
    pub(crate) fn renew(&self) {
        self.0.store(MAX_ROUNDS, Ordering::Relaxed);
    }
}

/// The number of steps of SQLite's virtual machine in one round.
const ROUND: i32 = 1_000_000;

/// The maximum number of rounds of a query for one row: about five seconds. Finding a row takes a
/// few hundred steps, and the deletion of all facts of a kind about ten for each.
const MAX_ROUNDS: u32 = 500;
