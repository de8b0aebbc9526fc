//! Partial repositories: readable parts are shown, missing parts are named.

use anyhow::Result;
use pds::Error;
use pds::mst::MstError;

use crate::exit::Exit;
use crate::text::say;

/// The parts of a tree that were skipped: they are missing, or their keys are not record paths.
#[derive(Default)]
pub(crate) struct Gaps {
    count: u64,
}

impl Gaps {
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

    /// Returns the exit code of a command that has shown all readable parts.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_empty() { Exit::Done } else { Exit::Partly }
    }
}
