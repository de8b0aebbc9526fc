//! `pds stats`

use std::io::Read;
use std::ops::ControlFlow;

use anyhow::Result;
use pds::blob::{BlobStore, SNIFFED_BYTES, sniff};

use crate::answers::stats::{LargestBlob, StatsAnswer, StoredBlobs};
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::Exit;
use crate::failures::partial::Gaps;
use crate::process::output::Output;
use crate::records::statistics::Statistics;
use crate::repository::open::{Place, Source};
use crate::screens;

/// Count the records and bytes of each collection
///
/// Also counts the records of each month, and lists the largest records and the stored blobs. The time of a record is
/// its createdAt, or else the time of its key, and months are those of UTC. In a pipe, each line begins with its kind:
/// collection, total (records, bytes, mean, first, last), month (records), largest (CID, bytes), blobs (count, bytes)
/// and largest-blob. Exit code 6 if a record is missing or damaged: it is named, and counts as a record without bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pds stats\n  \
    pds -R backup.car stats --json\n  \
    pds stats --at HEAD~2 | grep ^month")]
pub(crate) struct Args {
    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (source, at) = place.source_at(self.at.as_ref())?;
        let snapshot = source.snapshot(at)?;
        let mut gaps = Gaps::default();
        let found = Statistics::of(&snapshot, &mut gaps)?;
        let blobs = match &source {
            Source::Repo(repo) => Some(stored(repo.blobs().as_ref())?),
            Source::Car(_) => None,
        };
        let unreadable = found.total().unreadable;
        let answer = StatsAnswer { commit: snapshot.commit(), found: &found, blobs };
        match out.terminal().cloned() {
            Some(terminal) => screens::stats::print(&answer, &terminal, out)?,
            None => out.answer(&answer)?,
        }
        Ok(if unreadable > 0 { Exit::Partly } else { gaps.exit() })
    }
}

/// Counts the stored blobs.
fn stored(blobs: &dyn BlobStore) -> Result<StoredBlobs> {
    let (mut found, mut largest) = (StoredBlobs::default(), None);
    blobs.list(&mut |blob| {
        found.count += 1;
        found.bytes = found.bytes.saturating_add(blob.size_bytes);
        if largest.is_none_or(|(_, size)| size < blob.size_bytes) {
            largest = Some((blob.cid, blob.size_bytes));
        }
        ControlFlow::Continue(())
    })?;
    if let Some((cid, size)) = largest {
        let mut start = Vec::new();
        if let Some(blob) = blobs.open(&cid)? {
            // Damage is what blob check reports; the first bytes suffice here.
            let _ = blob.reader.take(SNIFFED_BYTES as u64).read_to_end(&mut start);
        }
        found.largest = Some(LargestBlob { cid, mime_type: sniff(&start).to_owned(), size });
    }
    Ok(found)
}
