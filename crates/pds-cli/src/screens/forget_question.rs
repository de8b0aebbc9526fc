//! The question of `pds forget`: what it would remove.

use std::fmt::Write;

use pds::retain::forget::Forgotten;

use crate::terminal::numbers::{count, counted, size};

/// Returns the text before the question. `all` is the number of states of the repository.
pub(crate) fn forget_question(forgotten: &Forgotten, all: u64) -> String {
    let Forgotten { swept, versions, written, .. } = forgotten;
    let one = if versions.len() == 1 { "the record" } else { "the records" };
    let mut text = match versions.is_empty() {
        true => "This removes older states:\n\n".to_owned(),
        false => {
            format!("This removes every version of {one} and the states that contain it:\n\n")
        }
    };
    let states = format!("{} of {}", count(swept.states), counted(all, "state"));
    let paths = versions.iter().map(|(path, _)| path.to_string());
    let names: Vec<String> = paths.take(MOST_NAMES).chain([states]).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).min(MAX_WIDTH);
    for (name, (_, versions)) in names.iter().zip(versions) {
        let _ = writeln!(text, "  {name:width$}  {}", counted(*versions, "version"));
    }
    if versions.len() > MOST_NAMES {
        let _ = writeln!(
            text,
            "  and {}",
            counted((versions.len() - MOST_NAMES) as u64, "more record")
        );
    }
    let refs: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    let states = names.last().map_or("", String::as_str);
    let becomes = match refs[..] {
        [] => String::new(),
        [name] => format!("{name} becomes a new commit without it"),
        _ => format!("{} become new commits without it", refs.join(", ")),
    };
    let _ = writeln!(text, "{}", format!("  {states:width$}  {becomes}").trim_end());
    let (blocks, blobs) = (counted(swept.blocks, "block"), counted(swept.blobs, "blob"));
    let _ = writeln!(text, "  {blocks} and {blobs}, {}", size(swept.bytes()));
    text + "\nIt cannot be undone. Other copies keep it."
}

/// How many records are named.
const MOST_NAMES: usize = 20;

/// Longer names are followed by the count on the same line, out of the column.
const MAX_WIDTH: usize = 60;
