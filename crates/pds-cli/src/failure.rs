//! What a failure is to a script: an exit code, a name, a sentence, and what to do next.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::error::ErrorKind;
use pds::Error;
use pds::car::CarError;
use pds::commit::CommitError;
use pds::data::{Cid, DataError, ReadError};
use pds::identity::IdentityError;
use pds::local::key_file::KeyFileError;
use pds::local::layout::KEY_FILE;
use pds::model::revision::RevisionError;
use pds::mst::MstError;
use pds::store::{RefName, StoreError};
use pds::transfer::prove::ProofError;
use pds::{Code, Stage};
use serde_json::json;

use crate::output::printable;

/// How a command ended; the numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    No = 1,
    Usage = 2,
    BadInput = 3,
    Busy = 5,
    Partly = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that a command states itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stated {
    exit: Exit,
    name: &'static str,
    message: String,
    hint: Option<&'static str>,
}

impl Stated {
    pub(crate) fn no(name: &'static str, message: impl Into<String>) -> Self {
        Self { exit: Exit::No, name, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, name: "usage", message: message.into(), hint: None }
    }

    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self { exit: Exit::BadInput, name: "bad-input", message: message.into(), hint: None }
    }

    pub(crate) fn partly(message: impl Into<String>) -> Self {
        Self { exit: Exit::Partly, name: "partly-done", message: message.into(), hint: None }
    }

    /// What has been read is gone.
    pub(crate) fn only_one_standard_input() -> Self {
        Self::usage("standard input can be read once only: only one of both can be -")
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// A failure as it is told.
pub(crate) struct Failure {
    pub(crate) code: Exit,
    name: &'static str,
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let (code, name, hint) = classify(error);
        let mut message = error.to_string();
        let mut last = message.clone();
        for cause in error.chain().skip(1) {
            let text = cause.to_string();
            // A transparent error says the same as the one it wraps, and one of SQLite much the same.
            if !message.ends_with(&text) && !text.ends_with(&last) {
                message.push_str(": ");
                message.push_str(&text);
                last = text;
            }
        }
        Self { code, name, message, hint }
    }

    /// Says it on standard error, in one line and perhaps a hint.
    pub(crate) fn print(&self, json: bool) {
        let mut err = io::stderr().lock();
        // Nobody is left to be told when this fails too.
        let _ = if json {
            let line = json!({ "error": self.name, "message": self.message }).to_string();
            writeln!(err, "{}", printable(&line))
        } else {
            let colour =
                err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            let style = if colour { AnsiColor::Red.on_default().bold() } else { Style::new() };
            let hint = self.hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            writeln!(err, "{style}error:{style:#} {}{hint}", one_line(&self.message))
        };
    }
}

/// Tells of a command line that cannot be understood, or gives the help that was asked for.
pub(crate) fn of_usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if !error.use_stderr() {
        // Nobody is left to be told when this fails.
        let _ = error.print();
        return Exit::Done.into();
    }
    if !json {
        // It repeats what was given, as it was given.
        let tame = |arg: OsString| matches!(printable(&arg.to_string_lossy()), Cow::Borrowed(_));
        let _ = match std::env::args_os().all(tame) {
            true => error.print(),
            false => write!(io::stderr(), "{}", printable(&error.render().to_string())),
        };
        return Exit::Usage.into();
    }
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command was given".to_owned(),
        _ => {
            // What follows the first paragraph is the usage and other advice.
            let text = error.render().to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = first.split_whitespace().collect();
            words.join(" ").trim_start_matches("error: ").to_owned()
        }
    };
    Failure { code: Exit::Usage, name: "usage", message, hint: None }.print(json);
    Exit::Usage.into()
}

/// Tells whether a state was deleted while the command read it: the command can be run again.
pub(crate) fn is_swept(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<Error>().is_some_and(Error::is_swept)
            || matches!(cause.downcast_ref(), Some(ReadError::Swept { .. }))
    })
}

/// An error about a commit that a revision has named a moment ago: gc or forget was faster.
pub(crate) fn resolved_before(error: Error, commit: Cid) -> Error {
    match error {
        Error::UnknownCommit(cid) if cid == commit => ReadError::Swept { cid }.into(),
        error => error,
    }
}

/// As [`resolved_before`], where the commit was then named by its CID.
pub(crate) fn resolved_by_cid(error: Error, commit: Cid) -> Error {
    match error {
        Error::Revision(RevisionError { text, .. }) if text == commit.to_string() => {
            ReadError::Swept { cid: commit }.into()
        }
        error => resolved_before(error, commit),
    }
}

/// Tells whether the reader of standard output has gone away.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

fn classify(error: &anyhow::Error) -> (Exit, &'static str, Option<&'static str>) {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if causes.any(|error| NO_SPACE.contains(&error.kind())) {
        return (Exit::No, "no-space", Some("make room and try again"));
    }
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if causes.any(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem) {
        return (Exit::No, "read-only", Some(ELSEWHERE));
    }
    for cause in error.chain() {
        if let Some(stated) = cause.downcast_ref::<Stated>() {
            return (stated.exit, stated.name, stated.hint);
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return of_repo(error);
        }
        if let Some(error) = cause.downcast_ref::<ProofError>() {
            return of_proof(error);
        }
        if cause.is::<IdentityError>() {
            return (Exit::BadInput, "bad-identity", None);
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return of_store(error);
        }
        if let Some(error) = cause.downcast_ref::<CarError>() {
            return of_car(error);
        }
        if let Some(error) = cause.downcast_ref::<KeyFileError>() {
            return of_key_file(error);
        }
        if matches!(cause.downcast_ref(), Some(ReadError::Swept { .. })) {
            return SWEPT;
        }
        if cause.is::<MstError>() || cause.is::<CommitError>() {
            return DAMAGED;
        }
        if cause.is::<DataError>() || cause.is::<pds::syntax::SyntaxError>() {
            return (Exit::BadInput, "bad-input", None);
        }
    }
    (Exit::No, "failed", None)
}

fn of_repo(error: &Error) -> (Exit, &'static str, Option<&'static str>) {
    match error {
        _ if error.is_swept() => SWEPT,
        Error::Store(error @ StoreError::Replaced) => of_store(error),
        _ if error.is_busy() => BUSY,
        Error::Store(error) => of_store(error),
        Error::Car(error) => of_car(error),
        Error::KeyFile(error) => of_key_file(error),
        // There was one.
        Error::NotARepository(dir) if dir.join(KEY_FILE).is_file() => {
            (Exit::BadInput, "not-a-repository", Some(START_ANEW))
        }
        Error::NotARepository(_) => (Exit::BadInput, "not-a-repository", Some(MAKE_ONE)),
        Error::NoSigner => (Exit::No, "no-signing-key", Some("pds key import FILE gives it one")),
        Error::StillHeld { .. } => (
            Exit::No,
            "no-signing-key",
            Some("nothing was forgotten: pds key import FILE, or move or remove these refs"),
        ),
        Error::WrongKey { .. } => (
            Exit::No,
            "wrong-key",
            Some(
                "if somebody has just changed the key, try again; pds key import FILE makes another key \
                 that of the repository",
            ),
        ),
        Error::Conflicts(_) => (
            Exit::No,
            "conflict",
            Some("nothing was written; pds merge takes --ours, --theirs or --take"),
        ),
        Error::Unrelated { .. } => (
            Exit::No,
            "unrelated",
            Some(
                "a file needs --chain of pds export; where a device has forgotten what both started from, --base \
                 names a state: empty if there is none, which brings back what only the other has",
            ),
        ),
        Error::KeepsMerged(_) => (Exit::Usage, "usage", None),
        Error::NotInConflict(_) => (Exit::No, "not-in-conflict", None),
        Error::NotADirectory(_) => (Exit::No, "not-a-directory", Some("name another directory")),
        Error::DirectoryInUse(_) => (Exit::No, "directory-in-use", Some("name another directory")),
        Error::WrongDid { .. } => {
            (Exit::No, "wrong-did", Some("pds clone makes a repository of it"))
        }
        // There is no repository in the file at all.
        Error::Refused(finding) if finding.stage() == Stage::Repo => {
            (Exit::BadInput, "refused", Some("pds verify FILE lists everything"))
        }
        Error::Refused(finding) if finding.code() == Code::SignatureInvalid => {
            (Exit::No, "refused", Some(ANOTHER_KEY))
        }
        Error::Refused(_) => (Exit::No, "refused", Some("pds verify FILE lists everything")),
        Error::BlobMissing { .. } => {
            (Exit::No, "blob-missing", Some("pds blob put FILE, or --allow-missing-blobs"))
        }
        Error::TreeLost(_) => (Exit::No, "tree-lost", Some(TAKE_A_COPY)),
        Error::StateLost { .. } => (
            Exit::BadInput,
            "damaged",
            Some(
                "nothing was deleted: pds repair lists what past states have lost, pds repair --here takes note of it, and gc passes it over then; pds gc --keep N lets such states go",
            ),
        ),
        Error::RefLost { .. } => (Exit::BadInput, "damaged", Some(REPAIR)),
        // One that was asked for is a revision; this one is named by a file or by the store.
        Error::UnknownCommit(_) => DAMAGED,
        Error::Record { .. } | Error::WrittenTwice(_) => (Exit::BadInput, "bad-record", None),
        Error::NoCommit(name) if *name != RefName::head() => {
            (Exit::No, "not-found", Some("pds ref ls lists the refs"))
        }
        error if error.is_not_found() => (Exit::No, "not-found", None),
        error if error.is_conflict() => (Exit::No, "conflict", None),
        error if error.is_corrupt() => DAMAGED,
        _ => (Exit::No, "failed", None),
    }
}

fn of_store(error: &StoreError) -> (Exit, &'static str, Option<&'static str>) {
    match error {
        StoreError::Busy | StoreError::Changed => BUSY,
        StoreError::Replaced => (
            Exit::Busy,
            "busy",
            Some(
                "nothing was written: end other writers, remove a -wal file of the old store, and try again",
            ),
        ),
        StoreError::UnreleasedFormat => (
            Exit::BadInput,
            "unreleased-format",
            Some("pds export of the program that made it writes a file for pds clone"),
        ),
        StoreError::Moved { .. } => {
            (Exit::No, "conflict", Some("another writer was faster: look again and retry"))
        }
        StoreError::NewerFormat { .. } => {
            (Exit::BadInput, "newer-format", Some("a later release of pds made it: use that one"))
        }
        StoreError::NotAStore(_) => (Exit::BadInput, "not-a-repository", Some(REPAIR)),
        StoreError::Damaged(_) => (Exit::BadInput, "damaged", Some(REPAIR)),
        StoreError::Read(_) => DAMAGED,
        StoreError::Full(_) => {
            (Exit::No, "no-space", Some("nothing was changed: make room and try again"))
        }
        StoreError::ReadOnly => (Exit::No, "read-only", Some("nothing was changed")),
        _ => (Exit::No, "failed", None),
    }
}

fn of_car(error: &CarError) -> (Exit, &'static str, Option<&'static str>) {
    match error {
        CarError::Io(_) => (Exit::No, "failed", None),
        _ => (
            Exit::BadInput,
            "bad-car",
            Some(
                "pds verify FILE lists everything that is wrong, pds recover FILE reads what is left",
            ),
        ),
    }
}

fn of_proof(error: &ProofError) -> (Exit, &'static str, Option<&'static str>) {
    match error {
        ProofError::Car(
            CarError::Header { .. } | CarError::Truncated { within: "the header", .. },
        ) => (Exit::BadInput, "bad-car", None),
        ProofError::Car(CarError::Io(_)) => (Exit::No, "failed", None),
        _ => (Exit::No, "proof-failed", None),
    }
}

fn of_key_file(error: &KeyFileError) -> (Exit, &'static str, Option<&'static str>) {
    match error {
        KeyFileError::Exists { .. } => {
            (Exit::No, "key-exists", Some("move the key file away if it is to be replaced"))
        }
        KeyFileError::Exposed { .. } => (Exit::No, "key-exposed", None),
        KeyFileError::TooLong { .. } | KeyFileError::Invalid { .. } => (
            Exit::BadInput,
            "bad-key-file",
            Some("move the file away; pds key import FILE takes a copy of the key"),
        ),
        _ => (Exit::No, "failed", None),
    }
}

/// Control characters that come from elsewhere must not drive the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const BUSY: (Exit, &str, Option<&str>) =
    (Exit::Busy, "busy", Some("another process is using the repository: try again"));

const SWEPT: (Exit, &str, Option<&str>) =
    (Exit::Busy, "busy", Some("gc or forget deleted the state that was being read: try again"));

const ELSEWHERE: &str = "nothing was changed: a copy of the directory can be written elsewhere";

/// How the system says that there is no room for what was to be written.
const NO_SPACE: [io::ErrorKind; 3] =
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];

const DAMAGED: (Exit, &str, Option<&str>) = (
    Exit::BadInput,
    "damaged",
    Some(
        "pds verify lists everything that is wrong; pds repair mends a repository, pds recover reads a damaged CAR file",
    ),
);

pub(crate) const REPAIR: &str = "pds repair says what can be mended";

pub(crate) const START_ANEW: &str = "pds clone COPY.car NEWDIR makes a repository of a copy, pds -R NEWDIR key import FILE gives it the key of this one";

pub(crate) const TAKE_A_COPY: &str =
    "pds repair --from COPY takes what is missing from a CAR file or another repository";

const ANOTHER_KEY: &str =
    "if the account has another key, too, --key DID_KEY of pds import and pds merge names it";

const MAKE_ONE: &str = "pds init DIR or pds clone FILE makes one; -R PATH names one";
