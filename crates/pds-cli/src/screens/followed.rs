//! `pds pull --follow` on a terminal: a line for each step.

use crate::answers::fetched::{PullAction, PulledAnswer};
use crate::process::text::rev_text;
use crate::screens::arrived::{change_counts, done};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::counted;
use crate::terminal::tone::Tone;

/// Returns the line about a state that was stored, or about a pull without a new one.
pub(crate) fn followed(dir: &str, pulled: &PulledAnswer, terminal: &Terminal) -> Line {
    let PulledAnswer { created, updated, deleted, blobs, .. } = pulled;
    let line = done(terminal).text(" ").tone(Tone::Cyan, dir).text("  ");
    let line = line.tone(Tone::Bold, &rev_text(pulled.rev)).text("  ");
    if pulled.action == PullAction::Unchanged {
        return line.text("unchanged");
    }
    let line = line.join(change_counts([*created, *updated, *deleted]));
    match blobs.fetched {
        0 => line,
        fetched => line.text(", ").text(&counted(fetched, "blob")),
    }
}
