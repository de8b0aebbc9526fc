//! The finding about the key that signed a commit.

use crate::model::finding::{Code, Finding};
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::{KeyHistory, KeyPeriod};
use pds_core::syntax::tid::Tid;

/// Names the key that signed a commit, and says how far the rev shows that the key was valid.
pub(crate) fn signed_with(
    key: &PublicKey,
    period: &KeyPeriod,
    rev: Option<Tid>,
    keys: &KeyHistory,
) -> Finding {
    let (code, message) = match rev.filter(|rev| keys.time_of(*rev).is_none()) {
        None => {
            let since = if period.until_micros.is_some() { " (changed since)" } else { "" };
            (Code::KeyAtRev, format!("signed with {key}, the key at that time{since}"))
        }
        Some(rev) if keys.may_be_later(Some(rev), period) => (
            Code::KeyFormer,
            format!(
                "signed with {key}, a former key of the account; rev {rev} is from before the account, so the commit \
                 may be later than the change of the key"
            ),
        ),
        Some(rev) => (
            Code::KeyAtRev,
            format!(
                "signed with {key}, the key of the account; rev {rev} is from before the account"
            ),
        ),
    };
    Finding::new(code, message)
}
