//! The case of a subject: one piece of work, done once in this process.

use anyhow::{Result, bail};

use crate::data::Data;
use crate::meter::Outcome;
use crate::rows::Part;
use crate::subject::Subject;
use crate::work::Work;
use crate::{limits, ours, rows, sqlite};

/// Does the work once, in this process.
pub(crate) fn run(work: Work, subject: Subject, records: usize, data: &Data) -> Result<Outcome> {
    match subject {
        Subject::Pds => ours::case::run(work, records, data),
        Subject::Sqlite => sqlite::case(work, records, data),
        Subject::SqliteBulk => sqlite::bulk(work, records, data),
        Subject::SqliteRows => rows::case(work, records, data, Part::All),
        Subject::SqliteMoves => rows::case(work, records, data, Part::Moves),
        Subject::Hash => limits::hash(work, records, data),
        Subject::Copy => limits::copy(records, data),
        Subject::Sign => limits::sign(),
        Subject::ShortLog | Subject::TenthOfLog => {
            ours::log::case(work, subject.log_rows(records), data)
        }
        #[cfg(feature = "peers")]
        peer => match crate::peers::case::run(peer, work, records, data)? {
            Some(outcome) => Ok(outcome),
            None => bail!("{} does not do this work", peer.title()),
        },
        #[cfg(not(feature = "peers"))]
        peer => bail!("{} is not built in: it needs the feature `peers`", peer.title()),
    }
}
