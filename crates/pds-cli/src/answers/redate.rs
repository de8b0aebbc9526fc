//! The part of the answer of `pds repair` about revs in the future.

use std::fmt;

use pds::commit::Commit;
use pds::keys::redated::Redated;
use pds::store::RefName;
use serde_json::{Value, json};

use super::commit::CommitId;
use crate::process::text::{rev_text, rev_time_text};

/// Refs to commits with revs in the future, and the commits that replaced them.
#[derive(Default)]
pub(crate) struct RedateAnswer {
    /// The refs that still point to such a commit.
    pub(crate) future: Vec<(RefName, Commit)>,
    pub(crate) redated: Vec<Redated>,
}

impl RedateAnswer {
    /// Adds the refs to the JSON of a repair.
    pub(crate) fn add_to(&self, answer: &mut Value) {
        let future = self.future.iter();
        let future = future
            .map(|(name, commit)| json!({ "name": name.as_str(), "commit": CommitId::of(commit) }));
        answer["future"] = future.collect();
        let redated = self.redated.iter();
        let redated = redated.map(|Redated { name, before, commit, .. }| {
            let [before, commit] = [before, commit].map(CommitId::of);
            json!({ "name": name.as_str(), "before": before, "commit": commit })
        });
        answer["redated"] = redated.collect();
    }
}

impl fmt::Display for RedateAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, commit) in &self.future {
            let time = commit.rev().and_then(rev_time_text).unwrap_or_default();
            let rev = rev_text(commit.rev());
            writeln!(
                f,
                "future {name}: rev {rev} is from {time}; pds repair --redate signs the state with a rev of today"
            )?;
        }
        for Redated { name, before, commit, .. } in &self.redated {
            let [from, to] = [before, commit].map(|commit| rev_text(commit.rev()));
            writeln!(f, "redated {name}: commit {} rev {to} replaces rev {from}", commit.cid())?;
        }
        Ok(())
    }
}
