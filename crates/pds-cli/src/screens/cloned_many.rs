//! `pds clone` of many accounts on a terminal.

use crate::answers::cloned_one::{CloneCounts, CloneOutcome, ClonedOne};
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{count, counted};
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Returns the line about an account.
pub(crate) fn account(one: &ClonedOne, terminal: &Terminal) -> Line {
    let line = match &one.outcome {
        CloneOutcome::Cloned(state) => {
            let line = done(terminal).text(" ").tone(Tone::Bold, one.name());
            let mut facts = vec![counted(state.blobs.fetched, "blob")];
            facts.extend(state.records.map(|records| counted(records, "record")));
            facts.reverse();
            line.text("  ").text(&facts.join(terminal.separator()))
        }
        outcome => Line::from("  ").tone(Tone::Bold, one.name()).text(&format!("  {outcome}")),
    };
    terminal.fit(line)
}

/// Returns the table of all accounts.
pub(crate) fn table(counts: &CloneCounts) -> Table {
    let mut table = Table::new([Column::right(), Column::left()]);
    let CloneCounts { cloned, present, skipped, failed, incomplete, records, blobs } = *counts;
    let of_cloned =
        format!("cloned, with {} and {}", counted(records, "record"), counted(blobs, "blob"));
    for (number, text, tone) in [
        (cloned, of_cloned.as_str(), Tone::Green),
        (present, "already there", Tone::Plain),
        (skipped, "skipped", Tone::Plain),
        (incomplete, "incomplete", Tone::Yellow),
        (failed, "failed", Tone::Red),
    ] {
        if number > 0 {
            table.row([Line::of(tone, &count(number)), Line::from(text)]);
        }
    }
    table
}
