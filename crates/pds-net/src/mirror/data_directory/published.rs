//! The published identity of an account in a data directory.

use pds_core::syntax::did::Did;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::net::Client;
use crate::resolve::account::resolve;
use crate::resolve::who::Who;

/// What the network says about an account.
#[derive(Debug)]
#[non_exhaustive]
pub enum Published {
    /// Its identity.
    Identity(Box<Account>),
    /// Nothing: the directory of its identity could not be reached.
    Unreachable(Error),
}

/// Asks for the identity of an account.
///
/// # Errors
///
/// As [`resolve`]. That nothing answers is no error.
pub fn published(client: Client<'_>, did: &Did) -> Result<Published> {
    match resolve(client, &Who::Did(did.clone())) {
        Ok(account) => Ok(Published::Identity(Box::new(account))),
        Err(error) if error.is_retryable() => Ok(Published::Unreachable(error)),
        Err(error) => Err(error),
    }
}
