//! The contents of changed records on a terminal: `-p`.

use anyhow::Result;
use pds::RecordChange;

use crate::patch::lines::{PatchLine, Side};
use crate::process::output::Output;
use crate::screens::diff::{old_and_new, sign};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::tone::Tone;

/// Prints a changed record with the lines that differ. Long lines are folded.
pub(crate) fn print(
    change: &RecordChange,
    lines: &[PatchLine],
    shorts: &mut ShortCids,
    out: &mut Output,
) -> Result<()> {
    let Some(terminal) = out.terminal().cloned() else { return Ok(()) };
    let columns = terminal.width().saturating_sub(MARGIN);
    let cids = old_and_new(change, shorts, &terminal);
    let path = sign(change).text(" ").tone(Tone::Bold, &change.path.to_string());
    let path = path.padded(columns.saturating_sub(WIDEST_CIDS + 2));
    let head = path.text("  ").join(cids);
    out.line(&terminal.fit(head))?;
    for line in lines {
        out.lines(folded(line, columns, &terminal))?;
    }
    Ok(())
}

/// Folds a line of a patch at spaces. Each part begins with the sign.
fn folded(line: &PatchLine, columns: usize, terminal: &Terminal) -> Vec<Line> {
    let mut folder = Folder::new(line, columns);
    for (is_changed, text) in &line.pieces {
        let text = terminal.marked(text);
        let tone = match (is_changed, line.side) {
            (true, Side::Old) if terminal.colour => Tone::DeletedWords,
            (true, _) if terminal.colour => Tone::AddedWords,
            _ => Tone::Plain,
        };
        if *is_changed && !terminal.colour {
            let (open, close) = line.marks();
            folder.add(tone, &format!("{open}{text}{close}"));
        } else {
            folder.add(tone, &text);
        }
    }
    folder.finish()
}

struct Folder {
    done: Vec<Line>,
    open: Line,
    /// The columns of the open line.
    width: usize,
    /// The spaces that wait for the next word.
    spaces: (Tone, String),
    /// The beginning of all lines but the first.
    start: Line,
    columns: usize,
}

impl Folder {
    fn new(line: &PatchLine, columns: usize) -> Self {
        let tone = match line.side {
            Side::Both => Tone::Plain,
            Side::Old => Tone::Red,
            Side::New => Tone::Green,
        };
        let sign = line.side.sign().to_string();
        let indent = line.indent.min(columns / 2);
        let begin = |indent: usize| Line::of(tone, &sign).text(&" ".repeat(indent));
        // A folded text continues behind its quotation mark.
        let (open, start) = (begin(indent), begin(indent + 1));
        let spaces = (Tone::Plain, String::new());
        let (width, columns) = (open.width(), columns.max(LEAST_COLUMNS));
        Self { done: Vec::new(), open, width, spaces, start, columns }
    }

    fn add(&mut self, tone: Tone, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(' ').unwrap_or(rest.len());
            let (now, later) = rest.split_at(word);
            if !now.is_empty() {
                self.word(tone, now);
            }
            let spaces = later.len() - later.trim_start_matches(' ').len();
            let (now, later) = later.split_at(spaces);
            if !now.is_empty() {
                self.spaces.0 = tone;
                self.spaces.1.push_str(now);
            }
            rest = later;
        }
    }

    fn word(&mut self, tone: Tone, word: &str) {
        let (space_tone, spaces) = std::mem::take(&mut self.spaces);
        let width = Line::from(word).width();
        let is_begun = self.width > self.start.width();
        if is_begun && self.width + spaces.len() + width > self.columns {
            self.end();
        } else {
            self.width += spaces.len();
            self.open.push(space_tone, &spaces);
        }
        // A word that is longer than a line is folded anywhere but in an escape.
        let mut rest = word;
        while !rest.is_empty() {
            let (letter, later) = rest.split_at(first_letter(rest));
            let columns = Line::from(letter).width();
            if width > self.columns / 2 && self.width + columns > self.columns {
                self.end();
            }
            self.width += columns;
            self.open.push(tone, letter);
            rest = later;
        }
    }

    fn end(&mut self) {
        let open = std::mem::replace(&mut self.open, self.start.clone());
        self.width = self.open.width();
        self.done.push(open);
    }

    fn finish(mut self) -> Vec<Line> {
        self.end();
        self.done
    }
}

/// Returns the length of the first letter of a text, or of the JSON escape that it begins with.
fn first_letter(text: &str) -> usize {
    let mut chars = text.chars();
    let length = match (chars.next(), chars.next()) {
        (Some('\\'), Some('u')) => 6,
        (Some('\\'), Some(escaped)) => 1 + escaped.len_utf8(),
        (first, _) => first.map_or(0, char::len_utf8),
    };
    if text.is_char_boundary(length) { length } else { 1 }
}

/// The columns right of a patch that stay empty.
const MARGIN: usize = 4;

/// The width of two short CIDs with an arrow.
const WIDEST_CIDS: usize = 19;

/// On a narrower terminal, lines are as long as this.
const LEAST_COLUMNS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn folded_at(columns: usize, text: &str) -> Vec<String> {
        let pieces = vec![(false, text.to_owned())];
        let mut folder = Folder::new(&PatchLine { side: Side::New, indent: 1, pieces }, columns);
        folder.add(Tone::Plain, text);
        folder.finish().iter().map(|line| line.render(false)).collect()
    }

    #[test]
    fn no_escape_is_split() {
        for columns in 30..50 {
            let text = "a\\u0007\\\\\\\"bc".repeat(30);
            let lines = folded_at(columns, &text);
            let whole: String =
                lines.iter().map(|line| line.trim_start_matches(['+', ' '])).collect();
            assert_eq!(whole, text);
            for line in &lines {
                let rest = line.replace("\\u0007", "").replace("\\\\", "").replace("\\\"", "");
                assert!(!rest.contains('\\') && line.len() <= columns, "{line}");
            }
        }
        assert_eq!(first_letter("\\u日本語"), 1);
    }

    #[test]
    fn a_long_word_is_folded_in_little_time() {
        let lines = folded_at(100, &"x".repeat(300_000));
        assert!(lines.len() > 3_000 && lines.iter().all(|line| line.len() <= 100));
    }
}
