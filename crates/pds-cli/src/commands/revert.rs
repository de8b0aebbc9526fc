//! `pds revert`

use anyhow::Result;
use pds::{Error, Progress};

use super::merge::list_conflicts;
use crate::answers::commit::CommitId;
use crate::arguments::state_arg::StateArg;
use crate::arguments::write_args::CommitArgs;
use crate::failures::errors::resolved_before;
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::process::text::say;
use crate::repository::open::{Place, resolve};
use crate::screens::merge::Stopped;
use crate::screens::moves::changed;

/// Write a new commit that undoes another
///
/// A record that was changed later is a conflict: conflicts are listed, and nothing is written. To return to an
/// earlier state, use `pds reset`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds revert HEAD\n  pds revert HEAD~2\n\n\
    A conflict is one line: ! path, then three CIDs: the version that the commit wrote, the present \
    version, the version before the commit; - means no record.")]
pub(crate) struct Args {
    /// Commit to undo (see pds help revisions); the commit of a file must be stored
    #[arg(value_name = "COMMIT")]
    undone: StateArg,

    #[command(flatten)]
    commit: CommitArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = self.commit.open(place, out)?;
        let commit = resolve(&repo, &self.undone)?;
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        let reverted = repo.merge().with_progress(Progress::new(&count)).revert(commit);
        steps.finish();
        let written = match reverted {
            Err(error @ Error::Conflicts(_)) => {
                let (message, blocks) = (error.to_string(), repo.store().as_ref());
                let stopped = Stopped { verb: "reverted", sides: None, blocks, hint: PUT };
                return list_conflicts(error.into(), &stopped, out)
                    .or_else(|_| Stated::no("conflict", message).hint(CHANGED_SINCE).fail());
            }
            written => written.map_err(|error| resolved_before(error, commit))?,
        };
        match written.changes.is_empty() {
            true => say("nothing to undo: the records are as they were before that commit"),
            false => out.has_done(),
        }
        let commit = CommitId::of(&written.commit);
        let what = " reverted in the new commit ";
        out.show(&commit, |terminal| changed(&written.changes, commit, what, terminal))?;
        Ok(Exit::Done)
    }
}

const PUT: &str = "use pds put for records that changed since";
const CHANGED_SINCE: &str = "nothing was written; use pds put for records that changed since";
