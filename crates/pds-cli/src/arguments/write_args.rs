//! The arguments that the writing verbs share: the ref, the clock and the blobs.

use anyhow::Result;
use pds::store::RefName;
use pds::syntax::Did;
use pds::{Error, Repo, WriteOptions};

use crate::process::output::Output;
use crate::repository::clock::ClockArg;
use crate::repository::open::Place;

/// The ref that a commit is written to, and the clock that dates it.
#[derive(Debug, clap::Args)]
pub(crate) struct CommitArgs {
    /// Write to this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    pub(crate) ref_name: Option<RefName>,

    #[command(flatten)]
    clock: ClockArg,
}

impl CommitArgs {
    /// Opens the repository for a commit to the ref, and warns of a clock that may be wrong.
    pub(crate) fn open(&self, place: &Place, out: &mut Output) -> Result<Repo> {
        self.clock.on(place.branch(self.ref_name.as_ref())?, out)
    }
}

/// The arguments of a verb that writes records, which may refer to blobs.
#[derive(Debug, clap::Args)]
pub(crate) struct WriteArgs {
    /// Accept new references to blobs that are not stored
    #[arg(long)]
    allow_missing_blobs: bool,

    #[command(flatten)]
    pub(crate) commit: CommitArgs,
}

impl WriteArgs {
    /// Returns the options of a commit with this message.
    pub(crate) fn options(&self, message: &str) -> WriteOptions {
        WriteOptions::default()
            .allow_missing_blobs(self.allow_missing_blobs)
            .message(message.to_owned())
    }
}

/// Returns the account of a repository that is written to.
pub(crate) fn account_of(repo: &Repo) -> Result<Did> {
    Ok(repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?)
}
