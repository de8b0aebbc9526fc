//! `pds export`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use pds::commit::Commit;
use pds::syntax::Nsid;
use pds::transfer::export::{ExportOptions, Exported, export_with};
use pds::{Revision, Snapshot};

use super::export_records::RecordExport;
use crate::answers::commit::CommitId;
use crate::answers::export::ExportAnswer;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::failures::exit::{Exit, Stated};
use crate::process::destination::{check_is_no_terminal, named, write_file};
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::repository::open::{Place, Source};
use crate::screens;
use crate::screens::no_records::say_if_absent;

/// Write a CAR file, or the records as NDJSON or CSV
///
/// In a CAR file, blocks are in the streamable order of the specification. Equal repositories give equal files. Exit
/// code 6 if parts of past states are missing or damaged (--history): they are listed and not written.
///
/// NDJSON has one line {"cid", "uri", "value"} for each record, in key order, and pds apply reads it back. CSV has one
/// file for each collection. Its columns are uri, cid, rkey, created_at, and each scalar field of the collection under
/// its dotted name; lists are JSON. Records without a JSON form, and damaged records, are written to FILE.rejected with
/// their bytes, or are listed without -o. Exit code 6 if there is such a record, or if a part of the tree is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds export -o backup.car\n  \
    pds export --since HEAD~3 -o newer.car\n  \
    pds export --history -o all.car\n  \
    pds export | gzip > backup.car.gz\n  \
    pds export --format ndjson -o records.ndjson\n  \
    pds export --format csv -c app.bsky.feed.post -o posts.csv\n  \
    pds export --format csv -o tables/")]
pub(crate) struct Args {
    /// File to write [default: stdout]. CSV of several collections needs a directory
    #[arg(short, long, value_name = "FILE|DIR", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// Format of the file
    #[arg(long, value_enum, default_value_t = ExportFormat::Car)]
    format: ExportFormat,

    /// Write only the records of this collection; may be repeated
    #[arg(short, long = "collection", value_name = "NSID")]
    collections: Vec<Nsid>,

    /// Put an apostrophe before cells that a spreadsheet would run as a formula (csv)
    #[arg(long)]
    guard: bool,

    /// State to write (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Write only the blocks that are new since this state
    #[arg(long, value_name = "REV")]
    since: Option<StateArg>,

    /// Add the earlier commits without their trees, so that pds merge can find the common ancestor
    #[arg(long)]
    chain: bool,

    /// Write every state that a ref or the log names. pds clone and pds import store all states of such a file
    #[arg(long, conflicts_with_all = ["since", "chain"])]
    history: bool,

    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Car,
    #[value(alias = "jsonl")]
    Ndjson,
    Csv,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.at.as_ref().is_some_and(StateArg::is_standard_input)
            && self.since.as_ref().is_some_and(StateArg::is_standard_input)
        {
            return Stated::only_one_standard_input().fail();
        }
        self.check_format()?;
        let (source, at) = place.source_at(self.at.as_ref())?;
        if self.format == ExportFormat::Car {
            return self.of(&source, at, place, out);
        }
        let snapshot = source.snapshot(at)?;
        for collection in &self.collections {
            say_if_absent(collection, None, &[&snapshot], out)?;
        }
        let records = RecordExport {
            snapshot: &snapshot,
            collections: &self.collections,
            to: self.output.as_deref(),
            force: self.force,
        };
        match self.format {
            ExportFormat::Csv => records.csv(self.guard, out),
            ExportFormat::Ndjson | ExportFormat::Car => records.ndjson(out),
        }
    }

    /// Refuses options that the format has no use for.
    fn check_format(&self) -> Result<()> {
        let is_car = self.format == ExportFormat::Car;
        if is_car && !self.collections.is_empty() {
            return Stated::usage("-c needs --format ndjson or csv; a CAR file has the whole tree")
                .fail();
        }
        if !is_car && (self.since.is_some() || self.chain || self.history) {
            return Stated::usage("--since, --chain and --history need --format car").fail();
        }
        if self.guard && self.format != ExportFormat::Csv {
            return Stated::usage("--guard needs --format csv").fail();
        }
        Ok(())
    }

    fn of(
        &self,
        source: &Source,
        at: Option<&Revision>,
        place: &Place,
        out: &mut Output,
    ) -> Result<Exit> {
        if self.history {
            return self.all_states(source, at, out);
        }
        let snapshot = source.snapshot(at)?;
        let is_file = |state: &StateArg| matches!(place.state(state), Settled::File(_));
        let is_elsewhere = self.at.as_ref().is_some_and(is_file);
        let since = match self.since.as_ref().map(|since| (since, place.state(since))) {
            None => None,
            Some((_, Settled::Revision(since))) if !is_elsewhere => {
                Some(source.snapshot(Some(since))?)
            }
            Some((since, _)) => Some(place.snapshot(Some(since))?),
        };
        let options = ExportOptions::default().since(since.as_ref()).chain(self.chain);
        let to = named(self.output.as_deref());
        let Some(path) = to else {
            check_is_no_terminal(self.output.as_deref())?;
            write(&snapshot, &options, out.bytes())?;
            return Ok(Exit::Done);
        };
        let exported = write_file(path, self.force, |out| write(&snapshot, &options, out))?;
        answer(exported, snapshot.commit(), path, out)?;
        Ok(Exit::Done)
    }

    /// Writes every state of a repository.
    fn all_states(&self, source: &Source, at: Option<&Revision>, out: &mut Output) -> Result<Exit> {
        let Source::Repo(repo) = source else {
            return Stated::usage("--history needs a repository; a CAR file has no log").fail();
        };
        let head = Revision::from(repo.history().ref_name().clone());
        let write = |out: &mut dyn Write| {
            let mut progress = Progress::bytes("writing", None);
            let mut count = |bytes| progress.add(bytes);
            Ok(repo.transfer().export_history(at.unwrap_or(&head), out, &mut count)?)
        };
        let exported = match named(self.output.as_deref()) {
            None => {
                check_is_no_terminal(self.output.as_deref())?;
                write(out.bytes())?
            }
            Some(path) => {
                let exported = write_file(path, self.force, write)?;
                answer(exported.file, &exported.commit, path, out)?;
                exported
            }
        };
        for cid in &exported.lost {
            say(&format!("block {cid} of a past state is missing or damaged: not written"));
        }
        Ok(if exported.lost.is_empty() { Exit::Done } else { Exit::Partly })
    }
}

/// Prints the size of a file that was written.
fn answer(exported: Exported, commit: &Commit, to: &Path, out: &mut Output) -> Result<()> {
    let Exported { blocks, bytes, .. } = exported;
    out.has_done();
    let answer = ExportAnswer { blocks, bytes, commit: CommitId::of(commit) };
    if out.is_json() || out.terminal().is_some() {
        let file = to.display().to_string();
        return out.show(&answer, |terminal| screens::files::car(&answer, &file, terminal));
    }
    say(&answer.to_string());
    Ok(())
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
