//! Slices: the import of a few new records, next to the puts that made them.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::blob::MemoryBlobs;
use pds::transfer::export::export_since;
use pds::{Repo, Write};

use crate::data::Data;
use crate::generate;
use crate::meter::{Meter, Outcome};
use crate::ours::counted::Counted;
use crate::work::{SLICES, Work};

/// Imports slices into a copy of the repository, and counts the blocks that are read.
pub(crate) fn import(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let slices =
        slices(&signing(records, data, &dir.path().join("source"))?, &commits(work, records)?)?;
    let (repo, counted) = mirror(records, data, &dir.path().join("mirror"))?;
    let meter = Meter::start()?;
    for slice in &slices {
        repo.transfer().import_file(Cursor::new(slice), None)?;
    }
    let outcome = meter.stop(slices.len())?;
    finished(outcome, &repo, &counted)
}

/// Puts the records of the slices.
pub(crate) fn put(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let (repo, counted) = mirror(records, data, &dir.path().join("repo"))?;
    let (repo, commits) = (repo.signing_with(generate::key()?), commits(work, records)?);
    let meter = Meter::start()?;
    for commit in &commits {
        repo.write(commit.as_slice())?;
    }
    let outcome = meter.stop(commits.len())?;
    finished(outcome, &repo, &counted)
}

fn finished(mut outcome: Outcome, repo: &Repo, counted: &Counted) -> Result<Outcome> {
    outcome.blocks_read = Some(counted.blocks_read());
    Ok(outcome.checked(repo.snapshot()?.commit().data()))
}

/// Returns the writes of each commit.
fn commits(work: Work, records: usize) -> Result<Vec<Vec<Write>>> {
    let each = work.slice().context("the work is about slices")?;
    let mut writes: Vec<Write> = Vec::with_capacity(each * SLICES);
    for (key, bytes) in generate::scattered_records(records).take(each * SLICES) {
        writes.push(Write::put_bytes(key.parse()?, bytes));
    }
    Ok(writes.chunks(each).map(<[Write]>::to_vec).collect())
}

/// Writes each commit, and returns the slice from the state before it.
fn slices(repo: &Repo, commits: &[Vec<Write>]) -> Result<Vec<Vec<u8>>> {
    let (mut slices, mut before) = (Vec::new(), repo.snapshot()?);
    for commit in commits {
        repo.write(commit.as_slice())?;
        let (after, mut slice) = (repo.snapshot()?, Vec::new());
        export_since(&after, &before, &mut slice, &mut |_| {})?;
        slices.push(slice);
        before = after;
    }
    Ok(slices)
}

fn signing(records: usize, data: &Data, dir: &Path) -> Result<Repo> {
    std::fs::create_dir(dir)?;
    Ok(Repo::open(data.copy_of_repo(records, dir)?)?.signing_with(generate::key()?))
}

fn mirror(records: usize, data: &Data, dir: &Path) -> Result<(Repo, Arc<Counted>)> {
    std::fs::create_dir(dir)?;
    let repo = Repo::open(data.copy_of_repo(records, dir)?)?;
    let counted = Arc::new(Counted::new(repo.store().clone()));
    Ok((Repo::with(counted.clone(), Arc::new(MemoryBlobs::default())), counted))
}
