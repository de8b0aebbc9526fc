//! The tones of text: eight colours of ANSI terminals, and attributes.

use anstyle::{AnsiColor, Style};

/// What a piece of text means, as a colour or an attribute. Each tone repeats what a symbol or a word says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// Revisions, headline counts, `error:`, titles in help.
    Bold,
    /// CIDs, times, sizes, explanations.
    Dim,
    /// `+`, a passed check.
    Green,
    /// `~`, a warning.
    Yellow,
    /// `-`, an error, a missing part.
    Red,
    /// The word `error:`.
    Error,
    /// Refs, and commands in hints.
    Cyan,
    /// Conflicts.
    Magenta,
    /// Characters in texts that control a terminal or hide.
    Hostile,
    /// Deleted words of a text.
    DeletedWords,
    /// Added words of a text.
    AddedWords,
}

impl Tone {
    pub(crate) fn style(self) -> Style {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Self::Plain => Style::new(),
            Self::Bold => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Green => colour(AnsiColor::Green),
            Self::Yellow => colour(AnsiColor::Yellow),
            Self::Red => colour(AnsiColor::Red),
            Self::Error => colour(AnsiColor::Red).bold(),
            Self::Cyan => colour(AnsiColor::Cyan),
            Self::Magenta => colour(AnsiColor::Magenta),
            Self::Hostile => colour(AnsiColor::Red).invert(),
            Self::DeletedWords => colour(AnsiColor::Red).underline(),
            Self::AddedWords => colour(AnsiColor::Green).underline(),
        }
    }
}
