//! `pds reflog`

use std::ffi::OsString;
use std::ops::ControlFlow;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::{Cid, ReadError};
use pds::store::{LogEntry, LogQuery, RefName};
use pds::{Error, Repo};

use super::changed::print_patches;
use super::logged_commit::worse;
use crate::answers::log::MoveRow;
use crate::arguments::history_args::{ListArgs, PathFilter, Selection};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::records::changes::{Pair, Tally};
use crate::repository::open::{Place, Source};
use crate::screens::log::MoveScreen;

/// Show every move of a ref, newest first
///
/// @{N} names the commit that the ref pointed to N moves ago; pds reset '@{1}' undoes the last move. The counts are
/// the difference between the commits before and after a move. With a path, show only the moves that changed a record
/// or a collection. Exit code 6 if a commit cannot be read; its moves are shown all the same.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds reflog\n  pds reflog HEAD -n 5\n  pds reflog --since '2 days ago' --oneline"
)]
pub(crate) struct Args {
    /// Ref [default: HEAD], then the paths of records or collections
    #[arg(value_name = "REF|PATH")]
    what: Vec<OsString>,

    /// Paths of records or collections
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<OsString>,

    #[command(flatten)]
    list: ListArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let Source::Repo(repo) = place.source()? else {
            return Stated::no("not-found", "a CAR file has no refs, so no moves of them")
                .hint("pds log lists the commits of a file")
                .fail();
        };
        let (name, paths) = self.ref_and_paths(&repo, place)?;
        let repo = repo.on(name);
        let account = repo.did()?;
        paths.check_account(&place.account(account.as_ref()))?;
        let moves = Moves { repo: &repo, list: &self.list, paths: &paths, sweep: sweep_of(&repo)? };
        moves.print(out)
    }

    /// Returns the ref, which has a log even after its removal, and the paths.
    fn ref_and_paths(&self, repo: &Repo, place: &Place) -> Result<(RefName, PathFilter)> {
        let head = RefName::head();
        let first = self.what.first().and_then(|first| first.to_str());
        let name = match first {
            Some("@") => Some(head.clone()),
            first => first.and_then(|first| first.parse::<RefName>().ok()),
        };
        let rest = self.what.get(1..).unwrap_or_default();
        if let Some(name) = name {
            let is_known = !repo.on(name.clone()).history().log(1)?.is_empty();
            let is_path =
                |given: &OsString| given.to_str().is_some_and(crate::arguments::record::is_target);
            if is_known || !self.what.first().is_some_and(is_path) {
                return Ok((name, Selection::of(rest, &self.paths, 0, place)?.paths));
            }
        }
        Ok((head, Selection::of(&self.what, &self.paths, 0, place)?.paths))
    }
}

/// The moves of a ref.
struct Moves<'a> {
    repo: &'a Repo,
    list: &'a ListArgs,
    paths: &'a PathFilter,
    /// The number of the last sweep at the start.
    sweep: u64,
}

/// A move that is shown.
struct Move<'a> {
    entry: &'a LogEntry,
    /// The number of later moves.
    number: u64,
}

impl Moves<'_> {
    /// Shows the log one page at a time, so that memory does not grow with the log.
    fn print(&self, out: &mut Output) -> Result<Exit> {
        let mut screen = out.terminal().map(MoveScreen::new);
        let (mut left, mut number) = (self.list.number.unwrap_or(usize::MAX), 0);
        let mut page = self.read_page(None)?;
        if page.is_empty() && self.repo.head()?.is_none() {
            return Err(Error::NoCommit(self.repo.history().ref_name().clone()).into());
        }
        let (mut exit, mut progress) = (Exit::Done, Progress::things("moves", None));
        'pages: while let Some(last) = page.last() {
            let (next, before) = (last.seq.checked_sub(1), last.before);
            for entry in &page {
                progress.add(1);
                let is_too_old = self.list.is_too_old(Some(entry.at_micros));
                if left == 0 || out.is_closed() || is_too_old {
                    break 'pages;
                }
                if let Some(shown) =
                    self.print_move(&Move { entry, number }, screen.as_mut(), out)?
                {
                    (left, exit) = (left - 1, worse(exit, shown));
                }
                number += 1;
            }
            let Some(next) = next else { break };
            page = self.read_page(Some(next))?;
            // Entries may have been deleted since the previous page was read.
            if let Some(cid) = before
                && page.first().and_then(|row| row.after) != Some(cid)
            {
                self.check_sweep(cid)?;
            }
        }
        drop(progress);
        if let Some(screen) = &mut screen {
            screen.print(out)?;
            self.print_hint(number, out)?;
        }
        Ok(exit)
    }

    /// Prints a move, and returns the exit code for it. Returns `None` if the move is not shown.
    fn print_move(
        &self,
        shown: &Move<'_>,
        screen: Option<&mut MoveScreen>,
        out: &mut Output,
    ) -> Result<Option<Exit>> {
        let LogEntry { before, after, at_micros, .. } = shown.entry;
        if self.list.is_too_new(Some(*at_micros)) {
            return Ok(None);
        }
        let mut exit = Exit::Done;
        let commit = self.commit(*after, &mut exit)?;
        let needs_counts = !self.paths.is_empty() || self.list.patch;
        let needs_counts =
            needs_counts || (screen.is_none() && !out.is_json() && !self.list.oneline);
        let (pair, tally) = match needs_counts && exit == Exit::Done {
            true => self.counted(*before, *after, &mut exit)?,
            false => (None, None),
        };
        let is_other = |tally: &Tally| tally.counts.total() == 0;
        if !self.paths.is_empty() && tally.as_ref().is_some_and(is_other) {
            return Ok(None);
        }
        let rev = commit.as_ref().and_then(Commit::rev);
        let Move { entry, number } = *shown;
        match screen {
            Some(screen) if self.list.oneline => screen.print_short(number, entry, out)?,
            Some(screen) => {
                // A move back names the state that it left, if that is still known.
                let before = before.and_then(|cid| self.repo.checkout(&cid.into()).ok());
                screen.add(number, entry, rev, before.as_ref().map(pds::Snapshot::commit));
                if self.list.patch || screen.is_full() {
                    screen.print(out)?;
                }
            }
            None => {
                let (counts, is_short) = (tally.map(|tally| tally.counts), self.list.oneline);
                out.answer(&MoveRow { entry, number, rev, counts, is_short })?;
            }
        }
        if let Some(pair) = pair.filter(|_| self.list.patch)
            && print_patches(&pair, self.paths, out)?.is_partial
        {
            exit = Exit::Partly;
        }
        Ok(Some(exit))
    }

    /// Reads a commit. One that cannot be read is named.
    fn commit(&self, cid: Option<Cid>, exit: &mut Exit) -> Result<Option<Commit>> {
        let Some(cid) = cid else { return Ok(None) };
        match self.repo.checkout(&cid.into()) {
            Ok(snapshot) => Ok(Some(snapshot.commit().clone())),
            Err(error) => {
                self.report_lost(error, cid)?;
                *exit = Exit::Partly;
                Ok(None)
            }
        }
    }

    /// Counts the changes between two commits. Returns `None` if a part cannot be read, after naming it.
    fn counted(
        &self,
        before: Option<Cid>,
        after: Option<Cid>,
        exit: &mut Exit,
    ) -> Result<(Option<Pair<'_>>, Option<Tally>)> {
        let counted = self.repo.history().compare(before, after).map_err(anyhow::Error::from);
        let counted = counted.and_then(|comparison| {
            let pair = Pair::Stored(comparison);
            let tally = Tally::of(&pair, self.paths)?;
            Ok((pair, tally))
        });
        match counted {
            Ok((pair, tally)) => {
                if tally.is_none() {
                    *exit = Exit::Partly;
                }
                Ok((Some(pair), tally))
            }
            Err(error) => {
                let cid = after.or(before);
                match (error.downcast::<Error>(), cid) {
                    (Ok(error), Some(cid)) => self.report_lost(error, cid)?,
                    (Ok(error), None) => return Err(error.into()),
                    (Err(error), _) => return Err(error),
                }
                *exit = Exit::Partly;
                Ok((None, None))
            }
        }
    }

    /// Reports damage, and returns errors of any other kind. The log helps to find a way back from damage, so every
    /// entry is shown.
    fn report_lost(&self, error: Error, cid: Cid) -> Result<()> {
        if error.is_swept() {
            return Err(error.into());
        }
        self.check_sweep(cid)?;
        if !error.is_corrupt() && !error.is_not_found() {
            return Err(error.into());
        }
        say(&format!("{:#}", anyhow::Error::new(error)));
        Ok(())
    }

    /// Fails if states were deleted since the start.
    fn check_sweep(&self, cid: Cid) -> Result<()> {
        match sweep_of(self.repo)? == self.sweep {
            true => Ok(()),
            false => Err(Error::Read(ReadError::Swept { cid }).into()),
        }
    }

    fn print_hint(&self, moves: u64, out: &mut Output) -> Result<()> {
        let name = self.repo.history().ref_name();
        if moves < 2 || self.list.oneline {
            return Ok(());
        }
        match *name == RefName::head() {
            true => out.hint("undo the last move with pds reset '@{1}'"),
            false => out.hint(&format!("undo the last move with pds ref set {name} {name}@{{1}}")),
        }
    }

    /// Reads the next page of the log of the ref, newest first, from an entry on.
    fn read_page(&self, from: Option<u64>) -> Result<Vec<LogEntry>> {
        let mut rows = Vec::new();
        let mut query = LogQuery::newest_first().of(self.repo.history().ref_name().clone());
        query.from = from;
        self.repo.store().view()?.log(&query, &mut |row| {
            rows.push(row);
            if rows.len() < ROWS_AT_ONCE {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(rows)
    }
}

/// Returns the number of the last change that deleted blocks.
fn sweep_of(repo: &Repo) -> Result<u64> {
    Ok(repo.store().view()?.version().sweep)
}

const ROWS_AT_ONCE: usize = 256;
