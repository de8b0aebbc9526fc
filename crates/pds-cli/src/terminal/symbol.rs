//! The symbols of terminal output.

/// A symbol with a form for terminals without UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// Passed, done.
    Check,
    /// An error.
    Cross,
    /// A conflict.
    Conflict,
    /// The state of HEAD.
    Head,
    /// Another state.
    State,
    /// The line between two states.
    Rail,
    /// From, to.
    Arrow,
    /// Text was cut here.
    Cut,
    /// A note.
    Dot,
    /// A full part of a bar.
    Full,
    /// An empty part of a bar.
    Empty,
}

impl Symbol {
    pub(crate) fn text(self, unicode: bool) -> &'static str {
        let (symbol, plain) = match self {
            Self::Check => ("✓", "ok"),
            Self::Cross => ("✗", "x"),
            Self::Conflict => ("‼", "!!"),
            Self::Head => ("●", "*"),
            Self::State => ("○", "o"),
            Self::Rail => ("│", "|"),
            Self::Arrow => ("→", "->"),
            Self::Cut => ("…", "..."),
            Self::Dot => ("·", "-"),
            Self::Full => ("█", "#"),
            Self::Empty => ("░", "."),
        };
        if unicode { symbol } else { plain }
    }
}
