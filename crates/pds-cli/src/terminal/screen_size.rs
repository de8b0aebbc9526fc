//! The size of the terminal.

use terminal_size::{Height, Width, terminal_size_of};

/// The columns that lines may use, and the rows of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScreenSize {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl ScreenSize {
    /// Returns the size of the terminal of standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(terminal_size_of(std::io::stdout()))
    }

    /// Returns the size of the terminal of standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::of(terminal_size_of(std::io::stderr()))
    }

    fn of(size: Option<(Width, Height)>) -> Self {
        let (columns, rows) = match size {
            Some((Width(columns), Height(rows))) if columns > 0 && rows > 0 => (columns, rows),
            _ => (UNKNOWN_COLUMNS, UNKNOWN_ROWS),
        };
        Self { columns: usize::from(columns), rows: usize::from(rows) }
    }

    /// Returns the width of answers. Very long lines are hard to read.
    pub(crate) fn answer_columns(self) -> usize {
        self.columns.min(MAX_COLUMNS)
    }
}

const UNKNOWN_COLUMNS: u16 = 80;
const UNKNOWN_ROWS: u16 = 24;
const MAX_COLUMNS: usize = 120;
