//! The answer of `pds key`.

use pds::crypto::PublicKey;
use serde::Serialize;

use super::commit::CommitId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyAnswer {
    /// The commit that a new key signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<CommitId>,
    pub(crate) signing_key: String,
}

impl KeyAnswer {
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self { commit: None, signing_key: key.did_key() }
    }
}

display!(KeyAnswer, "{signing_key}", signing_key);
