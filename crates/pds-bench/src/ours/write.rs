//! Writing: signed, durable commits.

use anyhow::Result;
use pds::data::Value;
use pds::syntax::RecordPath;
use pds::{Repo, Write};

use crate::data::Data;
use crate::generate::{self, Numbers};
use crate::meter::{Meter, Outcome};
use crate::work::{APPLIED, COMMIT, PUTS};

/// One record a commit.
pub(crate) fn put(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.scratch()?;
    let repo = repo(records, data, dir.path())?;
    let mut values: Vec<(RecordPath, Value)> = Vec::with_capacity(PUTS);
    for (key, bytes) in generate::new_records().take(PUTS) {
        values.push((key.parse()?, Value::decode(&bytes)?));
    }
    let meter = Meter::start()?;
    for (path, value) in &values {
        repo.put(path, value)?;
    }
    let outcome = meter.stop(PUTS)?;
    Ok(outcome.checked(repo.snapshot()?.commit().data()))
}

/// Many records a commit.
pub(crate) fn apply(records: usize, data: &Data, shuffled: bool) -> Result<Outcome> {
    let dir = data.scratch()?;
    let repo = repo(records, data, dir.path())?;
    let mut writes: Vec<Write> = Vec::with_capacity(APPLIED);
    for (key, bytes) in generate::new_records().take(APPLIED) {
        writes.push(Write::put_bytes(key.parse()?, bytes));
    }
    if shuffled {
        Numbers::seeded(1).shuffle(&mut writes);
    }
    let meter = Meter::start()?;
    for commit in writes.chunks(COMMIT) {
        repo.write(commit)?;
    }
    let outcome = meter.stop(APPLIED)?;
    Ok(outcome.checked(repo.snapshot()?.commit().data()))
}

fn repo(records: usize, data: &Data, dir: &std::path::Path) -> Result<Repo> {
    let dir = data.copy_of_repo(records, dir)?;
    Ok(Repo::open(&dir)?.signing_with(generate::key()?))
}
