//! A commit as `log` and `show` list it: its changes, its log entry and its signature.

use std::error::Error as _;

use anyhow::Result;
use pds::Error;
use pds::commit::Commit;
use pds::data::{Blocks, ReadError};
use pds::history::commits::PastCommit;
use pds::identity::KeyHistory;
use pds::store::{LogEntry, RefName};
use pds::syntax::Tid;

use crate::answers::log::LogRow;
use crate::arguments::history_args::PathFilter;
use crate::failures::exit::Exit;
use crate::process::text::say;
use crate::records::changes::{Pair, Tally};
use crate::repository::open::Source;
use crate::repository::signed::Signed;
use crate::screens::log::{Entry, RefNames};

/// Returns the source on another ref.
pub(super) fn on_ref(source: Source, name: Option<&RefName>) -> Result<Source> {
    Ok(match (source, name) {
        (Source::Repo(repo), Some(name)) => Source::Repo(repo.on(name.clone())),
        (Source::Car(_), Some(name)) if *name != RefName::head() => {
            return Err(Error::NoCommit(name.clone()).into());
        }
        (source, _) => source,
    })
}

/// Returns the names of the refs. If they cannot be read, commits are shown without them.
pub(super) fn ref_names(source: &Source) -> Result<RefNames> {
    let refs = match source {
        Source::Repo(repo) => repo.history().refs().unwrap_or_default(),
        Source::Car(car) => {
            car.roots().first().map(|root| (RefName::head(), *root)).into_iter().collect()
        }
    };
    Ok(RefNames::of(refs))
}

/// Returns the note for a commit whose changes are unknown, because the states between its parent and it are missing.
pub(super) fn gap_before(source: &Source) -> &'static str {
    match source {
        Source::Repo(_) => "states before this commit were purged",
        Source::Car(_) => "the file lacks the state before this commit",
    }
}

/// Returns the number of the last change that deleted blocks.
pub(super) fn sweep_of(source: &Source) -> Result<u64> {
    Ok(match source {
        Source::Repo(repo) => repo.store().view()?.version().sweep,
        Source::Car(_) => 0,
    })
}

/// Returns the exit code after one more entry.
pub(super) fn worse(before: Exit, after: Exit) -> Exit {
    match (before, after) {
        (_, Exit::Partly) => Exit::Partly,
        (Exit::Done, after) => after,
        (before, _) => before,
    }
}

/// What a log shows about a commit.
pub(super) struct LoggedCommit<'s> {
    /// The commit and its parent; `None` if its changes are unknown.
    pub(super) pair: Option<Pair<'s>>,
    pub(super) tally: Option<Tally>,
    pub(super) signed: Option<Signed>,
    /// The note for a commit whose changes are unknown because of missing states.
    gap: &'static str,
    /// The exit code, if this commit were the only one.
    pub(super) exit: Exit,
}

impl<'s> LoggedCommit<'s> {
    /// Counts the changes of a commit, and checks its signature. `sweep` is that of the start of the walk.
    pub(super) fn new(
        source: &'s Source,
        past: &PastCommit,
        keys: Option<&KeyHistory>,
        paths: &PathFilter,
        sweep: u64,
    ) -> Result<Self> {
        let commit = past.commit.as_ref();
        let signed = keys.map(|keys| Signed::by(keys, commit.ok()));
        let gap = gap_before(source);
        let mut listed = Self { pair: None, tally: None, signed, gap, exit: Exit::Done };
        // The log helps to find a way back from damage, so every commit is shown.
        match commit.map(|commit| pair_of(source, past, commit)) {
            Err(error) => {
                say(&chain(error));
                listed.exit = Exit::Partly;
            }
            Ok(pair) => {
                let counted = pair.and_then(|pair| {
                    let tally = pair.as_ref().map(|pair| Tally::of(pair, paths)).transpose()?;
                    Ok((pair, tally))
                });
                match counted {
                    Ok((pair, tally)) => {
                        let is_partial = matches!(tally, Some(None));
                        listed.exit = if is_partial { Exit::Partly } else { Exit::Done };
                        (listed.pair, listed.tally) = (pair, tally.flatten());
                    }
                    Err(error) => {
                        report_lost(error, source, past, sweep)?;
                        listed.exit = Exit::Partly;
                    }
                }
            }
        }
        if let Some(signed) = &listed.signed {
            listed.exit = signed.exit(listed.exit);
        }
        Ok(listed)
    }

    pub(super) fn row<'a>(&'a self, past: &'a PastCommit) -> LogRow<'a> {
        LogRow {
            cid: past.cid,
            rev: rev_of(past),
            micros: time_of(past),
            counts: self.tally.as_ref().map(|tally| tally.counts),
            begins_here: past.is_cut && past.parent.is_none(),
            event: past.arrival.as_ref().map(|arrival| &arrival.event),
            message: past.arrival.as_ref().map_or("", |arrival| &arrival.message),
            key: self.signed.as_ref().map(|signed| signed.key.as_ref()),
        }
    }

    pub(super) fn entry<'a>(&'a self, past: &'a PastCommit) -> Entry<'a> {
        let note = match (past.is_cut, past.parent) {
            (false, _) => None,
            (true, None) => Some("history begins here"),
            (true, Some(_)) => Some(self.gap),
        };
        Entry {
            cid: past.cid,
            rev: rev_of(past),
            micros: time_of(past),
            tally: self.tally.as_ref(),
            note,
            arrival: past.arrival.as_ref(),
            has_parent: past.parent.is_some(),
        }
    }
}

/// Reports damage that makes the changes of a commit unknown; returns errors of any other kind.
fn report_lost(error: anyhow::Error, source: &Source, past: &PastCommit, sweep: u64) -> Result<()> {
    let Some(known) = error.downcast_ref::<Error>() else { return Err(error) };
    // The state may have been deleted since the walk began.
    if known.is_swept() || sweep_of(source)? != sweep {
        return Err(Error::Read(ReadError::Swept { cid: past.cid }).into());
    }
    if !known.is_corrupt() && !known.is_not_found() {
        return Err(error);
    }
    say(&chain(known));
    Ok(())
}

/// Returns a commit with its parent. Returns `None` if the changes between them are unknown.
fn pair_of<'s>(source: &'s Source, past: &PastCommit, commit: &Commit) -> Result<Option<Pair<'s>>> {
    if past.is_cut {
        return Ok(None);
    }
    let car = match source {
        Source::Repo(repo) => {
            return Ok(Some(Pair::Stored(repo.history().compare(past.parent, Some(past.cid))?)));
        }
        Source::Car(car) => car,
    };
    // A file with a chain of commits has the tree of its root only. Damage is reported when the tree is read.
    let has_tree = |commit: &Commit| !matches!(car.get(&commit.data()), Ok(None));
    if !has_tree(commit) && car.roots().first() != Some(&past.cid) {
        return Ok(None);
    }
    let after = source.snapshot(Some(&past.cid.into()))?;
    let before = past.parent.map(|parent| source.snapshot(Some(&parent.into()))).transpose()?;
    Ok(match before {
        Some(before) if !has_tree(before.commit()) => None,
        before => Some(Pair::Opened { before: before.map(Box::new), after: Box::new(after) }),
    })
}

/// Returns the time of a commit: that of its rev, or else that of its log entry.
pub(super) fn time_of(past: &PastCommit) -> Option<u64> {
    rev_time(past).or(past.arrival.as_ref().map(|LogEntry { at_micros, .. }| *at_micros))
}

pub(super) fn rev_time(past: &PastCommit) -> Option<u64> {
    rev_of(past).and_then(Tid::rev_micros)
}

/// Returns the rev of a commit, if it can be read and has one.
pub(super) fn rev_of(past: &PastCommit) -> Option<Tid> {
    past.commit.as_ref().ok().and_then(Commit::rev)
}

/// Returns an error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
