//! `pds show` about a commit, on a terminal.

use anyhow::Result;
use pds::commit::Commit;
use pds::store::LogEntry;
use pds::syntax::Tid;

use crate::process::output::Output;
use crate::process::text::rev_text;
use crate::screens::log::{RefNames, event_words};
use crate::terminal::line::Line;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::tone::Tone;

/// What is known about the signature of a commit.
pub(crate) enum Verdict {
    Valid(String),
    Invalid,
    Unchecked,
}

/// Prints the fields of a commit, and an empty line.
pub(crate) fn print_head(
    commit: &Commit,
    arrival: Option<&LogEntry>,
    refs: &RefNames,
    verdict: &Verdict,
    out: &mut Output,
) -> Result<()> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(()) };
    let mut lines = vec![field("commit", Line::from(commit.cid().to_string()))];
    let rev = Line::of(Tone::Bold, &rev_text(commit.rev()));
    let refs = refs.line(&commit.cid());
    let rev = if refs.is_empty() { rev } else { rev.padded(REV_COLUMNS).join(refs) };
    lines.push(field("rev", rev));
    let micros = commit.rev().and_then(Tid::rev_micros).or(arrival.map(|entry| entry.at_micros));
    if let Some(micros) = micros {
        let (exact, relative) = (terminal.times.exact(micros), terminal.times.relative(micros));
        // In UTC both are the same text, and an older time is the same day.
        let two_words = |text: &str| text.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
        let is_same = two_words(&relative.render(false)) == two_words(&exact);
        let time = Line::from(exact);
        lines.push(field("time", if is_same { time } else { time.text(", ").join(relative) }));
    }
    lines.push(field("data", Line::of(Tone::Dim, &commit.data().to_string())));
    lines.push(field(
        "signature",
        match verdict {
            Verdict::Valid(key) => Line::of(Tone::Green, "valid").text(", ").text(key),
            Verdict::Invalid => Line::of(Tone::Red, "invalid"),
            Verdict::Unchecked => Line::of(Tone::Yellow, "unchecked").text(": no key is known"),
        },
    ));
    if let Some(entry) = arrival {
        lines.push(field("event", event_words(entry, &mut ShortCids::default())));
    }
    lines.push(Line::new());
    out.lines(lines)
}

fn field(name: &str, value: Line) -> Line {
    Line::of(Tone::Dim, name).padded(NAME_COLUMNS).join(value)
}

/// The width of the names of the fields.
const NAME_COLUMNS: usize = 10;

/// The columns of a rev with the space after it.
const REV_COLUMNS: usize = 36;
