//! Every row of the table, who takes part in it, and what is aimed at.

use crate::case::Subject::{
    self, Atrium, Copy, Hash, Jacquard, Pds, RepoStream, Rsky, Shrike, Sign, Sqlite,
};
use crate::work::Work;

/// A piece of work on repositories of some size, and who does it. The first subject is ours.
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) records: usize,
    pub(crate) title: &'static str,
    pub(crate) subjects: &'static [Subject],
    pub(crate) targets: &'static [Target],
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
    /// How often in a second: at least this.
    PerSecond(f64),
    /// Memory in MB.
    Megabytes(f64),
    /// Memory: bytes for each block of the file, and 16 MB.
    BytesABlock(f64),
    /// What is on disk, as a multiple of the CAR file.
    Size(f64),
    /// How many blocks are read.
    BlocksRead(u64),
}

const READERS: &[Subject] = &[Pds, Shrike, RepoStream, Atrium, Jacquard, Rsky, Hash, Copy];
const TREES: &[Subject] = &[Pds, Shrike, Jacquard, Rsky];

pub(crate) const ROWS: &[Row] = &[
    Row {
        work: Work::ReadStreamable,
        records: 100_000,
        title: "read a CAR in streamable order: every hash, every rule of the tree, every record in key order",
        subjects: READERS,
        targets: &[Target::Cpu(0.30, Shrike), Target::Megabytes(8.0)],
    },
    Row {
        work: Work::ReadStreamable,
        records: 1_000_000,
        title: "the same",
        subjects: READERS,
        targets: &[Target::Cpu(0.30, Shrike), Target::Megabytes(8.0)],
    },
    Row {
        work: Work::ReadAnyOrder,
        records: 100_000,
        title: "read a CAR with blocks in any order, same work",
        subjects: READERS,
        targets: &[Target::Cpu(0.8, Shrike), Target::BytesABlock(24.0)],
    },
    Row {
        work: Work::ReadAnyOrder,
        records: 1_000_000,
        title: "the same",
        subjects: READERS,
        targets: &[Target::Cpu(0.8, Shrike), Target::BytesABlock(24.0)],
    },
    Row {
        work: Work::VerifyStreamable,
        records: 100_000,
        title: "`pds verify` (process), streamable order, with signature and every record; shrike: `Repo::load_car`, which decodes none",
        subjects: &[Pds, Shrike],
        targets: &[Target::Cpu(1.0, Shrike)],
    },
    Row {
        work: Work::VerifyAnyOrder,
        records: 100_000,
        title: "the same, any order",
        subjects: &[Pds, Shrike],
        targets: &[Target::Cpu(1.0, Shrike)],
    },
    Row {
        work: Work::BuildSorted,
        records: 100_000,
        title: "tree from sorted pairs",
        subjects: TREES,
        targets: &[Target::Cpu(0.4, Shrike)],
    },
    Row {
        work: Work::BuildRandom,
        records: 100_000,
        title: "tree from pairs in random order",
        subjects: TREES,
        targets: &[Target::Cpu(0.25, Shrike)],
    },
    Row {
        work: Work::Insert,
        records: 100_000,
        title: "insert one key, new root, in memory",
        subjects: TREES,
        targets: &[Target::Cpu(1.0, Shrike)],
    },
    Row {
        work: Work::Get,
        records: 100_000,
        title: "get a record with its bytes, in memory",
        subjects: &[Pds, Shrike, Atrium, Jacquard, Rsky],
        targets: &[Target::Cpu(0.5, Shrike)],
    },
    Row {
        work: Work::Diff,
        records: 100_000,
        title: "diff of two trees 100 keys apart, in memory",
        subjects: TREES,
        targets: &[Target::Cpu(0.2, Jacquard)],
    },
    Row {
        work: Work::DiffFromDisk,
        records: 100_000,
        title: "the same from disk (nodes of 100 paths in each tree, at most 10 a path)",
        subjects: &[Pds],
        targets: &[Target::BlocksRead(2_000)],
    },
    Row {
        work: Work::Export,
        records: 100_000,
        title: "export in streamable order; ours from disk, shrike's from memory",
        subjects: &[Pds, Shrike, Copy],
        targets: &[Target::Cpu(0.6, Shrike)],
    },
    Row {
        work: Work::Import,
        records: 100_000,
        title: "import into the store on disk, verified, durable; SQLite: the same blocks, sorted, one transaction",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Wall(1.3, Sqlite), Target::Size(1.25)],
    },
    Row {
        work: Work::Import,
        records: 1_000_000,
        title: "the same",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Wall(1.3, Sqlite), Target::Megabytes(64.0), Target::Size(1.25)],
    },
    Row {
        work: Work::Put,
        records: 1_000,
        title: "durable put, one record a commit",
        subjects: &[Pds],
        targets: &[],
    },
    Row {
        work: Work::Put,
        records: 100_000,
        title: "durable put, one record a commit; SQLite: one row a commit",
        subjects: &[Pds, Sqlite, Sign],
        targets: &[Target::Speed(0.8, Sqlite), Target::CpuBeside(150.0, Sign)],
    },
    Row {
        work: Work::Put,
        records: 1_000_000,
        title: "durable put, one record a commit",
        subjects: &[Pds],
        targets: &[],
    },
    Row {
        work: Work::ApplyAscending,
        records: 0,
        title: "apply 100,000 new records in commits of 200, keys ascending; SQLite: rows in commits of 200",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Speed(0.3, Sqlite)],
    },
    Row {
        work: Work::ApplyAscending,
        records: 100_000,
        title: "the same",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Speed(0.3, Sqlite)],
    },
    Row {
        work: Work::ApplyRandom,
        records: 0,
        title: "the same, keys in random order",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Speed(0.3, Sqlite)],
    },
    Row {
        work: Work::ApplyRandom,
        records: 100_000,
        title: "the same, keys in random order",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Speed(0.3, Sqlite)],
    },
    Row {
        work: Work::GetFromDisk,
        records: 1_000,
        title: "get from disk through an open `Repo`, random keys",
        subjects: &[Pds, Sqlite],
        targets: &[],
    },
    Row {
        work: Work::GetFromDisk,
        records: 100_000,
        title: "the same",
        subjects: &[Pds, Sqlite],
        targets: &[],
    },
    Row {
        work: Work::GetFromDisk,
        records: 1_000_000,
        title: "get from disk through an open `Repo`, random keys; SQLite: select one row",
        subjects: &[Pds, Sqlite],
        targets: &[Target::Cpu(3.0, Sqlite)],
    },
    Row {
        work: Work::List,
        records: 1_000_000,
        title: "list a collection of three tenths of the records",
        subjects: &[Pds],
        targets: &[Target::PerSecond(1_000_000.0)],
    },
    Row {
        work: Work::ListProcess,
        records: 1_000_000,
        title: "`pds ls` of that collection (process)",
        subjects: &[Pds],
        targets: &[Target::PerSecond(1_000_000.0)],
    },
    Row {
        work: Work::GetProcess,
        records: 1_000_000,
        title: "`pds get` (process), warm page cache",
        subjects: &[Pds],
        targets: &[Target::Millis(10.0), Target::Megabytes(24.0)],
    },
    Row {
        work: Work::Version,
        records: 0,
        title: "`pds --version` (process)",
        subjects: &[Pds],
        targets: &[Target::Millis(3.0)],
    },
];
