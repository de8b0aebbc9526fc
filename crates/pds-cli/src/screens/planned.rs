//! `pds rm --dry-run`: the records that would be deleted.

use anyhow::Result;
use pds::syntax::{AtUri, Did, RecordPath};

use crate::answers::put::PlannedRow;
use crate::process::output::Output;
use crate::terminal::line::Line;
use crate::terminal::numbers::counted;
use crate::terminal::tone::Tone;

/// A list of records, with their number at its end on a terminal.
#[derive(Default)]
pub(crate) struct Plan {
    records: u64,
}

impl Plan {
    pub(crate) fn add(&mut self, did: &Did, path: &RecordPath, out: &mut Output) -> Result<()> {
        self.records += 1;
        match out.terminal().is_some() {
            true => out.line(&Line::of(Tone::Red, "-").text(&format!(" {path}"))),
            false => out.answer(&PlannedRow::deletion(AtUri::record(did, path).to_string())),
        }
    }

    pub(crate) fn finish(self, out: &mut Output) -> Result<()> {
        if out.terminal().is_none() {
            return Ok(());
        }
        let count = counted(self.records, "record");
        out.lines([Line::new(), Line::from(format!("{count} would be deleted"))])
    }
}
