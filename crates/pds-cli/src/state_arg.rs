//! The argument that names a state of a repository.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use pds::Revision;
use pds::local::store_place::is_address;
use pds::model::revision_error::RevisionError;

use crate::stream::STANDARD_STREAM;

/// A state: a revision, or the path of a CAR file or of another repository.
#[derive(Clone, Debug)]
pub(crate) enum StateArg {
    Revision(Revision),
    File(PathBuf),
}

impl StateArg {
    /// Parses an argument; the error says why it is neither.
    pub(crate) fn parse(given: OsString) -> Result<Self, String> {
        if names_a_file(&given) {
            return Ok(Self::File(given.into()));
        }
        let text = given.to_str().ok_or("it is not UTF-8; write ./NAME for a file")?;
        match text.parse() {
            Ok(revision) => Ok(Self::Revision(revision)),
            Err(RevisionError { reason, .. }) => Err(reason),
        }
    }

    /// Tells whether the state comes from standard input.
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

/// Tells whether a name ends in `.car.gz`.
fn ends_compressed(name: &[u8]) -> bool {
    let ending = name.len().checked_sub(COMPRESSED.len()).and_then(|at| name.get(at..));
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(COMPRESSED))
}

/// Tells whether a state is the path of a CAR file or of another repository, or the address of one.
///
/// No ref starts with a dot, or starts or ends with a slash. A ref that ends in `.car` is written `name.car~0`.
fn names_a_file(given: &OsStr) -> bool {
    let bytes = given.as_encoded_bytes();
    let ending = Path::new(given).extension();
    given == STANDARD_STREAM
        || bytes.starts_with(b".")
        || bytes.starts_with(b"/")
        || bytes.ends_with(b"/")
        || ending.is_some_and(|ending| ending.eq_ignore_ascii_case("car"))
        || ends_compressed(bytes)
        || given.to_str().is_some_and(is_address)
}

/// The ending of compressed CAR files.
const COMPRESSED: &[u8] = b".car.gz";
