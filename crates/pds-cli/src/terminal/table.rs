//! Rows in aligned columns.

use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::symbol::Symbol;
use crate::terminal::times::TIME_COLUMNS;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    is_right: bool,
    min: usize,
    need: Need,
}

/// When a narrow terminal leaves a column out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Always,
    Time,
    Cid,
}

impl Column {
    /// Makes a column of text.
    pub(crate) fn left() -> Self {
        Self { is_right: false, min: 0, need: Need::Always }
    }

    /// Makes a column of numbers.
    pub(crate) fn right() -> Self {
        Self { is_right: true, ..Self::left() }
    }

    /// Makes a column of relative times, which a terminal of less than 60 columns leaves out.
    pub(crate) fn time() -> Self {
        Self { min: TIME_COLUMNS, need: Need::Time, ..Self::left() }
    }

    /// Makes a column of days, which a terminal of less than 60 columns leaves out.
    pub(crate) fn day() -> Self {
        Self { need: Need::Time, ..Self::left() }
    }

    /// Makes a column of short CIDs, which a terminal of less than 45 columns leaves out.
    pub(crate) fn cid() -> Self {
        Self { need: Need::Cid, ..Self::left() }
    }

    fn fits(self, columns: usize) -> bool {
        match self.need {
            Need::Always => true,
            Need::Time => columns >= NARROW,
            Need::Cid => columns >= VERY_NARROW,
        }
    }
}

/// Rows in columns with two spaces between them. The last column takes the rest of the width and is cut.
///
/// A long table is printed in parts: `take_lines` returns the rows so far, and later rows keep their widths.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    widths: Vec<usize>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        let columns = columns.into();
        Self { widths: vec![0; columns.len()], columns, rows: Vec::new() }
    }

    /// Adds a row. Missing cells at its end are empty.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Line>>) {
        let cells = cells.into();
        for ((width, column), cell) in self.widths.iter_mut().zip(&self.columns).zip(&cells) {
            // One long name does not take the room of the other rows.
            if column.is_right || cell.width() <= MOST_COLUMNS {
                *width = (*width).max(cell.width());
            }
        }
        self.rows.push(cells);
    }

    /// Tells whether so many rows were added that they should be printed.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_AT_ONCE
    }

    /// Returns the rows as lines, and forgets them.
    pub(crate) fn take_lines(&mut self, terminal: &Terminal) -> Vec<Line> {
        let rows = std::mem::take(&mut self.rows);
        rows.into_iter().map(|row| self.line(row, terminal)).collect()
    }

    fn line(&self, row: Vec<Line>, terminal: &Terminal) -> Line {
        let (total, cut) = (terminal.width(), terminal.symbol(Symbol::Cut));
        let mut line = Line::new();
        let last = row.len().saturating_sub(1);
        let mut is_first = true;
        for (at, cell) in row.into_iter().enumerate() {
            let (Some(column), Some(width)) = (self.columns.get(at), self.widths.get(at)) else {
                continue;
            };
            let width = (*width).max(cell.width().min(total));
            // A column without text takes no room.
            if !column.fits(total) || width == 0 {
                continue;
            }
            let width = width.max(column.min);
            let space = if is_first { "" } else { "  " };
            // A cut number would be another number, so a column that does not fit is left out.
            let is_whole = column.is_right || column.need == Need::Time;
            let least = if is_whole { width } else { 1 };
            if !is_first && line.width() + space.len() + least > total {
                continue;
            }
            line = line.text(space);
            is_first = false;
            line = match (column.is_right, at == last) {
                (true, _) => {
                    let missing = width.saturating_sub(cell.width());
                    line.text(&" ".repeat(missing)).join(cell)
                }
                (false, true) => {
                    let left = total.saturating_sub(line.width());
                    line.join(cell.cut(left, cut))
                }
                (false, false) => line.join(cell.padded(width)),
            };
        }
        line.cut(total, cut)
    }
}

/// Below this width, times are left out.
const NARROW: usize = 60;

/// Below this width, CIDs are left out as well.
const VERY_NARROW: usize = 45;

/// A longer text moves only the rest of its own row.
const MOST_COLUMNS: usize = 48;

const ROWS_AT_ONCE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::screen_size::ScreenSize;
    use crate::terminal::times::Times;

    fn terminal(columns: usize) -> Terminal {
        let size = ScreenSize { columns, rows: 24 };
        Terminal { size, colour: false, unicode: true, times: Times::of_system(false) }
    }

    fn shown(columns: usize) -> Vec<String> {
        let mut table = Table::new([
            Column::left(),
            Column::right(),
            Column::time(),
            Column::left(),
            Column::left(),
        ]);
        table.row(
            ["a", "1,206", "just now", "", "a long text that is cut at the end of the line"]
                .map(Line::from),
        );
        table.row(["longer", "7", "2 hours ago", "", "short"].map(Line::from));
        table.take_lines(&terminal(columns)).iter().map(|line| line.render(false)).collect()
    }

    #[test]
    fn one_long_name_moves_its_own_row_only() {
        let mut table = Table::new([Column::left(), Column::right(), Column::left()]);
        let long = "k".repeat(50);
        for name in ["a", &long, "longer"] {
            table.row([name, "12", "text"].map(Line::from));
        }
        let lines = table.take_lines(&terminal(80));
        let lines: Vec<String> = lines.iter().map(|line| line.render(false)).collect();
        assert_eq!(lines, ["a       12  text", &format!("{long}  12  text"), "longer  12  text"]);
    }

    #[test]
    fn columns_are_aligned_and_the_last_one_is_cut() {
        assert_eq!(
            shown(60),
            [
                "a       1,206  just now          a long text that is cut at…",
                "longer      7  2 hours ago       short",
            ]
        );
        assert_eq!(shown(40)[1], "longer      7  short");
        assert_eq!(shown(13)[0], "a       1,206");
        // A number is never cut.
        assert_eq!(shown(12)[0], "a       a l…");
        assert!(shown(5).iter().all(|line| line.chars().count() <= 5));
    }
}
