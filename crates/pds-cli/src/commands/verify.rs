//! `pds verify`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use pds::crypto::PublicKey;
use pds::history::in_file::resolve_in_file;
use pds::local::open::{is_repository, open_without_key};
use pds::verify::blobs::verify_blobs;
use pds::verify::car::{report_foreign, verify_car};
use pds::verify::indexed::verify as verify_state;
use pds::{Code, Expected, Finding, Jobs, Repo, Report, Revision, Severity, Stage};

use crate::answers::verify::{FindingRow, VerifyAnswer};
use crate::arguments::identity::IdentityArgs;
use crate::arguments::state_arg::StateArg;
use crate::failures::errors::REPAIR;
use crate::failures::exit::{Exit, Stated};
use crate::input::stream::{is_a_file, open_file};
use crate::process::output::Output;
use crate::process::progress::Steps;
use crate::process::text::say;
use crate::repository::open::{Place, Source};
use crate::screens::verify as screen;

/// Check hashes, tree, records and signature
///
/// Checks the repository, or a CAR file. Exit code 0 if no error is found, 1 if there are errors, 3 if the input
/// contains no repository.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds verify --blobs\n  pds verify backup.car --key did:key:zQ3shjyJXUaRJC2GC43mX8aPrUhoTdoiongXhZjsdTzPKYZUM\n  pds verify backup.car --did-doc did.json\n  pds verify old.car --plc-log log.json\n  pds verify proof.car --partial\n  pds verify --history"
)]
pub(crate) struct Args {
    /// CAR file to check [default: the repository]
    car: Option<PathBuf>,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Accept a slice or a proof: missing blocks are notes, not errors
    #[arg(long)]
    partial: bool,

    /// Also check that every blob is present, with its hash and size
    #[arg(long)]
    blobs: bool,

    /// Also check every stored commit: chain, signatures, revs and trees
    #[arg(long, conflicts_with = "at")]
    history: bool,

    /// State to check (see pds help revisions)
    #[arg(long, value_name = "REV", conflicts_with = "car")]
    at: Option<StateArg>,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let identity = self.identity.read()?;
        let steps = Steps::default();
        let count = |step, more| steps.add(step, more);
        let expected = identity.expected().partial(self.partial).jobs(jobs);
        let expected = match self.has_own_progress(place) {
            true => expected,
            false => expected.progress(&count),
        };
        let mut findings = Findings::new(out);
        findings.key = expected.key.map(PublicKey::did_key);
        findings.has_log = expected.keys.is_some();
        let (report, is_repo) = self.check(place, &expected, &mut findings)?;
        steps.finish();
        let (is_store_damaged, is_future) = (findings.is_store_damaged, findings.is_future);
        let label = if findings.out.terminal().is_some() { "hint: " } else { "" };
        let file = (!is_repo).then(|| self.file(place)).flatten();
        findings.finish(&report, file.as_deref())?;
        if (report.commit.is_none() || is_store_damaged) && is_repo && !out.is_json() {
            say(&format!("{label}{REPAIR}"));
        }
        if is_future && !out.is_json() {
            let next = if is_repo { FUTURE_STATE } else { FUTURE_FILE };
            say(&format!("{label}{next}"));
        }
        Ok(match (report.is_ok(), &report.commit) {
            (true, _) => Exit::Done,
            (false, Some(_)) => Exit::No,
            (false, None) => Exit::BadInput,
        })
    }

    /// Returns the file that was checked.
    fn file(&self, place: &Place) -> Option<PathBuf> {
        self.car.clone().or_else(|| Some(place.path_at(self.at.as_ref()).ok()?.0))
    }

    /// Tells whether the input is a file, whose bytes are counted.
    fn has_own_progress(&self, place: &Place) -> bool {
        let named = self.car.clone().or_else(|| place.directory().ok());
        named.is_some_and(|path| is_a_file(&path))
    }

    /// Checks the input, and tells whether it is a repository (true) or a CAR file.
    fn check(
        &self,
        place: &Place,
        expected: &Expected<'_>,
        findings: &mut Findings<'_>,
    ) -> Result<(Report, bool)> {
        if let Some(car) = &self.car {
            return Ok((self.check_car(car, expected, findings)?, false));
        }
        let (path, at) = place.path_at(self.at.as_ref())?;
        let is_named = self.at.is_some() && at.is_none();
        if is_a_file(&path) || (is_named && !is_repository(&path)?) {
            let report = match at {
                Some(at) => self.check_state(place, at, (&path, expected), findings)?,
                None => self.check_car(&path, expected, findings)?,
            };
            return Ok((report, false));
        }
        let repo = open_without_key(&path)?;
        if findings.key.is_none() {
            // If the key cannot be read, the check reports it.
            findings.key = repo.public_key().ok().flatten().map(|key| key.did_key());
        }
        Ok((self.check_repo(&repo, at, expected, findings)?, true))
    }

    fn check_repo(
        &self,
        repo: &Repo,
        at: Option<&Revision>,
        expected: &Expected<'_>,
        findings: &mut Findings<'_>,
    ) -> Result<Report> {
        let mut add = |finding| findings.add(finding);
        let mut report = match at {
            Some(at) => repo.verify().at(repo.history().resolve(at)?, expected, &mut add)?,
            None if self.history => repo.verify().history(expected, &mut add)?,
            None => repo.verify().present(expected, &mut add)?,
        };
        if self.blobs
            && let Some(commit) = &report.commit
        {
            let snapshot = repo.checkout(&commit.cid().into())?;
            verify_blobs(
                &snapshot,
                repo.blobs().as_ref(),
                expected.progress,
                &mut report,
                &mut add,
            )?;
        }
        Ok(report)
    }

    /// Checks a state of a CAR file. With the state of its header, the file itself is checked as well.
    fn check_state(
        &self,
        place: &Place,
        at: &Revision,
        (path, expected): (&Path, &Expected<'_>),
        findings: &mut Findings<'_>,
    ) -> Result<Report> {
        self.check_options_for_car()?;
        if let Source::Car(car) = place.source()? {
            let commit = resolve_in_file(&car, at)?;
            if car.roots().first() != Some(&commit) {
                return Ok(verify_state(car.as_ref(), commit, expected, &mut |f| findings.add(f))?);
            }
        }
        self.check_car(path, expected, findings)
    }

    fn check_options_for_car(&self) -> Result<()> {
        if self.blobs {
            return Stated::usage("--blobs needs a repository; a CAR file has no blobs").fail();
        }
        if self.history {
            return Stated::usage("--history needs a repository; a CAR file has no log").fail();
        }
        Ok(())
    }

    fn check_car(
        &self,
        path: &Path,
        expected: &Expected<'_>,
        findings: &mut Findings<'_>,
    ) -> Result<Report> {
        self.check_options_for_car()?;
        match open_file(path) {
            Ok(file) => Ok(verify_car(file, expected, &mut |f| findings.add(f))?),
            Err(error) => match error.downcast::<Stated>() {
                Ok(foreign) if foreign.is_foreign_file() => Ok(findings.add_foreign(&foreign)),
                error => Err(error.map_or_else(|error| error, Into::into)),
            },
        }
    }
}

/// Prints findings as they come, or keeps them for one JSON value.
struct Findings<'a> {
    out: &'a mut Output,
    kept: Vec<FindingRow>,
    kept_bytes: usize,
    left_out: u64,
    failed: Option<anyhow::Error>,
    has_findings: bool,
    started: Instant,
    /// The key that the signature is checked with.
    key: Option<String>,
    /// The keys of the account are known for every time.
    has_log: bool,
    /// A part of the data has an error, so that it should be recovered.
    is_damaged: bool,
    /// The database is damaged.
    is_store_damaged: bool,
    /// A blob is missing.
    lacks_blobs: bool,
    /// A present state has a rev in the future.
    is_future: bool,
}

impl<'a> Findings<'a> {
    fn new(out: &'a mut Output) -> Self {
        let (kept, failed, key, started) = (Vec::new(), None, None, Instant::now());
        let (has_findings, is_store_damaged, is_future) = (false, false, false);
        Self {
            out,
            kept,
            kept_bytes: 0,
            left_out: 0,
            failed,
            has_findings,
            key,
            started,
            has_log: false,
            is_damaged: false,
            is_store_damaged,
            lacks_blobs: false,
            is_future,
        }
    }

    fn add(&mut self, finding: Finding) {
        self.has_findings = true;
        self.is_damaged |= finding.severity() == Severity::Error
            && !matches!(finding.stage(), Stage::Signature | Stage::Completeness)
            && finding.code() != Code::RevInFuture;
        self.lacks_blobs |= finding.code() == Code::BlobMissing;
        self.is_store_damaged |= finding.code() == Code::StoreDamaged;
        self.is_future |=
            finding.code() == Code::RevInFuture && finding.severity() == Severity::Error;
        if self.out.is_json() {
            let bytes = finding.message.len() + finding.path.as_ref().map_or(0, String::len);
            if self.kept.len() < MAX_KEPT_FINDINGS && self.kept_bytes + bytes < MAX_KEPT_BYTES {
                self.kept_bytes += bytes;
                self.kept.push(finding.into());
            } else {
                self.left_out += 1;
            }
        } else if self.failed.is_none() {
            self.failed = match self.out.terminal().cloned() {
                None => self.out.text_line(&finding).err(),
                Some(terminal) => {
                    let lines = screen::finding(&finding, &terminal);
                    lines.iter().find_map(|line| self.out.line(line).err())
                }
            };
        }
    }

    /// Reports a file of another kind as a file without a header.
    fn add_foreign(&mut self, foreign: &Stated) -> Report {
        if let Some(hint) = foreign.hint.filter(|_| !self.out.is_json()) {
            say(hint);
        }
        let report = report_foreign(foreign.to_string(), &mut |finding| self.add(finding));
        // Nothing can be recovered from a file of another kind.
        self.is_damaged = false;
        report
    }

    fn finish(self, report: &Report, file: Option<&Path>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(terminal) = self.out.terminal().cloned() {
            let checked = screen::Checked {
                has_findings: self.has_findings,
                is_damaged: self.is_damaged,
                lacks_blobs: self.lacks_blobs,
                has_log: self.has_log,
                key: self.key.as_deref(),
                took: self.started.elapsed(),
            };
            self.out.lines(screen::summary(report, &checked, &terminal))?;
            let hint = screen::hint(report, file, &checked);
            return hint.map_or(Ok(()), |hint| self.out.hint(&hint));
        }
        let (findings, left_out) = (&self.kept[..], self.left_out);
        self.out.answer(&VerifyAnswer { report, findings, left_out })
    }
}

const FUTURE_STATE: &str = "set the clock of this machine if it is wrong; if it is right, pds repair --redate signs the \
    state again with a rev of today";

const FUTURE_FILE: &str = "set the clock of this machine if it is wrong; if it is right, pds clone FILE --accept-clock \
    keeps the state, and pds repair --redate can sign it again with the key";

/// The number of findings in a JSON answer, which bounds memory for any input. As text, all are printed.
const MAX_KEPT_FINDINGS: usize = 20_000;

/// The total length of their paths and messages.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;
