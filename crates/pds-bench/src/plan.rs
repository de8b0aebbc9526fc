//! Every piece of work, its subjects and its targets.

use crate::subject::Subject::{
    self, Atrium, Copy, Hash, Jacquard, Pds, RepoStream, Rsky, ShortLog, Shrike, Sign, Sqlite,
    SqliteBulk, SqliteMoves, SqliteRows, TenthOfLog,
};
use crate::work::Work;

/// A piece of work and its subjects, this library first.
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) title: &'static str,
    pub(crate) subjects: &'static [Subject],
    /// The numbers of records, and the targets for each.
    pub(crate) sizes: &'static [(usize, &'static [Target])],
}

/// A target.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// CPU time, as a multiple of another subject's.
    Cpu(f64, Subject),
    /// Wall time, as a multiple of another subject's.
    Wall(f64, Subject),
    /// Speed in wall time, at least this share of another subject's.
    Speed(f64, Subject),
    /// CPU microseconds each time, above another subject's.
    CpuBeside(f64, Subject),
    /// Milliseconds of wall time each time.
    Millis(f64),
    /// How often in a second of wall time: at least this.
    PerSecond(u32),
    /// Memory in MB.
    Megabytes(f64),
    /// Memory in MB beyond that of another subject.
    MegabytesBeyond(f64, Subject),
    /// Memory: bytes for each block of the file, and 16 MB.
    BytesABlock(f64),
    /// Bytes on disk, as a multiple of the CAR file.
    Size(f64),
    /// The number of blocks that are read.
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
const SLICED: &[(usize, &[Target])] = &[(10 * K, &[]), (100 * K, &[]), (M, &[])];
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
        title: "The same work on a file whose blocks are in another order, here sorted by CID. A visit is the key, the CID and the size of a stored record.",
        subjects: READERS,
        sizes: &[(100 * K, INDEXED), (M, INDEXED)],
    },
    Task {
        work: Work::ReadBytesAnyOrder,
        title: "The same work, and all bytes of each record are read in key order: shrike reads them from memory, pds from the file.",
        subjects: &[Pds, Shrike],
        sizes: &[(100 * K, &[]), (M, &[])],
    },
    Task {
        work: Work::VerifyStreamable,
        title: "`pds verify --key` as a process, which checks the signature and decodes every record against the data model. shrike: `Repo::load_car`, which does neither.",
        subjects: &[Pds, Shrike],
        sizes: &[(100 * K, VERIFIED), (M, VERIFIED)],
    },
    Task {
        work: Work::VerifyAnyOrder,
        title: "The same work on a file whose blocks are sorted by CID.",
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
        title: "The difference between two trees that are 100 keys apart, in memory.",
        subjects: TREES,
        sizes: &[(100 * K, &[Target::Cpu(0.2, Jacquard)])],
    },
    Task {
        work: Work::DiffFromDisk,
        title: "The same difference between two states of a repository on disk. The limit is the nodes of the changed paths: 100 paths of 10 levels in each tree.",
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
        work: Work::SliceOfOne,
        title: "A slice with one new record at a random key, imported into a mirror and durable at the end; 50 slices, one after another.",
        subjects: &[Pds],
        sizes: SLICED,
    },
    Task {
        work: Work::PutOfOne,
        title: "Puts of the same records, one in a commit; 50 commits.",
        subjects: &[Pds],
        sizes: SLICED,
    },
    Task {
        work: Work::SliceOfHundred,
        title: "A slice with 100 new records at random keys, imported into a mirror; 50 slices, one after another.",
        subjects: &[Pds],
        sizes: SLICED,
    },
    Task {
        work: Work::PutOfHundred,
        title: "Puts of the same records, 100 in a commit; 50 commits.",
        subjects: &[Pds],
        sizes: SLICED,
    },
    Task {
        work: Work::Put,
        title: "1,000 puts of a record, each in a commit of its own and durable when it is acknowledged. Raw SQLite writes one row per commit. Two more limits are the rows of each put (record, nodes, commit, ref and log), and the last two rows alone.",
        subjects: &[Pds, Sqlite, SqliteRows, SqliteMoves, Sign],
        sizes: &[
            (K, &[]),
            (100 * K, &[Target::Speed(0.8, Sqlite), Target::CpuBeside(150.0, Sign)]),
            (M, &[]),
        ],
    },
    Task {
        work: Work::ApplyAscending,
        title: "100,000 new records in commits of 200 with ascending keys, into an empty repository and into one of 100,000 records. Raw SQLite: 100,000 rows in commits of 200.",
        subjects: &[Pds, Sqlite],
        sizes: &[(0, APPLIED), (100 * K, APPLIED)],
    },
    Task {
        work: Work::ApplyRandom,
        title: "The same work with keys in random order.",
        subjects: &[Pds, Sqlite],
        sizes: &[(0, APPLIED), (100 * K, APPLIED)],
    },
    Task {
        work: Work::GetFromDisk,
        title: "A record by its path through an open `Repo`; 20,000 random keys. Raw SQLite: the row of that record.",
        subjects: &[Pds, Sqlite],
        sizes: &[(K, &[]), (100 * K, &[]), (M, &[Target::Cpu(3.5, Sqlite)])],
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
        title: "The same listing by `pds ls` as a process.",
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
        work: Work::ApplyProcess,
        title: "`pds apply` as a process: all records in one commit, from lines of JSON. The sort of the keys goes through a temporary file.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Megabytes(400.0)])],
    },
    Task {
        work: Work::ExportProcess,
        title: "`pds export` as a process. Its memory must not grow with the records.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Megabytes(64.0)])],
    },
    Task {
        work: Work::ExportHistoryProcess,
        title: "`pds export --history` of the same repository.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::BytesABlock(16.0)])],
    },
    Task {
        work: Work::ListAllProcess,
        title: "`pds ls --all` of the same repository.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::PerSecond(1_000_000), Target::Megabytes(24.0)])],
    },
    Task {
        work: Work::LogProcess,
        title: "`pds log`, which counts the changes of the one commit.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Megabytes(64.0)])],
    },
    Task {
        work: Work::ReflogProcess,
        title: "`pds reflog` of the same repository.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Megabytes(64.0)])],
    },
    Task {
        work: Work::GcProcess,
        title: "`pds gc`, which marks every block and deletes none: 16 bytes for each of 1.27 million blocks, and 30 MB.",
        subjects: &[Pds],
        sizes: &[(M, &[Target::Megabytes(50.0)])],
    },
    Task {
        work: Work::LogVerify,
        title: "`pds verify` as a process on a repository of one record; 20 times. Here and below, the first column is the number of log rows, and each row is a version of that record.",
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
        title: "`pds verify` on a long log with few blocks: its rows move the ref between two states; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogMovesInfo,
        title: "`pds info` on the same repository; 20 times.",
        subjects: &[Pds, ShortLog],
        sizes: &[(20 * K, LONG_LOG)],
    },
    Task {
        work: Work::LogPut,
        title: "`pds put` of a new version of that record, signed and durable; 20 times.",
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
