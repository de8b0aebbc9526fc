//! The binary on a repository of one record, whose log is long or short.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use pds::Repo;

use super::process::{PROCESSES, finish, pds};
use crate::data::Data;
use crate::logs::RECORD;
use crate::meter::{ChildMeter, Outcome};
use crate::work::{Log, Work};

pub(crate) fn case(work: Work, rows: usize, data: &Data) -> Result<Outcome> {
    let Some(log) = work.log() else { bail!("this work is not about a log") };
    let dir = data.log_repo(log, rows);
    match work {
        Work::LogVerify | Work::LogMovesVerify => read(&["verify"], &dir, data),
        Work::LogExport => read(&["export"], &dir, data),
        Work::LogInfo | Work::LogMovesInfo => read(&["info"], &dir, data),
        Work::LogNewest => read(&["log", "-n", KEPT], &dir, data),
        Work::LogPut => put(rows, data),
        Work::LogGc => shorten(&["gc", "--keep", KEPT], rows, data),
        Work::LogForget => shorten(&["forget", "--yes", "--before", OLDEST_KEPT], rows, data),
        _ => bail!("this work is not about a log"),
    }
}

/// Reads the repository again and again, each time in a process of its own.
fn read(arguments: &[&str], dir: &Path, data: &Data) -> Result<Outcome> {
    finish(pds(data).arg("-R").arg(dir).args(arguments))?;
    let meter = ChildMeter::start()?;
    for _ in 0..PROCESSES {
        finish(pds(data).arg("-R").arg(dir).args(arguments))?;
    }
    meter.stop(PROCESSES)
}

/// Another version of the record by each process.
fn put(rows: usize, data: &Data) -> Result<Outcome> {
    let scratch = data.scratch()?;
    let dir = data.copy_of_log_repo(Log::Versions, rows, scratch.path())?;
    let file = |number: usize| scratch.path().join(format!("{number}.json"));
    for number in 0..=PROCESSES {
        fs::write(file(number), format!("{{\"text\": \"put {number}\"}}"))?;
    }
    let put =
        |number| finish(pds(data).arg("-R").arg(&dir).args(["put", RECORD]).arg(file(number)));
    put(0)?;
    let meter = ChildMeter::start()?;
    for number in 1..=PROCESSES {
        put(number)?;
    }
    let outcome = meter.stop(PROCESSES)?;
    // The copy had as many rows as its name says, and one more for each process.
    ensure!(
        Repo::open(&dir)?.history().log(usize::MAX)?.len() == rows + 1 + PROCESSES,
        "not all were put"
    );
    Ok(outcome)
}

/// Deletes all but the last states, in one process.
fn shorten(arguments: &[&str], rows: usize, data: &Data) -> Result<Outcome> {
    let scratch = data.scratch()?;
    let dir = data.copy_of_log_repo(Log::Versions, rows, scratch.path())?;
    let meter = ChildMeter::start()?;
    finish(pds(data).arg("-R").arg(&dir).args(arguments))?;
    let outcome = meter.stop(1)?;
    let left = Repo::open(&dir)?.history().log(usize::MAX)?.len();
    Ok(outcome.checked(format!("{left} rows")))
}

/// How many states are shown, and how many stay.
const KEPT: &str = "20";
/// The oldest of these.
const OLDEST_KEPT: &str = "HEAD~19";
