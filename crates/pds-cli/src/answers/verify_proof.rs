//! The answer of `pds verify-proof`.

use std::fmt;

use pds::data::Value;
use serde::Serialize;

use super::commit::CommitId;
use super::json::Pretty;
use super::prove::Presence;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofAnswer<'a> {
    pub(crate) cid: Presence,
    pub(crate) commit: CommitId,
    pub(crate) did: &'a str,
    /// What the rev does not show, and how the file differs from the proof that `pds prove` writes.
    pub(crate) notes: &'a [String],
    pub(crate) signing_key: Option<String>,
    /// The time of the rev, if it is a time of the account.
    pub(crate) time: Option<String>,
    pub(crate) uri: String,
    /// The record, if it can be decoded.
    pub(crate) value: Option<Value>,
}

impl fmt::Display for ProofAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cid.fmt(f)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "\n{}", Pretty(value)))
    }
}
