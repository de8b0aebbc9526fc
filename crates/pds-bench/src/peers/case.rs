//! The cases of the other libraries.

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::data::Data;
use crate::meter::Outcome;
use crate::peers::{atrium, jacquard, repo_stream, rsky, shrike};
use crate::subject::Subject;
use crate::work::Work;

/// `None` where the library does not do such work.
pub(crate) fn run(
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
