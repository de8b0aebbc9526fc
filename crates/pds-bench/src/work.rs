//! What is the same for everyone who does a piece of work: how much of it, and what comes out.

use std::fmt;

use clap::ValueEnum;
use pds::data::{Cid, Codec};
use serde::{Deserialize, Serialize};

use crate::generate;

/// A piece of work. What it works on is a repository of some number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Read a CAR file in streamable order: hash every block, check the tree, visit every record.
    ReadStreamable,
    /// The same with the blocks in any order.
    ReadAnyOrder,
    /// The same with the bytes of each record, in key order.
    ReadBytesAnyOrder,
    /// Verify a CAR file in streamable order, with signature and records.
    VerifyStreamable,
    /// The same with the blocks in any order.
    VerifyAnyOrder,
    /// Make a tree of sorted pairs.
    BuildSorted,
    /// Make a tree of pairs in random order.
    BuildRandom,
    /// Insert a key and compute the root, again and again.
    Insert,
    /// Get records by their path, in memory.
    Get,
    /// Compare two trees in memory.
    Diff,
    /// Compare two states of a repository on disk.
    DiffFromDisk,
    /// Write a CAR file.
    Export,
    /// Take a CAR file into a store on disk.
    Import,
    /// Import slices with one new record each.
    SliceOfOne,
    /// Put the same records, one in a commit.
    PutOfOne,
    /// Import slices with a hundred new records each.
    SliceOfHundred,
    /// Put the same records, a hundred in a commit.
    PutOfHundred,
    /// Put records, one a commit.
    Put,
    /// Put records whose keys ascend, many a commit.
    ApplyAscending,
    /// Put records in random order, many a commit.
    ApplyRandom,
    /// Get records by their path from disk.
    GetFromDisk,
    /// Get records by their path from disk, with one thread.
    GetByOneThread,
    /// The same with two threads.
    GetByTwoThreads,
    /// The same with eight threads.
    GetByEightThreads,
    /// List a collection.
    List,
    /// List a collection as a process.
    ListProcess,
    /// Get a record as a process.
    GetProcess,
    /// Start and end.
    Version,
    /// Apply all records in one commit, as a process.
    ApplyProcess,
    /// Export a repository, as a process.
    ExportProcess,
    /// Export its history.
    ExportHistoryProcess,
    /// List all of its records.
    ListAllProcess,
    /// Show its commits.
    LogProcess,
    /// Show the moves of its ref.
    ReflogProcess,
    /// Mark all of its blocks.
    GcProcess,
    /// Verify one record with a long log, as a process.
    LogVerify,
    /// Export it.
    LogExport,
    /// Tell about it.
    LogInfo,
    /// As [`LogVerify`](Self::LogVerify), with a log of moves between two states.
    LogMovesVerify,
    /// As [`LogInfo`](Self::LogInfo), with such a log.
    LogMovesInfo,
    /// Put another version of it.
    LogPut,
    /// Show the newest rows of the log.
    LogNewest,
    /// Keep the last states only, by their number.
    LogGc,
    /// Keep the last states only, from one of them on.
    LogForget,
}

/// What the rows of a log tell of a repository with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Log {
    /// Each row brought another version of the record, so blocks come with each.
    Versions,
    /// Each row moved the ref to the other one of two states, so only the log is long.
    Moves,
}

impl Work {
    /// The log that it is about, if it is about one: the number is that of the rows of the log then.
    pub(crate) fn log(self) -> Option<Log> {
        match self {
            Self::LogVerify
            | Self::LogExport
            | Self::LogInfo
            | Self::LogPut
            | Self::LogNewest
            | Self::LogGc
            | Self::LogForget => Some(Log::Versions),
            Self::LogMovesVerify | Self::LogMovesInfo => Some(Log::Moves),
            _ => None,
        }
    }

    /// The number of new records in each commit, if the work is about slices.
    pub(crate) fn slice(self) -> Option<usize> {
        match self {
            Self::SliceOfOne | Self::PutOfOne => Some(1),
            Self::SliceOfHundred | Self::PutOfHundred => Some(100),
            _ => None,
        }
    }

    /// The number of threads that get records at the same time.
    pub(crate) fn threads(self) -> usize {
        match self {
            Self::GetByTwoThreads => 2,
            Self::GetByEightThreads => 8,
            _ => 1,
        }
    }
}

/// New keys for [`Work::Insert`].
pub(crate) fn new_keys() -> Vec<(String, Cid)> {
    let keyed = |(key, bytes): (String, Vec<u8>)| (key, Cid::of(Codec::Cbor, &bytes));
    generate::new_records().take(INSERTS).map(keyed).collect()
}

/// How many keys differ between two trees.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
}

impl Changed {
    pub(crate) fn count(&mut self, before: bool, after: bool) {
        match (before, after) {
            (false, _) => self.added += 1,
            (true, true) => self.changed += 1,
            (true, false) => self.removed += 1,
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{} ~{} -{}", self.added, self.changed, self.removed)
    }
}

/// How many keys are asked for, in memory and on disk.
pub(crate) const GETS: usize = 20_000;
/// How many keys all threads together ask for: the same keys for any number of threads.
pub(crate) const PARALLEL_GETS: usize = 160_000;
/// The work of several threads, and that of one thread to compare it with.
pub(crate) const PARALLEL: [Work; 3] =
    [Work::GetByOneThread, Work::GetByTwoThreads, Work::GetByEightThreads];
/// How many keys are inserted into a tree.
pub(crate) const INSERTS: usize = 1_000;
/// How many records are put, one a commit.
pub(crate) const PUTS: usize = 1_000;
/// The number of slices that are imported, one after another.
pub(crate) const SLICES: usize = 50;
/// How many records are applied.
pub(crate) const APPLIED: usize = 100_000;
/// How many of them make a commit.
pub(crate) const COMMIT: usize = 200;
/// The collection that is listed: three of ten records.
pub(crate) const LISTED: &str = "app.bsky.feed.post";
