//! `pds log`

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::{Cid, ReadError};
use pds::history::record::RecordVersion;
use pds::identity::KeyHistory;
use pds::store::{Event, LogEntry, LogQuery, RefName};
use pds::syntax::{AtUri, Tid};
use pds::{Error, RecordChange, Repo, Revision};
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::gaps::Gaps;
use crate::identity::read_plc_log;
use crate::open::{Place, RecordArg, Source};
use crate::output::{Output, commit_json, rev_text, say, time_text};

/// Tell where a ref has stood, newest first
///
/// With a record: the commits that have changed it, from the present one backwards. Exit code 6 if one in
/// between cannot be read: a change that it made is told of the commit after it. With --plc-log
/// each line ends with the key of the account that was valid when the rev was made and signed it. Exit
/// code 1 if a commit is signed otherwise.
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

    /// The audit log of the did:plc account: tells the key that was valid when each rev was made
    #[arg(long, value_name = "FILE")]
    plc_log: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let keys = self.plc_log.as_deref().map(read_plc_log).transpose()?;
        let keys = keys.map(|log| log.key_history());
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
                let (mut created, mut gaps) = (0, Gaps::default());
                for record in snapshot.records() {
                    created += usize::from(gaps.pass(record)?.is_some());
                }
                let time = commit.rev().map_or(0, Tid::micros);
                let signed = keys.as_ref().map(|keys| Signed::by(keys, Some(commit)));
                let line = Line {
                    cid: Some(commit.cid()),
                    rev: commit.rev(),
                    time,
                    counts: gaps.is_empty().then_some((created, 0, 0)),
                    event: None,
                    before: None,
                    message: "",
                    signed: signed.as_ref(),
                };
                line.print(out)?;
                return Ok(signed.map_or(gaps.exit(), |signed| signed.exit(gaps.exit())));
            }
        };
        self.rows(&repo, keys.as_ref(), out)
    }

    /// Shows the rows of the log, a page at a time: memory does not grow with the log.
    fn rows(&self, repo: &Repo, keys: Option<&KeyHistory>, out: &mut Output) -> Result<Exit> {
        let sweep = sweep_of(repo)?;
        let mut left = self.number.unwrap_or(usize::MAX);
        let mut page = read_page(repo, None, left)?;
        if page.is_empty() && repo.head()?.is_none() && repo.history().log(1)?.is_empty() {
            return Err(Error::NoCommit(repo.history().ref_name().clone()).into());
        }
        let mut exit = Exit::Done;
        while let Some(last) = page.last() {
            let (next, before) = (last.seq.checked_sub(1), last.before);
            left -= page.len();
            for entry in page {
                // With keys it is a check, and goes on without a reader.
                if out.is_closed() && keys.is_none() {
                    return Ok(exit);
                }
                exit = print_row(entry, repo, sweep, keys, exit, out)?;
            }
            let Some(next) = next else { break };
            page = read_page(repo, Some(next), left)?;
            // Rows may have been dropped since the page before this one was read.
            if left > 0
                && let Some(cid) = before
                && page.first().and_then(|row| row.after) != Some(cid)
                && sweep_of(repo)? != sweep
            {
                return Err(Error::Read(ReadError::Swept { cid }).into());
            }
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
            None => source.snapshot(self.ref_name.clone().map(Revision::from).as_ref())?,
        };
        let commit = snapshot.commit();
        let path = record.path_in(commit.did())?;
        let versions: Box<dyn Iterator<Item = Result<RecordVersion, Error>>> = match &repo {
            Some(repo) => Box::new(repo.history().record_history(path)?),
            None => {
                let version = |after| {
                    Ok(RecordVersion { commit: commit.clone(), before: None, after: Some(after) })
                };
                Box::new(snapshot.find_cid(path)?.map(version).into_iter())
            }
        };
        let uri = AtUri::record(commit.did(), path);
        let (mut found, mut exit) = (0, Exit::Done);
        for version in versions {
            if out.is_closed() {
                break;
            }
            match version {
                Ok(_) if self.number == Some(0) => return Ok(exit),
                Ok(version) => print_version(&version, &uri, out)?,
                // What it did to the record is not known; what came before may be.
                Err(Error::StateLost { commit, source }) => {
                    print_gap(commit, &source, &uri, out)?;
                    exit = Exit::Partly;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            found += 1;
            if self.number == Some(found) {
                return Ok(exit);
            }
        }
        match exit {
            Exit::Done if found == 0 => {
                let message = format!("there never was a record {path}");
                Err(Stated::no("not-found", message).into())
            }
            exit => Ok(exit),
        }
    }
}

/// Reads the next rows of the log of a ref, newest first, from a row on.
fn read_page(repo: &Repo, from: Option<u64>, left: usize) -> Result<Vec<LogEntry>> {
    let (count, mut rows) = (left.min(ROWS_AT_ONCE), Vec::new());
    if count == 0 {
        return Ok(rows);
    }
    let mut query = LogQuery::newest_first().of(repo.history().ref_name().clone());
    query.from = from;
    repo.store().view()?.log(&query, &mut |row| {
        rows.push(row);
        if rows.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(rows)
}

/// Prints a row of the log with what its commit changed, and returns how the command ends.
fn print_row(
    entry: LogEntry,
    repo: &Repo,
    sweep: u64,
    keys: Option<&KeyHistory>,
    mut exit: Exit,
    out: &mut Output,
) -> Result<Exit> {
    let LogEntry { before, after, at_micros, event, message, .. } = entry;
    let (commit, counts) = match look_up(repo, before, after) {
        Ok((commit, counts)) => (commit, Some(counts)),
        // The state may have been deleted since the log was read.
        Err(error) if error.is_swept() || sweep_of(repo)? != sweep => {
            let swept = after.map(|cid| ReadError::Swept { cid });
            return Err(swept.map_or(error, Error::Read).into());
        }
        // The log is the way back from damage: every row of it is shown.
        Err(error) if error.is_corrupt() || error.is_not_found() => {
            say(&format!("{:#}", anyhow::Error::new(error)));
            exit = Exit::Partly;
            (None, None)
        }
        Err(error) => return Err(error.into()),
    };
    let signed = keys.map(|keys| Signed::by(keys, commit.as_ref()));
    let (rev, signed) = (commit.as_ref().and_then(Commit::rev), signed.as_ref());
    Line {
        cid: after,
        rev,
        time: at_micros,
        counts,
        event: Some(&event),
        before,
        message: &message,
        signed,
    }
    .print(out)?;
    Ok(signed.map_or(exit, |signed| signed.exit(exit)))
}

/// Says which commit cannot be read; in JSON also where the versions are.
fn print_gap(commit: Cid, error: &Error, uri: &AtUri, out: &mut Output) -> Result<()> {
    let message = format!("commit {commit} cannot be read, nor what it did to the record: {error}");
    say(&message);
    if !out.is_json() {
        return Ok(());
    }
    out.json(&json!({
        "action": "unknown",
        "uri": uri.as_str(),
        "cid": null,
        "prev": null,
        "time": null,
        "commit": commit_json(commit, None),
        "message": message,
    }))
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

/// Reads a commit and counts what it changed.
fn look_up(
    repo: &Repo,
    before: Option<Cid>,
    after: Option<Cid>,
) -> Result<(Option<Commit>, Counts), Error> {
    let commit = match after {
        Some(cid) => Some(repo.checkout(&cid.into())?.commit().clone()),
        None => None,
    };
    Ok((commit, count(&repo.history().changes(before, after)?)))
}

/// What became of a commit's signature.
struct Signed {
    /// The key that was valid when it was made, and signed it.
    key: Option<PublicKey>,
    is_wrong: bool,
}

impl Signed {
    fn by(keys: &KeyHistory, commit: Option<&Commit>) -> Self {
        let Some(commit) = commit else { return Self { key: None, is_wrong: false } };
        if let Some(did) = keys.did().filter(|did| *did != commit.did()) {
            say(&format!(
                "commit {}: it is of {}, the log is of {did}",
                commit.cid(),
                commit.did()
            ));
            return Self { key: None, is_wrong: true };
        }
        match keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature()) {
            Ok(period) => Self { key: period.key.clone(), is_wrong: false },
            Err(error) => {
                say(&format!("commit {}: {:#}", commit.cid(), anyhow::Error::new(error)));
                Self { key: None, is_wrong: true }
            }
        }
    }

    /// How the command ends, of which this is not the only line.
    fn exit(&self, otherwise: Exit) -> Exit {
        if self.is_wrong && otherwise == Exit::Done { Exit::No } else { otherwise }
    }
}

/// Created, updated, deleted.
type Counts = (usize, usize, usize);

struct Line<'a> {
    cid: Option<Cid>,
    rev: Option<Tid>,
    time: u64,
    /// Unknown where the commit or its tree cannot be read.
    counts: Option<Counts>,
    event: Option<&'a Event>,
    before: Option<Cid>,
    message: &'a str,
    /// Where it was asked for.
    signed: Option<&'a Signed>,
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
        let key = self.signed.map(|signed| signed.key.as_ref().map(PublicKey::did_key));
        out.answer(
            || {
                let (rev, cid) = (rev_text(self.rev), cid.as_deref().unwrap_or("-"));
                let counts = format!("+{} ~{} -{}", text(created), text(updated), text(deleted));
                let what = match (self.message, self.event) {
                    ("", Some(event)) => event.to_string(),
                    (message, _) => message.to_owned(),
                };
                let line = format!("{rev}\t{cid}\t{time}\t{counts}\t{what}");
                match &key {
                    Some(key) => format!("{line}\t{}", key.as_deref().unwrap_or("-")),
                    None => line,
                }
            },
            || {
                let mut line = json!({
                    "cid": cid,
                    "rev": self.rev.map(|rev| rev.to_string()),
                    "time": time,
                    "created": created,
                    "updated": updated,
                    "deleted": deleted,
                    "before": self.before.map(|cid| cid.to_string()),
                    "event": self.event.map(Event::word),
                    "message": self.message,
                });
                for (field, value) in self.event.into_iter().flat_map(data_of) {
                    line[field] = json!(value);
                }
                if let Some(key) = &key {
                    line["signingKey"] = json!(key);
                }
                line
            },
        )
    }
}

fn count(changes: &[RecordChange]) -> Counts {
    let (mut created, mut updated, mut deleted) = (0, 0, 0);
    for change in changes {
        match (change.before, change.after) {
            (None, _) => created += 1,
            (Some(_), Some(_)) => updated += 1,
            (Some(_), None) => deleted += 1,
        }
    }
    (created, updated, deleted)
}

/// The number of the last change that deleted blocks.
fn sweep_of(repo: &Repo) -> Result<u64> {
    Ok(repo.store().view()?.version().sweep)
}

/// Returns the commits and keys that belong to an event, by the field that holds each.
fn data_of(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::Import { key, replaces } => {
            let keys = [("key", key), ("replacedKey", replaces)].into_iter();
            keys.filter_map(|(field, key)| Some((field, key.as_ref()?.to_string()))).collect()
        }
        Event::Merge { other, key } => {
            let key = key.as_ref().map(|key| ("key", key.to_string()));
            [("merged", other.to_string())].into_iter().chain(key).collect()
        }
        Event::Rotate { old, new } => {
            vec![("oldKey", old.to_string()), ("newKey", new.to_string())]
        }
        Event::Revert { commit } => vec![("reverted", commit.to_string())],
        _ => Vec::new(),
    }
}

const ROWS_AT_ONCE: usize = 256;
