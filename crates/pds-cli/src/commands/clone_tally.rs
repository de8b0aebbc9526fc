//! The results of clones of many accounts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::syntax::{Did, Handle};

use crate::answers::cloned_one::{CloneCounts, CloneOutcome, ClonedOne};
use crate::failures::exit::Exit;
use crate::failures::failure::Failure;
use crate::process::output::Output;
use crate::process::text::say;
use crate::records::record_files::directory_name;
use crate::screens::cloned_many as screen;

/// What has become of the accounts so far.
#[derive(Default)]
pub(super) struct CloneTally(CloneCounts);

impl CloneTally {
    /// Counts and prints the result for an account.
    pub(super) fn add(&mut self, one: &ClonedOne, exit: Exit, out: &mut Output) -> Result<()> {
        self.0.incomplete += u64::from(exit != Exit::Done);
        match &one.outcome {
            CloneOutcome::Cloned(state) => {
                self.0.cloned += 1;
                self.0.records += state.records.unwrap_or_default();
                self.0.blobs += state.blobs.fetched;
            }
            CloneOutcome::Present => self.0.present += 1,
            CloneOutcome::Skipped { .. } => self.0.skipped += 1,
            CloneOutcome::Failed { message, .. } => {
                self.0.failed += 1;
                if !out.is_json() {
                    out.warn(format!("{}: {message}", one.name()));
                    return Ok(());
                }
            }
        }
        out.show(one, |terminal| vec![screen::account(one, terminal)])
    }

    /// Prints the sums: a table on a terminal, and otherwise a line on standard error. Returns the exit code.
    pub(super) fn finish(self, out: &mut Output) -> Result<Exit> {
        match out.terminal().is_some() {
            true => out.table(&mut screen::table(&self.0))?,
            false => say(&self.0.to_string()),
        }
        Ok(if self.0.failed + self.0.incomplete > 0 { Exit::Partly } else { Exit::Done })
    }
}

/// Returns the result for an account whose clone has failed.
pub(super) fn failed(did: &Did, handle: Option<&Handle>, error: &anyhow::Error) -> ClonedOne {
    let failure = Failure::of(error);
    let (error, message) = (failure.name(), failure.message().to_owned());
    ClonedOne::new(did, handle, CloneOutcome::Failed { error, message })
}

/// Returns the directory of an account: the one that an earlier run has named by the DID, or else the handle, or the
/// DID.
pub(super) fn directory_of(below: &Path, did: &Did, handle: Option<&Handle>) -> Result<PathBuf> {
    let name = directory_name(did, "clone the account alone, and name a directory");
    match handle {
        Some(handle) if !name.as_ref().is_ok_and(|name| below.join(name).exists()) => {
            Ok(below.join(handle.as_str()))
        }
        _ => Ok(below.join(name?)),
    }
}
