//! The binary as a process: start, work, end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::data::Data;
use crate::generate::{self, account_records};
use crate::meter::{ChildMeter, Outcome};
use crate::work::LISTED;

pub(crate) fn verify(car: &Path, records: usize, data: &Data) -> Result<Outcome> {
    let key = generate::key()?.public_key().did_key();
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("verify").arg(car).args(["--key", &key]))?;
    meter.stop(records)
}

pub(crate) fn list(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.repo(records);
    let mut first =
        pds(data).arg("-R").arg(&dir).args(["ls", LISTED]).stdout(Stdio::piped()).spawn()?;
    let listed = BufReader::new(first.stdout.take().context("no output")?).lines().count();
    first.wait()?;
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("-R").arg(&dir).args(["ls", LISTED]))?;
    meter.stop(listed)
}

/// One record a process; the files are in the page cache.
pub(crate) fn get(records: usize, data: &Data) -> Result<Outcome> {
    let dir = data.repo(records);
    // Made again rather than read: a large process would be counted with those that it starts.
    let every = (records / PROCESSES).max(1);
    let sample = account_records().take(records).step_by(every).take(PROCESSES);
    let keys: Vec<String> = sample.map(|(key, _)| key).collect();
    finish(pds(data).arg("-R").arg(&dir).args(["get", &keys[0]]))?;
    let meter = ChildMeter::start()?;
    for key in &keys {
        finish(pds(data).arg("-R").arg(&dir).args(["get", key]))?;
    }
    meter.stop(keys.len())
}

pub(crate) fn version(data: &Data) -> Result<Outcome> {
    finish(pds(data).arg("--version"))?;
    let meter = ChildMeter::start()?;
    for _ in 0..PROCESSES {
        finish(pds(data).arg("--version"))?;
    }
    meter.stop(PROCESSES)
}

pub(super) fn pds(data: &Data) -> Command {
    let mut command = Command::new(&data.pds);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

pub(super) fn finish(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// How often a short process is started.
pub(super) const PROCESSES: usize = 20;
