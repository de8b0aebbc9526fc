//! `pds put`, `rm`, `edit` and `apply`: the records that a commit changed.

use anyhow::Result;

use crate::answers::change::Action;
use crate::answers::put::WrittenRow;
use crate::process::output::Output;
use crate::process::text::rev_text;
use crate::records::changes::ChangeCounts;
use crate::screens::arrived::{change_counts, done};
use crate::screens::diff::sign_of;
use crate::screens::moves::{MAX_ROWS, more_records};
use crate::terminal::line::Line;
use crate::terminal::numbers::count;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Prints the records that a commit wrote. A terminal shows at most 20 of those that changed, and their numbers.
pub(crate) fn print(rows: impl Iterator<Item = WrittenRow>, out: &mut Output) -> Result<()> {
    print_read(rows.map(Ok), out)
}

/// As [`print`], for rows that are read while they are printed.
pub(crate) fn print_read(
    mut rows: impl Iterator<Item = Result<WrittenRow>>,
    out: &mut Output,
) -> Result<()> {
    let Some(terminal) = out.terminal().cloned() else {
        return rows.try_for_each(|row| out.answer(&row?));
    };
    let mut table = Table::new([Column::left(), Column::cid()]);
    let (mut shorts, mut counts, mut commit) =
        (ShortCids::default(), ChangeCounts::default(), None);
    let mut same = 0_u64;
    for row in rows {
        let row = row?;
        if !row.is_change {
            same += 1;
            continue;
        }
        commit = Some(row.commit);
        match row.action {
            Action::Create => counts.created += 1,
            Action::Update => counts.updated += 1,
            Action::Delete | Action::Unchanged | Action::Unknown => counts.deleted += 1,
        }
        if counts.total() <= MAX_ROWS {
            let cid = row.cid.map(|cid| Line::of(Tone::Dim, &shorts.short(&cid)));
            let name = sign_of(row.action).text(" ").text(&row.path);
            table.row([name, cid.unwrap_or_default()]);
        }
    }
    out.table(&mut table)?;
    let Some(commit) = commit else { return out.line(&Line::from(nothing_changed(same))) };
    let more = counts.total().saturating_sub(MAX_ROWS);
    if more > 0 {
        out.line(&more_records(more, &terminal))?;
    }
    let line = done(&terminal).text(" ").join(change_counts(counts.each()));
    out.line(&line.text(" in the new commit ").tone(Tone::Bold, &rev_text(commit.rev)))
}

fn nothing_changed(same: u64) -> String {
    match same {
        0 => "nothing changed".to_owned(),
        1 => "nothing changed: the record is as it was".to_owned(),
        _ => format!("nothing changed: {} records are as they were", count(same)),
    }
}
