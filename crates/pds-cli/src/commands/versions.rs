//! `pds log` about one record: every version of it.

use anyhow::Result;
use pds::data::{Blocks, Cid};
use pds::history::commits::PastCommit;
use pds::history::commits_in_file::commits_in_file;
use pds::history::record::RecordVersion;
use pds::syntax::{RecordPath, Tid};
use pds::{Error, Progress, RecordChange, Revision};

use super::changed::print_patch;
use super::logged_commit::{gap_before, ref_names, worse};
use super::range::LeftOut;
use crate::answers::change::Action;
use crate::answers::commit::CommitId;
use crate::answers::log::VersionRow;
use crate::arguments::history_args::ListArgs;
use crate::arguments::record::{RecordArg, uri_of};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::process::text::{rev_time_text, say};
use crate::records::changes::Contents;
use crate::repository::open::Source;
use crate::screens::log::{VersionScreen, unknown_version, version_change};
use crate::terminal::short_cids::ShortCids;

/// Prints the commits that changed a record of this account.
pub(super) fn print_versions(
    record: &RecordArg,
    (source, at): (&Source, Option<&Revision>),
    mut left_out: Option<LeftOut<'_>>,
    list: &ListArgs,
    out: &mut Output,
) -> Result<Exit> {
    let snapshot = source.snapshot(at)?;
    let commit = snapshot.commit();
    let path = record.path();
    let steps = Steps::default();
    let count = |step, more| steps.add(step, more);
    let versions = versions_of(source, at, path, Progress::new(&count))?;
    let uri = uri_of(commit, path);
    let screen = match out.terminal().cloned() {
        Some(terminal) => Some(VersionScreen::new(&terminal, ref_names(source)?)),
        None => None,
    };
    let uri = uri.as_deref();
    let mut printer = Printer { source, path, uri, list, screen, shorts: ShortCids::default() };
    let (mut is_found, mut exit, mut left) = (false, Exit::Done, list.number.unwrap_or(usize::MAX));
    for version in versions {
        if out.is_closed() || left == 0 {
            break;
        }
        if let (Some(left_out), Ok(RecordVersion { commit, .. })) = (&mut left_out, &version)
            && left_out.has(commit.cid(), commit.rev())?
        {
            is_found = true;
            break;
        }
        let micros = version.as_ref().ok().and_then(|version| version.commit.rev()?.rev_micros());
        match version {
            Ok(_) if list.is_too_new(micros) => is_found = true,
            Ok(_) if list.is_too_old(micros) => {
                is_found = true;
                break;
            }
            Ok(version) => {
                (left, is_found) = (left - 1, true);
                exit = worse(exit, printer.print(&version, out)?);
            }
            // The change of this commit is unknown; earlier ones may be readable.
            Err(Error::StateLost { commit, source }) => {
                printer.print_gap(commit, &source, out)?;
                exit = Exit::Partly;
            }
            Err(error) => return Err(error.into()),
        }
    }
    steps.finish();
    if let Some(screen) = &mut printer.screen {
        screen.print(out)?;
    }
    if is_found || exit != Exit::Done || list.number == Some(0) {
        return Ok(exit);
    }
    Stated::no("not-found", format!("no version of {path} was found")).fail()
}

type Versions<'a> = Box<dyn Iterator<Item = Result<RecordVersion, Error>> + 'a>;

/// Returns the versions of a record, newest first.
fn versions_of<'a>(
    source: &'a Source,
    at: Option<&Revision>,
    path: &RecordPath,
    progress: Progress<'a>,
) -> Result<Versions<'a>> {
    Ok(match source {
        Source::Repo(repo) => {
            Box::new(repo.history().record_history_from(at, path)?.with_progress(progress))
        }
        Source::Car(_) => Box::new(versions_in_file(source, at, path)?.into_iter()),
    })
}

/// Returns the versions of a record in the states of a CAR file, and an error for each unreadable commit. A file with a
/// chain of commits has the tree of its root only, and so one version.
fn versions_in_file(
    source: &Source,
    at: Option<&Revision>,
    path: &RecordPath,
) -> Result<Vec<Result<RecordVersion, Error>>> {
    let Source::Car(car) = source else { return Ok(Vec::new()) };
    let mut versions = Vec::new();
    let mut later: Option<RecordVersion> = None;
    for past in commits_in_file(car.as_ref(), at)? {
        let PastCommit { cid, commit, is_cut, .. } = past?;
        let commit = match commit {
            Ok(commit) => commit,
            Err(error) => {
                versions.push(Err(Error::StateLost { commit: cid, source: error.into() }));
                continue;
            }
        };
        if later.is_some() && matches!(car.get(&commit.data()), Ok(None)) {
            break;
        }
        let after = source.snapshot(Some(&cid.into()))?.find_cid(path)?;
        add_version(&mut versions, later, after);
        later = Some(RecordVersion { commit, before: None, after, is_certain: !is_cut });
    }
    add_version(&mut versions, later, None);
    Ok(versions)
}

/// Adds the version of a commit, if the record was another one before it.
fn add_version(
    versions: &mut Vec<Result<RecordVersion, Error>>,
    later: Option<RecordVersion>,
    before: Option<Cid>,
) {
    versions.extend(
        later
            .filter(|later| later.after != before)
            .map(|later| Ok(RecordVersion { before, ..later })),
    );
}

struct Printer<'a> {
    source: &'a Source,
    path: &'a RecordPath,
    uri: Option<&'a str>,
    list: &'a ListArgs,
    screen: Option<VersionScreen>,
    shorts: ShortCids,
}

impl Printer<'_> {
    fn print(&mut self, version: &RecordVersion, out: &mut Output) -> Result<Exit> {
        let RecordVersion { commit, before, after, is_certain } = version;
        let message = match before {
            _ if *is_certain => None,
            None => Some("history begins here"),
            Some(_) => Some(gap_before(self.source)),
        };
        let change = RecordChange { path: self.path.clone(), before: *before, after: *after };
        let needs_contents = self.screen.is_some() || self.list.patch;
        let contents = match needs_contents {
            true => self.contents(&change)?,
            false => Contents::default(),
        };
        if let Some(screen) = &mut self.screen {
            let shown = match message {
                Some(note) => unknown_version(note),
                None => version_change(&contents, before.is_some(), after.is_some()),
            };
            screen.add((commit.cid(), commit.rev()), after.or(*before), shown);
            if self.list.patch || screen.is_full() {
                screen.print(out)?;
            }
        } else {
            out.answer(&VersionRow {
                action: if *is_certain { Action::of(*before, *after) } else { Action::Unknown },
                cid: *after,
                commit: CommitId::of(commit),
                message,
                prev: *before,
                time: commit.rev().and_then(rev_time_text),
                uri: self.uri,
            })?;
        }
        let mut is_partial = contents.is_partial;
        if self.list.patch {
            is_partial |= print_patch(&change, contents, &mut self.shorts, out)?;
        }
        Ok(if is_partial { Exit::Partly } else { Exit::Done })
    }

    fn contents(&self, change: &RecordChange) -> Result<Contents> {
        match self.source {
            Source::Repo(repo) => Contents::stored(repo.store().as_ref(), change),
            Source::Car(car) => Contents::stored(car.as_ref(), change),
        }
    }

    /// Reports a commit that cannot be read; JSON has it among the versions, too.
    fn print_gap(&mut self, commit: Cid, error: &Error, out: &mut Output) -> Result<()> {
        let message = format!(
            "commit {commit} cannot be read, so its change to the record is unknown: {error}"
        );
        say(&message);
        if let Some(screen) = &mut self.screen {
            screen.add((commit, None::<Tid>), None, unknown_version("cannot be read"));
        }
        if !out.is_json() {
            return Ok(());
        }
        out.answer(&VersionRow {
            action: Action::Unknown,
            cid: None,
            commit: CommitId { cid: commit, rev: None },
            message: Some(&message),
            prev: None,
            time: None,
            uri: self.uri,
        })
    }
}
