//! Making the files that the cases work on.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use pds::car::CarWriter;
use pds::data::Block;
use pds::local::directory::clone_file;
use pds::transfer::export::export_car;
use pds::{Jobs, Repo, Snapshot};

use crate::data::Data;
use crate::files::write_whole;
use crate::generate::{self, Generated};
use crate::loaded::Loaded;
use crate::sqlite;

impl Data {
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

fn write_streamable(made: &Generated, path: &Path) -> Result<()> {
    let snapshot = Snapshot::open(Arc::new(made.blocks.clone()), made.commit.cid())?;
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

/// The number of records of the repositories that are compared.
const DIFF_RECORDS: usize = 100_000;
