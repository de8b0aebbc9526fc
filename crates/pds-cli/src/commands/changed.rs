//! The changes between two states, in the form that the user chose. `diff`, `show`, `log` and `reflog` print them.

use anyhow::Result;
use pds::RecordChange;
use pds::data::Value;

use crate::answers::diff::{DiffRow, PatchRow, PathRow, StatRow};
use crate::arguments::history_args::{ChangeArgs, PathFilter};
use crate::patch::lines::patch;
use crate::process::output::Output;
use crate::process::text::say;
use crate::records::changes::{ChangeCounts, ChangeReader, Contents, Outcome, Pair};
use crate::records::json_form::NO_JSON_FORM;
use crate::screens;
use crate::terminal::short_cids::ShortCids;

/// Prints each changed record as a line, or only its path.
pub(super) fn print_rows(
    pair: &Pair<'_>,
    filter: &PathFilter,
    form: ChangeArgs,
    out: &mut Output,
) -> Result<Outcome> {
    let mut reader = ChangeReader::new(pair, filter);
    while let Some(change) = reader.next()? {
        // The exit code is known, and no reader is left.
        if out.is_closed() {
            break;
        }
        match form.name_only {
            true => out.answer(&PathRow(&change))?,
            false => out.answer(&DiffRow(&change))?,
        }
    }
    Ok(reader.outcome())
}

/// Prints each changed record with its contents.
pub(super) fn print_patches(
    pair: &Pair<'_>,
    filter: &PathFilter,
    out: &mut Output,
) -> Result<Outcome> {
    let (mut reader, mut shorts) = (ChangeReader::new(pair, filter), ShortCids::default());
    let mut is_partial = false;
    while let Some(change) = reader.next()? {
        if out.is_closed() {
            break;
        }
        let contents = Contents::of(pair, &change)?;
        is_partial |= print_patch(&change, contents, &mut shorts, out)?;
    }
    Ok(reader.outcome().and(is_partial))
}

/// Prints a changed record with its contents, and returns whether a part of them cannot be read or shown.
pub(super) fn print_patch(
    change: &RecordChange,
    mut contents: Contents,
    shorts: &mut ShortCids,
    out: &mut Output,
) -> Result<bool> {
    let mut is_partial = contents.is_partial;
    if out.is_json() {
        for value in [&mut contents.before, &mut contents.after] {
            is_partial |= hide_ambiguous(value, change);
        }
    }
    let (before, after) = (contents.before.as_ref(), contents.after.as_ref());
    // A version that cannot be read must not look like one that does not exist.
    let lines = if is_partial || out.is_json() { Vec::new() } else { patch(before, after) };
    match out.terminal().is_some() {
        true => screens::patch::print(change, &lines, shorts, out)?,
        false => out.answer(&PatchRow { change, before, after, lines: &lines })?,
    }
    Ok(is_partial)
}

/// Removes a value whose JSON would mean another value, and returns whether that was so.
fn hide_ambiguous(value: &mut Option<Value>, change: &RecordChange) -> bool {
    let is_ambiguous = value.as_ref().is_some_and(|value| !value.has_json_form());
    if is_ambiguous {
        *value = None;
        say(&format!("record {} {NO_JSON_FORM}", change.path));
    }
    is_ambiguous
}

/// Prints the counts and sizes of each collection. `commits` is the number of commits between the states.
pub(super) fn print_stat(
    pair: &Pair<'_>,
    filter: &PathFilter,
    commits: Option<u64>,
    out: &mut Output,
) -> Result<Outcome> {
    let mut reader = ChangeReader::new(pair, filter);
    let (mut rows, mut is_partial): (Vec<StatRow>, bool) = (Vec::new(), false);
    while let Some(change) = reader.next()? {
        if rows.last().is_none_or(|row| row.collection != change.path.collection) {
            // A terminal shows all rows at once, for the lengths of the bars.
            if out.terminal().is_none() || rows.len() >= MAX_ROWS {
                out_rows(&mut rows, commits, out)?;
            }
            let collection = change.path.collection.clone();
            rows.push(StatRow { collection, counts: ChangeCounts::default(), bytes: 0 });
        }
        let (bytes, is_unread) = grown(pair, &change)?;
        is_partial |= is_unread;
        if let Some(row) = rows.last_mut() {
            row.counts.add(&change);
            row.bytes += bytes;
        }
    }
    out_rows(&mut rows, commits, out)?;
    Ok(reader.outcome().and(is_partial))
}

fn out_rows(rows: &mut Vec<StatRow>, commits: Option<u64>, out: &mut Output) -> Result<()> {
    let rows = std::mem::take(rows);
    match out.terminal() {
        Some(_) => screens::stat::print(&rows, commits, out),
        None => out.answers(rows),
    }
}

/// Returns by how many bytes a record has grown, and whether a version of it cannot be read. Such a version is named
/// on standard error, and the growth is unknown.
fn grown(pair: &Pair<'_>, change: &RecordChange) -> Result<(i64, bool)> {
    let (mut bytes, mut is_unread) = (0, false);
    for (block, sign) in [(pair.before(change), -1), (pair.after(change), 1)] {
        match block {
            Ok(block) => {
                let len = block.map_or(0, |block| block.bytes().len());
                bytes += sign * i64::try_from(len).unwrap_or(i64::MAX);
            }
            Err(error) if error.downcast_ref().is_some_and(pds::Error::is_corrupt) => {
                say(&format!("{error:#}"));
                is_unread = true;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((if is_unread { 0 } else { bytes }, is_unread))
}

/// The most collections in one table.
const MAX_ROWS: usize = 10_000;
