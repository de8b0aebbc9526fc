//! The store of one account, as its users see it.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use crate::address::Address;
use crate::apply::{Edits, State};
use crate::blocks::{BATCH, Batch, get_many, many, one};
use crate::connection::{Connection, End};
use crate::errors::UnknownOutcome;
use crate::facts::FactEdits;
use crate::pool::Pool;
use crate::schema::{accounts, add_account, find_account, make_tables};
use crate::sweep::{SweepChange, sweep};
use crate::view::PostgresView;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_store::change::{Applied, Change};
use pds_store::error::StoreError;
use pds_store::store::{Maintain, Store, View, now_micros};
use pds_store::sweep::{Sweep, SweptBlocks};

/// A store of one account in a database.
///
/// Handles in any number of processes may use the same account. A handle has a small pool of
/// connections, which it opens as it needs them.
pub struct PostgresStore {
    address: Address,
    pub(crate) pool: Pool,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("address", &self.address).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Adds an account to a database. It makes the tables if the database has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] if the account exists or the server refuses, and
    /// [`StoreError::NewerFormat`] if a later release made the tables.
    pub fn create(address: &Address, did: &Did) -> Result<Self, StoreError> {
        let address = address.clone().with_did(Some(did.clone()));
        let pool = Pool::open(&address, |connection| {
            // A user that may not make tables can use those that exist.
            match find_account(connection, did) {
                Err(StoreError::NotAStore(_)) => make_tables(connection)?,
                found => drop(found?),
            }
            add_account(connection, did)
        })?;
        Ok(Self { address, pool })
    }

    /// Opens the store of an account.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] if the database has no such account or no tables of a store, and
    /// [`StoreError::NewerFormat`] if a later release made the tables.
    pub fn open(address: &Address, did: &Did) -> Result<Self, StoreError> {
        let address = address.clone().with_did(Some(did.clone()));
        let missing = || StoreError::NotAStore("the account is not in it".to_owned());
        let find = |connection: &mut Connection| find_account(connection, did)?.ok_or_else(missing);
        let pool = Pool::open(&address, find).map_err(|error| named(&address, error))?;
        Ok(Self { address, pool })
    }

    /// Lists the accounts of a database, in the order of their DIDs.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn accounts(address: &Address) -> Result<Vec<Did>, StoreError> {
        let found = Pool::new(address).and_then(|pool| pool.read(accounts));
        found.map_err(|error| named(address, error))
    }

    /// Returns the address of the store, with its account.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Reads the first blocks and the edits of a change.
    fn edits<'a>(&self, change: Change<'a>) -> Result<SweepChange<'a>, StoreError> {
        let seen = change.seen();
        let Change { mut blocks, refs, facts, event, message, history, .. } = change;
        let (facts, at_micros) = (FactEdits::of(&facts), now_micros());
        let batch = Batch::of(&mut blocks)?;
        Ok((Edits { seen, refs, facts, event, message, at_micros }, batch, blocks, history))
    }

    /// Applies a change once.
    fn apply_once(
        &self,
        connection: &mut Connection,
        (edits, batch, rest, history): &mut SweepChange<'_>,
    ) -> Result<Applied, StoreError> {
        if history.is_none()
            && let Some(applied) = edits.move_head(connection, batch)?
        {
            return Ok(applied);
        }
        connection.transaction(End::Commit, |connection| {
            let mut state = State::lock(connection)?;
            let blocks = (&*batch, &mut **rest);
            let new_blocks = edits.apply(connection, &mut state, blocks, history.take())?;
            state.write(connection)?;
            Ok(Applied { new_blocks, version: state.version })
        })
    }
}

impl Blocks for PostgresStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        one(*cid, self.get_many(&[*cid]))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let read = |connection: &mut Connection| get_many(connection, cids, None);
        many(cids, self.pool.read(read))
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

impl Store for PostgresStore {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(PostgresView::begin(&self.pool)?))
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        change.check()?;
        let mut change = self.edits(change)?;
        // A stream can be read once, so only a change that is in memory is repeated.
        let may_repeat = change.1.is_last && change.3.is_none();
        for n in 1.. {
            let mut held = self.pool.writer()?;
            match self.apply_once(held.get()?, &mut change) {
                Err(StoreError::Busy) if may_repeat && n <= MAX_RETRIES => {}
                Err(StoreError::Backend(error)) if may_repeat && error.is::<UnknownOutcome>() => {
                    drop(held);
                    let applied = change.0.find_applied(&self.pool, change.1.blocks.len());
                    return applied.ok_or(StoreError::Backend(error));
                }
                applied => return applied,
            }
            drop(held);
            // Writers that were refused together do not come back together.
            sleep(Duration::from_micros(now_micros() % 8_000 * n));
        }
        Err(StoreError::Busy)
    }

    fn collect(&self, mut found: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        found.check()?;
        let change = found.change.take().filter(|_| !found.dry_run);
        let change = change.map(|change| self.edits(change)).transpose()?;
        let end = if found.dry_run { End::Rollback } else { End::Commit };
        let mut held = self.pool.writer()?;
        held.get()?.transaction(end, |connection| sweep(connection, found, change))
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        Some(self)
    }
}

/// Adds the address to an error about a database that is not a store.
fn named(address: &Address, error: StoreError) -> StoreError {
    match error {
        StoreError::NotAStore(why) => StoreError::NotAStore(format!("{address}: {why}")),
        error => error,
    }
}

/// The number of times that a change is repeated after a conflict with another transaction.
const MAX_RETRIES: u64 = 5;
