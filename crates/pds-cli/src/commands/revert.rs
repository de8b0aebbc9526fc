//! `pds revert`

use anyhow::Result;
use pds::store::RefName;
use pds::{Error, Versions};
use serde_json::json;

use crate::failure::{Exit, Stated, resolved_before};
use crate::open::Place;
use crate::output::{Output, commit_json, rev_text, say};
use crate::state::{StateArg, resolve};

/// Undo a commit by a new one
///
/// Records that were changed since are conflicts: they are listed, and nothing is done. To go back to
/// an earlier state altogether, see `pds reset`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds revert HEAD\n  pds revert 3lpopnggxbk2c\n\n\
    A conflict is a line: ! path, the CID that the commit left, the one that stands now, the one \
    before the commit; - stands for no record.")]
pub(crate) struct Args {
    /// Which one: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file of a commit that is here
    #[arg(value_name = "COMMIT")]
    commit: StateArg,

    /// Write to another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.branch(self.ref_name.as_ref())?;
        let commit = resolve(&repo, &self.commit)?;
        let written = match repo.merge().revert(commit) {
            Err(Error::Conflicts(conflicts)) => {
                print_conflicts(&conflicts, out)?;
                let message = Error::Conflicts(conflicts).to_string();
                return Err(Stated::no("conflict", message).hint(CHANGED_SINCE).into());
            }
            written => written.map_err(|error| resolved_before(error, commit))?,
        };
        if written.changes.is_empty() {
            say("nothing to undo: everything is as it was before that commit");
        }
        let (cid, rev) = (written.commit.cid(), written.commit.rev());
        out.has_done();
        out.answer(|| format!("{cid}\t{}", rev_text(rev)), || commit_json(cid, rev))?;
        Ok(Exit::Done)
    }
}

/// Prints the records that two sides have changed: a line for each.
pub(crate) fn print_conflicts(conflicts: &[Versions], out: &mut Output) -> Result<()> {
    for Versions { path, base, ours, theirs } in conflicts {
        let [base, ours, theirs] = [base, ours, theirs].map(|cid| cid.map(|cid| cid.to_string()));
        let text = |cid: &Option<String>| cid.clone().unwrap_or_else(|| "-".to_owned());
        out.answer(
            || format!("! {path} {} {} {}", text(&base), text(&ours), text(&theirs)),
            || json!({ "path": path.to_string(), "base": base, "ours": ours, "theirs": theirs }),
        )?;
    }
    Ok(())
}

const CHANGED_SINCE: &str =
    "nothing was written: what was changed since can be put back with pds put";
