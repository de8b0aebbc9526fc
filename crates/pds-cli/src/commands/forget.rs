//! `pds forget`

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ArgGroup;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pds::local::leftovers::clear_leftovers;
use pds::retain::forget::{Forget, Forgotten};
use pds::{Error, Repo};
use serde_json::json;

use super::gc::{facts, json_of, tell_what_is_left, text};
use crate::failure::{Exit, Stated};
use crate::open::{Place, RecordArg};
use crate::output::{Output, say};
use crate::progress::Progress;
use crate::state::{StateArg, resolve};

/// Let go of records, or of older history, for good
///
/// Every state that has a version of one of the records leaves, and no file of the repository holds
/// it afterwards: no block, no line of the log, no blob, no remains. Where a ref still has the record,
/// a new signed commit deletes it first. HEAD stays where it is if only the past is forgotten. This
/// cannot be undone, and it does not reach copies that are elsewhere. Exit code 6 if something of it is
/// left to be done: what, and how, is said.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["paths", "before"]))]
#[command(after_help = "Examples:\n  \
    pds forget com.example.note/secret\n  \
    pds forget --before HEAD~10            only the last ten steps are kept\n  \
    pds forget --before 2026-01-01 --dry-run")]
pub(crate) struct Args {
    /// collection/rkey or at-uris
    paths: Vec<RecordArg>,

    /// Forget the states that refs were in before HEAD came to this one for the first time, or before a
    /// day (UTC) or a time like 2026-01-31T12:00:00Z; what a ref names at present stays
    #[arg(long, value_name = "REV|DATE")]
    before: Option<OsString>,

    /// Tell what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        let repo = match (self.dry_run, &self.before) {
            (true, _) => place.mirror()?,
            (false, Some(_)) => place.mirror()?,
            (false, None) => place.repo()?,
        };
        let what = self.what(&repo)?;
        let mut progress = Progress::blocks("forgetting");
        let forgotten = if self.dry_run {
            repo.retain().forgettable(&what, &mut |blocks| progress.add(blocks))?
        } else {
            let forgotten = repo.retain().forget(&what, &mut |blocks| progress.add(blocks))?;
            clear_leftovers(&dir)?;
            forgotten
        };
        drop(progress);
        let exit = tell_what_is_left(&forgotten.swept);
        for file in exports_in(&dir) {
            say(&format!("{} was not looked into: it may hold it still", file.display()));
        }
        for file in uploads_in(&dir) {
            let file = file.display();
            say(&format!(
                "{file}, an upload that has not ended, was not looked into: if nobody is at it, pds gc --grace 0 removes it"
            ));
        }
        let is_nothing = forgotten.swept.states == 0 && forgotten.written.is_empty();
        if self.before.is_none() && is_nothing && exit == Exit::Done {
            let paths: Vec<String> = self.paths.iter().map(RecordArg::to_string).collect();
            let message = format!("no state here has {}", paths.join(" or "));
            return Err(Stated::no("not-found", message).into());
        }
        for path in &forgotten.unknown {
            say(&format!("no state here has {path}"));
        }
        if !self.dry_run {
            out.has_done();
        }
        print(&forgotten, self.dry_run, out)?;
        Ok(exit)
    }

    fn what(&self, repo: &Repo) -> Result<Forget> {
        let Some(before) = &self.before else {
            let did =
                repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
            let paths = self.paths.iter().map(|record| Ok(record.path_in(&did)?.clone()));
            return Ok(Forget::Records(paths.collect::<Result<_>>()?));
        };
        let text = before.to_string_lossy();
        // A ref may be named like a day; then it is the ref.
        let is_ref = repo.history().refs()?.iter().any(|(name, _)| name.as_str() == text);
        if let Some(micros) = time(&text).filter(|_| !is_ref) {
            return Ok(Forget::BeforeTime(micros));
        }
        let usage = |message: String| Err(Stated::usage(message).hint(FORMS).into());
        let no_time = || usage(format!("{text} is neither a day nor a time"));
        let state = match StateArg::parse(before.clone()) {
            Ok(state) => state,
            Err(_) if is_meant_as_time(&text) => return no_time(),
            Err(reason) => return usage(format!("no revision {text}: {reason}")),
        };
        match resolve(repo, &state) {
            Ok(state) => Ok(Forget::BeforeState(state.into())),
            Err(_) if is_meant_as_time(&text) => no_time(),
            Err(error) => match error.downcast::<Error>() {
                Ok(error @ Error::Revision { .. }) => {
                    Err(Stated::no("not-found", error.to_string()).hint(FORMS).into())
                }
                Ok(error) => Err(error.into()),
                Err(error) => Err(error),
            },
        }
    }
}

/// Reads a day or a time; times before 1970 are as early as that.
fn time(text: &str) -> Option<u64> {
    let time = match (text.len(), text.parse::<Date>()) {
        (DAY_CHARS, Ok(day)) => day.to_zoned(TimeZone::UTC).ok()?.timestamp(),
        _ => text.parse().ok()?,
    };
    Some(u64::try_from(time.as_microsecond()).unwrap_or(0))
}

/// Tells whether somebody who wrote this had a day in mind: numbers with marks between them.
fn is_meant_as_time(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['-', '.', '/', ':'])
}

fn print(forgotten: &Forgotten, dry_run: bool, out: &mut Output) -> Result<()> {
    let mut facts = facts(&forgotten.swept);
    facts.insert(1, ("moves", forgotten.swept.moves));
    out.answer(
        || {
            let written = forgotten.written.iter();
            let written = written.map(|(name, commit)| format!("{name}\t{commit}\n"));
            written.collect::<String>() + &text(&facts)
        },
        || {
            let mut json = json_of(&facts);
            let written = forgotten
                .written
                .iter()
                .map(|(name, commit)| json!({ "name": name.as_str(), "cid": commit.to_string() }));
            json.insert("refs".to_owned(), written.collect());
            json.insert("erased".to_owned(), json!(!dry_run && forgotten.swept.remains.is_none()));
            json.insert("dryRun".to_owned(), json!(dry_run));
            json.into()
        },
    )
}

/// CAR files that somebody has put into the directory of the repository.
fn exports_in(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_car = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "car");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_car).collect();
    files.sort();
    files
}

/// Blobs that are being stored, or were when somebody was stopped.
fn uploads_in(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("blobs")).into_iter().flatten().flatten();
    let is_upload = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".incoming-"))
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_upload).collect();
    files.sort();
    files
}

const FORMS: &str =
    "--before takes a state, a day like 2026-01-31 (UTC), or a time like 2026-01-31T12:00:00Z";

/// How long a day is written: 2026-01-31.
const DAY_CHARS: usize = 10;
