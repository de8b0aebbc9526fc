//! The part of an answer that tells of other states that arrived with a commit.

use pds::data::Cid;
use pds::syntax::Tid;
use pds::transfer::earlier::LeftOut;
use pds::transfer::import::Imported;
use serde::Serialize;

use super::json::optional_text;
use crate::repository::arrivals::because;

/// The other states that arrived: how many were stored, and which commits were not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Arrived {
    /// The number of states that were stored, without the imported one.
    pub(crate) states: u64,
    pub(crate) left_out: Vec<Missed>,
    /// The number of commits that the list has no room for.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) left_out_more: u64,
}

/// A commit that was not stored.
#[derive(Serialize)]
pub(crate) struct Missed {
    pub(crate) cid: Cid,
    #[serde(serialize_with = "optional_text")]
    pub(crate) rev: Option<Tid>,
    pub(crate) reason: String,
}

impl Arrived {
    pub(crate) fn of(imported: &Imported) -> Self {
        let missed = |left: &LeftOut| {
            let reason = because(&left.reason);
            Missed { cid: left.commit, rev: left.rev, reason }
        };
        let left_out: Vec<Missed> = imported.left_out.iter().take(MAX_LISTED).map(missed).collect();
        let left_out_more = (imported.left_out.len() - left_out.len()) as u64;
        Self { states: imported.earlier, left_out, left_out_more }
    }
}

// The signature is that of a predicate of serde.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The most commits that an answer names.
const MAX_LISTED: usize = 1_000;
