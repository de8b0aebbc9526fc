//! `pds reset`

use anyhow::Result;
use pds::store::Expect;

use super::import::take_in;
use crate::answers::commit::CommitId;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::failures::errors::{resolved_before, resolved_by_cid};
use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::repository::open::{Place, state_in};
use crate::screens::moves::moved;

/// Move HEAD to another commit
///
/// A .car file or another repository is verified and stored first: the known key must have signed its commit, which
/// may be older than HEAD. No commit is lost: `pds reset '@{1}'` undoes the move.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds reset HEAD~1\n  pds reset '@{1}'       undo the last move\n  \
    pds reset backup.car   import a file and move to its commit"
)]
pub(crate) struct Args {
    /// Target (see pds help revisions)
    rev: StateArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.mirror()?;
        let mut exit = Exit::Done;
        let (to, rev) = match state_in(&repo, &self.rev) {
            Settled::File(file) => {
                let taken = take_in(&repo, file)?;
                out.has_done();
                exit = taken.report(&repo, out)?;
                (taken.imported.commit.cid(), taken.imported.commit.rev())
            }
            Settled::Revision(revision) => {
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
        let commit = CommitId { cid: to, rev };
        let name = repo.history().ref_name().as_str();
        out.show(&commit, |terminal| vec![moved(name, commit, terminal)])?;
        Ok(exit)
    }
}
