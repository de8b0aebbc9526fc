//! `pds import`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::crypto::PublicKey;
use pds::store::RefName;
use pds::transfer::import::Imported;
use pds::{Finding, Jobs, Repo, Severity};

use crate::answers::commit::CommitId;
use crate::answers::import::ImportAnswer;
use crate::blob_notes::say_missing;
use crate::exit::Exit;
use crate::identity::IdentityArgs;
use crate::open::{Place, about_file, open_file_or_repository, peek};
use crate::output::Output;
use crate::progress::Watched;
use crate::record::check_account;
use crate::text::{counted, rev_text, say};

/// Import a CAR file: verify it, store its blocks, then move the ref
///
/// Accepts a full export, or a slice made with `pds export --since` whose base is stored. If the commit or
/// the tree is invalid, nothing changes. In a mirror, a key given for a newer commit becomes the expected key
/// for later commits.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds import newer.car --key did:key:zQ3sh…")]
pub(crate) struct Args {
    /// CAR file, or directory of another repository; - for stdin
    car: PathBuf,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Move this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let identity = self.identity.read()?;
        let repo = place.repo_on(self.ref_name.as_ref())?;
        if let Some(account) = repo.did()? {
            check_account(identity.did(), &account)?;
        }
        let file = open_file_or_repository(&self.car)?;
        let named = identity.key_for(&file)?;
        let imported = take_in_file(&repo, file, named.as_ref(), &self.car, jobs)?;
        if let (Some(key), None) = (&named, repo.public_key()?) {
            repo.keys().remember(key)?;
        }
        warn(&imported.findings);
        say_missing(&repo, &imported.blobs)?;
        let commit = &imported.commit;
        if let Some(before) = &imported.before
            && before.rev() > commit.rev()
        {
            let (name, rev) = (repo.history().ref_name(), rev_text(before.rev()));
            let is_head = *name == RefName::head();
            let undo = if is_head { "reset".to_owned() } else { format!("ref set {name}") };
            say(&format!(
                "warning: {name} pointed to a later rev, {rev}; pds {undo} '{name}@{{1}}' restores it"
            ));
        }
        out.has_done();
        out.answer(&ImportAnswer {
            blocks: imported.new_blocks,
            commit: CommitId::of(commit),
            records: imported.records,
        })?;
        Ok(Exit::Done)
    }
}

/// Imports the state of a CAR file or of another repository, which must be signed with the key that is known
/// for the time of the commit.
pub(crate) fn take_in(repo: &Repo, path: &Path) -> Result<Imported> {
    take_in_file(repo, open_file_or_repository(path)?, None, path, Jobs::default())
}

fn take_in_file(
    repo: &Repo,
    file: Watched,
    named: Option<&PublicKey>,
    path: &Path,
    jobs: Jobs,
) -> Result<Imported> {
    let known = match named {
        Some(key) => Some(key.clone()),
        None => match peek(&file) {
            Some(commit) => repo.keys().of(&commit)?,
            None => repo.public_key()?,
        },
    };
    repo.transfer()
        .with_jobs(jobs)
        .import_file(file, known.as_ref())
        .map_err(|error| about_file(error, path))
}

/// Prints the number of warnings about the records that were imported.
pub(crate) fn warn(findings: &[Finding]) {
    let odd = findings.iter().filter(|f| f.severity() > Severity::Note).count();
    if odd > 0 {
        let odd = counted(odd as u64, "finding");
        say(&format!(
            "warning: {odd} in records, which were stored unchanged; pds verify lists them"
        ));
    }
}
