//! `pds log`

use anyhow::Result;
use pds::data::Cid;
use pds::repo::{Error, RecordChange, RecordVersion, Repo};
use pds::store::{LogEntry, RefName};
use pds::syntax::{AtUri, Tid};
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::open::{Place, RecordArg, Source};
use crate::output::{Output, commit_json, rev_text, say, time_text};

/// Tell where a ref has stood, newest first
///
/// With a record: the commits that have changed it, from the present one backwards.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds log -n 10\n  pds log com.example.note/first")]
pub(crate) struct Args {
    /// The versions of this record only: collection/rkey or an at-uri
    path: Option<RecordArg>,

    /// At most this many
    #[arg(short, value_name = "N")]
    number: Option<usize>,

    /// Another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let source = place.source()?;
        if let Some(record) = &self.path {
            return self.versions(record, &source, out);
        }
        let repo = match &source {
            Source::Repo(repo) => match &self.ref_name {
                Some(name) => repo.on(name.clone()),
                None => repo.clone(),
            },
            Source::Car(_) => {
                if let Some(other) = self.ref_name.filter(|name| *name != RefName::head()) {
                    return Err(Error::NoCommit(other).into());
                }
                if self.number == Some(0) {
                    return Ok(Exit::Done);
                }
                let snapshot = source.snapshot(None)?;
                let commit = snapshot.commit();
                let created =
                    snapshot.records().try_fold(0, |count, one| one.map(|_| count + 1))?;
                let time = commit.rev().map_or(0, Tid::micros);
                Line {
                    cid: Some(commit.cid()),
                    rev: commit.rev(),
                    time,
                    counts: Some((created, 0, 0)),
                    note: "",
                }
                .print(out)?;
                return Ok(Exit::Done);
            }
        };
        let entries = repo.log(self.number.unwrap_or(usize::MAX))?;
        if entries.is_empty() && repo.head()?.is_none() && repo.log(1)?.is_empty() {
            return Err(Error::NoCommit(repo.ref_name().clone()).into());
        }
        let mut exit = Exit::Done;
        for entry in entries {
            let LogEntry { before, after, at_micros, note, .. } = entry;
            let (rev, counts) = match look_up(&repo, before, after) {
                Ok((rev, counts)) => (rev, Some(counts)),
                // The log is the way back from damage: every row of it is told.
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    say(&format!("{:#}", anyhow::Error::new(error)));
                    exit = Exit::Partly;
                    (None, None)
                }
                Err(error) => return Err(error.into()),
            };
            Line { cid: after, rev, time: at_micros, counts, note: &note }.print(out)?;
        }
        Ok(exit)
    }

    /// Tells which commits have changed a record; a CAR file has one state, and so one version.
    fn versions(&self, record: &RecordArg, source: &Source, out: &mut Output) -> Result<Exit> {
        let repo = match source {
            Source::Repo(repo) => match &self.ref_name {
                Some(name) => Some(repo.on(name.clone())),
                None => Some(repo.clone()),
            },
            Source::Car(_) => None,
        };
        let snapshot = match &repo {
            Some(repo) => repo.snapshot()?,
            None => source.snapshot(self.ref_name.as_ref().map(RefName::as_str))?,
        };
        let commit = snapshot.commit();
        let path = record.path_in(commit.did())?;
        let mut versions: Box<dyn Iterator<Item = Result<RecordVersion, Error>>> = match &repo {
            Some(repo) => Box::new(repo.record_history(path)?),
            None => {
                let version = |after| {
                    Ok(RecordVersion { commit: commit.clone(), before: None, after: Some(after) })
                };
                Box::new(snapshot.find_cid(path)?.map(version).into_iter())
            }
        };
        let Some(first) = versions.next() else {
            return Err(Stated::no("not-found", format!("there never was a record {path}")).into());
        };
        let uri = AtUri::record(commit.did(), path);
        let versions = std::iter::once(first).chain(versions);
        for version in versions.take(self.number.unwrap_or(usize::MAX)) {
            print_version(&version?, &uri, out)?;
        }
        Ok(Exit::Done)
    }
}

fn print_version(version: &RecordVersion, uri: &AtUri, out: &mut Output) -> Result<()> {
    let RecordVersion { commit, before, after } = version;
    let (sign, action) = match (before, after) {
        (None, _) => ('+', "create"),
        (Some(_), Some(_)) => ('~', "update"),
        (Some(_), None) => ('-', "delete"),
    };
    let (cid, rev) = (commit.cid(), commit.rev());
    let time = rev.map(|rev| time_text(rev.micros()));
    let [before, after] = [before, after].map(|cid| cid.map(|cid| cid.to_string()));
    out.answer(
        || {
            let (rev, time) = (rev_text(rev), time.as_deref().unwrap_or("-"));
            format!("{rev}\t{cid}\t{time}\t{sign}\t{}", after.as_deref().unwrap_or("-"))
        },
        || {
            json!({
                "action": action,
                "uri": uri.as_str(),
                "cid": after,
                "prev": before,
                "time": time,
                "commit": commit_json(cid, rev),
            })
        },
    )
}

/// Reads the rev of a commit and counts what it changed.
fn look_up(
    repo: &Repo,
    before: Option<Cid>,
    after: Option<Cid>,
) -> Result<(Option<Tid>, Counts), Error> {
    let rev = match after {
        Some(cid) => repo.checkout(&cid.into())?.commit().rev(),
        None => None,
    };
    Ok((rev, count(repo.changes(before, after)?)?))
}

/// Created, updated, deleted.
type Counts = (usize, usize, usize);

struct Line<'a> {
    cid: Option<Cid>,
    rev: Option<Tid>,
    time: u64,
    /// Unknown where the commit or its tree cannot be read.
    counts: Option<Counts>,
    note: &'a str,
}

impl Line<'_> {
    fn print(&self, out: &mut Output) -> Result<()> {
        let [created, updated, deleted] = match self.counts {
            Some((created, updated, deleted)) => [created, updated, deleted].map(Some),
            None => [None; 3],
        };
        let text = |count: Option<usize>| count.map_or("?".to_owned(), |count| count.to_string());
        let cid = self.cid.map(|cid| cid.to_string());
        let time = time_text(self.time);
        out.answer(
            || {
                let (rev, cid) = (rev_text(self.rev), cid.as_deref().unwrap_or("-"));
                let counts = format!("+{} ~{} -{}", text(created), text(updated), text(deleted));
                format!("{rev}\t{cid}\t{time}\t{counts}\t{}", self.note)
            },
            || {
                json!({
                    "cid": cid,
                    "rev": self.rev.map(|rev| rev.to_string()),
                    "time": time,
                    "created": created,
                    "updated": updated,
                    "deleted": deleted,
                    "note": self.note,
                })
            },
        )
    }
}

fn count(changes: impl Iterator<Item = Result<RecordChange, Error>>) -> Result<Counts, Error> {
    let (mut created, mut updated, mut deleted) = (0, 0, 0);
    for change in changes {
        let change = change?;
        match (change.before, change.after) {
            (None, _) => created += 1,
            (Some(_), Some(_)) => updated += 1,
            (Some(_), None) => deleted += 1,
        }
    }
    Ok((created, updated, deleted))
}
