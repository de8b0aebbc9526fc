//! The answer of `pds prove`.

use std::fmt;

use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::Cid;
use serde::Serialize;

use super::commit::CommitId;
use crate::process::text::{did_text, rev_text, rev_time_text};

/// The statement of a proof: the CID of a record, or that the record is absent.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Presence(pub(crate) Option<Cid>);

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cid) => write!(f, "present {cid}"),
            None => f.write_str("absent"),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ProveAnswer {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) cid: Presence,
    pub(crate) commit: CommitId,
    pub(crate) uri: String,
}

display!(ProveAnswer, "{cid}", cid);

/// Names the state of a proof: its account, rev and time.
pub(crate) fn origin_of(commit: &Commit) -> String {
    origin_text(commit, commit.rev().and_then(rev_time_text).as_deref(), None)
}

/// Names the state of a proof: its account and rev, and the time of the rev and the key that signed, if they are known.
pub(crate) fn origin_text(commit: &Commit, time: Option<&str>, key: Option<&PublicKey>) -> String {
    let (did, rev) = (did_text(commit.known_did()), rev_text(commit.rev()));
    let time = time.map_or_else(String::new, |time| format!(" ({time})"));
    let key = key.map_or_else(String::new, |key| format!(", signed with {}", key.did_key()));
    format!("{did} at rev {rev}{time}{key}")
}
