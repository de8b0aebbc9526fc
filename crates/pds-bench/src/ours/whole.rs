//! The verbs that go through all of a repository, as processes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pds::Repo;
use pds::data::Value;
use pds::local::directory::create_with_key;

use super::process::{finish, pds};
use crate::data::Data;
use crate::generate::{account_records, key};
use crate::meter::{ChildMeter, Outcome};
use crate::work::Work;

pub(crate) fn case(work: Work, records: usize, data: &Data) -> Result<Outcome> {
    match work {
        Work::ApplyProcess => apply(records, data),
        Work::ExportProcess => read(&["export"], records, data),
        Work::ExportHistoryProcess => read(&["export", "--history"], records, data),
        Work::ListAllProcess => read(&["ls", "--all"], records, data),
        Work::LogProcess => read(&["log"], records, data),
        Work::ReflogProcess => read(&["reflog"], records, data),
        Work::GcProcess => gc(records, data),
        _ => bail!("this work is not about a whole repository"),
    }
}

/// All records in one commit, into an empty repository.
fn apply(records: usize, data: &Data) -> Result<Outcome> {
    let scratch = data.scratch()?;
    let (dir, lines) = (scratch.path().join("repo"), scratch.path().join("lines"));
    create_with_key(&dir, &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?, &key()?)?;
    write_lines(records, &lines)?;
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("-R").arg(&dir).arg("apply").arg(&lines))?;
    let outcome = meter.stop(records)?;
    Ok(outcome.checked(Repo::open(&dir)?.snapshot()?.commit().data()))
}

/// Writes the input of `pds apply`.
fn write_lines(records: usize, to: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    for (path, bytes) in account_records().take(records) {
        let (collection, rkey) = path.split_once('/').context("no record path")?;
        let value = Value::decode(&bytes)?.to_json();
        writeln!(
            out,
            r#"{{"action":"create","collection":"{collection}","rkey":"{rkey}","value":{value}}}"#
        )?;
    }
    out.flush()?;
    Ok(())
}

fn read(arguments: &[&str], records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.repo(records);
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("-R").arg(&dir).args(arguments))?;
    meter.stop(records)
}

/// Marks every block of a repository, and deletes none.
fn gc(records: usize, data: &Data) -> Result<Outcome> {
    let scratch = data.scratch()?;
    let dir = data.copy_of_repo(records, scratch.path())?;
    let blocks = |dir: &Path| -> Result<u64> {
        Ok(Repo::open(dir)?.store().maintain().context("no counts")?.block_count()?)
    };
    let before = blocks(&dir)?;
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("-R").arg(&dir).arg("gc"))?;
    let outcome = meter.stop(records)?;
    ensure!(blocks(&dir)? == before, "blocks were deleted");
    Ok(outcome)
}
