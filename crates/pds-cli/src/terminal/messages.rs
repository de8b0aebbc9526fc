//! Messages on standard error: a label in its tone, and lines that end at words.

use std::io::{self, IsTerminal};

use unicode_width::UnicodeWidthStr;

use crate::terminal::hints::hint_line;
use crate::terminal::line::Line;
use crate::terminal::looks::{has_unicode, messages_have_colour};
use crate::terminal::safe_text::printable;
use crate::terminal::screen_size::ScreenSize;
use crate::terminal::tone::Tone;

/// Returns a message as it is printed on standard error, without the last line break.
///
/// A terminal shows lines that end at words, and the label of the message in its tone. Elsewhere, a message is one line.
pub(crate) fn message_text(message: &str) -> String {
    let colour = messages_have_colour();
    let Some(columns) = columns() else {
        return match label_of(message) {
            Some((label, tone)) if colour => {
                let rest = message.get(label.len()..).unwrap_or_default();
                format!("{}{}", Line::of(tone, label).render(colour), printable(rest))
            }
            _ => printable(message).into_owned(),
        };
    };
    let lines: Vec<String> = message.lines().flat_map(|line| on_terminal(line, columns)).collect();
    lines.join("\n")
}

fn on_terminal(message: &str, columns: usize) -> Vec<String> {
    let render = |line: &Line| line.rendered(messages_have_colour(), has_unicode());
    if let Some(hint) = message.strip_prefix("hint: ") {
        return hint_lines(hint, columns).iter().map(render).collect();
    }
    let text = message.trim_start_matches(' ');
    let indent = message.len() - text.len();
    let mut folded = folded(text, columns.saturating_sub(indent), INDENT);
    folded.iter_mut().for_each(|line| line.insert_str(0, &" ".repeat(indent)));
    let label = label_of(message);
    let line = |(at, part): (usize, &String)| match label {
        Some((label, tone)) if at == 0 && part.starts_with(label) => {
            let rest = part.get(label.len()..).unwrap_or_default();
            render(&Line::of(tone, label).text(rest))
        }
        _ => render(&Line::from(part.as_str())),
    };
    folded.iter().enumerate().map(line).collect()
}

/// Returns a hint as lines of a width. The commands in a hint of one line have their own tone.
pub(crate) fn hint_lines(hint: &str, columns: usize) -> Vec<Line> {
    let line = hint_line(hint);
    if line.width() <= columns {
        return vec![line];
    }
    let folded = folded(&format!("hint: {hint}"), columns, INDENT);
    folded.iter().map(|part| Line::from(part.as_str())).collect()
}

/// Returns a question as lines that end at words and fit the terminal, and a space before the answer.
pub(crate) fn question_text(question: &str) -> String {
    let columns = ScreenSize::of_stderr().columns;
    let mut lines = Vec::new();
    for line in question.lines() {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        let parts = folded(text, columns.saturating_sub(indent), "");
        lines.extend(parts.iter().map(|part| " ".repeat(indent) + part));
    }
    printable(&lines.join("\n")).into_owned() + " "
}

/// Returns the label at the beginning of a message, and its tone.
fn label_of(message: &str) -> Option<(&'static str, Tone)> {
    LABELS.into_iter().find(|(label, _)| message.starts_with(label))
}

/// Splits a text at spaces into lines of a width. Lines after the first begin with `indent`. A long word stays whole.
pub(crate) fn folded(text: &str, columns: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_first = lines.len() == 1;
        let open = lines.last_mut();
        match open {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(line) if !is_first && line == indent => line.push_str(word),
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

/// Returns a text after a mark, as lines that end at words. Later lines begin below the text.
pub(crate) fn folded_after(mark: Line, text: &str, columns: usize) -> Vec<Line> {
    let margin = mark.width();
    let marks = [mark].into_iter().chain(std::iter::repeat(Line::new()));
    let parts = folded(text, columns.saturating_sub(margin), "");
    parts.iter().zip(marks).map(|(part, mark)| mark.padded(margin).text(part)).collect()
}

/// Returns the columns of the terminal of standard error; `None` if it is no terminal.
fn columns() -> Option<usize> {
    if !io::stderr().is_terminal() {
        return None;
    }
    Some(ScreenSize::of_stderr().columns)
}

const LABELS: [(&str, Tone); 3] =
    [("error:", Tone::Error), ("warning:", Tone::Yellow), ("hint:", Tone::Plain)];

/// The beginning of the lines after the first.
const INDENT: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_words() {
        assert_eq!(folded("one two three", 8, "  "), ["one two", "  three"]);
        assert_eq!(folded("one", 2, "  "), ["one"]);
        assert_eq!(folded("a verylongword b", 6, "  "), ["a", "  verylongword", "  b"]);
        let hint = hint_lines("one two three", 12);
        assert_eq!(hint, ["hint: one", "  two three"].map(Line::from));
        assert_eq!(folded("潮だ まり 潮", 8, ""), ["潮だ", "まり 潮"]);
    }
}
