//! Every piece of work, who takes part in it, and what is aimed at.

use crate::case::Subject::{
    self, Atrium, Copy, Hash, Jacquard, Pds, RepoStream, Rsky, ShortLog, Shrike, Sign, Sqlite,
    SqliteBulk, SqliteMoves, SqliteRows, TenthOfLog,
};
use crate::work::Work;

/// A piece of work and who does it, this library first.
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) title: &'static str,
    pub(crate) subjects: &'static [Subject],
    /// On repositories of how many records, and what is aimed at there.
    pub(crate) sizes: &'static [(usize, &'static [Target])],
}

/// What is aimed at.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// CPU time, as a multiple of somebody else's.
    Cpu(f64, Subject),
    /// Time on the clock, as a multiple of somebody else's.
    Wall(f64, Subject),
    /// Speed on the clock, as a share of somebody else's: at least this.
    Speed(f64, Subject),
    /// CPU microseconds each time, beside somebody else's.
    CpuBeside(f64, Subject),
    /// Milliseconds on the clock each time.
    Millis(f64),
    /// How often in a second on the clock: at least this.
    PerSecond(u32),
    /// Memory in MB.
    Megabytes(f64),
    /// Memory in MB beyond that of another subject.
    MegabytesBeyond(f64, Subject),
    /// Memory: bytes for each block of the file, and 16 MB.
    BytesABlock(f64),
    /// What is on disk, as a multiple of the CAR file.
    Size(f64),
    /// How many blocks are read.
    BlocksRead(u64),
}

const READERS: &[Subject] = &[Pds, Shrike, RepoStream, Atrium, Jacquard, Rsky, Hash, Copy];
const TREES: &[Subject] = &[Pds, Shrike, Jacquard, Rsky];
const K: usize = 1_000;
const M: usize = 1_000_000;

const STREAMED: &[Target] = &[Target::Cpu(0.30, Shrike), Target::Megabytes(8.0)];
const INDEXED: &[Target] = &[Target::Cpu(0.8, Shrike), Target::BytesABlock(24.0)];
const VERIFIED: &[Target] = &[Target::Cpu(1.0, Shrike)];
const APPLIED: &[Target] = &[Target::Speed(0.3, Sqlite)];
const LONG_LOG: &[Target] = &[Target::Wall(1.3, ShortLog), Target::MegabytesBeyond(2.0, ShortLog)];
const LOG_GROWTH: &[Target] = &[Target::MegabytesBeyond(2.0, TenthOfLog)];

pub(crate) const TASKS: &[Task] = &[
    Task {
        work: Work::ReadStreamable,
        title: "A CAR file in streamable order: every block hashed, every rule of the tree checked, every record visited in key order.",
        subjects: READERS,
        sizes: &[(100 * K, STREAMED), (M, STREAMED)],
    },
    Task {
        work: Work::ReadAnyOrder,
        title: "The same work with the blocks in any order, here sorted by CID. A visit is the key, the CID and the size of a record that is there.",
        subjects: READERS,
        sizes: &[(100 * K, INDEXED), (M, INDEXED)],
    },
    Task {
        work: Work::ReadBytesAnyOrder,
        title: "The same once more, with all bytes of each record looked at in key order: from memory there, from the file here.",
        subjects: &[Pds, Shrike],
        sizes: &[(100 * K, &[]), (M, &[])],
    },
    Task {
        work: Work::VerifyStreamable,
        title: "`pds verify --key` as a process: with the signature, and every record decoded against the data model. shrike: `Repo::load_car`, which does neither.",
        subjects: &[Pds, Shrike],
        sizes: &[(100 * K, VERIFIED), (M, VERIFIED)],
    },
    Task {
        work: Work::VerifyAnyOrder,
        title: "The same with the blocks in any order.",
        subjects: &[Pds, Shrike],
        sizes: &[(100 * K, VERIFIED), (M, VERIFIED)],
    },
    Task {
        work: Work::BuildSorted,
        title: "A tree from sorted pairs, in memory.",
        subjects: TREES,
        sizes: &[(100 * K, &[Target::Cpu(0.4, Shrike)])],
    },
    Task {
        work: Work::BuildRandom,
        title: "A tree from pairs in random order, in memory.",
        subjects: TREES,
        sizes: &[(100 * K, &[Target::Cpu(0.25, Shrike)])],
    },
    Task {
        work: Work::Insert,
        title: "One new key and the new root with its blocks, in memory; 1,000 times.",
        subjects: TREES,
        sizes: &[(100 * K, &[Target::Cpu(1.0, Shrike)])],
    },
    Task {
        work: Work::Get,
        title: "A record with its bytes by its path, in memory; 20,000 random keys. The cache of nodes is empty at the start, so each node is read and checked once.",
        subjects: &[Pds, Shrike, Atrium, Jacquard, Rsky],
        sizes: &[(100 * K, &[Target::Cpu(0.7, Shrike)])],
    },
    Task {
        work: Work::Diff,
        title: "What differs between two trees that are 100 keys apart, in memory.",
        subjects: TREES,
        sizes: &[(100 * K, &[Target::Cpu(0.2, Jacquard)])],
    },
    Task {
        work: Work::DiffFromDisk,
        title: "The same between two states of a repository on disk. At most the nodes of the changed paths may be read: 100 paths of 10 levels in each tree.",
        subjects: &[Pds],
        sizes: &[(100 * K, &[Target::BlocksRead(2_000)])],
    },
    Task {
        work: Work::Export,
        title: "A CAR file in streamable order: ours from disk, shrike's from memory.",
        subjects: &[Pds, Shrike, Copy],
        sizes: &[(100 * K, &[Target::Cpu(0.6, Shrike)])],
    },
    Task {
        work: Work::Import,
        title: "A CAR file into a new store on disk, verified, durable at the end. Raw SQLite: the same blocks, sorted, in one transaction.",
        subjects: &[Pds, Sqlite, SqliteBulk],
        sizes: &[
            (100 * K, &[Target::Wall(1.3, Sqlite), Target::Size(1.25)]),
            (M, &[Target::Wall(1.3, Sqlite), Target::Megabytes(64.0), Target::Size(1.25)]),
        ],
    },
    Task {
        work: Work::Put,
        title: "A record put, one a commit, each durable when it is acknowledged; 1,000 times. Raw SQLite: one row a commit; and the very rows of each put: record, nodes, commit, ref and log, or only the last two.",
        subjects: &[Pds, Sqlite, SqliteRows, SqliteMoves, Sign],
        sizes: &[
            (K, &[]),
            (100 * K, &[Target::Speed(0.8, Sqlite), Target::CpuBeside(150.0, Sign)]),
            (M, &[]),
        ],
    },
    Task {
        work: Work::ApplyAscending,
        title: "100,000 new records in commits of 200, keys ascending, onto nothing and onto 100,000. Raw SQLite: 100,000 rows in commits of 200.",
        subjects: &[Pds, Sqlite],
        sizes: &[(0, APPLIED), (100 * K, APPLIED)],
    },
    Task {
        work: Work::ApplyRandom,
        title: "The same with the keys in random order.",
        subjects: &[Pds, Sqlite],
        sizes: &[(0, APPLIED), (100 * K, APPLIED)],
    },
    Task {
        work: Work::GetFromDisk,
        title: "A record by its path through an open `Repo`; 20,000 random keys. Raw SQLite: the row of that record.",
        subjects: &[Pds, Sqlite],
        sizes: &[(K, &[]), (100 * K, &[]), (M, &[Target::Cpu(3.0, Sqlite)])],
    },
    Task {
        work: Work::GetByOneThread,
        title: "160,000 records by their paths through one open `Repo`, by one thread. Raw SQLite: the rows of those records.",
        subjects: &[Pds, Sqlite],
        sizes: &[(100 * K, &[])],
    },
    Task {
        work: Work::GetByTwoThreads,
        title: "The same records by two threads that share one open `Repo`; each thread gets half of them. Raw SQLite: a connection for each thread.",
        subjects: &[Pds, Sqlite],
        sizes: &[(100 * K, &[])],
    },
    Task {
        work: Work::GetByEightThreads,
        title: "The same records by eight threads; each thread gets an eighth of them.",
        subjects: &[Pds, Sqlite],
        sizes: &[(100 * K, &[])],
    },
    Task {
        work: Work::List,
        title: "A collection of three tenths of the records, listed in key order.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::PerSecond(1_000_000)])],
    },
    Task {
        work: Work::ListProcess,
        title: "The same by `pds ls` as a process.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::PerSecond(1_000_000)])],
    },
    Task {
        work: Work::GetProcess,
        title: "`pds get` as a process, warm page cache; 20 times.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Millis(10.0), Target::Megabytes(24.0)])],
    },
    Task {
        work: Work::Version,
        title: "`pds --version` as a process; 20 times.",
        subjects: &[Pds],
        sizes: &[(0, &[Target::Millis(3.0)])],
    },
    Task {
        work: Work::LogVerify,
        title: "`pds verify` as a process on a repository of one record; 20 times. Here and below the number is that of the rows of the log, each of them a version of that record.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogExport,
        title: "`pds export` of that record; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogInfo,
        title: "`pds info` of that record; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogMovesVerify,
        title: "`pds verify` where the rows of the log are moves of the ref between two states: the log alone is long, and blocks are few; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogMovesInfo,
        title: "`pds info` there; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogPut,
        title: "`pds put` of another version, signed and durable; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogNewest,
        title: "`pds log -n 20`; 20 times. Its memory must not grow with the log.",
        subjects: &[Pds, TenthOfLog],
        sizes: &[(200 * K, LOG_GROWTH)],
    },
    Task {
        work: Work::LogGc,
        title: "`pds gc --keep 20`, which deletes all other states; once. Its memory must not grow with the log.",
        subjects: &[Pds, TenthOfLog],
        sizes: &[(200 * K, LOG_GROWTH)],
    },
    Task {
        work: Work::LogForget,
        title: "`pds forget --before HEAD~19`, which leaves the same states; once. Its memory must not grow with the log.",
        subjects: &[Pds, TenthOfLog],
        sizes: &[(200 * K, LOG_GROWTH)],
    },
];
