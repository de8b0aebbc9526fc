//! Messages about blobs that were copied or are missing.

use anyhow::Result;
use pds::blob::BlobStore;
use pds::blobs::MissingBlobs;
use pds::data::Cid;
use pds::transfer::bring_blobs::CopiedBlobs;
use pds::{Progress, Repo, Snapshot};

use crate::failures::exit::Exit;
use crate::failures::partial::Gaps;
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::process::text::{counted_plain, say};

/// Prints how many of the blobs that records refer to are not stored here. There may be more than those given.
pub(crate) fn say_missing<'a>(
    repo: &Repo,
    cids: impl IntoIterator<Item = &'a Cid>,
    has_more: bool,
    out: &mut Output,
) -> Result<()> {
    let mut missing = 0_u64;
    for cid in cids {
        missing += u64::from(repo.blobs().open(cid)?.is_none());
    }
    if missing > 0 {
        let are = if missing == 1 { "is" } else { "are" };
        let at_least = if has_more { "at least " } else { "" };
        let blobs = counted_plain(missing, "blob");
        out.warn(format!(
            "{at_least}{blobs} {are} referred to but missing here; pds blob missing lists them"
        ));
    }
    Ok(())
}

/// Finds the references to blobs that are not stored.
pub(crate) fn find_missing(
    snapshot: &Snapshot,
    blobs: &dyn BlobStore,
    gaps: &mut Gaps,
) -> Result<MissingBlobs> {
    let steps = Steps::default();
    let count = |step, more| steps.add(step, more);
    let progress = Progress::new(&count);
    Ok(snapshot.missing_blobs_reporting(blobs, progress, &mut |error| gaps.pass_over(error))?)
}

/// Lists the blobs that could not be copied. Returns the exit code.
pub(crate) fn say_damaged(blobs: &CopiedBlobs, out: &mut Output) -> Exit {
    for cid in &blobs.damaged {
        out.warn(format!("blob {cid} is damaged in the source and was not copied"));
    }
    if blobs.damaged.is_empty() { Exit::Done } else { Exit::Partly }
}

/// Prints how many blobs were copied, and lists those that could not be. Returns the exit code.
pub(crate) fn say_copied(blobs: &CopiedBlobs, out: &mut Output) -> Exit {
    if blobs.copied > 0 {
        say(&format!("copied {}", counted_plain(blobs.copied, "blob")));
    }
    say_damaged(blobs, out)
}
