//! Merges and reverts with conflicts, on a terminal.

use pds::commit::Commit;
use pds::data::{Blocks, Cid, Value};
use pds::{Conflicts, Versions};

use crate::process::text::rev_text;
use crate::records::record_line::describe;
use crate::screens::diff::sign;
use crate::screens::moves::{MAX_ROWS, more_records};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::counted;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// A merge or a revert that conflicts stopped.
pub(crate) struct Stopped<'a> {
    /// What was not done: `merged`.
    pub(crate) verb: &'a str,
    /// The names of the two sides of a merge, as the user wrote them. A revert has none.
    pub(crate) sides: Option<[&'a str; 2]>,
    /// The blocks of both sides.
    pub(crate) blocks: &'a dyn Blocks,
    pub(crate) hint: &'a str,
}

/// Returns the two sides, the records that they changed, and the next step.
pub(crate) fn lines(
    conflicts: &Conflicts,
    stopped: &Stopped<'_>,
    terminal: &Terminal,
) -> Vec<Line> {
    let Stopped { verb, sides, blocks, hint } = stopped;
    let (mut lines, changes) = (Vec::new(), &conflicts.changes);
    if let Some(names) = sides {
        lines.extend(header(conflicts, *names, terminal));
        let adopted = changes.adopted.iter().map(|it| (sign(it), it.path.to_string()));
        lines.extend(some(adopted, "from theirs", terminal));
        let same = changes.same.iter().map(|path| (Line::from("="), path.to_string()));
        lines.extend(some(same, "same on both sides", terminal));
    }
    let mut shorts = ShortCids::default();
    let cids = changes.conflicts.iter().flat_map(|it| [it.ours, it.theirs]);
    cids.flatten().for_each(|cid| shorts.note(&cid));
    for versions in &changes.conflicts {
        lines.extend(conflict(versions, *blocks, &mut shorts, terminal));
    }
    let number = counted(changes.conflicts.len() as u64, "conflict");
    let mark = format!("{} not {verb}:", terminal.symbol(Symbol::Cross));
    let end = Line::of(Tone::Red, &mark).text(&format!(" {number}, nothing was changed"));
    lines.extend([Line::new(), end]);
    lines.extend(hint_lines(hint, terminal.width()));
    lines
}

fn header(conflicts: &Conflicts, names: [&str; 2], terminal: &Terminal) -> Vec<Line> {
    let Conflicts { base, ours, theirs, changes, .. } = conflicts;
    let line = |label: &str, commit: &Commit, rest: Line| {
        let rev = Line::of(Tone::Bold, &rev_text(commit.rev())).text("  ").join(rest);
        let line = Line::of(Tone::Dim, label).padded(LABEL_COLUMNS).join(rev);
        terminal.fit(line)
    };
    let side = |name: &str, number: u64| {
        Line::of(Tone::Cyan, name).text(&format!(", {} since", counted(number, "change")))
    };
    let base = base.as_ref().map_or_else(
        || Line::of(Tone::Dim, "base").padded(LABEL_COLUMNS).text("no common state"),
        |base| {
            let time = base.rev().and_then(|rev| rev.rev_micros());
            let time = time.map(|time| terminal.times.relative(time));
            line("base", base, time.unwrap_or_default())
        },
    );
    let [our_name, their_name] = names;
    let ours = line("ours", ours, side(our_name, changes.by_ours));
    let theirs = line("theirs", theirs, side(their_name, changes.by_theirs));
    vec![base, ours, theirs, Line::new()]
}

/// Returns a line for each of the first records, and the number of the others.
fn some(
    records: impl ExactSizeIterator<Item = (Line, String)>,
    note: &str,
    terminal: &Terminal,
) -> Vec<Line> {
    let more = (records.len() as u64).saturating_sub(MAX_ROWS);
    let rows = records.take(usize::try_from(MAX_ROWS).unwrap_or(usize::MAX));
    let mut lines: Vec<Line> =
        rows.map(|(sign, path)| row(sign, &path, &Line::from(note), terminal)).collect();
    let last = || more_records(more, terminal).tone(Tone::Dim, &format!(" {note}"));
    lines.extend((more > 0).then(last));
    lines
}

/// Returns a record with a note at the end of the line.
fn row(sign: Line, path: &str, note: &Line, terminal: &Terminal) -> Line {
    let width = terminal.width().min(ROW_COLUMNS).saturating_sub(note.width());
    let path = sign.text(" ").text(path);
    path.cut(width.saturating_sub(2), terminal.symbol(Symbol::Cut)).padded(width).join(note.clone())
}

/// Returns the lines about a record that both sides changed.
fn conflict(
    versions: &Versions,
    blocks: &dyn Blocks,
    shorts: &mut ShortCids,
    terminal: &Terminal,
) -> Vec<Line> {
    let Versions { path, ours, theirs, .. } = versions;
    let mark = Line::of(Tone::Magenta, terminal.symbol(Symbol::Conflict));
    let note = Line::of(Tone::Magenta, "conflict");
    let mut lines = vec![row(mark, &path.to_string(), &note, terminal)];
    let content = |cid: &Option<Cid>| {
        let block = blocks.get(cid.as_ref()?).ok().flatten()?;
        let value = Value::decode(block.bytes()).ok();
        let text = value.map(|value| describe(path.collection.as_str(), &value));
        Some(terminal.marked(&text.unwrap_or_default()))
    };
    let texts = [content(ours), content(theirs)];
    let texts = match texts.each_ref().map(Option::as_deref) {
        [Some(ours), Some(theirs)] => {
            let cut = terminal.symbol(Symbol::Cut);
            without_shared_beginning([ours, theirs], cut).map(Some)
        }
        _ => texts,
    };
    for ((side, cid), text) in [("ours", ours), ("theirs", theirs)].into_iter().zip(texts) {
        let line = Line::from("    ").tone(Tone::Bold, side).padded(SIDE_COLUMNS);
        let line = match (cid, text) {
            (None, _) => line.tone(Tone::Red, "deleted"),
            (Some(cid), None) => {
                line.tone(Tone::Dim, &shorts.short(cid)).tone(Tone::Dim, "  not stored")
            }
            (Some(cid), Some(text)) if text.is_empty() => line.tone(Tone::Dim, &shorts.short(cid)),
            (Some(cid), Some(text)) => {
                line.tone(Tone::Dim, &shorts.short(cid)).text(&format!("  \"{text}\""))
            }
        };
        lines.push(terminal.fit(line));
    }
    lines
}

/// Replaces the words at the beginning that both texts have, so that their difference fits the line.
fn without_shared_beginning(texts: [&str; 2], cut: &str) -> [String; 2] {
    let [ours, theirs] = texts.map(|text| text.split(' '));
    let shared = ours.zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let is_short = shared < SHARED_WORDS || texts[0] == texts[1];
    texts.map(|text| match is_short {
        true => text.to_owned(),
        false => {
            let words: Vec<&str> = text.split(' ').skip(shared - KEPT_WORDS).collect();
            format!("{cut} {}", words.join(" "))
        }
    })
}

/// The number of shared words from which a beginning is left out, and of those that stay.
const SHARED_WORDS: usize = 6;
const KEPT_WORDS: usize = 3;

const LABEL_COLUMNS: usize = 9;

/// The width of the name of a side.
const SIDE_COLUMNS: usize = 12;

/// Notes at the end of longer lines would be far from their records.
const ROW_COLUMNS: usize = 80;
