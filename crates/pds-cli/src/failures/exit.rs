//! Exit codes, and the failures that a command reports itself.

use std::path::Path;
use std::process::ExitCode;

use crate::process::text::name_of;

/// The exit code of a command; the numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    No = 1,
    Usage = 2,
    BadInput = 3,
    Remote = 4,
    Busy = 5,
    Partly = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An exit code, a name, and perhaps a hint.
pub(super) type Meaning = (Exit, &'static str, Option<&'static str>);

/// A failure that a command reports itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stated {
    pub(crate) exit: Exit,
    pub(crate) name: &'static str,
    message: String,
    pub(crate) hint: Option<&'static str>,
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

    /// A file is of another kind than the expected one.
    pub(crate) fn foreign_file(message: impl Into<String>) -> Self {
        Self { name: FOREIGN_FILE, ..Self::bad_input(message) }
    }

    /// Tells whether this is a failure because of a file of another kind.
    pub(crate) fn is_foreign_file(&self) -> bool {
        self.name == FOREIGN_FILE
    }

    /// A failure with the meaning of another one.
    pub(crate) fn of(exit: Exit, name: &'static str, message: impl Into<String>) -> Self {
        Self { exit, name, message: message.into(), hint: None }
    }

    pub(crate) fn partly(message: impl Into<String>) -> Self {
        Self { exit: Exit::Partly, name: "partly-done", message: message.into(), hint: None }
    }

    /// Two arguments name standard input, which can be read only once.
    pub(crate) fn only_one_standard_input() -> Self {
        Self::usage("standard input can be read only once; give - for one argument only")
    }

    /// No block of a CAR file can be read.
    pub(crate) fn no_block(file: &Path) -> Self {
        Self::bad_input(format!("{} has no readable block", name_of(file)))
    }

    /// Ends the command with this failure.
    pub(crate) fn fail<T>(self) -> anyhow::Result<T> {
        Err(self.into())
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

const FOREIGN_FILE: &str = "foreign-file";
