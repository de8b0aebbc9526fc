//! The question of `pds forget`: what it would remove.

use pds::retain::forget::Forgotten;

use crate::terminal::line::Line;
use crate::terminal::messages::folded;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::times::Times;

/// The blobs that the versions of a record refer to and that are stored.
#[derive(Clone, Copy, Default)]
pub(crate) struct RecordBlobs {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// The surroundings of a question: the states of the repository, the clock, and the terminal.
pub(crate) struct Asked<'a> {
    pub(crate) states: u64,
    /// The blobs of the first records.
    pub(crate) blobs: &'a [RecordBlobs],
    pub(crate) times: &'a Times,
    pub(crate) columns: usize,
    pub(crate) unicode: bool,
}

/// Returns the text before the question.
pub(crate) fn forget_question(forgotten: &Forgotten, asked: &Asked<'_>) -> String {
    let Forgotten { swept, versions, times, .. } = forgotten;
    let one = if versions.len() == 1 { "the record" } else { "the records" };
    let first = match versions.is_empty() {
        true => "This removes older states:".to_owned(),
        false => format!("This removes every version of {one} and the states that contain it:"),
    };
    let mut states = format!("{} of {}", count(swept.states), counted(asked.states, "state"));
    if let Some((first, last)) = *times {
        states += &format!(", stored {}", asked.times.days(first, last));
    }
    let mut rows: Vec<(String, String)> = versions
        .iter()
        .zip(asked.blobs)
        .map(|((path, versions), blobs)| {
            let versions = counted(versions.len() as u64, "version");
            let blobs = match blobs.count {
                0 => String::new(),
                number => format!(", {} ({})", counted(number, "blob"), size(blobs.bytes)),
            };
            (path.to_string(), versions + &blobs)
        })
        .collect();
    let more = versions.len().saturating_sub(rows.len());
    if more > 0 {
        rows.push((format!("and {}", counted(more as u64, "more record")), String::new()));
    }
    rows.push((states, becomes(forgotten)));
    let (blocks, blobs) = (counted(swept.blocks, "block"), counted(swept.blobs, "blob"));
    rows.push((format!("{blocks} and {blobs}"), size(swept.bytes())));
    let mut lines = folded(&first, asked.columns, "");
    lines.push(String::new());
    lines.extend(aligned(&rows, asked));
    lines.push(String::new());
    lines.extend(folded("It cannot be undone. Other copies keep it.", asked.columns, ""));
    lines.join("\n")
}

/// Returns what becomes of the refs that have the records.
fn becomes(forgotten: &Forgotten) -> String {
    let refs: Vec<&str> = forgotten.written.iter().map(|(name, _)| name.as_str()).collect();
    match refs[..] {
        [] => String::new(),
        [name] => format!("{name} becomes a new commit without it"),
        _ => format!("{} become new commits without it", refs.join(", ")),
    }
}

/// Returns rows in two columns. On a narrow terminal, the second column has lines of its own, which the
/// question ends at words.
fn aligned(rows: &[(String, String)], asked: &Asked<'_>) -> Vec<String> {
    let longest = |side: fn(&(String, String)) -> &String| {
        rows.iter().map(|row| Line::from(side(row).as_str()).width()).max().unwrap_or(0)
    };
    let (left, right) = (longest(|row| &row.0), longest(|row| &row.1));
    let is_narrow = left + right + 4 > asked.columns;
    let cut = Symbol::Cut.text(asked.unicode);
    let line = |text: Line| text.cut(asked.columns, cut).rendered(false, asked.unicode);
    rows.iter()
        .flat_map(|(name, text)| {
            let first = Line::from("  ").text(name);
            match is_narrow && !text.is_empty() {
                true => vec![line(first), format!("    {text}")],
                false => vec![line(first.padded(left + 4).text(text))],
            }
        })
        .collect()
}

/// How many records are named.
pub(crate) const MOST_NAMES: usize = 20;
