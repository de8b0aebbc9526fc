//! Repositories of one record and a long log.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

use anyhow::Result;
use pds::Repo;
use pds::data::{Cid, Value};
use pds::local::directory::create_with_key;
use pds::local::layout::STORE_FILE;
use pds::store::{Expect, RefName};
use pds::syntax::RecordPath;

use crate::data::Data;
use crate::files::{copy_dir, entries, read_once};
use crate::generate;
use crate::work::Log;

impl Data {
    /// A repository on disk whose log has this many rows.
    pub(crate) fn log_repo(&self, log: Log, rows: usize) -> PathBuf {
        self.dir.join(match log {
            Log::Versions => format!("{rows}-versions.pds"),
            Log::Moves => format!("{rows}-moves.pds"),
        })
    }

    /// A copy of such a repository, to write to.
    pub(crate) fn copy_of_log_repo(&self, log: Log, rows: usize, to: &Path) -> Result<PathBuf> {
        copy_dir(&self.log_repo(log, rows), to.join("repo"))
    }

    /// As [`warm`](Self::warm), for such a repository.
    pub(crate) fn warm_log(&self, log: Log, rows: usize) -> Result<()> {
        read_once(&entries(&self.log_repo(log, rows))?)
    }

    /// Makes a repository with this many rows of the log, unless this program has made it before.
    pub(crate) fn prepare_log(&self, log: Log, rows: usize) -> Result<()> {
        let dir = self.log_repo(log, rows);
        let built = fs::metadata(env::current_exe()?)?.modified()?;
        if is_newer(&dir.join(STORE_FILE), built) {
            return Ok(());
        }
        eprintln!("making a log of {rows} rows: {log:?}");
        fs::create_dir_all(&self.dir)?;
        let unfinished = dir.with_extension("unfinished");
        for old in [&dir, &unfinished] {
            if old.is_dir() {
                fs::remove_dir_all(old)?;
            }
        }
        let repo = create_with_key(&unfinished, &generate::did(), &generate::key()?)?;
        match log {
            Log::Versions => put_versions(&repo, rows)?,
            Log::Moves => move_back_and_forth(&repo, rows)?,
        }
        drop(repo);
        Ok(fs::rename(unfinished, dir)?)
    }
}

/// A commit for each row; the first row is that of the empty commit.
fn put_versions(repo: &Repo, rows: usize) -> Result<()> {
    let path: RecordPath = RECORD.parse()?;
    for version in 1..rows {
        repo.put(&path, &note(&format!("version {version}")))?;
    }
    Ok(())
}

/// Three rows for the empty commit and two states with the record, then a row for each move between the two.
fn move_back_and_forth(repo: &Repo, rows: usize) -> Result<()> {
    put_versions(repo, FIRST_ROWS)?;
    let states: Vec<Cid> = repo.history().log(2)?.iter().filter_map(|row| row.after).collect();
    for (state, _) in states.iter().rev().cycle().zip(FIRST_ROWS..rows) {
        repo.history().set_ref(&RefName::head(), *state, Expect::Any, "")?;
    }
    Ok(())
}

fn is_newer(file: &Path, built: SystemTime) -> bool {
    fs::metadata(file).and_then(|file| file.modified()).is_ok_and(|made| made > built)
}

fn note(text: &str) -> Value {
    Value::from([("$type", "com.example.note".into()), ("text", Value::from(text))])
}

/// The record that each row of the log has changed.
pub(crate) const RECORD: &str = "com.example.note/first";

const FIRST_ROWS: usize = 3;
