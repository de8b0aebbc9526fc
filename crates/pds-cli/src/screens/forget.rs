//! `pds forget` on a terminal.

use crate::answers::forget::ForgetAnswer;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the lines about purged data.
pub(crate) fn lines(answer: &ForgetAnswer, terminal: &Terminal) -> Vec<Line> {
    let ForgetAnswer { states, moves, blocks, blobs, bytes, dry_run, erased, refs, .. } = answer;
    let dot = terminal.symbol(Symbol::Dot);
    let amounts = format!(
        "{}, {}, {}, {} {dot} {}",
        counted(*states, "state"),
        counted(*moves, "log row"),
        counted(*blocks, "block"),
        counted(*blobs, "blob"),
        size(*bytes),
    );
    if *dry_run {
        return vec![Line::from(format!("would purge {amounts}; nothing was changed"))];
    }
    let mut lines = vec![done(terminal).text(&format!(" forgotten: {amounts} freed"))];
    lines.extend(refs.iter().map(|written| {
        let cid = written.cid.to_string();
        Line::from("  ").tone(Tone::Cyan, &written.name).text(" is a new commit, ").text(&cid)
    }));
    lines.push(match erased {
        true => Line::from("  no file of this repository holds the purged data"),
        false => Line::from("  ")
            .tone(Tone::Yellow, "! purged data may still be in the places named above"),
    });
    lines
}
