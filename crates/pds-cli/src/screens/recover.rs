//! `pds recover` on a terminal.

use pds_rescue::Recovered;

use crate::answers::recover::{RecoverAnswer, RecoveredRow};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded;
use crate::terminal::short_cids::short;
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// Returns the line of a recovered record, a loss or a state.
pub(crate) fn row(recovered: &Recovered, terminal: &Terminal) -> Line {
    let line = match recovered {
        Recovered::Record { key, block } => Line::of(Tone::Green, "+ ")
            .text(&key.to_string())
            .text("  ")
            .tone(Tone::Dim, &short(&block.cid())),
        Recovered::Lost { .. } => {
            Line::of(Tone::Red, "- ").text(&RecoveredRow(recovered).to_string())
        }
        Recovered::State(_) => {
            let mark = format!("{} ", terminal.symbol(Symbol::State));
            Line::of(Tone::Bold, &mark).text(&RecoveredRow(recovered).to_string())
        }
        Recovered::InState { .. } | Recovered::Unplaced { .. } | Recovered::WithoutPath { .. } => {
            Line::of(Tone::Yellow, "? ").text(&RecoveredRow(recovered).to_string())
        }
    };
    terminal.fit(line)
}

/// Returns the verdict and the counts.
pub(crate) fn summary(answer: &RecoverAnswer<'_>, terminal: &Terminal) -> Vec<Line> {
    let (symbol, tone) = match (answer.is_whole(), answer.has_nothing()) {
        (true, _) => (terminal.symbol(Symbol::Check), Tone::Green),
        (false, false) => ("!", Tone::Yellow),
        (false, true) => (terminal.symbol(Symbol::Cross), Tone::Red),
    };
    let text = answer.to_string();
    let parts = folded(&text, terminal.width().saturating_sub(2), "");
    let line = |(at, part): (usize, &String)| {
        let mark = if at == 0 { Line::of(tone, symbol) } else { Line::new() };
        mark.padded(2).text(part)
    };
    parts.iter().enumerate().map(line).collect()
}
