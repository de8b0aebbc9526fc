//! What the cases work on: files that are made once, and kept outside the repository.

use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::car::{CarReader, CarWriter};
use pds::commit::Commit;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::local::directory::clone_file;
use pds::mst::{Step, walk};
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use pds::{Jobs, Repo, Snapshot};
use tempfile::TempDir;

use crate::generate::{self, Generated, Numbers};
use crate::sqlite;

/// The directory with the files, and the binary that is measured as a process.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
    pub(crate) pds: PathBuf,
}

impl Data {
    /// A CAR file in streamable order.
    pub(crate) fn streamable(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}.streamable.car"))
    }

    /// A CAR file whose blocks are sorted by CID, the commit first.
    pub(crate) fn any_order(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}.sorted.car"))
    }

    /// As [`streamable`](Self::streamable), 100 keys apart.
    pub(crate) fn other(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}-b.streamable.car"))
    }

    /// A repository on disk.
    pub(crate) fn repo(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}.pds"))
    }

    /// A repository on disk that was first the one and is now the other.
    pub(crate) fn moved_repo(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}-b.pds"))
    }

    /// A bare SQLite file with the same blocks in a table of the same shape.
    pub(crate) fn rows(&self, records: usize) -> PathBuf {
        self.dir.join(format!("{records}.sqlite"))
    }

    /// How many blocks the CAR files of this many records have.
    pub(crate) fn blocks(&self, records: usize) -> Result<u64> {
        let mut car = CarReader::new(File::open(self.streamable(records))?)?;
        let mut blocks = 0;
        while car.next_section()?.is_some() {
            blocks += 1;
        }
        Ok(blocks)
    }

    /// A directory on the same disk that goes when it is dropped.
    pub(crate) fn scratch(&self) -> Result<TempDir> {
        Ok(TempDir::with_prefix_in("scratch-", &self.dir)?)
    }

    /// A copy of a repository on disk, to write to.
    pub(crate) fn copy_of_repo(&self, records: usize, to: &Path) -> Result<PathBuf> {
        copy_dir(&self.repo(records), to.join("repo"))
    }

    /// Makes what is missing for repositories of this many records.
    pub(crate) fn prepare(&self, records: usize) -> Result<()> {
        fs::create_dir_all(&self.dir)?;
        if !self.any_order(records).is_file() {
            eprintln!("making a repository of {records} records");
            let made = generate::repository(records, false)?;
            write_streamable(&made, &self.streamable(records))?;
            write_sorted(&made, &self.any_order(records))?;
        }
        if records == DIFF_RECORDS && !self.other(records).is_file() {
            write_streamable(&generate::repository(records, true)?, &self.other(records))?;
        }
        self.prepare_stores(records)
    }

    /// Reads all files of this size once: the first subject must not find a colder cache than the others.
    pub(crate) fn warm(&self, records: usize) -> Result<()> {
        let mut paths = vec![
            self.streamable(records),
            self.any_order(records),
            self.other(records),
            self.rows(records),
        ];
        for dir in [self.repo(records), self.moved_repo(records)] {
            paths.extend(entries(&dir)?);
        }
        read_once(&paths)
    }

    /// Removes the repositories on disk, so that the present library makes them again.
    pub(crate) fn forget_stores(&self, records: usize) -> Result<()> {
        for dir in [self.repo(records), self.moved_repo(records)] {
            if dir.is_dir() {
                fs::remove_dir_all(dir)?;
            }
        }
        Ok(())
    }

    fn prepare_stores(&self, records: usize) -> Result<()> {
        let key = generate::key()?.public_key();
        let clone = |dir: &Path| -> Result<Repo> {
            let file = File::open(self.streamable(records))?;
            Ok(clone_file(dir, file, Some(&key), Jobs::default())?.0)
        };
        if !self.repo(records).is_dir() {
            clone(&self.repo(records))?;
        }
        if records == DIFF_RECORDS && !self.moved_repo(records).is_dir() {
            let repo = clone(&self.moved_repo(records))?;
            repo.transfer().import_file(File::open(self.other(records))?, Some(&key))?;
        }
        if !self.rows(records).is_file() {
            let blocks = Loaded::read(&self.streamable(records))?.sorted_blocks();
            sqlite::make(&self.rows(records), &blocks)?;
        }
        Ok(())
    }
}

/// A CAR file, taken apart: every block, and the records in key order.
pub(crate) struct Loaded {
    pub(crate) commit: Commit,
    pub(crate) blocks: Vec<Block>,
    pub(crate) records: Vec<(String, Cid)>,
}

impl Loaded {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| not_prepared(path))?;
        let mut car = CarReader::new(file)?;
        let mut blocks = Vec::new();
        while let Some(section) = car.next_section()? {
            blocks.push(section.block.to_block());
        }
        let commit = Commit::decode(blocks.first().context("no blocks")?)?;
        let memory: MemoryBlocks = blocks.iter().cloned().collect();
        let mut records = Vec::new();
        for step in walk(&memory, commit.data()) {
            if let Step::Entry { key, value } = step? {
                records.push((String::from_utf8(key.as_bytes().to_vec())?, value));
            }
        }
        Ok(Self { commit, blocks, records })
    }

    pub(crate) fn memory(&self) -> MemoryBlocks {
        self.blocks.iter().cloned().collect()
    }

    pub(crate) fn sorted_blocks(mut self) -> Vec<Block> {
        self.blocks.sort_unstable_by_key(Block::cid);
        self.blocks
    }

    /// Records to ask for, the same each time.
    pub(crate) fn sample(&self, count: usize) -> impl Iterator<Item = (&str, Cid)> {
        let mut numbers = Numbers::seeded(count as u64);
        (0..count).map(move |_| {
            let (key, value) = &self.records[numbers.below(self.records.len())];
            (key.as_str(), *value)
        })
    }

    /// As [`sample`](Self::sample), as paths.
    pub(crate) fn sample_paths(&self, count: usize) -> Result<Vec<RecordPath>> {
        self.sample(count).map(|(key, _)| Ok(key.parse()?)).collect()
    }
}

/// What is in a directory, if there is one.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    match dir.is_dir() {
        true => fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect(),
        false => Ok(Vec::new()),
    }
}

/// Reads the files among these once.
pub(crate) fn read_once(paths: &[PathBuf]) -> Result<()> {
    let mut buffer = vec![0; WARMED_AT_ONCE];
    for path in paths.iter().filter(|path| path.is_file()) {
        let mut file = File::open(path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(())
}

/// Copies the files of a directory to the disk.
pub(crate) fn copy_dir(from: &Path, to: PathBuf) -> Result<PathBuf> {
    fs::create_dir(&to)?;
    for entry in fs::read_dir(from).with_context(|| not_prepared(from))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy_synced(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(to)
}

/// Copies a file to the disk: otherwise the first sync of the work that is measured would write the copy.
pub(crate) fn copy_synced(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    Ok(File::open(to)?.sync_all()?)
}

/// The did:key of the account.
pub(crate) fn did_key() -> Result<String> {
    Ok(generate::key()?.public_key().did_key())
}

fn write_streamable(made: &Generated, path: &Path) -> Result<()> {
    let snapshot = Snapshot::open(std::sync::Arc::new(made.blocks.clone()), made.commit.cid())?;
    write_whole(path, |file| {
        export_car(&snapshot, file, &mut |_| {})?;
        Ok(())
    })
}

fn write_sorted(made: &Generated, path: &Path) -> Result<()> {
    let mut blocks: Vec<&Block> = made.blocks.iter().collect();
    // The commit comes first, as every reader expects.
    blocks.sort_unstable_by_key(|block| (block.cid() != made.commit.cid(), block.cid()));
    write_whole(path, |file| {
        let mut car = CarWriter::new(file, &[made.commit.cid()])?;
        for block in blocks {
            car.block(block.borrowed())?;
        }
        car.finish()?;
        Ok(())
    })
}

/// Writes a file under another name first: what has its name is complete.
fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = BufWriter::new(File::create(&unfinished)?);
    write(&mut file)?;
    file.into_inner()?.sync_all()?;
    Ok(fs::rename(unfinished, path)?)
}

fn not_prepared(path: &Path) -> String {
    format!("{} is not there: `pds-bench generate` makes it", path.display())
}

/// Of which size the repositories that are compared are.
pub(crate) const DIFF_RECORDS: usize = 100_000;

const WARMED_AT_ONCE: usize = 1024 * 1024;
