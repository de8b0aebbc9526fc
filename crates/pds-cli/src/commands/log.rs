//! `pds log`

use std::ops::ControlFlow;

use anyhow::Result;
use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::{Cid, ReadError};
use pds::history::record::RecordVersion;
use pds::identity::KeyHistory;
use pds::store::{LogEntry, LogQuery, RefName};
use pds::syntax::Tid;
use pds::{Error, RecordChange, Repo, Revision};

use crate::answers::change::Action;
use crate::answers::commit::CommitId;
use crate::answers::log::{LogRow, VersionRow};
use crate::exit::{Exit, Stated};
use crate::identity::IdentityArgs;
use crate::open::{Place, Source};
use crate::output::Output;
use crate::partial::Gaps;
use crate::record::{RecordArg, check_account, uri_of};
use crate::text::{did_text, rev_text, rev_time_text, say};

/// Show the history of a ref, newest first
///
/// History begins after the states that were purged: the changes of its first commit are unknown.
///
/// With a record, show the commits that changed it. Exit code 6 if a commit in between cannot be read: its
/// change is then shown at the commit after it. With --key, --did-doc or --plc-log, each line ends with the key of the
/// account that signed the commit, if it was valid at the time of the rev. Exit code 1 if another key signed a commit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds log -n 10\n  pds log com.example.note/first")]
pub(crate) struct Args {
    /// Show only the versions of this record: collection/rkey or an at-uri
    path: Option<RecordArg>,

    /// Show at most N entries
    #[arg(short, value_name = "N")]
    number: Option<usize>,

    /// Show this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    #[command(flatten)]
    identity: IdentityArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let keys = identity.history();
        let source = place.source()?;
        if let Some(did) = identity.did() {
            let account = match &source {
                Source::Repo(repo) => repo.did()?,
                Source::Car(_) => source.snapshot(None)?.commit().known_did().cloned(),
            };
            account.map_or(Ok(()), |account| check_account(Some(did), &account))?;
        }
        if let Some(record) = &self.path {
            return self.versions(record, &source, out);
        }
        match &source {
            Source::Repo(repo) => self.rows(&self.on_ref(repo), keys.as_ref(), out),
            Source::Car(_) => self.only_row(&source, keys.as_ref(), out),
        }
    }

    fn on_ref(&self, repo: &Repo) -> Repo {
        match &self.ref_name {
            Some(name) => repo.on(name.clone()),
            None => repo.clone(),
        }
    }

    /// Shows the only commit of a CAR file.
    fn only_row(
        &self,
        source: &Source,
        keys: Option<&KeyHistory>,
        out: &mut Output,
    ) -> Result<Exit> {
        if let Some(other) = self.ref_name.as_ref().filter(|name| **name != RefName::head()) {
            return Err(Error::NoCommit(other.clone()).into());
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
        let signed = keys.map(|keys| Signed::by(keys, Some(commit)));
        out.answer(&LogRow {
            cid: Some(commit.cid()),
            rev: commit.rev(),
            micros: commit.rev().and_then(Tid::rev_micros),
            counts: gaps.is_empty().then_some([created, 0, 0]),
            begins_here: false,
            event: None,
            before: None,
            message: "",
            key: signed.as_ref().map(|signed| signed.key.as_ref()),
        })?;
        Ok(signed.map_or(gaps.exit(), |signed| signed.exit(gaps.exit())))
    }

    /// Shows the log one page at a time, so that memory does not grow with the log.
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
                // With keys, the log is also a check, which continues without a reader.
                if out.is_closed() && keys.is_none() {
                    return Ok(exit);
                }
                exit = print_row(&entry, repo, sweep, keys, exit, out)?;
            }
            let Some(next) = next else { break };
            page = read_page(repo, Some(next), left)?;
            // Entries may have been deleted since the previous page was read.
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

    /// Shows the commits that changed a record; a CAR file has one state, and so one version.
    fn versions(&self, record: &RecordArg, source: &Source, out: &mut Output) -> Result<Exit> {
        let repo = match source {
            Source::Repo(repo) => Some(self.on_ref(repo)),
            Source::Car(_) => None,
        };
        let snapshot = match &repo {
            Some(repo) => repo.snapshot()?,
            None => source.snapshot(self.ref_name.clone().map(Revision::from).as_ref())?,
        };
        let commit = snapshot.commit();
        let path = record.path_in(commit.known_did())?;
        let versions: Box<dyn Iterator<Item = Result<RecordVersion, Error>>> = match &repo {
            Some(repo) => Box::new(repo.history().record_history(path)?),
            None => {
                let version = |after| {
                    let commit = commit.clone();
                    Ok(RecordVersion { commit, before: None, after: Some(after), is_certain: true })
                };
                Box::new(snapshot.find_cid(path)?.map(version).into_iter())
            }
        };
        let uri = uri_of(commit, path);
        let uri = uri.as_deref();
        let (mut found, mut exit) = (0, Exit::Done);
        for version in versions {
            if out.is_closed() {
                break;
            }
            match version {
                Ok(_) if self.number == Some(0) => return Ok(exit),
                Ok(version) => print_version(&version, uri, out)?,
                // The change of this commit is unknown; earlier ones may be readable.
                Err(Error::StateLost { commit, source }) => {
                    print_gap(commit, &source, uri, out)?;
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
                let message = format!("no version of {path} was found");
                Stated::no("not-found", message).fail()
            }
            exit => Ok(exit),
        }
    }
}

/// Reads the next page of the log of a ref, newest first, from an entry on.
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

/// Prints an entry with the changes of its commit, and returns the exit code.
fn print_row(
    entry: &LogEntry,
    repo: &Repo,
    sweep: u64,
    keys: Option<&KeyHistory>,
    mut exit: Exit,
    out: &mut Output,
) -> Result<Exit> {
    let LogEntry { before, after, at_micros, event, message, .. } = entry;
    let (before, after, at_micros) = (*before, *after, *at_micros);
    let (commit, counts) = match look_up(repo, before, after) {
        Ok((commit, counts)) => (commit, Some(counts)),
        // The state may have been deleted since the log was read.
        Err(error) if error.is_swept() || sweep_of(repo)? != sweep => {
            let swept = after.map(|cid| ReadError::Swept { cid });
            return Err(swept.map_or(error, Error::Read).into());
        }
        // The log helps to find a way back from damage, so every entry is shown.
        Err(error) if error.is_corrupt() || error.is_not_found() => {
            say(&format!("{:#}", anyhow::Error::new(error)));
            exit = Exit::Partly;
            (None, None)
        }
        Err(error) => return Err(error.into()),
    };
    let is_cut = match &commit {
        Some(commit) => repo.history().is_cut_before(entry, commit)?,
        None => false,
    };
    let signed = keys.map(|keys| Signed::by(keys, commit.as_ref()));
    out.answer(&LogRow {
        cid: after,
        rev: commit.as_ref().and_then(Commit::rev),
        micros: Some(at_micros),
        counts: counts.filter(|_| !is_cut),
        begins_here: is_cut && before.is_none(),
        event: Some(event),
        before,
        message,
        key: signed.as_ref().map(|signed| signed.key.as_ref()),
    })?;
    Ok(signed.map_or(exit, |signed| signed.exit(exit)))
}

/// Reports a commit that cannot be read; JSON has it among the versions, too.
fn print_gap(commit: Cid, error: &Error, uri: Option<&str>, out: &mut Output) -> Result<()> {
    let message =
        format!("commit {commit} cannot be read, so its change to the record is unknown: {error}");
    say(&message);
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
        uri,
    })
}

fn print_version(version: &RecordVersion, uri: Option<&str>, out: &mut Output) -> Result<()> {
    let RecordVersion { commit, before, after, is_certain } = version;
    let message = match before {
        _ if *is_certain => None,
        None => Some("history begins here"),
        Some(_) => Some("states before this commit were purged"),
    };
    out.answer(&VersionRow {
        action: if *is_certain { Action::of(*before, *after) } else { Action::Unknown },
        cid: *after,
        commit: CommitId::of(commit),
        message,
        prev: *before,
        time: commit.rev().and_then(rev_time_text),
        uri,
    })
}

/// Reads a commit and counts its changes.
fn look_up(
    repo: &Repo,
    before: Option<Cid>,
    after: Option<Cid>,
) -> Result<(Option<Commit>, [usize; 3]), Error> {
    let commit = match after {
        Some(cid) => Some(repo.checkout(&cid.into())?.commit().clone()),
        None => None,
    };
    Ok((commit, count(&repo.history().changes(before, after)?)))
}

/// The result of checking the signature of a commit.
struct Signed {
    /// The key that was valid at the time of the commit and signed it.
    key: Option<PublicKey>,
    is_wrong: bool,
}

impl Signed {
    fn by(keys: &KeyHistory, commit: Option<&Commit>) -> Self {
        let Some(commit) = commit else { return Self { key: None, is_wrong: false } };
        let (cid, found) = (commit.cid(), commit.known_did());
        if let Some(did) = keys.did().filter(|did| found.is_some_and(|found| found != *did)) {
            let found = did_text(found);
            say(&format!("commit {cid} belongs to {found}, but the audit log belongs to {did}"));
            return Self { key: None, is_wrong: true };
        }
        match keys.verify(commit.rev(), &commit.signing_bytes(), commit.signature()) {
            Ok(period) => {
                if keys.may_be_later(commit.rev(), period) {
                    let rev = rev_text(commit.rev());
                    say(&format!(
                        "warning: commit {cid}: signed with a former key of the account, and rev {rev} does not \
                         say when"
                    ));
                }
                Self { key: period.key.clone(), is_wrong: false }
            }
            Err(error) => {
                say(&format!("commit {cid}: {:#}", anyhow::Error::new(error)));
                Self { key: None, is_wrong: true }
            }
        }
    }

    /// Returns the exit code, given that of the other entries.
    fn exit(&self, otherwise: Exit) -> Exit {
        if self.is_wrong && otherwise == Exit::Done { Exit::No } else { otherwise }
    }
}

/// Counts the records that were created, updated and deleted.
fn count(changes: &[RecordChange]) -> [usize; 3] {
    let (mut created, mut updated, mut deleted) = (0, 0, 0);
    for change in changes {
        match Action::of(change.before, change.after) {
            Action::Create => created += 1,
            Action::Update => updated += 1,
            _ => deleted += 1,
        }
    }
    [created, updated, deleted]
}

/// Returns the number of the last change that deleted blocks.
fn sweep_of(repo: &Repo) -> Result<u64> {
    Ok(repo.store().view()?.version().sweep)
}

const ROWS_AT_ONCE: usize = 256;
