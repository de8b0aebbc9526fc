//! The other libraries, each in the fastest way that it offers for the work.
//!
//! Where a library leaves a check to its caller (the hash of a block, say) the caller makes it, so that
//! everyone does the same work.

mod atrium;
mod jacquard;
mod repo_stream;
mod rsky;
mod shrike;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::case::Subject;
use crate::data::Data;
use crate::meter::Outcome;
use crate::work::Work;

/// `None` where the library does not do such work.
pub(crate) fn case(
    peer: Subject,
    work: Work,
    records: usize,
    data: &Data,
) -> Result<Option<Outcome>> {
    match peer {
        Subject::Shrike => shrike::case(work, records, data),
        Subject::RepoStream => runtime()?.block_on(repo_stream::case(work, records, data)),
        Subject::Atrium => runtime()?.block_on(atrium::case(work, records, data)),
        Subject::Jacquard => runtime()?.block_on(jacquard::case(work, records, data)),
        Subject::Rsky => runtime()?.block_on(rsky::case(work, records, data)),
        _ => Ok(None),
    }
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
