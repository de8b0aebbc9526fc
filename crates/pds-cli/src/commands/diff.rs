//! `pds diff`

use anyhow::Result;
use pds::Error;
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::open::Place;
use crate::output::{Output, say};
use crate::state::StateArg;

/// Tell which records differ between two states
///
/// Each is a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file. Exit code 0 if nothing differs,
/// 1 if something does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds diff HEAD~1 HEAD\n  pds diff HEAD backup.car")]
pub(crate) struct Args {
    /// The earlier state
    #[arg(value_name = "A")]
    before: StateArg,

    /// The later state
    #[arg(value_name = "B")]
    after: StateArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.before.is_standard_input() && self.after.is_standard_input() {
            return Err(Stated::only_one_standard_input().into());
        }
        let before = place.snapshot(Some(&self.before))?;
        let after = place.snapshot(Some(&self.after))?;
        let mut exit = Exit::Done;
        for change in before.diff(&after) {
            // The answer is known by then.
            if out.is_closed() {
                break;
            }
            exit = Exit::No;
            let change = match change {
                // It differs, and has no name by which it could be listed.
                Err(error @ Error::Path { .. }) => {
                    say(&error.to_string());
                    continue;
                }
                change => change?,
            };
            let path = &change.path;
            let (action, text) = match (change.before, change.after) {
                (None, Some(new)) => ("create", format!("+ {path} {new}")),
                (Some(old), Some(new)) => ("update", format!("~ {path} {old} {new}")),
                (Some(old), None) => ("delete", format!("- {path} {old}")),
                (None, None) => continue,
            };
            out.answer(
                || text,
                || {
                    json!({
                        "action": action,
                        "path": path.to_string(),
                        "cid": change.after.map(|cid| cid.to_string()),
                        "prev": change.before.map(|cid| cid.to_string()),
                    })
                },
            )?;
        }
        Ok(exit)
    }
}
