//! `pds reset`, `ref set`, `ref rm`, `revert` and `merge` on a terminal.

use pds::RecordChange;
use pds::data::Cid;
use pds::merge::commit::{MergeKind, Merged};

use crate::answers::commit::CommitId;
use crate::process::text::rev_text;
use crate::records::changes::ChangeCounts;
use crate::screens::arrived::{change_counts, done};
use crate::screens::diff::sign;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::counted;
use crate::terminal::short_cids::short;
use crate::terminal::symbol::Symbol;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Returns the line about a ref that was moved.
pub(crate) fn moved(name: &str, to: CommitId, terminal: &Terminal) -> Line {
    let at = Line::of(Tone::Bold, &rev_text(to.rev)).text("  ").tone(Tone::Dim, &short(&to.cid));
    done(terminal).text(" ").tone(Tone::Cyan, name).text(" is ").join(at)
}

/// Returns the line about a ref that was deleted.
pub(crate) fn removed(name: &str, cid: &Cid, terminal: &Terminal) -> Line {
    done(terminal)
        .text(" deleted the ref ")
        .tone(Tone::Cyan, name)
        .text(", which pointed to ")
        .tone(Tone::Dim, &short(cid))
}

/// Returns the changes of a merge or of a revert, and the new commit.
pub(crate) fn merged(merged: &Merged, terminal: &Terminal) -> Vec<Line> {
    let what = match merged.how {
        MergeKind::Nothing => " already up to date at ",
        MergeKind::FastForward => " moved forward to ",
        MergeKind::Commit => " merged in the new commit ",
    };
    changed(&merged.changes, CommitId::of(&merged.commit), what, terminal)
}

/// Returns the first changed records, and the commit that has them.
pub(crate) fn changed(
    changes: &[RecordChange],
    commit: CommitId,
    what: &str,
    terminal: &Terminal,
) -> Vec<Line> {
    let mut table = Table::new([Column::left(), Column::cid()]);
    let mut counts = ChangeCounts::default();
    for change in changes {
        counts.add(change);
        if counts.total() <= MAX_ROWS {
            let cid = change.after.or(change.before);
            let cid = cid.map(|cid| Line::of(Tone::Dim, &short(&cid)));
            let name = sign(change).text(" ").text(&change.path.to_string());
            table.row([name, cid.unwrap_or_default()]);
        }
    }
    let mut lines = table.take_lines(terminal);
    let more = counts.total().saturating_sub(MAX_ROWS);
    lines.extend((more > 0).then(|| more_records(more, terminal)));
    if !lines.is_empty() {
        lines.push(Line::new());
    }
    let end = done(terminal).text(what).tone(Tone::Bold, &rev_text(commit.rev));
    lines.push(match changes.is_empty() {
        true => end,
        false => end.text(terminal.separator()).join(change_counts(counts.each())),
    });
    lines
}

/// Returns the line about records that are not listed.
pub(crate) fn more_records(more: u64, terminal: &Terminal) -> Line {
    let text = format!("{} {}", terminal.symbol(Symbol::Cut), counted(more, "more record"));
    Line::of(Tone::Dim, &text)
}

/// The most records that a terminal shows after a change.
pub(crate) const MAX_ROWS: u64 = 20;
