//! `pds gc` on a terminal.

use crate::answers::gc::GcAnswer;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the lines about deleted data.
pub(crate) fn lines(answer: &GcAnswer, terminal: &Terminal) -> Vec<Line> {
    let GcAnswer { states, blocks, blobs, bytes, before, after, dry_run, .. } = answer;
    let (blocks, blobs) = (counted(*blocks, "block"), counted(*blobs, "blob"));
    let bytes = size(*bytes);
    let first = match dry_run {
        true => {
            Line::from(format!("would free {bytes}: {blocks} and {blobs}, nothing was deleted"))
        }
        false => Line::of(Tone::Green, terminal.symbol(Symbol::Check))
            .text(&format!(" freed {bytes}: {blocks} and {blobs} that nothing refers to")),
    };
    let mut second = format!("  {} dropped", counted(*states, "state"));
    let dot = terminal.symbol(Symbol::Dot);
    match after {
        // Freed space may stay in the files for later blocks.
        Some(after) if after >= before => {}
        Some(after) => {
            second += &format!(" {dot} {} on disk, {} before", size(*after), size(*before));
        }
        None => second += &format!(" {dot} {} on disk", size(*before)),
    }
    vec![first, Line::of(Tone::Dim, &second)]
}
