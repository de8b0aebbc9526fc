//! `pds import`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::Finding;
use pds::crypto::PublicKey;
use pds::store::RefName;
use pds::syntax::Did;
use pds::transfer::import::Imported;
use pds::{Jobs, Repo};
use serde_json::json;

use crate::failure::Exit;
use crate::identity::SignedByArg;
use crate::open::{Place, about_file, check_account, open_file_or_repository, peek};
use crate::output::{Output, commit_json, counted, rev_text, say};
use crate::progress::Watched;

/// Take in a CAR file: verify, admit, then move the ref
///
/// A full export, or a slice made with `export --since` of which the rest is here. If anything is
/// wrong with its commit or its tree, nothing changes. A mirror follows the account: if the commit is newer
/// than all that are here, a key that was named for it is expected of those to come.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds import newer.car --key did:key:zQ3sh…")]
pub(crate) struct Args {
    /// The CAR file, or the directory of another repository; - for stdin
    car: PathBuf,

    /// The account it must be; the repository's own in any case
    #[arg(long)]
    did: Option<Did>,

    #[command(flatten)]
    signed_by: SignedByArg,

    /// Move another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    /// With how many threads; as many as the machine has if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let repo = place.repo_on(self.ref_name.as_ref())?;
        if let Some(account) = repo.did()? {
            check_account(self.did.as_ref(), &account)?;
        }
        let file = open_file_or_repository(&self.car)?;
        let named = self.signed_by.key_for(&file)?;
        let imported = take_in_file(&repo, file, named.as_ref(), &self.car, jobs)?;
        if let (Some(key), None) = (&named, repo.public_key()?) {
            repo.keys().remember(key)?;
        }
        warn(&imported.findings);
        let commit = &imported.commit;
        if let Some(before) = &imported.before
            && before.rev() > commit.rev()
        {
            say(&format!(
                "warning: {} was at rev {}, which is later; pds reset '@{{1}}' goes back to it",
                repo.history().ref_name(),
                rev_text(before.rev()),
            ));
        }
        out.has_done();
        out.answer(
            || format!("{}\t{}\t{}", imported.new_blocks, commit.cid(), rev_text(commit.rev())),
            || {
                json!({
                    "blocks": imported.new_blocks,
                    "records": imported.records,
                    "commit": commit_json(commit.cid(), commit.rev()),
                })
            },
        )?;
        Ok(Exit::Done)
    }
}

/// Takes in the state of a CAR file, or of another repository, which must be signed with the key that is
/// known here to have held at that time.
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

/// Says how much is odd about what was taken in.
pub(crate) fn warn(findings: &[Finding]) {
    let odd = findings.iter().filter(|f| f.severity() > pds::Severity::Note).count();
    if odd > 0 {
        let odd = counted(odd as u64, "finding");
        say(&format!(
            "warning: {odd} in records; they were kept byte for byte, pds verify lists them"
        ));
    }
}
