//! `pds stats` on a terminal.

use anyhow::Result;
use jiff::Timestamp;

use crate::answers::stats::{StatsAnswer, StoredBlobs};
use crate::process::output::Output;
use crate::records::statistics::{CollectionCounts, LargeRecord, Statistics, month_of};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::short_cids::short;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Prints the largest collections, the last twelve months, the largest records, and the blobs.
pub(crate) fn print(answer: &StatsAnswer<'_>, terminal: &Terminal, out: &mut Output) -> Result<()> {
    collections(answer.found, terminal, out)?;
    out.line(&Line::new())?;
    let now = u64::try_from(Timestamp::now().as_microsecond()).ok().and_then(month_of);
    if let Some(line) = now.and_then(|now| months(answer.found, now, terminal)) {
        out.line(&terminal.fit(label("per month").text("  ").join(line)))?;
    }
    largest(&answer.found.largest, out)?;
    let Some(blobs) = &answer.blobs else { return Ok(()) };
    out.line(&terminal.fit(label("blobs").text("  ").join(stored(blobs, terminal))))
}

fn collections(found: &Statistics, terminal: &Terminal, out: &mut Output) -> Result<()> {
    let mut sorted: Vec<&CollectionCounts> = found.collections.iter().collect();
    sorted.sort_by_key(|counts| std::cmp::Reverse(counts.bytes));
    let shown =
        if sorted.len() <= SHOWN_COLLECTIONS + 1 { sorted.len() } else { SHOWN_COLLECTIONS };
    let (first, rest) = sorted.split_at(shown);
    let right = Column::right();
    let mut table = Table::new([Column::left(), right, right, right, Column::day(), Column::day()]);
    table.row(
        ["", "records", "bytes", "mean", "first", "last"].map(|text| Line::of(Tone::Dim, text)),
    );
    let day = |micros: Option<u64>| {
        let day = micros.map_or_else(|| "-".to_owned(), |micros| terminal.times.day(micros));
        Line::of(Tone::Dim, &day)
    };
    for counts in first {
        let mut row = row(&counts.name, counts);
        row.extend([day(counts.first), day(counts.last)]);
        table.row(row);
    }
    if !rest.is_empty() {
        let mut all = CollectionCounts::default();
        rest.iter().for_each(|counts| all.add(counts));
        table.row(row(&counted(rest.len() as u64, "more collection"), &all));
    }
    out.table(&mut table)
}

fn row(name: &str, counts: &CollectionCounts) -> Vec<Line> {
    vec![
        Line::from(name),
        Line::from(count(counts.records)),
        Line::of(Tone::Dim, &size(counts.bytes)),
        Line::of(Tone::Dim, &size(counts.mean())),
    ]
}

/// Returns a bar for each of at most twelve months, or its number without UTF-8. The first one has the oldest record,
/// if there are fewer. The last one is the newest month with records, but no month of the future. `None` if no record
/// has a time before now.
fn months(found: &Statistics, now: (i16, i8), terminal: &Terminal) -> Option<Line> {
    let newest = *found.months.range(..=now).next_back()?.0;
    let oldest = *found.months.first_key_value()?.0;
    let months = (0..MONTHS).rev().map(|ago| before(newest, ago));
    let months: Vec<(i16, i8)> = months.skip_while(|month| *month < oldest).collect();
    let counts: Vec<u64> =
        months.iter().map(|month| found.months.get(month).copied().unwrap_or(0)).collect();
    let (least, most) = (counts.iter().min()?, counts.iter().max()?);
    let name = |month: &(i16, i8)| month_name(*month, now.0);
    let (first, last) = (name(months.first()?), name(months.last()?));
    let bars: Vec<String> = match terminal.unicode {
        true => counts.iter().map(|count| bar(*count, *most).to_string()).collect(),
        false => counts.iter().map(|number| count(*number)).collect(),
    };
    let bars = bars.join(if terminal.unicode { "" } else { " " });
    let (last, range) = match months.len() {
        1 => (String::new(), format!("    {}", counted(*most, "record"))),
        _ => (last, format!("     {} to {} records", count(*least), count(*most))),
    };
    let line = Line::new().tone(Tone::Dim, &first).text(" ").text(&bars).text(" ");
    Some(line.tone(Tone::Dim, &last).tone(Tone::Dim, &range))
}

/// Returns the month some months before another.
fn before((year, month): (i16, i8), months: i16) -> (i16, i8) {
    let index = i32::from(year) * 12 + i32::from(month) - 1 - i32::from(months);
    let part = |number: i32| i16::try_from(number).unwrap_or_default();
    (part(index.div_euclid(12)), i8::try_from(index.rem_euclid(12) + 1).unwrap_or(1))
}

/// Returns the name of a month, with its year if that is not the present one.
fn month_name((year, month): (i16, i8), this_year: i16) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|at| NAMES.get(at)).unwrap_or(&"-");
    // The eleven months before the present one need no year.
    let is_recent = (0..=1).contains(&(this_year - year));
    if is_recent { (*name).to_owned() } else { format!("{name} {year}") }
}

/// Returns a bar whose height shows a number.
fn bar(count: u64, most: u64) -> char {
    let eighths = (count.saturating_mul(8) + most / 2).checked_div(most).unwrap_or(0);
    let height = if count > 0 { eighths.max(1) } else { 0 };
    let at = usize::try_from(height).unwrap_or_default();
    BARS.get(at).copied().unwrap_or('█')
}

fn largest(records: &[LargeRecord], out: &mut Output) -> Result<()> {
    let mut table = Table::new([Column::left(), Column::left(), Column::right()]);
    for (at, record) in records.iter().take(SHOWN_RECORDS).enumerate() {
        let label = label(if at == 0 { "largest" } else { "" });
        table.row([
            label,
            Line::from(record.path.to_string()),
            Line::of(Tone::Dim, &size(record.bytes)),
        ]);
    }
    out.table(&mut table)
}

fn stored(blobs: &StoredBlobs, terminal: &Terminal) -> Line {
    let StoredBlobs { bytes, count: number, largest } = blobs;
    let line = Line::from(format!("{}, {}", count(*number), size(*bytes)));
    match largest {
        None => Line::from("none stored"),
        Some(blob) => line
            .text(&format!("{}largest ", terminal.separator()))
            .tone(Tone::Dim, &short(&blob.cid))
            .text(&format!("  {}  {}", blob.mime_type, size(blob.size))),
    }
}

fn label(text: &str) -> Line {
    Line::from(text).padded(LABEL_COLUMNS)
}

/// The number of collections with a line of their own, if there are more than one further.
const SHOWN_COLLECTIONS: usize = 4;

const SHOWN_RECORDS: usize = 2;

const MONTHS: i16 = 12;

const LABEL_COLUMNS: usize = 10;

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
