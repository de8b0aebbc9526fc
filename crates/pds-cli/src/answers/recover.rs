//! The answers of `pds recover`.

use std::fmt;

use pds::commit::Commit;
use pds_rescue::Recovered;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::commit::CommitId;
use super::repair::lost_part_json;
use crate::text::counted;

/// A recovered record, or a loss.
pub(crate) struct RecoveredRow<'a>(pub(crate) &'a Recovered);

impl Serialize for RecoveredRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = match self.0 {
            Recovered::Record { key, block } => {
                json!({ "path": key.to_string(), "cid": block.cid() })
            }
            Recovered::Unplaced { key, block } => {
                json!({ "unplaced": { "path": key.to_string(), "cid": block.cid() } })
            }
            Recovered::WithoutPath { block } => json!({ "withoutPath": { "cid": block.cid() } }),
            Recovered::Lost { part, cid } => {
                let mut lost = lost_part_json(part);
                lost["cid"] = json!(cid);
                json!({ "lost": lost })
            }
        };
        row.serialize(serializer)
    }
}

impl fmt::Display for RecoveredRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Recovered::Record { key, block } => write!(f, "{key}\t{}", block.cid()),
            Recovered::Unplaced { key, block } => write!(f, "unplaced {key}\t{}", block.cid()),
            Recovered::WithoutPath { block } => write!(f, "without-path {}", block.cid()),
            Recovered::Lost { part, cid: Some(cid) } => write!(f, "lost {part}: {cid}"),
            Recovered::Lost { part, cid: None } => write!(f, "lost {part}: -"),
        }
    }
}

/// The counts of recovered records and losses.
pub(crate) struct RecoverAnswer<'a> {
    pub(crate) commit: Option<&'a Commit>,
    pub(crate) lost: u64,
    pub(crate) records: u64,
    pub(crate) unplaced: u64,
    pub(crate) without_path: u64,
}

impl RecoverAnswer<'_> {
    pub(crate) fn is_whole(&self) -> bool {
        self.lost == 0 && self.commit.is_some() && self.without_path == 0
    }
}

impl Serialize for RecoverAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = json!({
            "ok": self.is_whole(),
            "did": self.commit.map(|commit| commit.did().as_str()),
            "commit": self.commit.map(CommitId::of),
            "records": self.records,
            "unplaced": self.unplaced,
            "withoutPath": self.without_path,
            "lost": self.lost,
        });
        answer.serialize(serializer)
    }
}

impl fmt::Display for RecoverAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unplaced, without_path, lost, records, .. } = self;
        let verdict = if self.is_whole() { "fully recovered" } else { "partly recovered" };
        let records = counted(*records, "record");
        write!(
            f,
            "{verdict}: {records}, {unplaced} unplaced, {without_path} without a path, {lost} lost"
        )
    }
}
