//! Partial repositories: readable parts are shown, missing parts are named.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use pds::Error;
use pds::commit::Commit;
use pds::mst::MstError;

use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::text::say;

/// Whether a commit with a malformed field was read, or a part of the input was left out.
static HAS_FAULTS: AtomicBool = AtomicBool::new(false);

/// Whether a CAR file with damage was opened.
static HAS_DAMAGE: AtomicBool = AtomicBool::new(false);

/// Records that a CAR file is damaged or ends too early.
pub(crate) fn note_damage() {
    HAS_DAMAGE.store(true, Ordering::Relaxed);
}

/// Records that a part of the input, which a message names, was left out.
pub(crate) fn note_left_out() {
    HAS_FAULTS.store(true, Ordering::Relaxed);
}

/// Names the malformed fields of a commit whose records are read all the same.
pub(crate) fn note_faults(commit: &Commit) {
    for fault in commit.faults() {
        HAS_FAULTS.store(true, Ordering::Relaxed);
        say(&format!(
            "commit {} is not valid: {fault}; its records are read all the same",
            commit.cid()
        ));
    }
}

/// Returns the exit code of a command: done only in part, if a commit that it has read has malformed fields, or a part of
/// the input was left out.
pub(crate) fn exit_with_faults(exit: Exit) -> Exit {
    match exit {
        Exit::Done if HAS_FAULTS.load(Ordering::Relaxed) => Exit::Partly,
        exit => exit,
    }
}

/// Adds to an error that the command had made changes before it, unless the error says so.
pub(crate) fn after_change(error: anyhow::Error) -> anyhow::Error {
    let says_so = |stated: &Stated| stated.exit == Exit::Partly;
    if error.downcast_ref().is_some_and(says_so) {
        return error;
    }
    let hint = error.downcast_ref().and_then(|stated: &Stated| stated.hint);
    let message = format!("changes were made before the command failed: {error:#}");
    let partly = Stated::partly(message);
    match hint {
        Some(hint) => partly.hint(hint).into(),
        None => partly.into(),
    }
}

/// The parts of a tree that were skipped: they are missing, or their keys are not record paths.
#[derive(Default)]
pub(crate) struct Gaps {
    count: u64,
    is_silent: bool,
}

impl Gaps {
    /// Makes gaps that are not named: another pass over the same tree has named them.
    pub(crate) fn silent() -> Self {
        Self { count: 0, is_silent: true }
    }

    /// Returns an item that was read, or names the part that is missing.
    pub(crate) fn pass<T>(&mut self, item: Result<T, impl Into<Error>>) -> Result<Option<T>> {
        match item {
            Ok(item) => Ok(Some(item)),
            Err(error) => Ok(self.pass_over(error.into()).map(|()| None)?),
        }
    }

    /// Names the part that is missing; returns errors of any other kind.
    pub(crate) fn pass_over(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Mst(MstError::Missing { .. }) | Error::Path { .. } if self.is_silent => {}
            Error::Mst(MstError::Missing { .. }) => {
                say(&format!("{error}, with everything below it"));
            }
            Error::Path { .. } => say(&error.to_string()),
            error => return Err(error),
        }
        self.count += 1;
        Ok(())
    }

    /// Tells whether no part was skipped.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the exit code of a listing, which stops if its reader closes the pipe. A damaged file then counts as
    /// partial, because the damage may come after the printed part.
    pub(crate) fn exit_of(&self, out: &Output) -> Exit {
        let is_partial = out.is_closed() && HAS_DAMAGE.load(Ordering::Relaxed);
        if is_partial { Exit::Partly } else { self.exit() }
    }

    /// Returns the exit code of a command that has shown all readable parts.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_empty() { Exit::Done } else { Exit::Partly }
    }
}
