//! `pds diff`

use anyhow::Result;
use pds::Error;

use crate::answers::diff::DiffRow;
use crate::exit::{Exit, Stated};
use crate::open::Place;
use crate::output::Output;
use crate::state_arg::StateArg;
use crate::text::say;

/// Show which records differ between two states
///
/// A state is a ref, a commit CID, a rev, HEAD~2, @{1} or a .car file. Exit code 0 if the states have the
/// same records, 1 if they differ.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds diff HEAD~1 HEAD\n  pds diff HEAD backup.car")]
pub(crate) struct Args {
    /// Earlier state
    #[arg(value_name = "A")]
    before: StateArg,

    /// Later state
    #[arg(value_name = "B")]
    after: StateArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.before.is_standard_input() && self.after.is_standard_input() {
            return Stated::only_one_standard_input().fail();
        }
        let before = place.snapshot(Some(&self.before))?;
        let after = place.snapshot(Some(&self.after))?;
        let mut exit = Exit::Done;
        for change in before.diff(&after) {
            // The exit code is known, and no reader is left.
            if out.is_closed() {
                break;
            }
            exit = Exit::No;
            let change = match change {
                // The states differ at a key that is not a record path, so no path can be printed.
                Err(error @ Error::Path { .. }) => {
                    say(&error.to_string());
                    continue;
                }
                change => change?,
            };
            out.answer(&DiffRow(change))?;
        }
        Ok(exit)
    }
}
