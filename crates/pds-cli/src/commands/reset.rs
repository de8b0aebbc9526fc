//! `pds reset`

use std::path::Path;

use anyhow::Result;
use pds::store::Expect;

use super::import::{take_in, warn};
use crate::failure::Exit;
use crate::open::{Place, names_a_file};
use crate::output::{Output, commit_json, rev_text};

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
    rev: String,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.mirror()?;
        let (to, rev) = if names_a_file(&self.rev) {
            let imported = take_in(&repo, Path::new(&self.rev))?;
            warn(&imported.findings);
            (imported.commit.cid(), imported.commit.rev())
        } else {
            let expect = repo.head()?.map_or(Expect::Absent, Expect::Exactly);
            let to = repo.resolve(&self.rev.parse()?)?;
            repo.set_head(to, expect, "reset")?;
            (to, repo.checkout(&to.into())?.commit().rev())
        };
        out.has_done();
        out.answer(|| format!("{to}\t{}", rev_text(rev)), || commit_json(to, rev))?;
        Ok(Exit::Done)
    }
}
