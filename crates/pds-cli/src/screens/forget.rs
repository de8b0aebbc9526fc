//! `pds forget` on a terminal.

use pds::syntax::Tid;

use crate::answers::forget::ForgetAnswer;
use crate::process::text::rev_text;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded;
use crate::terminal::numbers::{counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the lines about purged data. `revs` are those of the commits that were written.
pub(crate) fn lines(answer: &ForgetAnswer, revs: &[Option<Tid>], terminal: &Terminal) -> Vec<Line> {
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
    let width = terminal.width().saturating_sub(2);
    if *dry_run {
        let text = format!("would purge {amounts}; nothing was changed");
        return folded(&text, width, "  ").into_iter().map(Line::from).collect();
    }
    let text = folded(&format!("forgotten: {amounts} freed"), width, "");
    let marks = [done(terminal)].into_iter().chain(std::iter::repeat(Line::new()));
    let mut lines: Vec<Line> =
        text.iter().zip(marks).map(|(part, mark)| mark.padded(2).text(part)).collect();
    lines.extend(refs.iter().zip(revs).map(|(written, rev)| {
        let name = Line::from("  ").tone(Tone::Cyan, &written.name).text(" is ");
        name.tone(Tone::Bold, &rev_text(*rev))
    }));
    lines.push(match erased {
        true => Line::from("  no file of this repository holds the purged data"),
        false => Line::from("  ")
            .tone(Tone::Yellow, "! purged data may still be in the places named above"),
    });
    lines
}
