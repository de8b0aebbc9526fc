//! Messages about blobs that a host did not give.

use pds_net::error::Error;
use pds_net::mirror::blobs::Blobs;
use pds_net::mirror::pull::Pulled;

use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::process::text::counted_plain;

/// Lists the blobs that could not be fetched, with the directory of the mirror if there are several. Returns the exit
/// code.
pub(crate) fn say_not_fetched(blobs: &Blobs, dir: Option<&str>, out: &mut Output) -> Exit {
    let place = dir.map(|dir| format!("{dir}: ")).unwrap_or_default();
    not_fetched(blobs).for_each(|line| out.warn(format!("{place}{line}")));
    if blobs.missing.is_empty() { Exit::Done } else { Exit::Partly }
}

/// Says which blobs of a pull could not be fetched. Returns the exit code.
pub(crate) fn say_not_pulled(pulled: &Pulled, dir: Option<&str>, out: &mut Output) -> Exit {
    let Some(error) = &pulled.blobs_error else {
        return say_not_fetched(&pulled.blobs, dir, out);
    };
    let place = dir.map(|dir| format!("{dir}: ")).unwrap_or_default();
    out.warn(format!("{place}{}", not_begun(error)));
    Exit::Partly
}

/// Returns the sentence about blobs whose fetch failed as a whole.
pub(crate) fn not_begun(error: &Error) -> String {
    format!("the new state is stored, and its blobs were not fetched: {error}; pds pull continues")
}

/// Returns the sentences about the blobs that could not be fetched.
pub(crate) fn not_fetched(blobs: &Blobs) -> impl Iterator<Item = String> {
    let named = blobs.missing.iter().take(MAX_LINES).map(|blob| {
        let (cid, path, reason) = (blob.cid, &blob.path, blob.reason.word());
        format!("blob {cid} of {path} was not fetched: {reason}")
    });
    let more = blobs.missing.len().checked_sub(MAX_LINES).filter(|more| *more > 0);
    let unlisted = Some(blobs.unlisted).filter(|unlisted| *unlisted > 0);
    let named = named.chain(more.map(|more| {
        let more = counted_plain(more as u64, "more blob");
        format!(
            "{more} not fetched; pds blob missing lists them, and in a mirror pds pull tries again"
        )
    }));
    named.chain(unlisted.map(|unlisted| {
        let unlisted = counted_plain(unlisted, "missing blob");
        format!("missing-blobs.json has no room for {unlisted}; pds pull finds them again")
    }))
}

/// The most blobs that are named.
const MAX_LINES: usize = 10;
