//! `pds log`

use std::ffi::OsString;

use anyhow::Result;
use pds::Revision;
use pds::history::commits::PastCommit;
use pds::identity::KeyHistory;
use pds::store::RefName;

use super::changed::print_patches;
use super::logged_commit::{
    LoggedCommit, on_ref, ref_names, rev_of, rev_time, sweep_of, time_of, worse,
};
use super::range::{LeftOut, commits};
use super::versions::print_versions;
use crate::answers::log::ShortRow;
use crate::arguments::history_args::{ListArgs, PathFilter, Selection, range_or_states};
use crate::arguments::identity::IdentityArgs;
use crate::arguments::record::check_account;
use crate::failures::exit::Exit;
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::records::changes::Tally;
use crate::repository::open::{Place, Source};
use crate::screens::log::LogScreen;

/// Show the commits of a history, newest first
///
/// The history begins at REV [default: HEAD] and continues with the parent of each commit, as HEAD~1, HEAD~2 and so
/// on name them: the commit in prev, or the one that the ref pointed to before. History ends after states that
/// were purged: the changes of its first commit are unknown. With A..B, the history begins at B and leaves out A and its
/// history. pds reflog lists the moves of a ref.
///
/// With a record, show the commits that changed it; with a collection, those that changed any record of it. Exit code 6
/// if a commit cannot be read: for a record, its change is then shown at the commit after it. With --key, --did-doc or
/// --plc-log, each line ends with the key of the account that signed the commit, if it was valid at the time of the rev.
/// Exit code 1 if another key signed a commit.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds log -n 10\n  pds log com.example.note/first\n  pds log --since yesterday -p\n  \
    pds log HEAD~1 com.example.note --oneline\n  pds log HEAD~3..HEAD           commits after HEAD~3"
)]
pub(crate) struct Args {
    /// Commit to begin with (see pds help revisions), or range A..B, then a record or a collection
    #[arg(value_name = "REV|PATH")]
    what: Vec<OsString>,

    /// Record or collection
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<OsString>,

    #[command(flatten)]
    list: ListArgs,

    /// Begin at this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    #[command(flatten)]
    identity: IdentityArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let keys = identity.history();
        let (range, Selection { states, paths }) =
            range_or_states(&self.what, &self.paths, 1, place)?;
        let first = range.as_ref().map_or(states.first(), |range| Some(&range.to));
        let (source, at) = place.source_at(first)?;
        let source = on_ref(source, self.ref_name.as_ref())?;
        let before = range.as_ref().map(|range| place.source_at(Some(&range.from))).transpose()?;
        let before = before.as_ref().map(|(source, at)| LeftOut::new(commits(source, *at)?));
        let left_out = before.transpose()?;
        let account = match &source {
            Source::Repo(repo) => repo.did()?,
            Source::Car(_) => source.snapshot(at)?.commit().known_did().cloned(),
        };
        account.as_ref().map_or(Ok(()), |account| check_account(identity.did(), account))?;
        paths.check_account(&place.account(account.as_ref()))?;
        if let Some(record) = paths.record() {
            return print_versions(&record, (&source, at), left_out, &self.list, out);
        }
        Walked { source: &source, keys: keys.as_ref(), list: &self.list, paths: &paths }
            .print(at, left_out, out)
    }
}

/// The walk through a history.
struct Walked<'a> {
    source: &'a Source,
    keys: Option<&'a KeyHistory>,
    list: &'a ListArgs,
    paths: &'a PathFilter,
}

impl Walked<'_> {
    fn print(
        &self,
        at: Option<&Revision>,
        mut left_out: Option<LeftOut<'_>>,
        out: &mut Output,
    ) -> Result<Exit> {
        let sweep = sweep_of(self.source)?;
        let mut walk = commits(self.source, at)?;
        let screen = out.terminal().cloned();
        let mut screen = match screen {
            Some(terminal) => Some(LogScreen::new(&terminal, ref_names(self.source)?)),
            None => None,
        };
        let (mut exit, mut left) = (Exit::Done, self.list.number.unwrap_or(usize::MAX));
        let mut is_found = self.paths.is_empty() || left == 0;
        let mut progress = Progress::things("commits", None);
        while left > 0
            && let Some(past) = walk.next()
        {
            // With keys, the log is also a check, which continues without a reader.
            if out.is_closed() && self.keys.is_none() {
                break;
            }
            progress.add(1);
            let past = past?;
            if let Some(left_out) = &mut left_out
                && left_out.has(past.cid, rev_of(&past))?
            {
                break;
            }
            let micros = time_of(&past);
            if self.list.is_too_old(micros) {
                // Revs decrease along the walk.
                if rev_time(&past).is_some() { break } else { continue }
            }
            if self.list.is_too_new(micros) {
                continue;
            }
            let listed = LoggedCommit::new(self.source, &past, self.keys, self.paths, sweep)?;
            let is_other = |tally: &Tally| tally.counts.total() == 0;
            if !self.paths.is_empty() && listed.tally.as_ref().is_some_and(is_other) {
                continue;
            }
            (left, is_found) = (left - 1, true);
            exit = worse(exit, listed.exit);
            let is_partial = self.print_one(&listed, &past, screen.as_mut(), out)?;
            exit = worse(exit, if is_partial { Exit::Partly } else { Exit::Done });
        }
        drop(progress);
        if let Some(screen) = &mut screen {
            screen.print(true, out)?;
        }
        if !is_found && out.terminal().is_some() {
            say(&format!("no commit that changed {} was found", self.paths.name()));
        }
        Ok(exit)
    }

    /// Prints a commit, and returns whether a part of its contents cannot be read or shown.
    fn print_one(
        &self,
        listed: &LoggedCommit<'_>,
        past: &PastCommit,
        screen: Option<&mut LogScreen>,
        out: &mut Output,
    ) -> Result<bool> {
        let has_patch = self.list.patch;
        match screen {
            None if self.list.oneline => out.answer(&ShortRow(listed.row(past)))?,
            None => out.answer(&listed.row(past))?,
            Some(screen) if self.list.oneline => screen.print_short(&listed.entry(past), out)?,
            Some(screen) => {
                screen.add(&listed.entry(past));
                if has_patch || screen.is_full() {
                    screen.print(has_patch && past.parent.is_none(), out)?;
                }
            }
        }
        let Some(pair) = listed.pair.as_ref().filter(|_| has_patch) else { return Ok(false) };
        Ok(print_patches(pair, self.paths, out)?.is_partial)
    }
}
