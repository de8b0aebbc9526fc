//! `pds export`

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use pds::transfer::export::{ExportOptions, Exported, export_with};
use pds::{Revision, Snapshot};
use serde_json::json;

use crate::destination::{named, write_file};
use crate::failure::{Exit, Stated};
use crate::open::{Place, Source};
use crate::output::{Output, commit_json, counted, say};
use crate::progress::Progress;
use crate::state::StateArg;

/// Write a CAR file
///
/// In the streamable order of the specification; equal repositories give equal files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds export -o backup.car\n  pds export --since 3lpopnggxbk2c -o newer.car\n  pds export | gzip > backup.car.gz"
)]
pub(crate) struct Args {
    /// The file; stdout if not given
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// The state to write: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Only what is new since this state, named as for --at
    #[arg(long, value_name = "REV")]
    since: Option<StateArg>,

    /// Add the commits before it, without their trees: pds merge elsewhere finds the common ancestor
    /// by them
    #[arg(long)]
    chain: bool,

    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.at.as_ref().is_some_and(StateArg::is_standard_input)
            && self.since.as_ref().is_some_and(StateArg::is_standard_input)
        {
            return Err(Stated::only_one_standard_input().into());
        }
        let (source, at) = place.source_at(self.at.as_ref())?;
        self.of(&source, at, place, out)
    }

    fn of(
        &self,
        source: &Source,
        at: Option<&Revision>,
        place: &Place,
        out: &mut Output,
    ) -> Result<Exit> {
        let snapshot = source.snapshot(at)?;
        let is_elsewhere = matches!(self.at, Some(StateArg::File(_)));
        let since = match &self.since {
            None => None,
            Some(StateArg::Revision(since)) if !is_elsewhere => Some(source.snapshot(Some(since))?),
            Some(since) => Some(place.snapshot(Some(since))?),
        };
        let options = ExportOptions { since: since.as_ref(), chain: self.chain };
        let to = named(self.output.as_deref());
        let Some(path) = to else {
            if self.output.is_none() && io::stdout().is_terminal() {
                return Err(Stated::usage("a CAR file is not for a terminal: use -o FILE").into());
            }
            write(&snapshot, &options, out.bytes())?;
            return Ok(Exit::Done);
        };
        let exported = write_file(path, self.force, |out| write(&snapshot, &options, out))?;
        let Exported { blocks, bytes, .. } = exported;
        out.has_done();
        if out.is_json() {
            let commit = snapshot.commit();
            let commit = commit_json(commit.cid(), commit.rev());
            out.json(&json!({ "blocks": blocks, "bytes": bytes, "commit": commit }))?;
        } else {
            say(&format!("{}, {}", counted(blocks, "block"), counted(bytes, "byte")));
        }
        Ok(Exit::Done)
    }
}

fn write(
    snapshot: &Snapshot,
    options: &ExportOptions<'_>,
    out: &mut dyn Write,
) -> Result<Exported> {
    let mut progress = Progress::bytes("writing", None);
    let mut count = |bytes| progress.add(bytes);
    Ok(export_with(snapshot, options, out, &mut count)?)
}
