//! `pds import`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::Cid;
use pds::identity::KeyHistory;
use pds::local::open::{is_repository, open_without_key};
use pds::store::RefName;
use pds::transfer::bring_blobs::CopiedBlobs;
use pds::transfer::handle::Transfer;
use pds::transfer::import::Imported;
use pds::transfer::import_from::ImportedFrom;
use pds::{Code, Error, Finding, Jobs, Progress, Repo, Severity};

use crate::answers::arrived::Arrived;
use crate::answers::commit::CommitId;
use crate::answers::import::ImportAnswer;
use crate::arguments::identity::{Identity, IdentityArgs};
use crate::arguments::record::check_account;
use crate::failures::exit::{Exit, Stated};
use crate::input::stream::open_file;
use crate::process::output::Output;
use crate::process::progress::{Steps, Watched};
use crate::process::text::{counted_plain, name_of, rev_text};
use crate::repository::arrivals::say_other_states;
use crate::repository::blob_notes::{say_copied, say_missing};
use crate::repository::clock::FutureArg;
use crate::repository::open::{Place, about_missing_base, peek};
use crate::screens::arrived::{Import, import as lines_of};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;

/// Import a CAR file: verify it, store its blocks, then move the ref
///
/// Accepts a full export, or a slice made with `pds export --since` whose base is stored. If the commit or the tree is
/// invalid, nothing changes. In a mirror, a key given for a newer commit becomes the expected key for later commits.
///
/// Other whole states in a file are stored as well, each with a row of the log. Commits without their trees are counted
/// and not stored. From the directory of another repository, the states since the present one are stored, and the blobs
/// that records refer to are copied.
///
/// The new commit must be later than the present one. Unless it is known to descend from the present one, it must also
/// have the local records: those that were written here and not imported. Exit code 1 if it breaks these rules: HEAD
/// does not move. Another commit with the rev of HEAD is kept under a ref of its own. Exit code 6 if the state was
/// imported, but blobs are damaged in the source, or other states are not valid: they are listed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds import newer.car --did-doc did.json\n  pds import old.car --allow-older\n  \
    for car in backups/*.car; do pds import \"$car\"; done    ends at the newest state"
)]
pub(crate) struct Args {
    /// CAR file, or directory of another repository; - for stdin
    car: PathBuf,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Move this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    /// Accept a commit that is older than the present one
    #[arg(long)]
    allow_older: bool,

    /// Accept a commit that lacks local records. They stay in the earlier state until pds gc --keep drops it
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    future: FutureArg,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    fn transfer<'r>(&self, repo: &'r Repo) -> Transfer<'r> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        repo.transfer().with_jobs(jobs).allow_older(self.allow_older).allow_loss(self.force)
    }

    fn import(&self, arriving: &Arriving<'_>, repo: &Repo) -> Result<Taken> {
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        arriving.import(self.transfer(repo).with_progress(Progress::new(&count)), repo)
    }

    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let repo = self.future.on(place.repo_on(self.ref_name.as_ref())?, out)?;
        if let Some(account) = repo.did()? {
            check_account(identity.did(), &account)?;
        }
        let arriving = Arriving::open(&self.car, &identity)?;
        let taken = match self.import(&arriving, &repo) {
            Err(error) => match error.downcast_ref() {
                Some(Error::SameRev { found, .. }) => {
                    let name = fork_name(*found)?;
                    let fork = repo.on(name.clone());
                    arriving.import(self.transfer(&fork), &fork)?;
                    return kept(&error, &name).fail();
                }
                _ => return Err(error),
            },
            taken => taken?,
        };
        arriving.note_done(&taken.imported, &repo, out)?;
        let exit = taken.report(&repo, out)?;
        let imported = taken.imported;
        warn_of_move(&repo, &imported, out);
        let commit = &imported.commit;
        if let Some(terminal) = out.terminal().cloned() {
            let source = name_of(&self.car);
            out.lines(screen(&repo, &source, &imported, &terminal)?)?;
            return Ok(exit);
        }
        out.answer(&ImportAnswer {
            blocks: imported.new_blocks,
            commit: CommitId::of(commit),
            records: imported.records,
            arrived: Arrived::of(&imported),
        })?;
        Ok(exit)
    }
}

/// Returns the lines about an import on a terminal.
fn screen(
    repo: &Repo,
    source: &str,
    imported: &Imported,
    terminal: &Terminal,
) -> Result<Vec<Line>> {
    let Imported { before, commit, new_blocks, .. } = imported;
    let comparison =
        repo.history().compare(before.as_ref().map(Commit::cid), Some(commit.cid()))?;
    let mut counts = [0; 3];
    for change in comparison.changes() {
        let change = change?;
        let kind = match (change.before, change.after) {
            (None, _) => 0,
            (Some(_), Some(_)) => 1,
            (Some(_), None) => 2,
        };
        counts[kind] += 1;
    }
    let name = repo.history().ref_name();
    let is_head = *name == RefName::head();
    let earlier = earlier(if is_head { "" } else { name.as_str() }, imported);
    let key = repo.keys().of(commit)?;
    let import = Import {
        source,
        ref_name: name.as_str(),
        before: before.as_ref(),
        after: commit,
        counts,
        new_blocks: *new_blocks,
        undo: undo(name, &earlier),
        earlier,
        is_own_key: key.is_some() && key == repo.public_key()?,
        key: key.map(|key| key.did_key()),
    };
    Ok(lines_of(&import, terminal))
}

/// A CAR file or another repository whose state is to be imported.
struct Arriving<'p> {
    path: &'p Path,
    source: Origin,
    /// The commit, if it can be read.
    commit: Option<Commit>,
    /// The key that the user named for it.
    named: Option<PublicKey>,
    /// The keys of the account over time, if the user named a log.
    account_keys: Option<KeyHistory>,
}

enum Origin {
    File(Watched),
    Repository(Repo),
}

/// A state that was imported, and the blobs that were copied with it.
pub(crate) struct Taken {
    pub(crate) imported: Imported,
    blobs: CopiedBlobs,
}

/// Imports the state of a CAR file or of another repository, which must be signed with the key that is known
/// for the time of the commit. The user has named the state, so it may be any state of the account.
pub(crate) fn take_in(repo: &Repo, path: &Path) -> Result<Taken> {
    let steps = Steps::default();
    let count = |step, more| steps.add(step, more);
    let transfer = repo.transfer().allow_any().with_progress(Progress::new(&count));
    Arriving::open(path, &Identity::default())?.import(transfer, repo)
}

impl<'p> Arriving<'p> {
    fn open(path: &'p Path, identity: &Identity) -> Result<Self> {
        let account_keys = identity.keys_in_time().cloned();
        if is_repository(path)? {
            let repo = open_without_key(path)?;
            let commit = repo.snapshot()?.commit().clone();
            let named = identity.key_of(&commit)?;
            return Ok(Self {
                path,
                source: Origin::Repository(repo),
                commit: Some(commit),
                named,
                account_keys,
            });
        }
        let file = open_file(path)?;
        let (named, commit) = (identity.key_for(&file)?, peek(&file));
        Ok(Self { path, source: Origin::File(file), commit, named, account_keys })
    }

    /// Remembers the key that the user named, if none is known, and notes whether something has changed.
    fn note_done(&self, imported: &Imported, repo: &Repo, out: &mut Output) -> Result<()> {
        if has_changed(imported) {
            out.has_done();
        }
        if let (Some(key), None) = (&self.named, repo.public_key()?) {
            repo.keys().remember(key)?;
            out.has_done();
        }
        Ok(())
    }

    /// Imports the state. It must be signed with the named key, or with the known one.
    fn import(&self, transfer: Transfer<'_>, repo: &Repo) -> Result<Taken> {
        let transfer = transfer.with_account_keys(self.account_keys.as_ref());
        let key = match (&self.named, &self.commit) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(commit)) => repo.keys().of(commit)?,
            (None, None) => repo.public_key()?,
        };
        let (imported, blobs) = match &self.source {
            Origin::File(file) => {
                let imported = transfer.import_file(file, key.as_ref());
                let imported =
                    imported.map_err(|error| about_missing_base(error, Some(repo), self.path))?;
                (imported, CopiedBlobs::default())
            }
            Origin::Repository(other) => {
                let ImportedFrom { imported, blobs, .. } =
                    transfer.import_from(other.transfer(), key.as_ref())?;
                (imported, blobs)
            }
        };
        Ok(Taken { imported, blobs })
    }
}

impl Taken {
    /// Prints what arrived with the state, what is odd about it, and what is missing. Returns the exit code.
    pub(crate) fn report(&self, repo: &Repo, out: &mut Output) -> Result<Exit> {
        warn(&self.imported.findings, out);
        let copied = say_copied(&self.blobs, out);
        let stored = say_other_states(&self.imported, out);
        let Imported { blobs, has_more_blobs, .. } = &self.imported;
        say_missing(repo, blobs, *has_more_blobs, out)?;
        Ok(if copied == Exit::Done { stored } else { copied })
    }
}

/// Returns whether an import has stored something or moved the ref.
fn has_changed(imported: &Imported) -> bool {
    let before = imported.before.as_ref().map(Commit::cid);
    imported.new_blocks + imported.earlier > 0 || before != Some(imported.commit.cid())
}

/// Returns the ref that keeps a commit with the rev of the present one.
fn fork_name(commit: Cid) -> Result<RefName> {
    let cid = commit.to_string();
    let last = cid.get(cid.len().saturating_sub(FORK_LETTERS)..).unwrap_or(&cid);
    Ok(format!("fork-{last}").parse()?)
}

/// Reports a commit that was refused because of its rev, and the ref that keeps it.
fn kept(error: &anyhow::Error, name: &RefName) -> Stated {
    Stated::no("same-rev", format!("{error}; it is kept under the ref {name}")).hint(
        "the account has signed two histories; pds diff HEAD REF compares them, pds reset REF follows the other one",
    )
}

/// Returns the text that names the state before an import, in quotes for a shell.
fn earlier(name: &str, imported: &Imported) -> String {
    match &imported.before {
        // If other states were stored, the ref has moved through them.
        Some(before) if imported.earlier > 0 => before.cid().to_string(),
        _ => format!("'{name}@{{1}}'"),
    }
}

/// Returns the command that moves a ref back to an earlier state.
fn undo(name: &RefName, earlier: &str) -> String {
    match *name == RefName::head() {
        true => format!("pds reset {earlier}"),
        false => format!("pds ref set {name} {earlier}"),
    }
}

/// Warns of records and commits that the ref no longer has.
fn warn_of_move(repo: &Repo, imported: &Imported, out: &mut Output) {
    let (name, commit) = (repo.history().ref_name(), &imported.commit);
    let undo = format!("{} restores it", undo(name, &earlier(name.as_str(), imported)));
    if let Some(before) = &imported.before
        && before.rev() > commit.rev()
    {
        let rev = rev_text(before.rev());
        out.warn(format!("{name} pointed to a later rev, {rev}; {undo}"));
    }
    if imported.lost > 0 {
        let lost = counted_plain(imported.lost, "local record");
        out.warn(format!("the new state lacks {lost}: -{}; {undo}", imported.lost));
    }
    if imported.returned > 0 {
        let returned = counted_plain(imported.returned, "record");
        out.warn(format!("{returned} deleted here came back; {undo}"));
    }
}

/// Warns of oddities in the records that were imported.
pub(crate) fn warn(findings: &[Finding], out: &mut Output) {
    let warnings = findings.iter().filter(|f| f.severity() > Severity::Note);
    let (future, odd): (Vec<_>, Vec<_>) = warnings.partition(|f| f.code() == Code::RevInFuture);
    for finding in future {
        out.warn(finding.message.clone());
    }
    let odd = odd.len();
    if odd > 0 {
        let odd = counted_plain(odd as u64, "finding");
        out.warn(format!("{odd} in records, which were stored unchanged; pds verify lists them"));
    }
}

/// The number of letters of a CID in the name of a ref.
const FORK_LETTERS: usize = 8;
