//! The counts and sizes of changes by collection on a terminal: `--stat`.

use anyhow::Result;

use crate::answers::diff::StatRow;
use crate::process::output::Output;
use crate::records::changes::ChangeCounts;
use crate::screens::diff::total_line;
use crate::terminal::line::Line;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Prints a row for each collection, with a bar, and the totals. `commits` is the number of commits between the states.
pub(crate) fn print(rows: &[StatRow], commits: Option<u64>, out: &mut Output) -> Result<()> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(()) };
    if rows.is_empty() {
        return Ok(());
    }
    let right = Column::right();
    let mut table = Table::new([Column::left(), right, right, right, right, Column::left()]);
    let dim = |text: &str| Line::of(Tone::Dim, text);
    table.row([Line::new(), dim("added"), dim("changed"), dim("deleted"), dim("size")]);
    let most = rows.iter().map(|row| row.counts.created.max(row.counts.deleted)).max();
    for row in rows {
        let ChangeCounts { created, updated, deleted } = row.counts;
        let number = |number: u64| Line::from(count(number));
        let (added, changed, deleted) = (number(created), number(updated), number(deleted));
        let name = Line::from(row.collection.as_str());
        let bytes = Line::of(Tone::Dim, &difference(row.bytes));
        table.row([name, added, changed, deleted, bytes, bar(row.counts, most.unwrap_or(0))]);
    }
    out.table(&mut table)?;
    let mut total = ChangeCounts::default();
    rows.iter().for_each(|row| total.add_all(row.counts));
    let bytes: i64 = rows.iter().map(|row| row.bytes).sum();
    let mut line = total_line(total);
    if let Some(commits) = commits.filter(|commits| *commits > 1) {
        line = line.text(&format!(" in {}", counted(commits, "commit")));
    }
    let dot = terminal.separator();
    line = match bytes {
        0 => line.text(&format!("{dot}the same size")),
        1.. => line.text(&format!("{dot}{} more", size(bytes.unsigned_abs()))),
        _ => line.text(&format!("{dot}{} less", size(bytes.unsigned_abs()))),
    };
    out.line(&Line::new())?;
    out.line(&line)
}

fn difference(bytes: i64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        1.. => format!("+{}", size(bytes.unsigned_abs())),
        _ => format!("-{}", size(bytes.unsigned_abs())),
    }
}

/// Returns a bar of added and deleted records. Each collection with one of them has at least one sign.
fn bar(counts: ChangeCounts, most: u64) -> Line {
    let cells = |number: u64| {
        let thirds = number.saturating_mul(3 * BAR_COLUMNS) / most.max(1);
        usize::try_from(thirds.div_ceil(3)).unwrap_or_default()
    };
    let (mut added, mut deleted) = (cells(counts.created), cells(counts.deleted));
    if added + deleted == 0 {
        added = usize::from(counts.created > 0);
        deleted = usize::from(counts.created == 0 && counts.deleted > 0);
    }
    Line::of(Tone::Green, &"+".repeat(added)).tone(Tone::Red, &"-".repeat(deleted))
}

/// The width of the longest bar of one sign.
const BAR_COLUMNS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_compares_collections() {
        for (created, deleted, shown) in [
            (214, 9, "++++++++++-"),
            (61, 1, "+++"),
            (12, 3, "+"),
            (4, 0, "+"),
            (0, 1, "-"),
            (0, 0, ""),
        ] {
            let bar = bar(ChangeCounts { created, updated: 0, deleted }, 214);
            assert_eq!(bar.render(false), shown, "{created} {deleted}");
        }
        assert_eq!(difference(-12), "-12 B");
    }
}
