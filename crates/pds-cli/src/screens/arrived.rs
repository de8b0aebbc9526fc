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
}

/// Returns the lines about an import.
pub(crate) fn import(import: &Import<'_>, terminal: &Terminal) -> Vec<Line> {
    let Import { source, ref_name, before, after, .. } = import;
    let first =
        done(terminal).text(&format!(" imported {source} into ")).tone(Tone::Cyan, ref_name);
    let dot = format!(" {} ", terminal.symbol(Symbol::Dot));
    let mut second = Line::from("  ");
    if let Some(before) = before.filter(|before| before.cid() != after.cid()) {
        let arrow = format!(" {} ", terminal.symbol(Symbol::Arrow));
        second = second.tone(Tone::Bold, &rev_text(before.rev())).text(&arrow);
    }
    second = second.tone(Tone::Bold, &rev_text(after.rev())).text(&dot);
    second = second.join(change_counts(import.counts)).text(&dot);
    second = second.text(&counted(import.new_blocks, "new block"));
    let mut lines = vec![first, second, signature(import.key.as_deref())];
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
    let dot = terminal.symbol(Symbol::Dot);
    let (records, blobs) = (counted(info.records, "record"), counted(info.blobs, "blob"));
    let collections = counted(info.collections.len() as u64, "collection");
    let account = info.did.as_deref().unwrap_or("-");
    vec![
        done(terminal).text(&format!(" cloned {source} into {dir}")),
        Line::from(format!("  {account} at ")).tone(Tone::Bold, &rev_text(info.rev)),
        Line::from(format!(
            "  {records} in {collections} {dot} {} blocks {dot} {blobs}",
            count(info.blocks)
        )),
        signature(info.signing_key.as_deref()),
    ]
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

fn signature(key: Option<&str>) -> Line {
    match key {
        Some(key) => {
            Line::from("  signature ").tone(Tone::Green, "valid").text(&format!(", {key}"))
        }
        None => {
            Line::from("  signature ").tone(Tone::Yellow, "unchecked").text(": no key is known")
        }
    }
}

/// Returns the symbol of a finished command.
pub(crate) fn done(terminal: &Terminal) -> Line {
    Line::of(Tone::Green, terminal.symbol(Symbol::Check))
}
