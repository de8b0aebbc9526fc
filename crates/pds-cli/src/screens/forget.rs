//! `pds forget` on a terminal.

use pds::syntax::Tid;

use crate::answers::forget::ForgetAnswer;
use crate::process::text::rev_text;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::{folded, folded_after};
use crate::terminal::numbers::{counted, size};
use crate::terminal::tone::Tone;

/// Returns the lines about purged data. `revs` are those of the commits that were written.
pub(crate) fn lines(answer: &ForgetAnswer, revs: &[Option<Tid>], terminal: &Terminal) -> Vec<Line> {
    let ForgetAnswer { states, blobs, bytes, dry_run, erased, refs, versions, .. } = answer;
    let dot = terminal.separator();
    let versions = (*versions > 0).then(|| counted(*versions, "version"));
    let amounts = versions.into_iter().chain([counted(*states, "state"), counted(*blobs, "blob")]);
    let amounts = amounts.collect::<Vec<_>>().join(", ");
    let amounts = format!("{amounts}{dot}{}", size(*bytes));
    if *dry_run {
        let text = format!("would purge {amounts}; nothing was changed");
        return folded(&text, terminal.width(), "  ").into_iter().map(Line::from).collect();
    }
    let mark = done(terminal).text(" ");
    let text = format!("forgotten: {amounts} freed");
    let mut lines = folded_after(mark, &text, terminal.width());
    lines.extend(refs.iter().zip(revs).map(|(written, rev)| {
        let name = Line::from("  ").tone(Tone::Cyan, &written.name).text(" is ");
        name.tone(Tone::Bold, &rev_text(*rev))
    }));
    let (mark, end) = match erased {
        true => (Line::from("  "), "no file of this repository holds the purged data"),
        false => {
            let mark = Line::from("  ").tone(Tone::Yellow, "! ");
            (mark, "purged data may still be in the places named above")
        }
    };
    match lines.last_mut() {
        // With one ref, both facts share a line if it is wide enough.
        Some(last) if *erased && refs.len() == 1 => {
            let both = last.clone().text(&format!("{dot}{end}"));
            if both.width() <= terminal.width() {
                *last = both;
                return lines;
            }
        }
        _ => {}
    }
    lines.extend(folded_after(mark, end, terminal.width()));
    lines
}
