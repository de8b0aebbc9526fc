//! The contents of changed records on a terminal: `-p`.

use anyhow::Result;
use pds::RecordChange;

use crate::output::Output;
use crate::patch::lines::{PatchLine, Side};
use crate::screens::diff::{old_and_new, sign};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
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
    out.line(&head.cut(terminal.width(), terminal.symbol(Symbol::Cut)))?;
    for line in lines {
        out.lines(folded(line, columns, &terminal))?;
    }
    Ok(())
}

/// Folds a line of a patch at spaces. Each part begins with the sign.
fn folded(line: &PatchLine, columns: usize, terminal: &Terminal) -> Vec<Line> {
    let mut folder = Folder::new(line, columns);
    for (is_changed, text) in &line.pieces {
        let tone = match (is_changed, line.side) {
            (true, Side::Old) if terminal.colour => Tone::DeletedWords,
            (true, _) if terminal.colour => Tone::AddedWords,
            _ => Tone::Plain,
        };
        if *is_changed && !terminal.colour {
            let (open, close) = line.marks();
            folder.add(tone, &format!("{open}{text}{close}"));
        } else {
            folder.add(tone, text);
        }
    }
    folder.finish()
}

struct Folder {
    done: Vec<Line>,
    open: Line,
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
        Self { done: Vec::new(), open, spaces, start, columns: columns.max(LEAST_COLUMNS) }
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
        let is_begun = self.open.width() > self.start.width();
        if is_begun && self.open.width() + spaces.len() + width > self.columns {
            self.end();
        } else {
            self.open.push(space_tone, &spaces);
        }
        // A word that is longer than a line is folded anywhere.
        for c in word.chars() {
            let letter = Line::of(tone, c.encode_utf8(&mut [0; 4]));
            if width > self.columns / 2 && self.open.width() + letter.width() > self.columns {
                self.end();
            }
            self.open = std::mem::take(&mut self.open).join(letter);
        }
    }

    fn end(&mut self) {
        let open = std::mem::replace(&mut self.open, self.start.clone());
        self.done.push(open);
    }

    fn finish(mut self) -> Vec<Line> {
        self.end();
        self.done
    }
}

/// The columns right of a patch that stay empty.
const MARGIN: usize = 4;

/// The width of two short CIDs with an arrow.
const WIDEST_CIDS: usize = 19;

/// On a narrower terminal, lines are as long as this.
const LEAST_COLUMNS: usize = 30;
