//! `pds import` and `pds clone` on a terminal.

use pds::commit::Commit;

use crate::answers::info::Info;
use crate::process::text::rev_text;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::{count, counted};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// A state that was imported.
pub(crate) struct Import<'a> {
    pub(crate) source: &'a str,
    pub(crate) ref_name: &'a str,
    pub(crate) before: Option<&'a Commit>,
    pub(crate) after: &'a Commit,
    /// The records that were added, changed and deleted.
    pub(crate) counts: [u64; 3],
    pub(crate) new_blocks: u64,
    /// The text that names the state before, quoted for a shell.
    pub(crate) earlier: String,
    /// The command that moves the ref back.
    pub(crate) undo: String,
    /// The key that the signature was checked with.
    pub(crate) key: Option<String>,
    /// Whether that is the present key of the repository.
    pub(crate) is_own_key: bool,
}

/// Returns the lines about an import.
pub(crate) fn import(import: &Import<'_>, terminal: &Terminal) -> Vec<Line> {
    let Import { source, ref_name, before, after, .. } = import;
    let into = Line::from("into ").tone(Tone::Cyan, ref_name);
    let first = done(terminal).text(&format!(" imported {source}"));
    let mut lines = one_or_two(first, " ", into, terminal);
    let mut revs = Line::new();
    if let Some(before) = before.filter(|before| before.cid() != after.cid()) {
        let arrow = format!(" {} ", terminal.symbol(Symbol::Arrow));
        revs = revs.tone(Tone::Bold, &rev_text(before.rev())).text(&arrow);
    }
    let revs = revs.tone(Tone::Bold, &rev_text(after.rev()));
    let blocks = Line::from(counted(import.new_blocks, "new block"));
    lines.extend(fact_lines([revs, change_counts(import.counts), blocks], terminal));
    lines.extend(match import.is_own_key {
        true => vec![
            Line::from("  signature ")
                .tone(Tone::Green, "valid")
                .text(" with the repository's key"),
        ],
        false => signature(import.key.as_deref(), terminal),
    });
    if before.is_some_and(|before| before.cid() != after.cid()) {
        let Import { earlier, undo, .. } = import;
        let compared = if *ref_name == "HEAD" { "" } else { &format!(" {ref_name}") };
        let diff = format!("see what changed with pds diff {earlier}{compared}");
        for hint in [diff, format!("{undo} undoes it")] {
            lines.extend(hint_lines(&hint, terminal.width()));
        }
    }
    lines
}

/// Returns the lines about a new repository that was copied.
pub(crate) fn clone(source: &str, dir: &str, info: &Info, terminal: &Terminal) -> Vec<Line> {
    let (records, blobs) = (counted(info.records, "record"), counted(info.blobs, "blob"));
    let collections = counted(info.collections.len() as u64, "collection");
    let account = Line::from(format!("  {}", info.did.as_deref().unwrap_or("-")));
    let at = Line::from("at ").tone(Tone::Bold, &rev_text(info.rev));
    let first = done(terminal).text(&format!(" cloned {source}"));
    let mut lines = one_or_two(first, " ", Line::from(format!("into {dir}")), terminal);
    lines.extend(one_or_two(account, " ", at, terminal));
    let counts = [format!("{records} in {collections}"), counted(info.blocks, "block"), blobs];
    lines.extend(fact_lines(counts.map(Line::from), terminal));
    lines.extend(signature(info.signing_key.as_deref(), terminal));
    lines
}

/// Returns the counts of added, changed and deleted records: `+3 ~2 -1`.
pub(crate) fn change_counts([added, changed, deleted]: [u64; 3]) -> Line {
    let mut line = Line::new();
    for (sign, number, tone) in
        [("+", added, Tone::Green), ("~", changed, Tone::Yellow), ("-", deleted, Tone::Red)]
    {
        if number > 0 {
            let space = if line.is_empty() { "" } else { " " };
            line = line.text(space).tone(tone, &format!("{sign}{}", count(number)));
        }
    }
    if line.is_empty() { Line::from("no change") } else { line }
}

fn signature(key: Option<&str>, terminal: &Terminal) -> Vec<Line> {
    match key {
        Some(key) => {
            let label = Line::from("  signature ").tone(Tone::Green, "valid").text(",");
            one_or_two(label, " ", Line::from(key), terminal)
        }
        None => {
            let label = Line::from("  signature ").tone(Tone::Yellow, "unchecked");
            vec![label.text(": no key is known")]
        }
    }
}

/// Returns facts below the first line of an answer, with dots between them. A line ends before a fact that does not fit.
pub(crate) fn fact_lines(facts: impl IntoIterator<Item = Line>, terminal: &Terminal) -> Vec<Line> {
    let dot = terminal.separator();
    let mut lines: Vec<Line> = Vec::new();
    for fact in facts {
        let longer = lines.last().map(|line| line.clone().text(dot).join(fact.clone()));
        match (lines.last_mut(), longer) {
            (Some(line), Some(longer)) if longer.width() <= terminal.width() => *line = longer,
            _ => lines.push(terminal.fit(Line::from("  ").join(fact))),
        }
    }
    lines
}

/// Returns two parts of a line: as one line, or as two if they do not fit.
pub(crate) fn one_or_two(
    first: Line,
    between: &str,
    second: Line,
    terminal: &Terminal,
) -> Vec<Line> {
    let both = first.clone().text(between).join(second.clone());
    match both.width() <= terminal.width() {
        true => vec![both],
        false => [first, Line::from("  ").join(second)].map(|part| terminal.fit(part)).into(),
    }
}

/// Returns the symbol of a finished command.
pub(crate) fn done(terminal: &Terminal) -> Line {
    Line::of(Tone::Green, terminal.symbol(Symbol::Check))
}
