//! `pds forget`

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ArgGroup;
use pds::data::{Cid, blobs_in};
use pds::local::layout::STAGING_PREFIX;
use pds::local::leftovers::{clear_leftovers, unfinished_uploads};
use pds::retain::forget::{Forget, Forgotten};
use pds::syntax::Tid;
use pds::{Error, Repo};

use super::gc::report_rest;
use crate::answers::forget::ForgetAnswer;
use crate::answers::refs::RefRow;
use crate::arguments::record::RecordArg;
use crate::arguments::state_arg::StateArg;
use crate::arguments::when::When;
use crate::arguments::write_args::account_of;
use crate::failures::exit::{Exit, Stated};
use crate::process::leftovers::{UNFINISHED, clear_from};
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::questions::{DeletionArgs, can_ask, confirm_number, declined, needs_yes};
use crate::process::text::say;
use crate::repository::clock::ClockArg;
use crate::repository::logged_states::LoggedStates;
use crate::repository::open::{Place, resolve};
use crate::screens::forget as screen;
use crate::screens::forget_question::{Asked, MOST_NAMES, RecordBlobs, forget_question};
use crate::terminal::looks::has_unicode;
use crate::terminal::screen_size::ScreenSize;
use crate::terminal::times::Times;

/// Purge records, or older history, from this repository
///
/// Removes every state that contains any version of the records, with their blocks, log entries and blobs.
/// If a ref still has a record, a new signed commit without it is part of the same change. If only past states have
/// the records, HEAD does not change. This cannot be undone, and copies elsewhere are not affected. On a terminal, a
/// question comes first; elsewhere --yes is required. Exit code 6 if work is left to do: the next step is printed.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["paths", "before"]))]
#[command(after_help = "Examples:\n  \
    pds forget com.example.note/secret --yes\n  \
    pds forget --before HEAD~10 --yes      keep only the last ten steps\n  \
    pds forget --before 2026-01-01 --dry-run")]
pub(crate) struct Args {
    /// Records to purge: collection/rkey, at-uri or bsky.app URL
    paths: Vec<RecordArg>,

    /// Purge the states before this one in the history of HEAD, and the states of other refs before that time.
    /// A day, or a time like 2026-01-31T12:00 or "2 days ago", also works. The present state of every ref stays
    #[arg(long, value_name = "REV|DATE")]
    before: Option<OsString>,

    #[command(flatten)]
    clock: ClockArg,

    #[command(flatten)]
    deletion: DeletionArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let dir = place.directory()?;
        let repo = match (self.deletion.dry_run, &self.before) {
            (true, _) => place.unchanged()?,
            (false, Some(_)) => place.mirror()?,
            (false, None) => self.clock.on(place.repo()?, out)?,
        };
        let what = self.what(&repo, place)?;
        let forgotten = match self.deletion.dry_run {
            true => plan(&repo, &what)?,
            false => {
                self.ask(&repo, &what, out)?;
                let mut progress = Progress::things("blocks", None);
                let forgotten = repo.retain().forget(&what, &mut |blocks| progress.add(blocks))?;
                if !is_nothing(&forgotten) {
                    out.has_done();
                }
                clear_near(&dir);
                clear_leftovers(&dir).context(COPY_IS_LEFT)?;
                forgotten
            }
        };
        let mut exit = report_rest(&forgotten.swept);
        if forgotten.swept.remains_elsewhere.is_some() {
            exit = Exit::Partly;
        }
        report_other_files(&dir)?;
        if self.before.is_none() && is_nothing(&forgotten) && exit == Exit::Done {
            let paths: Vec<String> = self.paths.iter().map(RecordArg::to_string).collect();
            let message = format!("no stored state has {}", paths.join(" or "));
            return Stated::no("not-found", message).fail();
        }
        for path in &forgotten.unknown {
            say(&format!("no stored state has {path}"));
        }
        let answer = answer(forgotten, self.deletion.dry_run);
        out.show(&answer, |terminal| screen::lines(&answer, &revs_of(&answer, &repo), terminal))?;
        Ok(exit)
    }

    /// Asks whether to go on, unless --yes answers that.
    fn ask(&self, repo: &Repo, what: &Forget, out: &Output) -> Result<()> {
        if self.deletion.yes {
            return Ok(());
        }
        if !can_ask() {
            return needs_yes("forget");
        }
        let forgotten = plan(repo, what)?;
        let states = forgotten.swept.states;
        if states == 0 {
            return Ok(());
        }
        let size = ScreenSize::of_stderr();
        let times = out.terminal().map(|terminal| terminal.times.clone());
        let times = &times.unwrap_or_else(|| Times::of_system(false));
        let named = forgotten.versions.iter().take(MOST_NAMES);
        let blobs =
            named.map(|(_, versions)| blobs_of(repo, versions)).collect::<Result<Vec<_>>>()?;
        let asked = Asked {
            states: LoggedStates::of(repo)?.count,
            blobs: &blobs,
            times,
            columns: size.answer_columns(),
            unicode: has_unicode(),
        };
        let text = forget_question(&forgotten, &asked);
        match confirm_number(&format!("{text}\nType the number of states to go on"), states)? {
            true => Ok(()),
            false => declined(),
        }
    }

    fn what(&self, repo: &Repo, place: &Place) -> Result<Forget> {
        let Some(before) = &self.before else {
            let did = account_of(repo)?;
            let path = |record: &RecordArg| Ok(record.path_in(place.account(&did))?.clone());
            let paths = self.paths.iter().map(path);
            return Ok(Forget::Records(paths.collect::<Result<_>>()?));
        };
        let text = before.to_string_lossy();
        // A ref may have the name of a day; the ref wins.
        let is_ref = repo.history().refs()?.iter().any(|(name, _)| name.as_str() == text);
        if let Some(when) = When::read(&text).filter(|_| !is_ref) {
            return Ok(Forget::BeforeTime(when.first_micros()));
        }
        let usage = |message: String| Stated::usage(message).hint(FORMS).fail();
        let no_time = || usage(format!("{text} is neither a day nor a time"));
        let state = match StateArg::parse(before.clone()) {
            Ok(state) => state,
            Err(_) if is_meant_as_time(&text) => return no_time(),
            Err(reason) => return usage(format!("unknown revision {text:?}: {reason}")),
        };
        match resolve(repo, &state) {
            Ok(state) => Ok(Forget::BeforeState(state.into())),
            Err(_) if is_meant_as_time(&text) => no_time(),
            Err(error) => match error.downcast::<Error>() {
                Ok(error @ Error::Revision { .. }) => {
                    Stated::no("not-found", error.to_string()).hint(FORMS).fail()
                }
                Ok(error) => Err(error.into()),
                Err(error) => Err(error),
            },
        }
    }
}

/// Counts what would be purged.
fn plan(repo: &Repo, what: &Forget) -> Result<Forgotten> {
    let mut progress = Progress::things("blocks", None);
    Ok(repo.retain().plan_forget(what, &mut |blocks| progress.add(blocks))?.forgotten)
}

/// Counts the stored blobs that the versions of a record refer to.
fn blobs_of(repo: &Repo, versions: &[Cid]) -> Result<RecordBlobs> {
    let mut cids = BTreeSet::new();
    for version in versions {
        // A version that cannot be read has unknown blobs.
        let block = repo.store().get(version).ok().flatten();
        let blobs = block.and_then(|block| blobs_in(block.bytes()).ok()).unwrap_or_default();
        cids.extend(blobs.iter().map(|blob| blob.cid));
    }
    let mut found = RecordBlobs::default();
    for cid in cids {
        if let Some(blob) = repo.blobs().open(&cid)? {
            found.count += 1;
            found.bytes = found.bytes.saturating_add(blob.info.size_bytes);
        }
    }
    Ok(found)
}

/// Tells whether a text looks like a day or a time: numbers with marks between them.
fn is_meant_as_time(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['-', '.', '/', ':'])
}

fn answer(forgotten: Forgotten, dry_run: bool) -> ForgetAnswer {
    let Forgotten { written, swept, versions, .. } = forgotten;
    ForgetAnswer {
        blobs: swept.blobs,
        blocks: swept.blocks,
        bytes: swept.bytes(),
        dry_run,
        erased: !dry_run
            && swept.remains.is_none()
            && swept.remains_elsewhere.is_none()
            && swept.undecodable.is_empty(),
        moves: swept.moves,
        refs: written
            .into_iter()
            .map(|(name, cid)| RefRow { cid, name: name.to_string() })
            .collect(),
        remains: swept.remains_elsewhere,
        states: swept.states,
        versions: versions.iter().map(|(_, versions)| versions.len() as u64).sum(),
    }
}

/// Returns the revs of the commits that were written; a dry run writes none.
fn revs_of(answer: &ForgetAnswer, repo: &Repo) -> Vec<Option<Tid>> {
    let rev = |written: &RefRow| repo.checkout(&written.cid.into()).ok()?.commit().rev();
    answer.refs.iter().filter(|_| !answer.dry_run).map(rev).collect()
}

/// Names files that were not searched and may contain the purged records.
fn report_other_files(dir: &Path) -> Result<()> {
    for file in exports_in(dir) {
        say(&format!("{} was not searched and may still contain the purged data", file.display()));
    }
    for file in unfinished_near(dir) {
        let file = file.display();
        say(&format!(
            "{file} is the unfinished work of a command and was not searched; delete it if no process writes it"
        ));
    }
    for file in unfinished_uploads(dir)? {
        let file = file.display();
        say(&format!(
            "{file} is an unfinished upload and was not searched; if no process writes it, pds gc --grace 0 deletes it"
        ));
    }
    Ok(())
}

/// Lists the CAR files in the directory of the repository.
fn exports_in(dir: &Path) -> Vec<PathBuf> {
    let endings = [".car", ".car.gz"];
    files_in(dir, |name| endings.iter().any(|ending| name.ends_with(ending)))
}

/// Removes the unfinished work of killed commands next to the directory of the repository. It may have the records.
fn clear_near(dir: &Path) {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if let Some(parent) = dir.parent() {
        clear_from(parent, &UNFINISHED_WORK);
    }
}

/// Lists unfinished work in the directory of the repository and next to it: that of commands that still run, and what
/// cannot be removed.
fn unfinished_near(dir: &Path) -> Vec<PathBuf> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let prefixes = UNFINISHED_WORK;
    let places = [Some(dir.as_path()), dir.parent()];
    let left = |dir: &Path| files_in(dir, |name| prefixes.iter().any(|p| name.starts_with(p)));
    places.into_iter().flatten().flat_map(left).collect()
}

/// Lists the entries of a directory with some names, in order.
fn files_in(dir: &Path, is_one: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_one =
        |path: &PathBuf| path.file_name().is_some_and(|name| is_one(&name.to_string_lossy()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    files.sort();
    files
}

/// The prefixes of the names of unfinished work next to a repository.
const UNFINISHED_WORK: [&str; 2] = [UNFINISHED, STAGING_PREFIX];

/// Tells whether no state was purged.
fn is_nothing(forgotten: &Forgotten) -> bool {
    forgotten.swept.states == 0 && forgotten.written.is_empty()
}

const COPY_IS_LEFT: &str = "a copy of the purged data may be left";

const FORMS: &str = "give --before a state, a day like 2026-01-31, or a time like 2026-01-31T12:00 or \"2 days ago\"";
