//! Repositories on disk: in, out, and reading.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pds::local::directory::clone_file;
use pds::local::layout::STORE_FILE;
use pds::syntax::Nsid;
use pds::{Jobs, ListOptions, Repo, Revision, Snapshot};

use crate::data::Data;
use crate::generate;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome};
use crate::ours::counted::Counted;
use crate::threads;
use crate::work::{Changed, GETS, LISTED, PARALLEL_GETS};

/// Verified with the signature, and durable at the end.
pub(crate) fn import(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let dir = dir.path().join("repo");
    let key = generate::key()?.public_key();
    let meter = Meter::start()?;
    let file = File::open(data.streamable(records))?;
    let (repo, imported) = clone_file(&dir, file, Some(&key), Jobs::default())?;
    let outcome = meter.stop(records)?;
    ensure!(imported.records == records as u64 && imported.findings.is_empty(), "not all came in");
    drop(repo);
    Ok(outcome.written(fs::metadata(dir.join(STORE_FILE))?.len()))
}

pub(crate) fn export(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let path = dir.path().join("out.car");
    let meter = Meter::start()?;
    let repo = Repo::open(data.repo(records))?;
    let mut file = BufWriter::new(File::create(&path)?);
    repo.transfer().export(&Revision::head(), &mut file)?;
    file.into_inner()?;
    let outcome = meter.stop(records)?;
    same_file(&path, &data.streamable(records))?;
    Ok(outcome.checked(fs::metadata(&path)?.len()))
}

/// Opened once; each get begins at the ref.
pub(crate) fn get(records: usize, data: &Data) -> Result<Outcome> {
    let paths = Loaded::read(&data.streamable(records))?.sample_paths(GETS)?;
    let repo = Repo::open(data.repo(records))?;
    let meter = Meter::start()?;
    let mut bytes = 0;
    for path in &paths {
        bytes += repo.find(path)?.context("a record is missing")?.block.bytes().len();
    }
    Ok(meter.stop(paths.len())?.checked(bytes))
}

/// Threads share one open repository.
pub(crate) fn get_in_threads(records: usize, data: &Data, threads: usize) -> Result<Outcome> {
    let paths = Loaded::read(&data.streamable(records))?.sample_paths(PARALLEL_GETS)?;
    let repo = Repo::open(data.repo(records))?;
    let meter = Meter::start()?;
    let bytes = threads::read(&paths, vec![&repo; threads], |repo, paths| {
        let mut bytes = 0;
        for path in paths {
            bytes += repo.find(path)?.context("a record is missing")?.block.bytes().len();
        }
        Ok(bytes)
    })?;
    Ok(meter.stop(paths.len())?.checked(bytes))
}

pub(crate) fn list(records: usize, data: &Data) -> Result<Outcome> {
    let collection: Nsid = LISTED.parse()?;
    let repo = Repo::open(data.repo(records))?;
    let meter = Meter::start()?;
    let snapshot = repo.snapshot()?;
    let mut listed = 0;
    for entry in snapshot.list(&collection, &ListOptions::default()) {
        std::hint::black_box(entry?);
        listed += 1;
    }
    meter.stop(listed)
}

/// Between two states of one store, with a count of what is read.
pub(crate) fn diff(records: usize, data: &Data) -> Result<Outcome> {
    let repo = Repo::open(data.moved_repo(records))?;
    let (before, after) = {
        let history = repo.history();
        (history.resolve(&"@{1}".parse()?)?, history.resolve(&Revision::head())?)
    };
    let counted = Arc::new(Counted::new(repo.store().clone()));
    let meter = Meter::start()?;
    let before = Snapshot::open(counted.clone(), before)?;
    let after = Snapshot::open(counted.clone(), after)?;
    let mut changed = Changed::default();
    for change in before.diff(&after) {
        let change = change?;
        changed.count(change.before.is_some(), change.after.is_some());
    }
    let mut outcome = meter.stop(1)?.checked(changed);
    outcome.blocks_read = Some(counted.blocks_read());
    Ok(outcome)
}

fn same_file(a: &Path, b: &Path) -> Result<()> {
    ensure!(fs::read(a)? == fs::read(b)?, "{} is not {}", a.display(), b.display());
    Ok(())
}
