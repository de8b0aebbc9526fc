//! `pds reset`

use anyhow::Result;
use pds::store::Expect;

use crate::failure::Exit;
use crate::open::Place;
use crate::output::{Output, commit_json, rev_text};

/// Move HEAD to another commit
///
/// Nothing is lost: `pds reset '@{1}'` undoes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds reset HEAD~1\n  pds reset '@{1}'      undo the last move")]
pub(crate) struct Args {
    /// Where to: a ref, a commit CID, a rev, HEAD~2, @{1}
    rev: String,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.mirror()?;
        let expect = repo.head()?.map_or(Expect::Absent, Expect::Exactly);
        let to = repo.resolve(&self.rev.parse()?)?;
        repo.set_head(to, expect, "reset")?;
        let rev = repo.snapshot()?.commit().rev();
        out.answer(|| format!("{to}\t{}", rev_text(rev)), || commit_json(to, rev))?;
        Ok(Exit::Done)
    }
}
