//! The meaning of library errors to a script: an exit code, a name, and a hint.

use std::io;

use pds::car::CarError;
use pds::commit::CommitError;
use pds::data::{Cid, DataError, ReadError};
use pds::identity::IdentityError;
use pds::local::key_file::KeyFileError;
use pds::local::layout::{FETCH_DIRECTORY, KEY_FILE};
use pds::model::revision_error::RevisionError;
use pds::mst::MstError;
use pds::store::{RefName, StoreError};
use pds::syntax::SyntaxError;
use pds::transfer::prove::ProofError;
use pds::{Code, Error, Finding, Stage};

use crate::arguments::state_arg::has_car_ending;
use crate::failures::exit::{Exit, Meaning, Stated};
use crate::failures::network::of_network;
use crate::input::foreign_file::{REFERENCE_SERVER, is_reference_server};

/// Tells whether a state was deleted while the command read it: the command can be run again.
pub(crate) fn is_swept(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<Error>().is_some_and(Error::is_swept)
            || matches!(cause.downcast_ref(), Some(ReadError::Swept { .. }))
    })
}

/// Reports a commit that `gc` or `forget` deleted just after a revision was resolved to it.
pub(crate) fn resolved_before(error: Error, commit: Cid) -> Error {
    match error {
        Error::UnknownCommit(cid) if cid == commit => ReadError::Swept { cid }.into(),
        error => error,
    }
}

/// Like [`resolved_before`], for a commit that was then named by its CID.
pub(crate) fn resolved_by_cid(error: Error, commit: Cid) -> Error {
    match error {
        Error::Revision(RevisionError { text, .. }) if text == commit.to_string() => {
            ReadError::Swept { cid: commit }.into()
        }
        error => resolved_before(error, commit),
    }
}

/// Tells whether the reader of standard output closed the pipe.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    has_kind(error, &[io::ErrorKind::BrokenPipe])
}

/// Tells whether an operating system error of one of these kinds is among the causes.
fn has_kind(error: &anyhow::Error, kinds: &[io::ErrorKind]) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| kinds.contains(&error.kind()))
}

fn no(name: &'static str, hint: impl Into<Option<&'static str>>) -> Meaning {
    (Exit::No, name, hint.into())
}

fn bad(name: &'static str, hint: impl Into<Option<&'static str>>) -> Meaning {
    (Exit::BadInput, name, hint.into())
}

pub(crate) fn classify(error: &anyhow::Error) -> Meaning {
    if let Some(Error::Unsettled { .. }) = error.downcast_ref() {
        // Whatever the reason is, another rotation would be one too many.
        return (Exit::Partly, "partly-done", Some(SETTLED));
    }
    if let Some(Error::SecretLeft { .. }) = error.downcast_ref() {
        return (Exit::Partly, "partly-done", Some(SECRET_LEFT));
    }
    if has_kind(error, &NO_SPACE) {
        return no("no-space", "free some space and try again");
    }
    if has_kind(error, &[io::ErrorKind::ReadOnlyFilesystem]) {
        return no("read-only", ELSEWHERE);
    }
    if has_kind(error, &UNREACHABLE) {
        return (Exit::Remote, "unreachable", Some(NO_ANSWER));
    }
    error.chain().find_map(of_cause).unwrap_or(no("failed", None))
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Meaning> {
    let stated =
        cause.downcast_ref().map(|stated: &Stated| (stated.exit, stated.name, stated.hint));
    stated
        .or_else(|| cause.downcast_ref().and_then(of_network))
        .or_else(|| cause.downcast_ref().map(of_repo))
        .or_else(|| cause.downcast_ref().map(of_proof))
        .or_else(|| cause.downcast_ref().map(of_store))
        .or_else(|| cause.downcast_ref().map(of_car))
        .or_else(|| cause.downcast_ref().map(of_key_file))
        .or_else(|| match cause.downcast_ref() {
            Some(ReadError::Swept { .. }) => Some(SWEPT),
            _ if matches!(cause.downcast_ref(), Some(CommitError::Field { .. })) => Some(MALFORMED),
            _ if cause.is::<MstError>() || cause.is::<CommitError>() => Some(DAMAGED),
            _ if cause.is::<IdentityError>() => Some(bad("bad-identity", None)),
            _ if cause.is::<DataError>() || cause.is::<SyntaxError>() => {
                Some(bad("bad-input", None))
            }
            _ => None,
        })
}

fn of_repo(error: &Error) -> Meaning {
    match error {
        _ if error.is_swept() => SWEPT,
        Error::Store(error @ StoreError::Replaced) => of_store(error),
        _ if error.is_busy() => BUSY,
        Error::Store(error) => of_store(error),
        Error::Car(error) => of_car(error),
        Error::KeyFile(error) => of_key_file(error),
        Error::NotARepository(_) | Error::Address(_) | Error::NoAccount(_) => of_place(error),
        Error::NoSigner => no("no-signing-key", "import the key: pds key import FILE"),
        Error::StillHeld { .. } => no(
            "no-signing-key",
            "nothing was purged; run pds key import FILE, or move or delete these refs",
        ),
        Error::WrongKey { .. } => no(
            "wrong-key",
            "try again if another process just changed the key; pds key import FILE replaces the repository's key",
        ),
        Error::Clock(_) => no("clock", SET_CLOCK),
        Error::Conflicts(_) => {
            no("conflict", "nothing was written; resolve with --ours, --theirs or --take")
        }
        Error::Unrelated { .. } => no(
            "unrelated",
            "export the file with --chain, or name the common state: --base REV (--base empty if there is no such state)",
        ),
        Error::Older { .. } => {
            no("older", "nothing was changed; --allow-older imports it and moves the ref back")
        }
        Error::SameRev { .. } => no(
            "same-rev",
            "the account has signed two histories; pds import FILE --ref NAME keeps the other one",
        ),
        Error::LocalLoss { is_fork, .. } => no("local-loss", if *is_fork { FORCE } else { CHAIN }),
        Error::KeepsMerged(_) => (Exit::Usage, "usage", None),
        Error::NotInConflict(_) => no("not-in-conflict", None),
        Error::NotADirectory(_) => no("not-a-directory", "name another directory"),
        Error::DirectoryInUse(_) => no("directory-in-use", "name another directory"),
        Error::WrongDid { .. } => {
            no("wrong-did", "pds clone creates a separate repository from it")
        }
        Error::Refused(finding) => of_refusal(finding),
        _ => of_rest(error),
    }
}

/// Tells what to do about blobs, damage and the rest.
fn of_rest(error: &Error) -> Meaning {
    match error {
        Error::BlobMissing { .. } => {
            no("blob-missing", "store it with pds blob put FILE, or use --allow-missing-blobs")
        }
        Error::BlobSize { .. } => {
            no("blob-size", "pds blob put FILE prints the reference with the right size")
        }
        Error::TreeLost(_) => no("tree-lost", TAKE_A_COPY),
        Error::StateLost { .. } => bad(
            "damaged",
            "nothing was deleted. `pds repair` lists what is missing; `pds repair --here` accepts the loss so that gc can run",
        ),
        Error::RefLost { .. } => bad("damaged", REPAIR),
        // A commit that the user named is a revision; this one is named by a file or by the store.
        Error::UnknownCommit(_) => DAMAGED,
        Error::Commit(CommitError::Field { .. }) => MALFORMED,
        Error::Record { .. } => bad("bad-record", None),
        Error::NoCommit(name) if *name != RefName::head() => {
            no("not-found", "pds ref ls lists the refs")
        }
        Error::Revision(error) if !error.candidates.is_empty() => no("not-found", MORE_LETTERS),
        Error::Revision(_) => no("not-found", FORMS),
        error if error.is_not_found() => no("not-found", None),
        error if error.is_conflict() => no("conflict", None),
        error if error.is_corrupt() => DAMAGED,
        _ => no("failed", None),
    }
}

/// Tells what to do about a place that has no repository.
fn of_place(error: &Error) -> Meaning {
    match error {
        // The key file shows that there was a repository.
        Error::NotARepository(dir) if dir.join(KEY_FILE).is_file() => {
            bad("not-a-repository", START_OVER)
        }
        Error::NotARepository(dir) if dir.join(FETCH_DIRECTORY).is_dir() => {
            bad("not-a-repository", UNFINISHED_CLONE)
        }
        Error::NotARepository(dir) if is_reference_server(dir) => {
            bad("not-a-repository", REFERENCE_SERVER)
        }
        Error::NotARepository(file) if has_car_ending(file.as_os_str()) && !file.exists() => {
            bad("not-a-repository", "no such file; check the name")
        }
        Error::Address(_) => bad("bad-address", ADDRESS_FORM),
        Error::NoAccount(_) => bad("not-a-repository", MAKE_ONE_IN_DATABASE),
        _ => bad("not-a-repository", MAKE_ONE),
    }
}

fn of_refusal(finding: &Finding) -> Meaning {
    match (finding.stage(), finding.code()) {
        // The file contains no repository at all.
        (Stage::Repo, _) => bad("refused", "pds verify FILE lists every finding"),
        (_, Code::SignatureInvalid) => no("refused", ANOTHER_KEY),
        (_, Code::RevInFuture) => no("refused", FUTURE),
        _ => no("refused", "pds verify FILE lists every finding"),
    }
}

fn of_store(error: &StoreError) -> Meaning {
    match error {
        StoreError::Busy | StoreError::Changed => BUSY,
        StoreError::Replaced => (
            Exit::Busy,
            "busy",
            Some(
                "nothing was written; stop other writers, remove the -wal file of the old store, and try again",
            ),
        ),
        StoreError::UnreleasedFormat => bad(
            "unreleased-format",
            "run pds export with the program that created it, then pds clone the file",
        ),
        StoreError::Moved { .. } => {
            no("conflict", "another process changed the ref; check it and try again")
        }
        StoreError::NewerFormat { .. } => {
            bad("newer-format", "a later release of pds created it; use that release")
        }
        StoreError::NotAStore(_) => bad("not-a-repository", REPAIR),
        StoreError::Damaged(_) => bad("damaged", REPAIR),
        StoreError::Read(_) => DAMAGED,
        StoreError::Full(_) => no("no-space", "nothing was changed; free some space and try again"),
        StoreError::ReadOnly => no("read-only", "nothing was changed"),
        StoreError::NoLocks(_) => no("no-locks", LOCAL_DISK),
        _ => no("failed", None),
    }
}

fn of_car(error: &CarError) -> Meaning {
    match error {
        CarError::Io(_) => no("failed", None),
        _ => bad(
            "bad-car",
            "pds verify FILE lists every error; pds recover FILE recovers the records",
        ),
    }
}

fn of_proof(error: &ProofError) -> Meaning {
    match error {
        ProofError::Car(
            CarError::Header { .. } | CarError::Truncated { within: "the header", .. },
        ) => bad("bad-car", None),
        ProofError::Car(CarError::Io(_)) => no("failed", None),
        _ => no("proof-failed", None),
    }
}

fn of_key_file(error: &KeyFileError) -> Meaning {
    match error {
        KeyFileError::Exists { .. } => no("key-exists", "move the key file away to replace it"),
        KeyFileError::Exposed { .. } => no("key-exposed", None),
        KeyFileError::TooLong { .. } | KeyFileError::Invalid { .. } => bad(
            "bad-key-file",
            "move the file away, then import a copy of the key: pds key import FILE",
        ),
        _ => no("failed", None),
    }
}

const BUSY: Meaning =
    (Exit::Busy, "busy", Some("another process is using the repository; try again"));

const SWEPT: Meaning =
    (Exit::Busy, "busy", Some("gc or forget deleted the state while it was read; try again"));

const ELSEWHERE: &str = "nothing was changed; copy the directory to a writable place";

/// The kinds of error that mean a full disk.
const NO_SPACE: [io::ErrorKind; 3] =
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];

/// The kinds of error that mean a server that does not answer, or a connection that ended.
const UNREACHABLE: [io::ErrorKind; 8] = [
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::NotConnected,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::TimedOut,
];

/// The next step for a text that names no state.
pub(crate) const FORMS: &str = "pds help revisions lists the forms of a revision";

const MORE_LETTERS: &str = "use more letters, or see pds help revisions";

const MALFORMED: Meaning = (
    Exit::BadInput,
    "bad-commit",
    Some(
        "pds -R FILE ls --all lists the records of such a file, and pds verify FILE lists every finding",
    ),
);

const DAMAGED: Meaning = (
    Exit::BadInput,
    "damaged",
    Some("pds verify lists all errors; pds repair repairs a repository, pds recover a CAR file"),
);

pub(crate) const REPAIR: &str = "pds repair lists the damage and what can be repaired";

pub(crate) const START_OVER: &str =
    "start over from a copy: pds clone COPY.car NEWDIR, then pds -R NEWDIR key import DIR/key";

const UNFINISHED_CLONE: &str =
    "this is a clone that was interrupted: run the same pds clone again to continue it";

const TAKE_A_COPY: &str =
    "pds repair --from COPY takes missing blocks from a CAR file or another repository";

const ANOTHER_KEY: &str =
    "if the account has another key, give it with --key DID_KEY (pds import, pds merge)";

const LOCAL_DISK: &str =
    "some network file systems (NFS, FUSE) have no locks: move the repository to a local disk";

const FORCE: &str = "nothing was changed; --force imports it without these records";

const CHAIN: &str = "nothing was changed; a file of pds export --chain shows the descent, pds merge keeps both, and \
    --force imports it without these records";

const SET_CLOCK: &str = "set the clock if it is wrong; if it is right, --accept-clock signs all the same, and pds repair \
    --redate signs a state with a rev in the future again";

const FUTURE: &str = "set the clock of this machine if it is wrong; if it is right, --accept-clock (pds clone, \
    pds import, pds merge) accepts the commit, for a backup or to mend it with pds repair --redate";

const SETTLED: &str = "do not rotate the key again: the next command completes the files; the old secret is then in key.old";

const SECRET_LEFT: &str = "do not rotate the key again; delete that file if nothing else needs it";

const MAKE_ONE: &str = "create one with pds init DIR or pds clone FILE, or name one with -R PATH";

const NO_ANSWER: &str =
    "check the address and the server; after a write, look at pds log before you try again";

const MAKE_ONE_IN_DATABASE: &str = "create the database if it is absent, then run pds init DIR --did DID --store postgres://HOST/DATABASE";

const ADDRESS_FORM: &str = "the form is postgres://[USER@]HOST[:PORT]/DATABASE#DID; a password comes from PGPASSWORD or PGPASSFILE";
