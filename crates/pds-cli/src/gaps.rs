//! Repositories of which only a part is here: what is here is shown, what is not is named.

use anyhow::Result;
use pds::Error;
use pds::mst::MstError;

use crate::failure::Exit;
use crate::output::say;

/// Parts of a tree that were passed over: they are missing, or their keys are no paths of records.
#[derive(Default)]
pub(crate) struct Gaps {
    count: u64,
}

impl Gaps {
    /// Lets pass what is there, and names what is not.
    pub(crate) fn pass<T>(&mut self, item: Result<T, impl Into<Error>>) -> Result<Option<T>> {
        match item {
            Ok(item) => Ok(Some(item)),
            Err(error) => Ok(self.pass_over(error.into()).map(|()| None)?),
        }
    }

    /// Names what cannot be shown; an error that hides more than that is returned.
    pub(crate) fn pass_over(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Mst(MstError::Missing { .. }) => say(&format!("{error}, and what is below it")),
            Error::Path { .. } => say(&error.to_string()),
            error => return Err(error),
        }
        self.count += 1;
        Ok(())
    }

    /// Tells whether everything was there.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how a command ends that has shown all there is.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_empty() { Exit::Done } else { Exit::Partly }
    }
}
