//! The store of one account, as its users see it.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use crate::address::Address;
use crate::apply::Pending;
use crate::login::config;
use crate::pool::Pool;
use crate::schema::{accounts, add_account, find_account, make_tables};
use crate::sweep::sweep;
use crate::view::{BATCH, FACTS, PostgresView, get_many};
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
    /// An account without any changes is used as it is: its creation was interrupted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] if the account exists or the server refuses, and
    /// [`StoreError::NewerFormat`] if a later release made the tables.
    pub fn create(address: &Address, did: &Did) -> Result<Self, StoreError> {
        let mut pool = Pool::new(config(address)?);
        // A user that may not make tables can use those that exist.
        let made = match find_account(&pool, did) {
            Err(StoreError::NotAStore(_)) => make_tables(&pool),
            found => found.map(drop),
        };
        let account = made.and_then(|()| add_account(&pool, did));
        pool.account = account.map_err(|error| named(address, error))?;
        Ok(Self { address: address.clone().with_did(Some(did.clone())), pool })
    }

    /// Opens the store of an account.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`] if the database has no such account or no tables of a store, and
    /// [`StoreError::NewerFormat`] if a later release made the tables.
    pub fn open(address: &Address, did: &Did) -> Result<Self, StoreError> {
        let address = address.clone().with_did(Some(did.clone()));
        let mut pool = Pool::new(config(&address)?);
        let absent = || StoreError::NotAStore("the database does not have this account".to_owned());
        let found = find_account(&pool, did).and_then(|found| found.ok_or_else(absent));
        (pool.account, _) = found.map_err(|error| named(&address, error))?;
        Ok(Self { address, pool })
    }

    /// Lists the accounts of a database, in the order of their DIDs.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn accounts(address: &Address) -> Result<Vec<Did>, StoreError> {
        accounts(&Pool::new(config(address)?)).map_err(|error| named(address, error))
    }

    /// Returns the address of the store, with its account.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Blocks for PostgresStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.get_many(&[*cid]).pop().unwrap_or(Ok(None))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        get_many(&self.pool, cids, None)
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

impl Store for PostgresStore {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(PostgresView::read(&self.pool, FACTS)?))
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        change.check()?;
        let mut change = Pending::of(change)?;
        if !change.is_whole {
            return self.pool.transaction(|pool| {
                let known = change.known(pool)?;
                change.apply(pool, &known)
            });
        }
        let mut guess = change.guess();
        for n in 0..MAX_TRIES {
            let known = guess.take().map_or_else(|| change.known(&self.pool), Ok);
            match known.and_then(|known| change.apply(&self.pool, &known)) {
                Err(StoreError::Busy) => {}
                done => return done,
            }
            // Writers that were refused together do not come back together.
            sleep(Duration::from_micros(now_micros() % 8_000 * n));
        }
        Err(StoreError::Busy)
    }

    fn collect(&self, mut found: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        found.check()?;
        let change = found.change.take().filter(|_| !found.dry_run);
        let change = change.map(Pending::of).transpose()?;
        if found.dry_run {
            return sweep(&self.pool, found, None);
        }
        self.pool.transaction(|pool| sweep(pool, found, change))
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

/// The number of times that a change is tried before it gives way to other writers.
const MAX_TRIES: u64 = 12;
