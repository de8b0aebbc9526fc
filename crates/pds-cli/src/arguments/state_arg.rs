//! The argument that names a state of a repository.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use pds::Revision;
use pds::local::open::is_repository;
use pds::local::store_place::is_address;

use crate::arguments::when::When;
use crate::input::stream::STANDARD_STREAM;

/// A state: a revision, or the path of a CAR file or of another repository.
#[derive(Clone, Debug)]
pub(crate) enum StateArg {
    Revision(Revision),
    File(PathBuf),
    /// A name that both may have. The revision wins, if the repository has it.
    Either(Revision, PathBuf),
}

/// A state whose meaning in a repository is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settled<'a> {
    Revision(&'a Revision),
    File(&'a Path),
}

impl StateArg {
    /// Parses an argument; the error says why it is neither.
    pub(crate) fn parse(given: OsString) -> Result<Self, String> {
        if is_path(&given) {
            return Ok(Self::File(given.into()));
        }
        // If this cannot be decided here, opening the directory reports why.
        let is_file =
            !given.is_empty() && (has_car_ending(&given) || is_repository(&given).unwrap_or(true));
        let text = given.to_str().ok_or("it is not UTF-8; write ./NAME for a file");
        let time = |text: &str| Some(When::read(text)?.last_micros());
        match text.map(|text| Revision::parse_with_times(text, &time)) {
            Ok(Ok(revision)) if is_file => Ok(Self::Either(revision, given.into())),
            Ok(Ok(revision)) => Ok(Self::Revision(revision)),
            _ if is_file => Ok(Self::File(given.into())),
            Ok(Err(error)) => Err(error.reason),
            Err(reason) => Err(reason.to_owned()),
        }
    }

    /// Decides between the two meanings of a name. `is_known` tells whether the repository knows the revision.
    pub(crate) fn settled(&self, is_known: impl FnOnce(&Revision) -> bool) -> Settled<'_> {
        match self {
            Self::Revision(revision) => Settled::Revision(revision),
            Self::Either(revision, _) if is_known(revision) => Settled::Revision(revision),
            Self::File(path) | Self::Either(_, path) => Settled::File(path),
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
            Self::Revision(revision) => f.write_str(&revision.as_typed()),
            Self::File(path) | Self::Either(_, path) => path.display().fmt(f),
        }
    }
}

/// Two states, `A..B`. Without A or B, that one is HEAD.
#[derive(Clone, Debug)]
pub(crate) struct StateRange {
    pub(crate) from: StateArg,
    pub(crate) to: StateArg,
}

impl StateRange {
    /// Parses an argument with two dots between two states. Returns `None` if the argument has no such dots, and the
    /// reason if one of the states cannot be parsed.
    ///
    /// The dots of `../phone` are part of a path.
    pub(crate) fn parse(given: &OsStr) -> Option<Result<Self, String>> {
        let text = given.to_str()?;
        let is_between = |at: &usize| {
            let (before, after) = text.split_at(*at);
            let after = after.get(2..).unwrap_or_default();
            !before.ends_with('/')
                && !(before.is_empty() && (after.is_empty() || after.starts_with('/')))
        };
        let at = text.match_indices("..").map(|(at, _)| at).find(is_between)?;
        let (from, to) = (text.get(..at)?, text.get(at + 2..)?);
        if has_third_dot(to) {
            return Some(Err(format!("{text} has three dots; write a range as A..B")));
        }
        let state = |text: &str| match text {
            "" => Ok(StateArg::Revision(Revision::head())),
            text => StateArg::parse(text.into()),
        };
        Some(state(from).and_then(|from| Ok(Self { from, to: state(to)? })))
    }
}

/// Tells whether the text after two dots begins with a third one, and is not a path.
fn has_third_dot(text: &str) -> bool {
    let is_path = text.starts_with("./") || text.starts_with("../");
    text == "." || (text.starts_with('.') && !is_path && !Path::new(text).exists())
}

/// Tells whether a name ends in `.car` or `.car.gz`.
pub(crate) fn has_car_ending(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    CAR_ENDINGS.iter().any(|ending| {
        let at = name.len().checked_sub(ending.len()).filter(|at| *at > 0);
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    })
}

/// Tells whether an argument can only be a path or the address of a repository: no ref starts with a dot, or starts or
/// ends with a slash.
pub(crate) fn is_path(given: &OsStr) -> bool {
    let bytes = given.as_encoded_bytes();
    given == STANDARD_STREAM
        || bytes.starts_with(b".")
        || bytes.starts_with(b"/")
        || bytes.ends_with(b"/")
        || given.to_str().is_some_and(is_address)
}

const CAR_ENDINGS: [&[u8]; 2] = [b".car", b".car.gz"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dots_separate_two_states() {
        for (text, expected) in [
            ("HEAD~2..HEAD", Some(("HEAD~2", "HEAD"))),
            ("@..", Some(("@", "HEAD"))),
            ("..phone", Some(("HEAD", "phone"))),
            ("old.car..new.car", Some(("old.car", "new.car"))),
            ("../old..../new", Some(("../old", "../new"))),
            ("/a/../b.car..@{2}", Some(("/a/../b.car", "@{2}"))),
            ("2026-11-27..2026-11-28T20:00", Some(("2026-11-27", "2026-11-28T20:00"))),
            ("HEAD", None),
            ("..", None),
            ("../phone", None),
            ("../../phone", None),
        ] {
            let parsed = StateRange::parse(text.as_ref());
            let shown =
                parsed.map(|range| range.map(|StateRange { from, to }| format!("{from} {to}")));
            assert_eq!(shown, expected.map(|(from, to)| Ok(format!("{from} {to}"))), "{text}");
        }
        for text in ["HEAD..a b", "HEAD^...HEAD", "HEAD...", "..."] {
            assert!(matches!(StateRange::parse(text.as_ref()), Some(Err(_))), "{text}");
        }
    }
}
