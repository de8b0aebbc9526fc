//! `pds ls` on a terminal.

use anyhow::Result;
use pds::syntax::Nsid;

use crate::output::Output;
use crate::terminal::line::Line;
use crate::terminal::numbers::{count, counted};
use crate::terminal::table::{Column, Table};

/// Prints the collections with the numbers of their records, and the total.
pub(crate) fn print_collections(counts: &[(Nsid, u64)], out: &mut Output) -> Result<()> {
    let mut table = Table::new([Column::left(), Column::right()]);
    for (collection, records) in counts {
        table.row([Line::from(collection.as_str()), Line::from(count(*records))]);
    }
    out.table(&mut table)?;
    let records = counted(counts.iter().map(|(_, count)| count).sum(), "record");
    let collections = counted(counts.len() as u64, "collection");
    if !counts.is_empty() {
        out.line(&Line::new())?;
    }
    out.line(&Line::from(format!("{records} in {collections}")))
}
