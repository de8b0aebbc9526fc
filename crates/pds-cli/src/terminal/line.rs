//! One line of text in tones, measured in columns.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::safe_text::is_invisible;
use crate::terminal::tone::Tone;

/// A line of text in tones. Line breaks become `⏎` and tabs become spaces. Characters that control the terminal, that
/// hide or that turn the direction of text become `<U+202E>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pieces: Vec<(Tone, String)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Makes a line of one piece.
    pub(crate) fn of(tone: Tone, text: &str) -> Self {
        Self::new().tone(tone, text)
    }

    /// Appends plain text.
    #[must_use]
    pub(crate) fn text(self, text: &str) -> Self {
        self.tone(Tone::Plain, text)
    }

    /// Appends text in a tone.
    #[must_use]
    pub(crate) fn tone(mut self, tone: Tone, text: &str) -> Self {
        self.push(tone, text);
        self
    }

    /// Appends another line.
    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        for (tone, text) in other.pieces {
            self.push_safe(tone, &text);
        }
        self
    }

    /// Appends text in a tone.
    pub(crate) fn push(&mut self, tone: Tone, text: &str) {
        let mut rest = text;
        while let Some((at, odd)) = rest.char_indices().find(|(_, c)| is_odd(*c)) {
            let (before, from) = rest.split_at(at);
            self.push_safe(tone, before);
            match odd {
                '\n' => self.push_safe(tone, LINE_BREAK),
                '\t' => self.push_safe(tone, " "),
                odd => self.push_safe(Tone::Hostile, &format!("<U+{:04X}>", u32::from(odd))),
            }
            rest = from.get(odd.len_utf8()..).unwrap_or_default();
        }
        self.push_safe(tone, rest);
    }

    fn push_safe(&mut self, tone: Tone, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some((last, piece)) if *last == tone => piece.push_str(text),
            _ => self.pieces.push((tone, text.to_owned())),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the number of columns. Wide characters count as two.
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.width()).sum()
    }

    /// Appends spaces up to a width.
    #[must_use]
    pub(crate) fn padded(mut self, columns: usize) -> Self {
        let missing = columns.saturating_sub(self.width());
        self.push_safe(Tone::Plain, &" ".repeat(missing));
        self
    }

    /// Cuts the line at a width. A cut line ends with `mark`.
    #[must_use]
    pub(crate) fn cut(self, columns: usize, mark: &str) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(mark.width());
        let mut cut = Self::new();
        for (tone, text) in self.pieces {
            let end = fitting(&text, left);
            cut.push_safe(tone, text.get(..end).unwrap_or_default());
            if end < text.len() {
                if columns >= mark.width() {
                    cut.push_safe(tone, mark);
                }
                break;
            }
            left -= text.width();
        }
        cut
    }

    /// Returns the text with escape codes, or without them.
    pub(crate) fn render(&self, colour: bool) -> String {
        self.rendered(colour, true)
    }

    /// As [`render`](Self::render). Without UTF-8, a line break is a space, and nothing marks the direction of text.
    pub(crate) fn rendered(&self, colour: bool, unicode: bool) -> String {
        let mut text = String::new();
        let last = self.pieces.len().saturating_sub(1);
        for (at, (tone, piece)) in self.pieces.iter().enumerate() {
            // No line ends with spaces.
            let piece = if at == last { piece.trim_end_matches(' ') } else { piece };
            let isolated = unicode && piece.chars().any(is_right_to_left);
            let piece = match unicode {
                true => Cow::Borrowed(piece),
                false => Cow::Owned(piece.replace(LINE_BREAK, " ")),
            };
            let style = tone.style();
            if colour && *tone != Tone::Plain && !piece.is_empty() {
                text.push_str(&style.render().to_string());
                push_isolated(&mut text, &piece, isolated);
                text.push_str(&style.render_reset().to_string());
            } else {
                push_isolated(&mut text, &piece, isolated);
            }
        }
        text
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::of(Tone::Plain, text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::of(Tone::Plain, &text)
    }
}

/// Stands for a line break in a text.
const LINE_BREAK: &str = "⏎";

/// Appends a piece; the direction of isolated text ends with it.
fn push_isolated(text: &mut String, piece: &str, isolated: bool) {
    if isolated {
        text.push('\u{2068}');
    }
    text.push_str(piece);
    if isolated {
        text.push('\u{2069}');
    }
}

/// Returns the length of the longest beginning of a text that fits a width.
fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return at;
        }
    }
    text.len()
}

/// Tells whether a character may not be printed as it is.
fn is_odd(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Tells whether a character belongs to a script that is written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_controls_a_terminal_is_replaced() {
        let line = Line::from("a\u{202e}b\nc\td\u{1b}[2J");
        assert_eq!(line.render(false), "a<U+202E>b⏎c d<U+001B>[2J");
        assert!(line.render(true).contains("\u{1b}[7m"), "{:?}", line.render(true));
    }

    #[test]
    fn lines_are_cut_by_columns_and_end_without_spaces() {
        let wide = Line::from("潮だまり");
        assert_eq!(wide.width(), 8);
        assert_eq!(wide.clone().cut(7, "…").render(false), "潮だま…");
        assert_eq!(wide.clone().cut(6, "…").render(false), "潮だ…");
        assert_eq!(wide.clone().cut(8, "…"), wide);
        assert_eq!(wide.cut(0, "…").render(false), "");
        let two = Line::of(Tone::Bold, "ab").tone(Tone::Dim, "cd").cut(3, "…");
        assert_eq!(two.render(false), "ab…");
        assert_eq!(Line::from("a").padded(4).render(false), "a");
        assert_eq!(Line::from("a").padded(3).text("b").render(false), "a  b");
    }

    #[test]
    fn a_terminal_without_utf_8_gets_no_marks() {
        assert_eq!(Line::from("a\nb").rendered(false, false), "a b");
        assert_eq!(Line::from("שלום").rendered(false, false), "שלום");
    }

    #[test]
    fn right_to_left_text_is_isolated() {
        assert_eq!(Line::from("שלום").text(" x").render(false), "\u{2068}שלום x\u{2069}");
        assert_eq!(Line::of(Tone::Dim, "plain").render(false), "plain");
    }
}
