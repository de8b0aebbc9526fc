//! Repositories of which only a part is here: what is here is shown, what is not is named.

use anyhow::Result;
use pds::mst::MstError;
use pds::repo::Error;

use crate::failure::Exit;
use crate::output::say;

/// Parts of a tree that were passed over because they are missing.
#[derive(Default)]
pub(crate) struct Gaps {
    missing: u64,
}

impl Gaps {
    /// Lets pass what is there, and names a node that is missing.
    pub(crate) fn pass<T>(&mut self, item: Result<T, impl Into<Error>>) -> Result<Option<T>> {
        match item.map_err(Into::into) {
            Ok(item) => Ok(Some(item)),
            Err(Error::Mst(error @ MstError::Missing { .. })) => {
                say(&format!("{error}, and what is below it"));
                self.missing += 1;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns how a command ends that has shown all there is.
    pub(crate) fn exit(&self) -> Exit {
        if self.missing == 0 { Exit::Done } else { Exit::Partly }
    }
}
