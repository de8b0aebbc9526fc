//! `pds verify`

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use pds::crypto::PublicKey;
use pds::identity::PlcLog;
use pds::syntax::Did;
use pds::verify::blobs::verify_blobs;
use pds::verify::car::verify_car;
use pds::{Code, Expected, Finding, Report, Severity, SignatureState};
use pds::{Jobs, Repo, Revision};
use serde_json::{Map, Value, json};

use crate::failure::{Exit, REPAIR, Stated};
use crate::identity::read_plc_log;
use crate::open::{Place, is_a_file, open_file};
use crate::output::{Output, counted, rev_text, say};
use crate::state::StateArg;

/// Make every check there is
///
/// Of the repository, or of a CAR file. Exit code 0 if all is well, 1 if something is wrong, 3 if
/// there is no repository in it at all.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds verify --blobs\n  pds verify backup.car --key did:key:zQ3sh…\n  pds verify old.car --plc-log log.json\n  pds verify proof.car --partial\n  pds verify --history"
)]
pub(crate) struct Args {
    /// A CAR file; the repository if there is none
    car: Option<PathBuf>,

    /// The key that must have signed the commit
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,

    /// The audit log of the did:plc account: the key of the commit's time must have signed it
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    plc_log: Option<PathBuf>,

    /// The account it must be
    #[arg(long)]
    did: Option<Did>,

    /// A part is expected: blocks that are missing are no error
    #[arg(long)]
    partial: bool,

    /// Check the blobs too: present, hash, size
    #[arg(long)]
    blobs: bool,

    /// Check every commit there is too: the chain, signatures, revs, each tree
    #[arg(long, conflicts_with = "at")]
    history: bool,

    /// The state to check: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV", conflicts_with = "car")]
    at: Option<StateArg>,

    /// With how many threads; as many as the machine has if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let log = self.plc_log.as_deref().map(read_plc_log).transpose()?;
        let keys = log.as_ref().map(PlcLog::key_history);
        let expected = Expected {
            did: self.did.as_ref().or(log.as_ref().map(PlcLog::did)),
            key: self.key.as_ref(),
            keys: keys.as_ref(),
            partial: self.partial,
            jobs,
        };
        let mut is_repo = false;
        let mut findings = Findings::new(out);
        let report = if let Some(car) = &self.car {
            self.check_car(car, &expected, &mut findings)?
        } else {
            let (path, at) = place.path_at(self.at.as_ref())?;
            let is_named = self.at.is_some() && at.is_none();
            if is_a_file(&path) || (is_named && !pds::local::open::is_repository(&path)?) {
                if at.is_some() {
                    // One state is all it has; the name of another one is an error.
                    place.snapshot(self.at.as_ref())?;
                }
                self.check_car(&path, &expected, &mut findings)?
            } else {
                is_repo = true;
                let repo = pds::local::open::open_without_key(&path)?;
                self.check_repo(&repo, at, &expected, &mut findings)?
            }
        };
        let is_store_damaged = findings.is_store_damaged;
        findings.finish(&report)?;
        if (report.commit.is_none() || is_store_damaged) && is_repo && !out.is_json() {
            say(REPAIR);
        }
        Ok(match (report.is_ok(), &report.commit) {
            (true, _) => Exit::Done,
            (false, Some(_)) => Exit::No,
            (false, None) => Exit::BadInput,
        })
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
            verify_blobs(&snapshot, repo.blobs().as_ref(), &mut report, &mut add)?;
        }
        Ok(report)
    }

    fn check_car(
        &self,
        path: &Path,
        expected: &Expected<'_>,
        findings: &mut Findings<'_>,
    ) -> Result<Report> {
        if self.blobs {
            return Err(
                Stated::usage("a CAR file has no blobs: --blobs is for a repository").into()
            );
        }
        if self.history {
            return Err(Stated::usage(
                "a CAR file has one state and no history: --history is for a repository",
            )
            .into());
        }
        Ok(verify_car(open_file(path)?, expected, &mut |f| findings.add(f))?)
    }
}

/// Findings on their way out: lines as they come, or one JSON value at the end.
struct Findings<'a> {
    out: &'a mut Output,
    kept: Vec<Value>,
    kept_bytes: usize,
    left_out: u64,
    failed: Option<anyhow::Error>,
    colour: bool,
    /// Whether the database is damaged.
    is_store_damaged: bool,
}

impl<'a> Findings<'a> {
    fn new(out: &'a mut Output) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colour = wanted && std::io::stdout().is_terminal();
        let (kept, is_store_damaged) = (Vec::new(), false);
        Self { out, kept, kept_bytes: 0, left_out: 0, failed: None, colour, is_store_damaged }
    }

    #[allow(clippy::needless_pass_by_value)]
    fn add(&mut self, finding: Finding) {
        self.is_store_damaged |= finding.code() == Code::StoreDamaged;
        if self.out.is_json() {
            let bytes = finding.message.len() + finding.path.as_ref().map_or(0, String::len);
            if self.kept.len() < MAX_KEPT_FINDINGS && self.kept_bytes + bytes < MAX_KEPT_BYTES {
                self.kept_bytes += bytes;
                self.kept.push(finding_json(&finding));
            } else {
                self.left_out += 1;
            }
        } else if self.failed.is_none() {
            let style = match finding.severity() {
                _ if !self.colour => Style::new(),
                Severity::Error => AnsiColor::Red.on_default(),
                Severity::Warning => AnsiColor::Yellow.on_default(),
                Severity::Note => Style::new().dimmed(),
            };
            self.failed = self.out.styled_line(style, &finding.to_string()).err();
        }
    }

    fn finish(self, report: &Report) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.out.is_json() {
            return self.out.line(&summary(report));
        }
        let commit = report.commit.as_ref();
        let mut value = json!({
            "ok": report.is_ok(),
            "did": commit.map(|commit| commit.did().as_str()),
            "rev": commit.and_then(|commit| commit.rev()).map(|rev| rev.to_string()),
            "commit": commit.map(|commit| commit.cid().to_string()),
            "data": commit.map(|commit| commit.data().to_string()),
            "version": commit.map(pds::commit::Commit::version),
            "records": report.records,
            "nodes": report.nodes,
            "blocks": report.blocks,
            "complete": report.is_complete(),
            "signature": signature(report),
            "findings": self.kept,
        });
        if let (Value::Object(value), 1..) = (&mut value, report.commits) {
            value.insert("commits".to_owned(), json!(report.commits));
        }
        if let (Value::Object(value), true) = (&mut value, self.left_out > 0) {
            value.insert("findingsLeftOut".to_owned(), json!(self.left_out));
        }
        self.out.json(&value)
    }
}

fn finding_json(finding: &Finding) -> Value {
    let mut line = Map::new();
    line.insert("code".to_owned(), json!(finding.code().as_str()));
    line.insert("stage".to_owned(), json!(finding.stage().as_str()));
    line.insert("severity".to_owned(), json!(finding.severity().as_str()));
    if let Some(path) = &finding.path {
        line.insert("path".to_owned(), json!(path));
    }
    if let Some(cid) = &finding.cid {
        line.insert("cid".to_owned(), json!(cid.to_string()));
    }
    if let Some(offset) = finding.offset {
        line.insert("offset".to_owned(), json!(offset));
    }
    line.insert("message".to_owned(), json!(finding.message));
    Value::Object(line)
}

fn summary(report: &Report) -> String {
    let verdict = if report.is_ok() { "ok" } else { "FAILED" };
    let Some(commit) = &report.commit else {
        return format!("{verdict}: no repository that can be read");
    };
    let history = match report.commits {
        0 => String::new(),
        commits => format!("{}, ", counted(commits, "commit")),
    };
    format!(
        "{verdict}: {} rev {}, {history}{}, {}, {}, {}, signature {}, {}, {}",
        commit.did(),
        rev_text(commit.rev()),
        counted(report.records, "record"),
        counted(report.nodes, "node"),
        counted(report.blocks, "block"),
        if report.is_complete() { "complete" } else { "partial" },
        signature(report),
        counted(report.errors, "error"),
        counted(report.warnings, "warning"),
    )
}

fn signature(report: &Report) -> &'static str {
    match report.signature {
        SignatureState::Valid => "valid",
        SignatureState::Invalid => "invalid",
        SignatureState::Unchecked => "unchecked",
    }
}

/// How many findings stand in a JSON answer: memory stays bounded whatever the input. As text they
/// are all printed.
const MAX_KEPT_FINDINGS: usize = 20_000;

/// How many bytes their paths and messages have.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;
