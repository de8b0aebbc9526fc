//! Which state is meant.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use pds::data::Cid;
use pds::model::revision::RevisionError;
use pds::{Repo, Revision};

use crate::failure::Stated;
use crate::open::{STANDARD_STREAM, Source};

/// A state: a revision, or the name of a CAR file or of another repository, which has one.
#[derive(Clone, Debug)]
pub(crate) enum StateArg {
    Revision(Revision),
    File(PathBuf),
}

impl StateArg {
    /// Reads what was given; the error says why it can be neither.
    pub(crate) fn parse(given: OsString) -> Result<Self, String> {
        if names_a_file(&given) {
            return Ok(Self::File(given.into()));
        }
        let text = given.to_str().ok_or("it is not UTF-8; ./NAME is the name of a file")?;
        match text.parse() {
            Ok(revision) => Ok(Self::Revision(revision)),
            Err(RevisionError { reason, .. }) => Err(reason),
        }
    }

    /// Tells whether it is what standard input holds.
    pub(crate) fn is_standard_input(&self) -> bool {
        matches!(self, Self::File(path) if path == Path::new(STANDARD_STREAM))
    }
}

impl ValueParserFactory for StateArg {
    type Parser = TryMapValueParser<OsStringValueParser, fn(OsString) -> Result<Self, String>>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(Self::parse)
    }
}

impl fmt::Display for StateArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(revision) => revision.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Finds the commit that a state is named by in a repository; a file names the one it holds.
pub(crate) fn resolve(repo: &Repo, state: &StateArg) -> Result<Cid> {
    let file = match state {
        StateArg::Revision(revision) => return Ok(repo.history().resolve(revision)?),
        StateArg::File(file) => file,
    };
    let snapshot = Source::file(file)?.snapshot(None)?;
    let commit = snapshot.commit().cid();
    match repo.checkout(&commit.into()) {
        Err(error) if error.is_not_found() => {
            let message = format!("the commit of {state}, {commit}, is not here");
            Err(Stated::no("not-found", message)
                .hint("pds import FILE --ref NAME takes it in, pds merge FILE brings it together")
                .into())
        }
        found => Ok(found.map(|_| commit)?),
    }
}

/// Tells whether a state is to be read as the name of a CAR file, or of another repository.
///
/// No ref starts with a dot or a slash, or ends with one; one that ends like a CAR file is reached as `name.car~0`.
fn names_a_file(given: &OsStr) -> bool {
    let bytes = given.as_encoded_bytes();
    let ending = Path::new(given).extension();
    given == STANDARD_STREAM
        || bytes.starts_with(b".")
        || bytes.starts_with(b"/")
        || bytes.ends_with(b"/")
        || ending.is_some_and(|ending| ending.eq_ignore_ascii_case("car"))
}
