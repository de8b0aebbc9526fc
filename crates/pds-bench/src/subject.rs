//! The subjects: this library, other libraries, and the limits of the machine.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A library, or a limit of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// This library.
    Pds,
    /// The package shrike.
    Shrike,
    /// The package repo-stream.
    RepoStream,
    /// The package atrium-repo.
    Atrium,
    /// The package jacquard-repo.
    Jacquard,
    /// The package rsky-repo.
    Rsky,
    /// Rows into or out of a bare table.
    Sqlite,
    /// The same, with settings for a file that is useless until it is complete.
    SqliteBulk,
    /// The very rows that this library writes, into a bare table.
    SqliteRows,
    /// Of these rows only those that move the ref.
    SqliteMoves,
    /// SHA-256 of every block.
    Hash,
    /// The file, copied.
    Copy,
    /// Signatures alone.
    Sign,
    /// This library, where the log has 20 rows.
    ShortLog,
    /// This library, where the log has a tenth of the rows.
    TenthOfLog,
}

impl Subject {
    /// Tells whether it is another library.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Shrike | Self::RepoStream | Self::Atrium | Self::Jacquard | Self::Rsky)
    }

    /// The rows of the log that it works with, where others have this many.
    pub(crate) fn log_rows(self, rows: usize) -> usize {
        match self {
            Self::ShortLog => SHORT_LOG,
            Self::TenthOfLog => rows / 10,
            _ => rows,
        }
    }

    /// Its name in tables: for a library the name of its package.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Pds => "**pds**",
            Self::Shrike => "shrike",
            Self::RepoStream => "repo-stream",
            Self::Atrium => "atrium-repo",
            Self::Jacquard => "jacquard-repo",
            Self::Rsky => "rsky-repo",
            Self::Sqlite => "limit: raw SQLite",
            Self::SqliteBulk => "limit: raw SQLite, no journal",
            Self::SqliteRows => "limit: its rows in raw SQLite",
            Self::SqliteMoves => "limit: of these only ref and log",
            Self::Hash => "limit: hashing alone",
            Self::Copy => "limit: file copy",
            Self::Sign => "limit: signing alone",
            Self::ShortLog => "pds, a log of 20 rows",
            Self::TenthOfLog => "pds, a tenth of the rows",
        }
    }
}

const SHORT_LOG: usize = 20;
