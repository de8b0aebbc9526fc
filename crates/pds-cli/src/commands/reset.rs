//! `pds reset`

use anyhow::Result;
use pds::store::Expect;

use super::import::{take_in, warn};
use crate::failure::{Exit, resolved_before, resolved_by_cid};
use crate::open::Place;
use crate::output::{Output, commit_json, rev_text};
use crate::state::StateArg;

/// Move HEAD to another commit
///
/// A .car file, or another repository, is taken in first, as `pds import` does: its signature is checked with
/// the key that is known here. Nothing is lost: `pds reset '@{1}'` undoes it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds reset HEAD~1\n  pds reset '@{1}'       undo the last move\n  \
    pds reset backup.car   go to the state in a file"
)]
pub(crate) struct Args {
    /// Where to: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    rev: StateArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.mirror()?;
        let (to, rev) = match &self.rev {
            StateArg::File(file) => {
                let imported = take_in(&repo, file)?;
                warn(&imported.findings);
                (imported.commit.cid(), imported.commit.rev())
            }
            StateArg::Revision(revision) => {
                let expect = repo.head()?.map_or(Expect::Absent, Expect::Exactly);
                let to = repo.history().resolve(revision)?;
                let snapshot = repo.checkout(&to.into());
                let snapshot = snapshot.map_err(|error| resolved_by_cid(error, to))?;
                let rev = snapshot.commit().rev();
                repo.history()
                    .set_head(to, expect, "")
                    .map_err(|error| resolved_before(error, to))?;
                (to, rev)
            }
        };
        out.has_done();
        out.answer(|| format!("{to}\t{}", rev_text(rev)), || commit_json(to, rev))?;
        Ok(Exit::Done)
    }
}
