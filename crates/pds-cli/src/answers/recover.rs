//! The answers of `pds recover`.

use std::fmt;

use pds::commit::Commit;
use pds::data::Block;
use pds::mst::Key;
use pds::syntax::Did;
use pds_rescue::{FoundState, Recovered, StateName};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::commit::CommitId;
use super::repair::lost_part_json;
use crate::process::text::{counted_plain, did_text, rev_text};

/// A recovered record, a loss, or a state.
pub(crate) struct RecoveredRow<'a>(pub(crate) &'a Recovered);

impl Serialize for RecoveredRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record =
            |key: &Key, block: &Block| json!({ "path": key.to_string(), "cid": block.cid() });
        let row = match self.0 {
            Recovered::Record { key, block } => record(key, block),
            Recovered::InState { state, key, block } => {
                let mut row = record(key, block);
                row["commit"] = name_json(state);
                json!({ "inState": row })
            }
            Recovered::Unplaced { key, block } => json!({ "unplaced": record(key, block) }),
            Recovered::WithoutPath { block } => json!({ "withoutPath": { "cid": block.cid() } }),
            Recovered::Lost { part, cid, state } => {
                let mut lost = lost_part_json(part);
                lost["cid"] = json!(cid);
                if let Some(state) = state {
                    lost["commit"] = name_json(state);
                }
                json!({ "lost": lost })
            }
            Recovered::State(FoundState { commit, did, rev, has_tree, records, lost, .. }) => {
                json!({ "state": {
                    "did": did.as_ref().map(Did::as_str),
                    "commit": { "cid": commit, "rev": rev.map(|rev| rev.to_string()) },
                    "hasTree": has_tree, "records": records, "lost": lost,
                } })
            }
        };
        row.serialize(serializer)
    }
}

fn name_json(state: &StateName) -> Value {
    json!({ "cid": state.commit, "rev": state.rev.map(|rev| rev.to_string()) })
}

impl fmt::Display for RecoveredRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Recovered::Record { key, block } => write!(f, "{key}\t{}", block.cid()),
            Recovered::InState { state, key, block } => {
                write!(f, "{state}:{key}\t{}", block.cid())
            }
            Recovered::Unplaced { key, block } => write!(f, "unplaced {key}\t{}", block.cid()),
            Recovered::WithoutPath { block } => write!(f, "without-path {}", block.cid()),
            Recovered::Lost { part, cid, state } => {
                let (of, cid) = (state.map_or_else(String::new, |state| format!("{state}: ")), cid);
                let cid = cid.map_or_else(|| "-".to_owned(), |cid| cid.to_string());
                write!(f, "lost {of}{part}: {cid}")
            }
            Recovered::State(state) => write_state(state, f),
        }
    }
}

fn write_state(state: &FoundState, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let FoundState { commit, did, rev, has_tree, records, lost, .. } = state;
    write!(f, "state {} {commit} {}: ", rev_text(*rev), did_text(did.as_ref()))?;
    match has_tree {
        true => write!(f, "{}, {lost} lost", counted_plain(*records, "record")),
        false => f.write_str("the commit without its tree"),
    }
}

/// The counts of recovered records and losses.
pub(crate) struct RecoverAnswer<'a> {
    pub(crate) commit: Option<&'a Commit>,
    /// All commits that were found.
    pub(crate) commits: &'a [Commit],
    /// The number of damaged places of the file whose data is not found elsewhere.
    pub(crate) damaged: u64,
    pub(crate) in_states: u64,
    pub(crate) lost: u64,
    pub(crate) records: u64,
    pub(crate) unplaced: u64,
    pub(crate) without_path: u64,
}

impl RecoverAnswer<'_> {
    /// Returns whether all trees are whole, and nothing else is damaged or without a place.
    pub(crate) fn is_whole(&self) -> bool {
        let faults: usize = self.commits.iter().map(|commit| commit.faults().len()).sum();
        let rest = self.lost + self.damaged + self.unplaced + self.without_path;
        self.commit.is_some() && rest == 0 && faults == 0
    }

    /// Returns whether neither a commit nor a record was found.
    pub(crate) fn has_nothing(&self) -> bool {
        let found = self.records + self.in_states + self.unplaced + self.without_path;
        self.commit.is_none() && found == 0
    }
}

impl Serialize for RecoverAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = json!({
            "ok": self.is_whole(),
            "did": self.commit.and_then(Commit::known_did).map(Did::as_str),
            "commit": self.commit.map(CommitId::of),
            "records": self.records,
            "states": self.commits.len(),
            "inStates": self.in_states,
            "unplaced": self.unplaced,
            "withoutPath": self.without_path,
            "lost": self.lost,
            "damaged": self.damaged,
        });
        answer.serialize(serializer)
    }
}

impl fmt::Display for RecoverAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_states, unplaced, without_path, lost, records, .. } = self;
        let verdict = if self.is_whole() { "whole" } else { "partly recovered" };
        write!(f, "{verdict}: {}", counted_plain(*records, "record"))?;
        if self.commits.len() > 1 {
            let rev = rev_text(self.commit.and_then(Commit::rev));
            write!(f, " at rev {rev}, {in_states} in other states only")?;
        }
        write!(f, ", {unplaced} unplaced, {without_path} without a path, {lost} lost")?;
        match self.damaged {
            0 => Ok(()),
            damaged => write!(f, ", {}", counted_plain(damaged, "damaged place")),
        }
    }
}
