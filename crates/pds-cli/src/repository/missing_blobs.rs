//! Messages about blobs that a host did not give.

use pds_net::mirror::blobs::Blobs;

use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::process::text::counted_plain;

/// Lists the blobs that could not be fetched, with the directory of the mirror if there are several. Returns the exit
/// code.
pub(crate) fn say_not_fetched(blobs: &Blobs, dir: Option<&str>, out: &mut Output) -> Exit {
    let place = dir.map(|dir| format!("{dir}: ")).unwrap_or_default();
    for blob in blobs.missing.iter().take(MAX_LINES) {
        let (cid, path, reason) = (blob.cid, &blob.path, blob.reason.word());
        out.warn(format!("{place}blob {cid} of {path} was not fetched: {reason}"));
    }
    if let Some(more) = blobs.missing.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
        let more = counted_plain(more as u64, "more blob");
        out.warn(format!(
            "{place}{more} not fetched; missing-blobs.json lists them, pds pull tries again"
        ));
    }
    if blobs.missing.is_empty() { Exit::Done } else { Exit::Partly }
}

/// The most blobs that are named.
const MAX_LINES: usize = 10;
