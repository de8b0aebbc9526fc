//! What the cases work on: files that are made once, and kept outside the repository.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::car::CarReader;
use tempfile::TempDir;

use crate::files::{copy_dir, entries, read_once};

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
}
