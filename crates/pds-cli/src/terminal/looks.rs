//! What the terminal can show, and what the user asked for.

use std::io::IsTerminal;
use std::sync::OnceLock;

use crate::terminal::line::Line;
use crate::terminal::screen_size::ScreenSize;
use crate::terminal::symbol::Symbol;
use crate::terminal::times::Times;

/// When output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorWhen {
    /// Tells whether a stream has colours.
    pub(crate) fn is_on(self, stream: &impl IsTerminal) -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto
                if std::env::var("CLICOLOR_FORCE").is_ok_and(|v| v != "0" && !v.is_empty()) =>
            {
                true
            }
            Self::Auto => {
                stream.is_terminal()
                    && !is_dumb()
                    && std::env::var("CLICOLOR").as_deref() != Ok("0")
            }
        }
    }
}

/// The terminal of standard output.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) size: ScreenSize,
    pub(crate) colour: bool,
    pub(crate) unicode: bool,
    pub(crate) times: Times,
}

impl Terminal {
    /// Describes the terminal of standard output.
    pub(crate) fn of_stdout(colour: bool, utc: bool) -> Self {
        Self {
            size: ScreenSize::of_stdout(),
            colour,
            unicode: has_unicode(),
            times: Times::of_system(utc),
        }
    }

    /// Returns the width of answers in columns.
    pub(crate) fn width(&self) -> usize {
        self.size.answer_columns()
    }

    /// Tells whether two short lines share one.
    pub(crate) fn is_wide(&self) -> bool {
        self.width() >= WIDE_COLUMNS
    }

    pub(crate) fn symbol(&self, symbol: Symbol) -> &'static str {
        symbol.text(self.unicode)
    }

    /// Cuts a line that is longer than the screen is wide.
    pub(crate) fn fit(&self, line: Line) -> Line {
        line.cut(self.width(), self.symbol(Symbol::Cut))
    }

    /// Returns what stands between two facts of a line.
    pub(crate) fn separator(&self) -> &'static str {
        if self.unicode { " · " } else { ", " }
    }

    /// Returns a text in which the marks of cut text have the form of this terminal.
    pub(crate) fn marked(&self, text: &str) -> String {
        text.replace('…', self.symbol(Symbol::Cut))
    }
}

/// Tells whether the locale has UTF-8, and the terminal can show its symbols.
pub(crate) fn has_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    !is_dumb() && (locale.contains("utf-8") || locale.contains("utf8"))
}

/// Tells whether the terminal understands no escape codes.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Sets whether messages on standard error have colours.
pub(crate) fn set_messages(color: ColorWhen) {
    // The first setting counts; a command line is read once more only after a lost race.
    let _ = MESSAGES.set(color.is_on(&std::io::stderr()));
}

/// Tells whether messages on standard error have colours.
pub(crate) fn messages_have_colour() -> bool {
    *MESSAGES.get_or_init(|| ColorWhen::Auto.is_on(&std::io::stderr()))
}

static MESSAGES: OnceLock<bool> = OnceLock::new();

/// The width from which a screen has long lines.
const WIDE_COLUMNS: usize = 110;
