//! `pds clone` of an account and `pds pull` on a terminal.

use crate::answers::fetched::{ClonedAccount, PullAction, PulledAnswer};
use crate::process::text::rev_text;
use crate::screens::arrived::{self, change_counts, done, fact_lines, one_or_two};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::{counted, size};
use crate::terminal::tone::Tone;

/// Returns the lines about a clone.
pub(crate) fn cloned(answer: &ClonedAccount, dir: &str, terminal: &Terminal) -> Vec<Line> {
    let ClonedAccount { info, host, traffic, .. } = answer;
    let did = info.did.clone().unwrap_or_default();
    let who = answer.handle.clone().unwrap_or(did);
    let mut lines = arrived::clone(&who, dir, info, terminal);
    let host = host.as_ref().map(|host| Line::from("follows ").tone(Tone::Cyan, &host.to_string()));
    let traffic = [size(traffic.bytes_received), counted(traffic.requests, "request")];
    let facts = host.into_iter().chain(traffic.map(Line::from));
    lines.extend(fact_lines(facts, terminal));
    lines
}

/// Returns the lines about a pull; none if nothing has changed.
pub(crate) fn pulled(
    answer: &PulledAnswer,
    host: &str,
    before: Option<pds::syntax::Tid>,
    terminal: &Terminal,
) -> Vec<Line> {
    if answer.action == PullAction::Unchanged {
        return Vec::new();
    }
    let PulledAnswer { created, updated, deleted, blobs, .. } = answer;
    let first = done(terminal).text(" pulled ");
    let first = first.tone(Tone::Bold, &rev_text(answer.rev));
    let mut lines = one_or_two(first, " ", Line::from("from ").tone(Tone::Cyan, host), terminal);
    let mut facts = vec![change_counts([*created, *updated, *deleted])];
    if blobs.fetched > 0 {
        facts.push(Line::from(counted(blobs.fetched, "blob")));
    }
    facts.push(Line::from(size(answer.bytes_received)));
    lines.extend(fact_lines(facts, terminal));
    let hint = match answer.action {
        PullAction::Diverged => "HEAD has commits made here and stays: pds merge origin".to_owned(),
        _ => format!("see what changed with pds diff {}", rev_text(before)),
    };
    lines.extend(hint_lines(&hint, terminal.width()));
    lines
}
