//! The changes of a spooled batch.

use crate::error::Result;
use crate::spool::batch_rows::ChangeRow;
use crate::spool::errors::temporary;
use crate::spool::sorter::{MergedRows, Sorted};

/// The changes of a batch, in the order of the first writes of the records.
pub(crate) struct SpooledChanges {
    pub(crate) rows: Sorted,
    /// The number of changes.
    pub(crate) len: u64,
    /// Leave out records that were created and deleted.
    pub(crate) drop_undone: bool,
}

impl SpooledChanges {
    pub(crate) fn reader(&self) -> Result<ChangeReader<'_>> {
        let rows = self.rows.merge().map_err(temporary)?;
        Ok(ChangeReader { rows, drop_undone: self.drop_undone })
    }

    /// Calls `call` with each change.
    pub(crate) fn each(&self, mut call: impl FnMut(ChangeRow<'_>) -> Result<()>) -> Result<()> {
        let mut reader = self.reader()?;
        while let Some(change) = reader.next()? {
            call(change)?;
        }
        Ok(())
    }
}

/// A pass over [`SpooledChanges`].
pub(crate) struct ChangeReader<'c> {
    rows: MergedRows<'c>,
    drop_undone: bool,
}

impl ChangeReader<'_> {
    /// Returns the next change, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<ChangeRow<'_>>> {
        while self.rows.advance().map_err(temporary)? {
            let row = ChangeRow::decode(self.rows.row()).map_err(temporary)?;
            if !(self.drop_undone && row.is_undone()) {
                return ChangeRow::decode(self.rows.row()).map(Some).map_err(temporary);
            }
        }
        Ok(None)
    }
}
