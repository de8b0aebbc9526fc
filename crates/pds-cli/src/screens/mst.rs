//! `pds mst` on a terminal.

use crate::answers::mst::{EntryRow, NodeRow};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{count, size};
use crate::terminal::short_cids::short;
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the line of a node.
pub(crate) fn node(row: &NodeRow, terminal: &Terminal) -> Line {
    let dot = terminal.separator();
    let entries = match row.entries {
        1 => "1 entry".to_owned(),
        entries => format!("{} entries", count(entries as u64)),
    };
    let about = format!("  level {}{dot}{entries}{dot}{}", row.level, size(row.bytes as u64));
    rails(row.depth, terminal)
        .tone(Tone::Bold, terminal.symbol(Symbol::State))
        .text(" ")
        .text(&short(&row.node))
        .tone(Tone::Dim, &about)
}

/// Returns the line of an entry.
pub(crate) fn entry(row: &EntryRow, terminal: &Terminal) -> Line {
    let line = rails(row.depth + 1, terminal).text(&row.path).text("  ");
    terminal.fit(line.tone(Tone::Dim, &short(&row.cid)))
}

fn rails(depth: usize, terminal: &Terminal) -> Line {
    Line::of(Tone::Dim, &format!("{} ", terminal.symbol(Symbol::Rail)).repeat(depth))
}
