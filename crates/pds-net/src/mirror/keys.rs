//! The key that must have signed a commit of an account.

use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::KeyPeriod;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::refusal::Refusal;

/// The key that signed a commit, and whether it is a former one of the account.
#[derive(Debug)]
pub(super) struct SignedBy {
    pub(super) key: PublicKey,
    pub(super) is_former: bool,
}

/// Returns the key of an account that signed a commit.
///
/// A former key counts for a commit whose rev is older than the operation that ended the key. Right after a migration
/// the newest commit is such a one: the new host signs with its own key from the first write on.
pub(super) fn signer(account: &Account, commit: &Commit) -> Result<SignedBy> {
    let Some(current) = account.key() else {
        let reason = "its DID document names no signing key".to_owned();
        return Err(Error::Resolve { name: account.did.to_string(), reason });
    };
    if commit.verify(current).is_ok() {
        return Ok(SignedBy { key: current.clone(), is_former: false });
    }
    let history = account.log.as_ref().map(|log| log.key_history());
    let periods = history.iter().flat_map(|history| history.periods());
    let mut former = periods.filter(|period| is_in_time(period, commit));
    let signed = former.find_map(|period| {
        let key = period.key.as_ref()?;
        commit.verify(key).is_ok().then(|| SignedBy { key: key.clone(), is_former: true })
    });
    signed.ok_or_else(|| {
        let (commit, expected) = (commit.cid(), current.into());
        Refusal::WrongKey { commit, expected }.into()
    })
}

/// Returns whether a commit was made before the end of a period.
fn is_in_time(period: &KeyPeriod, commit: &Commit) -> bool {
    let Some(until) = period.until_micros else { return true };
    let made = commit.rev().and_then(|rev| rev.rev_micros());
    made.is_some_and(|made| made <= until.saturating_add(TOLERANCE_MICROS))
}

/// The clocks of a host and of the directory may differ by so much.
const TOLERANCE_MICROS: u64 = 5 * 60 * 1_000_000;
