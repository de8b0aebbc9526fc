//! `pds put`, `rm`, `edit` and `apply`: the records that a commit changed.

use anyhow::Result;

use crate::answers::change::Action;
use crate::answers::commit::CommitId;
use crate::answers::put::WrittenRow;
use crate::process::output::Output;
use crate::process::text::rev_text;
use crate::screens::arrived::{change_counts, done};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::count;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
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
    let (mut shorts, mut counts, mut commit) = (ShortCids::default(), [0_u64; 3], None);
    let mut same = 0_u64;
    for row in rows {
        let row = row?;
        if !row.is_change {
            same += 1;
            continue;
        }
        commit = Some(row.commit);
        let (kind, tone) = match row.action {
            Action::Create => (0, Tone::Green),
            Action::Update => (1, Tone::Yellow),
            Action::Delete | Action::Unknown => (2, Tone::Red),
        };
        if counts.iter().sum::<u64>() < MAX_ROWS {
            let cid = row.cid.map(|cid| Line::of(Tone::Dim, &shorts.short(&cid)));
            table.row([
                Line::of(tone, &row.action.sign().to_string()).text(" ").text(&row.path),
                cid.unwrap_or_default(),
            ]);
        }
        if let Some(count) = counts.get_mut(kind) {
            *count += 1;
        }
    }
    out.table(&mut table)?;
    let Some(commit) = commit else { return out.line(&Line::from(nothing_changed(same))) };
    if counts.iter().sum::<u64>() > MAX_ROWS {
        out.line(&Line::from(terminal.symbol(Symbol::Cut)))?;
    }
    out.line(&summary(counts, commit, &terminal))
}

fn nothing_changed(same: u64) -> String {
    match same {
        0 => "nothing changed".to_owned(),
        1 => "nothing changed: the record is as it was".to_owned(),
        _ => format!("nothing changed: {} records are as they were", count(same)),
    }
}

fn summary(counts: [u64; 3], commit: CommitId, terminal: &Terminal) -> Line {
    done(terminal)
        .text(" ")
        .join(change_counts(counts))
        .text(" in the new commit ")
        .tone(Tone::Bold, &rev_text(commit.rev))
}

/// The most records that a terminal shows after a change.
pub(crate) const MAX_ROWS: u64 = 20;
