//! `pds gc` on a terminal.

use crate::answers::gc::GcAnswer;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::{folded, folded_after};
use crate::terminal::numbers::{counted, size};
use crate::terminal::tone::Tone;

/// The data that remains.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) states: u64,
    pub(crate) blocks: u64,
    pub(crate) blobs: u64,
}

/// Returns the lines about deleted data, and about the rest.
pub(crate) fn lines(answer: &GcAnswer, kept: &Kept, terminal: &Terminal) -> Vec<Line> {
    let GcAnswer { states, blocks, blobs, bytes, before, after, dry_run, .. } = answer;
    let (blocks, blobs) = (counted(*blocks, "block"), counted(*blobs, "blob"));
    let bytes = size(*bytes);
    let (mark, first) = match dry_run {
        true => {
            let text = format!("would free {bytes}: {blocks} and {blobs}, nothing was deleted");
            (Line::new(), text)
        }
        false => {
            let text = format!("freed {bytes}: {blocks} and {blobs} that nothing refers to");
            (done(terminal).text(" "), text)
        }
    };
    let mut lines = folded_after(mark, &first, terminal.width());
    let Kept { states: left, blocks, blobs } = kept;
    let (left, blocks, blobs) =
        (counted(*left, "state"), counted(*blocks, "block"), counted(*blobs, "blob"));
    let kept = if *dry_run { "would keep" } else { "kept" };
    let mut rest = vec![format!("{kept} {left}, {blocks}, {blobs}")];
    let mut more = Vec::new();
    if *states > 0 {
        more.push(format!("{} dropped", counted(*states, "state")));
    }
    // Freed space may stay in the files for later blocks.
    if let Some(after) = after.filter(|after| after < before) {
        more.push(format!("{} on disk, {} before", size(after), size(*before)));
    }
    if !more.is_empty() {
        rest.push(more.join(terminal.separator()));
    }
    let rest = rest.iter().flat_map(|text| folded(text, terminal.width().saturating_sub(2), ""));
    lines.extend(rest.map(|part| Line::from("  ").tone(Tone::Dim, &part)));
    lines
}
