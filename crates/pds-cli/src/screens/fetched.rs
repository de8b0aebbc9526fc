//! `pds clone` of an account and `pds pull` on a terminal.

use crate::answers::fetched::{ClonedAccount, PullAction, PulledAnswer, PulledOne, PulledOutcome};
use crate::process::text::rev_text;
use crate::screens::arrived::{self, change_counts, done, fact_lines, one_or_two};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::{counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::table::{Column, Table};
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
    if answer.host.is_some() {
        lines.extend(fact_lines(facts, terminal));
    }
    lines
}

/// Returns the lines about a pull.
pub(crate) fn pulled(
    answer: &PulledAnswer,
    host: &str,
    before: Option<pds::syntax::Tid>,
    terminal: &Terminal,
) -> Vec<Line> {
    let PulledAnswer { created, updated, deleted, blobs, .. } = answer;
    if answer.action == PullAction::Unchanged {
        let first = done(terminal).text(" unchanged at ");
        let first = first.tone(Tone::Bold, &rev_text(answer.rev));
        let mut lines = one_or_two(first, " ", Line::from("on ").tone(Tone::Cyan, host), terminal);
        if blobs.fetched > 0 {
            lines.extend(fact_lines([Line::from(counted(blobs.fetched, "blob"))], terminal));
        }
        return lines;
    }
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

/// Returns a line for each of several mirrors.
pub(crate) fn pulled_all(rows: &[PulledOne], terminal: &Terminal) -> Vec<Line> {
    let left = Column::left();
    let mut table = Table::new([left, left, Column::right(), left]);
    for PulledOne { dir, outcome } in rows {
        let name = |symbol: Line| symbol.text(" ").text(dir);
        table.row(match outcome {
            PulledOutcome::Failed { message, .. } => {
                let cross = Line::of(Tone::Red, terminal.symbol(Symbol::Cross));
                [name(cross), Line::new(), Line::new(), Line::from(message.as_str())]
            }
            PulledOutcome::Pulled(answer) => [
                name(done(terminal)),
                Line::of(Tone::Bold, &rev_text(answer.rev)),
                Line::of(Tone::Dim, &size(answer.bytes_received)),
                outcome_of(answer, terminal),
            ],
        });
    }
    table.take_lines(terminal)
}

fn outcome_of(answer: &PulledAnswer, terminal: &Terminal) -> Line {
    let PulledAnswer { created, updated, deleted, blobs, .. } = answer;
    let counts = change_counts([*created, *updated, *deleted]);
    let mut line = match answer.action {
        PullAction::Unchanged => Line::of(Tone::Dim, "unchanged"),
        PullAction::Pulled => counts,
        PullAction::Diverged => counts.text(terminal.separator()).text("HEAD stays"),
    };
    if blobs.fetched > 0 {
        line = line.text(terminal.separator()).text(&counted(blobs.fetched, "blob"));
    }
    if blobs.missing > 0 {
        let missing = counted(blobs.missing, "blob");
        line = line.text(terminal.separator()).text(&missing).tone(Tone::Red, " missing");
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::answers::fetched::BlobCounts;
    use crate::terminal::screen_size::ScreenSize;
    use crate::terminal::times::Times;

    fn terminal() -> Terminal {
        let size = ScreenSize { columns: 80, rows: 24 };
        Terminal { size, colour: false, unicode: true, times: Times::of_system(false) }
    }

    fn answer(action: PullAction, [created, missing]: [u64; 2]) -> PulledAnswer {
        let cid: pds::data::Cid =
            "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        PulledAnswer {
            did: "did:web:example.com".to_owned(),
            action,
            before: cid,
            after: cid,
            rev: "3n3f2zi3gwr2b".parse().ok(),
            created,
            updated: 0,
            deleted: 0,
            blobs: BlobCounts { fetched: created, missing },
            bytes_received: created * 1_000,
            requests: 1,
        }
    }

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.rendered(false, true)).collect()
    }

    #[test]
    fn several_mirrors_are_rows() {
        let pulled =
            |dir: &str, action, counts| PulledOne::pulled(dir.to_owned(), answer(action, counts));
        let rows = [
            pulled("mirrors/a", PullAction::Pulled, [3, 1]),
            pulled("mirrors/bob", PullAction::Unchanged, [0, 0]),
            PulledOne::failed("mirrors/c".to_owned(), "remote-failed", "no answer from c.com"),
        ];
        assert_eq!(
            shown(&pulled_all(&rows, &terminal())),
            [
                "✓ mirrors/a    3n3f2zi3gwr2b  3.00 kB  +3 · 3 blobs · 1 blob missing",
                "✓ mirrors/bob  3n3f2zi3gwr2b      0 B  unchanged",
                "✗ mirrors/c                            no answer from c.com",
            ]
        );
    }

    #[test]
    fn an_unchanged_mirror_is_named() {
        let answer = answer(PullAction::Unchanged, [0, 0]);
        let lines = pulled(&answer, "https://a.com", None, &terminal());
        assert_eq!(shown(&lines), ["✓ unchanged at 3n3f2zi3gwr2b on https://a.com"]);
    }
}
