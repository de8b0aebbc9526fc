//! Who does the work, and the way to them.

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::meter::Outcome;
use crate::work::Work;
use crate::{limits, ours, sqlite};

/// A library, or a limit of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// This library.
    Pds,
    /// shrike 0.8.
    Shrike,
    /// repo-stream 0.5.
    RepoStream,
    /// atrium-repo 0.2.
    Atrium,
    /// jacquard-repo 0.12.
    Jacquard,
    /// rsky-repo 0.1.
    Rsky,
    /// Rows into or out of a bare table.
    Sqlite,
    /// SHA-256 of every block.
    Hash,
    /// The file, copied.
    Copy,
    /// Signatures alone.
    Sign,
}

impl Subject {
    /// Tells whether it is another library.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Shrike | Self::RepoStream | Self::Atrium | Self::Jacquard | Self::Rsky)
    }

    /// Its name in tables, with the version where it has one.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Pds => "pds",
            Self::Shrike => "shrike 0.8.2",
            Self::RepoStream => "repo-stream 0.5.0-alpha.10",
            Self::Atrium => "atrium-repo 0.2.0",
            Self::Jacquard => "jacquard-repo 0.12.2",
            Self::Rsky => "rsky-repo 0.1.4",
            Self::Sqlite => "limit: raw SQLite",
            Self::Hash => "limit: hashing alone",
            Self::Copy => "limit: file copy",
            Self::Sign => "limit: signing alone",
        }
    }
}

/// Does the work once, in this process.
pub(crate) fn run(work: Work, subject: Subject, records: usize, data: &Data) -> Result<Outcome> {
    match subject {
        Subject::Pds => ours::case(work, records, data),
        Subject::Sqlite => sqlite::case(work, records, data),
        Subject::Hash => limits::hash(work, records, data),
        Subject::Copy => limits::copy(records, data),
        Subject::Sign => limits::sign(),
        #[cfg(feature = "peers")]
        peer => match crate::peers::case(peer, work, records, data)? {
            Some(outcome) => Ok(outcome),
            None => bail!("{} does not do this work", peer.title()),
        },
        #[cfg(not(feature = "peers"))]
        peer => bail!("{} is not built in: it needs the feature `peers`", peer.title()),
    }
}
