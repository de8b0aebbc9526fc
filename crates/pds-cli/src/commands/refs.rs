//! `pds ref`

use anyhow::Result;
use clap::Subcommand;
use pds::data::Cid;
use pds::store::{Expect, RefName};
use serde_json::json;

use super::import::{take_in, warn};
use crate::failure::{Exit, Stated, resolved_before};
use crate::open::{Place, Source};
use crate::output::Output;
use crate::state::StateArg;

/// Names for commits
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds ref set before-the-move HEAD\n  pds ref ls")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the refs
    #[command(after_help = "Example:\n  pds ref ls")]
    Ls,
    /// Make or move a ref
    #[command(after_help = "Example:\n  pds ref set before-the-move HEAD")]
    Set {
        /// Its name
        name: RefName,
        /// Where to: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file, which is taken in first
        rev: StateArg,
    },
    /// Remove a ref
    #[command(after_help = "Example:\n  pds ref rm before-the-move")]
    Rm {
        /// Its name
        name: RefName,
    },
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            Verb::Ls => match place.source()? {
                Source::Repo(repo) => {
                    for (name, cid) in repo.history().refs()? {
                        print(&name, cid, out)?;
                    }
                }
                source @ Source::Car(_) => {
                    print(&RefName::head(), source.snapshot(None)?.commit().cid(), out)?;
                }
            },
            Verb::Set { name, rev } => {
                let repo = place.mirror()?;
                let to = match &rev {
                    StateArg::File(file) => {
                        let imported = take_in(&repo.on(name.clone()), file)?;
                        warn(&imported.findings);
                        imported.commit.cid()
                    }
                    StateArg::Revision(revision) => {
                        let to = repo.history().resolve(revision)?;
                        repo.history()
                            .set_ref(&name, to, Expect::Any, "")
                            .map_err(|error| resolved_before(error, to))?;
                        to
                    }
                };
                out.has_done();
                print(&name, to, out)?;
            }
            Verb::Rm { name } => {
                if name == RefName::head() {
                    return Err(Stated::usage("HEAD cannot be removed").into());
                }
                let stood = place.mirror()?.history().remove_ref(&name)?;
                out.has_done();
                print(&name, stood, out)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn print(name: &RefName, cid: Cid, out: &mut Output) -> Result<()> {
    out.answer(
        || format!("{name}\t{cid}"),
        || json!({ "name": name.as_str(), "cid": cid.to_string() }),
    )
}
