//! `pds ref ls` on a terminal.

use anyhow::Result;
use pds::data::Cid;
use pds::store::RefName;

use crate::process::output::Output;
use crate::process::text::rev_text;
use crate::repository::open::Source;
use crate::terminal::line::Line;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Prints the refs with the revs and the times of their commits.
pub(crate) fn print(refs: &[(RefName, Cid)], source: &Source, out: &mut Output) -> Result<()> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(()) };
    let mut shorts = ShortCids::default();
    refs.iter().for_each(|(_, cid)| shorts.note(cid));
    let mut table = Table::new([Column::left(), Column::left(), Column::cid(), Column::time()]);
    for (name, cid) in refs {
        // A commit that cannot be read is listed without a rev.
        let commit = source.snapshot(Some(&(*cid).into())).ok();
        let rev = commit.as_ref().and_then(|snapshot| snapshot.commit().rev());
        let time = rev.and_then(|rev| rev.rev_micros());
        table.row([
            Line::of(Tone::Cyan, name.as_str()),
            Line::of(Tone::Bold, &rev_text(rev)),
            Line::of(Tone::Dim, &shorts.short(cid)),
            time.map_or_else(Line::new, |time| terminal.times.relative(time)),
        ]);
    }
    out.table(&mut table)
}
