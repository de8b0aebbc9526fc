//! A bound on the effort of queries: a file from a stranger must not keep a query busy without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use super::errors::store_error;
use crate::store::StoreError;

/// What the queries of a connection may still do before SQLite interrupts them.
///
/// A query that goes through many rows calls [`renew`](Self::renew) for each.
#[derive(Clone, Debug)]
pub(super) struct Effort(Arc<AtomicU32>);

impl Effort {
    /// Bounds the queries of a connection.
    pub(super) fn bound(connection: &mut Connection) -> Result<Self, StoreError> {
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

    /// A bound for a connection that has none: to a file that this process has just made.
    pub(super) fn none() -> Self {
        Self(Arc::default())
    }

    /// Takes the bound away, for checks of a whole file: these notice pages that lead to each other.
    pub(super) fn lift(&self) {
        self.0.store(u32::MAX, Ordering::Relaxed);
    }

    /// Lets the next query, or the rest of this one, do as much as the first.
    pub(super) fn renew(&self) {
        self.0.store(MAX_ROUNDS, Ordering::Relaxed);
    }
}

/// How many steps of SQLite's machine are one round.
const ROUND: i32 = 1_000_000;

/// How many rounds a query may take for one row: some five seconds. Finding a row takes a few hundred
/// steps, and the deletion of all facts of a kind some ten for each.
const MAX_ROUNDS: u32 = 500;
