//! `pds info`, `pds init` and `pds clone` on a terminal.

use crate::answers::info::{Info, Reclaimable};
use crate::process::text::rev_text;
use crate::repository::logged_states::LoggedStates;
use crate::screens::arrived::{done, one_or_two};
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// The facts about a repository that only a terminal shows.
#[derive(Default)]
pub(crate) struct Extra {
    /// The name in the profile, which any account may choose.
    pub(crate) name: Option<String>,
    /// The size of the stored blobs.
    pub(crate) blob_bytes: Option<u64>,
    /// The number of blobs that records refer to and that are not stored.
    pub(crate) missing_blobs: u64,
    /// The size of the records. `None` if they are too many to be read.
    pub(crate) record_bytes: Option<u64>,
    pub(crate) states: Option<LoggedStates>,
    /// Whether the repository is a CAR file.
    pub(crate) is_file: bool,
}

/// Returns the lines about a repository.
pub(crate) fn lines(info: &Info, extra: &Extra, terminal: &Terminal) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(name) = &extra.name {
        // The account chose the name, and may have chosen a long one.
        let name = terminal.fit(Line::of(Tone::Bold, name));
        lines.extend([name, Line::new()]);
    }
    let mut add = |label: &str, value: Line| lines.push(labelled(label, value));
    add("account", Line::from(info.did.as_deref().unwrap_or("-")));
    let time = info.rev.and_then(|rev| rev.rev_micros());
    let time = time.map(|time| Line::from(", ").join(terminal.times.relative(time)));
    add("head", Line::of(Tone::Bold, &rev_text(info.rev)).join(time.unwrap_or_default()));
    add("commit", Line::from(info.commit.to_string()));
    add("data", Line::from(info.data.to_string()));
    add("key", Line::from(info.signing_key.as_deref().unwrap_or("unknown")));
    if info.version != Some(CURRENT_VERSION) {
        let version = info.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        add("version", Line::of(Tone::Yellow, &version));
    }
    add("kind", kind(info, extra, terminal));
    lines.push(Line::new());
    lines.extend(sizes(info, extra, terminal));
    lines
}

/// Returns the lines about a new repository with a signing key.
pub(crate) fn created(dir: &str, info: &Info, terminal: &Terminal) -> Vec<Line> {
    let account = Line::from(format!("  {}", info.did.as_deref().unwrap_or("-")));
    let at = Line::from("at ").tone(Tone::Bold, &rev_text(info.rev));
    let key = Line::from(info.signing_key.as_deref().unwrap_or("-"));
    let mut lines = one_or_two(done(terminal).text(" created"), " ", dir.into(), terminal);
    lines.extend(one_or_two(account, " ", at, terminal));
    lines.extend(one_or_two("  signing key".into(), " ", key, terminal));
    let file = format!("{dir}/key");
    let fits = Line::from(format!("  {file}:")).width() <= terminal.width();
    let file = if fits { &file } else { "the file key in it" };
    let hint = format!("back up {file}: without it, no commit can be signed");
    lines.extend(hint_lines(&hint, terminal.width()));
    lines
}

fn kind(info: &Info, extra: &Extra, terminal: &Terminal) -> Line {
    let kind = match (extra.is_file, info.can_sign, &info.host) {
        (true, ..) => "CAR file",
        (false, true, None) => "own repository, with the signing key",
        (false, true, Some(_)) => "own repository, a mirror of ",
        (false, false, None) => "mirror, without the signing key",
        (false, false, Some(_)) => "mirror of ",
    };
    let Some(host) = info.host.as_ref().filter(|_| !extra.is_file) else { return kind.into() };
    let name = host.split_once("://").map_or(&**host, |(_, name)| name);
    let pulled = info.pulled_at.as_ref().and_then(|at| u64::try_from(at.unix_micros()).ok());
    let pulled = pulled.map(|at| Line::from(", pulled ").join(terminal.times.relative(at)));
    Line::from(kind).tone(Tone::Cyan, name).join(pulled.unwrap_or_default())
}

/// Returns the counts of records, blocks, blobs and states. The sizes are in a column of their own.
fn sizes(info: &Info, extra: &Extra, terminal: &Terminal) -> Vec<Line> {
    let mut table = Table::new([Column::left(), Column::left(), Column::right()]);
    let mut add = |label: &str, text: Line, bytes: Option<u64>| {
        let bytes = bytes.map(|bytes| Line::of(Tone::Dim, &size(bytes)));
        let label = Line::of(Tone::Dim, label).padded(LABEL_COLUMNS - 2);
        table.row([label, text].into_iter().chain(bytes).collect::<Vec<_>>());
    };
    let collections = counted(info.collections.len() as u64, "collection");
    let records = format!("{} in {collections}", count(info.records));
    let blocks = format!("{}, {} of them nodes", count(info.blocks), count(info.nodes));
    add("records", records.into(), extra.record_bytes);
    add("blocks", blocks.into(), None);
    if !extra.is_file {
        let mut blobs = Line::from(format!("{} stored", count(info.blobs)));
        if extra.missing_blobs > 0 {
            let missing = format!(", {} ", count(extra.missing_blobs));
            blobs = blobs.text(&missing).tone(Tone::Red, "missing");
        }
        add("blobs", blobs, extra.blob_bytes);
    }
    if let Some(LoggedStates { count: states, since: Some(since) }) = extra.states {
        let since = terminal.times.day(since);
        add("history", format!("{} since {since}", counted(states, "state")).into(), None);
    }
    if let Some(Reclaimable { blobs, blocks, bytes }) = &info.reclaimable {
        let (blocks, blobs) = (counted(*blocks, "block"), counted(*blobs, "blob"));
        add("garbage", format!("{blocks}, {blobs}").into(), Some(*bytes));
    }
    let label = if extra.is_file { "file" } else { "on disk" };
    add(label, size(info.bytes).into(), None);
    table.take_lines(terminal)
}

/// Returns a line with a label before its value.
fn labelled(label: &str, value: Line) -> Line {
    Line::of(Tone::Dim, label).padded(LABEL_COLUMNS).join(value)
}

const LABEL_COLUMNS: usize = 12;

/// The version of commits that accounts of today write.
const CURRENT_VERSION: u8 = 3;
