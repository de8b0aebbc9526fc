//! `pds apply`

use std::path::PathBuf;

use anyhow::Result;
use pds::{Progress, Repo, SpooledBatch, SpooledWritten, StepKind};

use crate::answers::put::WrittenRow;
use crate::arguments::write_args::{WriteArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::input::write_input::WriteInput;
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::repository::open::Place;
use crate::screens::written::print_read;

/// Apply many writes in one signed commit
///
/// Reads one JSON object per line: {"action": "create|update|delete|put", "collection": …, "rkey": …,
/// "value": …}. Without an rkey, create and put generate a TID. In place of the action, a $type of
/// com.atproto.repo.applyWrites may be given. An object may also be the whole body of such a request. Writes take
/// effect in their order. Programs get one line for each record.
///
/// A line {"uri", "cid", "value"} of pds export is a put; if it has a cid, the value must match it. If FILE is a
/// directory, as pds unpack and goat write it, each of its records is a put.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds apply writes.ndjson --batch 200     write one commit per 200 writes\n  \
    pds export --format ndjson | pds -R ../phone apply\n  \
    pds unpack records/ && pds apply records/")]
pub(crate) struct Args {
    /// File with the writes, or directory of records [default: stdin]
    file: Option<PathBuf>,

    /// Write one commit per N writes instead of one for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    #[command(flatten)]
    write: WriteArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = self.write.commit.open(place, out)?;
        let batch_len = self.batch.map_or(u64::MAX, u64::from);
        let mut input = WriteInput::open(self.file.as_deref(), account_of(&repo)?)?;
        let mut committed = 0_u64;
        loop {
            let written = match self.write_batch(&repo, &mut input, batch_len) {
                Ok(Some(written)) => written,
                Ok(None) => return Ok(Exit::Done),
                Err(error) if committed > 0 => return Err(partly(committed, &error)),
                Err(error) => return Err(error),
            };
            committed += written.len();
            // Each commit is acknowledged as soon as it is made.
            print_read(WrittenRow::spooled(&written), out)
                .and_then(|()| out.flush())
                .map_err(|error| partly(committed, &error))?;
            // Without a reader, later commits would not be acknowledged.
            if out.is_closed() {
                let rest = input.next_write().map_err(|error| partly(committed, &error))?;
                return Ok(if rest.is_some() { Exit::Partly } else { Exit::Done });
            }
        }
    }

    /// Commits the next batch of writes; returns `None` at the end of the input.
    fn write_batch(
        &self,
        repo: &Repo,
        input: &mut WriteInput,
        batch_len: u64,
    ) -> Result<Option<SpooledWritten>> {
        // An error of the input comes first, even if nothing can be written to the repository.
        let Some(first) = input.next_write()? else { return Ok(None) };
        let mut batch = SpooledBatch::on(repo)?;
        batch.push(&first)?;
        while batch.len() < batch_len
            && let Some(write) = input.next_write()?
        {
            batch.push(&write)?;
        }
        let options = self.write.options("apply").swap_commit(input.swap_commit.take());
        let steps = Steps::of(StepKind::Records, batch.len());
        let count = |step, more| steps.add(step, more);
        Ok(Some(batch.with_progress(Progress::new(&count)).commit(&options)?))
    }
}

fn partly(committed: u64, error: &anyhow::Error) -> anyhow::Error {
    let writes = if committed == 1 { "1 write was" } else { &format!("{committed} writes were") };
    Stated::partly(format!("{writes} committed, then: {error:#}"))
        .hint("the printed writes are committed, the writes after them are not")
        .into()
}
