//! `pds ref`

use anyhow::Result;
use clap::Subcommand;
use pds::Repo;
use pds::data::Cid;
use pds::store::{Expect, RefName};

use super::import::take_in;
use crate::answers::commit::CommitId;
use crate::answers::refs::RefRow;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::failures::errors::resolved_before;
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::repository::open::{Place, Source, state_in};
use crate::screens::moves::{moved, removed};
use crate::screens::refs as screen;

/// List, set and delete named refs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds ref set before-the-move HEAD\n  pds ref ls")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: RefVerb,
}

#[derive(Debug, Subcommand)]
enum RefVerb {
    /// List the refs
    #[command(after_help = "Example:\n  pds ref ls")]
    Ls,
    /// Create or move a ref
    #[command(after_help = "Example:\n  pds ref set before-the-move HEAD")]
    Set {
        /// Name of the ref
        name: RefName,
        /// Target (see pds help revisions); a .car file is imported first
        rev: StateArg,
    },
    /// Delete a ref
    #[command(after_help = "Example:\n  pds ref rm before-the-move")]
    Rm {
        /// Name of the ref
        name: RefName,
    },
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            RefVerb::Ls => list(&place.source()?, out)?,
            RefVerb::Set { name, rev } => {
                let repo = place.mirror()?;
                let (cid, exit) = set(&repo, &name, &rev, out)?;
                out.has_done();
                let rev = repo.checkout(&cid.into()).ok();
                let rev = rev.and_then(|snapshot| snapshot.commit().rev());
                let (row, to) = (RefRow { cid, name: name.to_string() }, CommitId { cid, rev });
                out.show(&row, |terminal| vec![moved(name.as_str(), to, terminal)])?;
                return Ok(exit);
            }
            RefVerb::Rm { name } => {
                if name == RefName::head() {
                    return Stated::usage("HEAD cannot be deleted").fail();
                }
                let cid = place.mirror()?.history().remove_ref(&name)?;
                out.has_done();
                out.show(&RefRow { cid, name: name.to_string() }, |terminal| {
                    vec![removed(name.as_str(), &cid, terminal)]
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Lists the refs; a CAR file has only HEAD.
fn list(source: &Source, out: &mut Output) -> Result<()> {
    let refs = match source {
        Source::Repo(repo) => repo.history().refs()?,
        Source::Car(_) => vec![(RefName::head(), source.snapshot(None)?.commit().cid())],
    };
    if out.terminal().is_some() {
        return screen::print(&refs, source, out);
    }
    let row = |(name, cid): (RefName, Cid)| RefRow { cid, name: name.to_string() };
    out.answers(refs.into_iter().map(row))
}

/// Points a ref to a state, and returns the commit and the exit code; the state of a file is imported first.
fn set(repo: &Repo, name: &RefName, state: &StateArg, out: &mut Output) -> Result<(Cid, Exit)> {
    match state_in(repo, state) {
        Settled::File(file) => {
            let taken = take_in(&repo.on(name.clone()), file)?;
            out.has_done();
            let exit = taken.report(repo, out)?;
            Ok((taken.imported.commit.cid(), exit))
        }
        Settled::Revision(revision) => {
            let to = repo.history().resolve(revision)?;
            repo.history()
                .set_ref(name, to, Expect::Any, "")
                .map_err(|error| resolved_before(error, to))?;
            Ok((to, Exit::Done))
        }
    }
}
