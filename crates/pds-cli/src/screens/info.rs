//! `pds info`, `pds init` and `pds clone` on a terminal.

use crate::answers::info::{Info, Reclaimable};
use crate::process::text::rev_text;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::hint_lines;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::symbol::Symbol;
use crate::terminal::tone::Tone;

/// The facts about a repository that only a terminal shows.
#[derive(Default)]
pub(crate) struct Extra {
    /// The name in the profile, which any account may choose.
    pub(crate) name: Option<String>,
    /// The size of the stored blobs.
    pub(crate) blob_bytes: Option<u64>,
    /// The number of moves of HEAD, and the time of the first one.
    pub(crate) history: Option<(u64, u64)>,
    /// Whether the repository is a CAR file.
    pub(crate) is_file: bool,
}

/// Returns the lines about a repository.
pub(crate) fn lines(info: &Info, extra: &Extra, terminal: &Terminal) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(name) = &extra.name {
        // The account chose the name, and may have chosen a long one.
        let name = Line::of(Tone::Bold, name).cut(terminal.width(), terminal.symbol(Symbol::Cut));
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
    add("kind", Line::from(kind(info, extra)));
    lines.push(Line::new());
    lines.extend(sizes(info, extra, terminal));
    lines
}

/// Returns the lines about a new repository with a signing key.
pub(crate) fn created(dir: &str, info: &Info, terminal: &Terminal) -> Vec<Line> {
    let account = info.did.as_deref().unwrap_or("-");
    let mut lines = vec![
        done(terminal).text(&format!(" created {dir}")),
        Line::from(format!("  {account} at ")).tone(Tone::Bold, &rev_text(info.rev)),
        Line::from("  signing key ").text(info.signing_key.as_deref().unwrap_or("-")),
    ];
    let hint = format!("back up {dir}/key: without it, no commit can be signed");
    lines.extend(hint_lines(&hint, terminal.width()));
    lines
}

fn kind(info: &Info, extra: &Extra) -> &'static str {
    match (extra.is_file, info.can_sign) {
        (true, _) => "CAR file",
        (false, true) => "own repository, with the signing key",
        (false, false) => "mirror, without the signing key",
    }
}

/// Returns the counts of records, blocks, blobs and states.
fn sizes(info: &Info, extra: &Extra, terminal: &Terminal) -> Vec<Line> {
    let collections = counted(info.collections.len() as u64, "collection");
    let records = format!("{} in {collections}", count(info.records));
    let blocks = format!("{}, {} of them nodes", count(info.blocks), count(info.nodes));
    let mut lines = vec![labelled("records", records.into()), labelled("blocks", blocks.into())];
    if !extra.is_file {
        let bytes = extra.blob_bytes.map(|bytes| format!(", {}", size(bytes)));
        let blobs = format!("{} stored{}", count(info.blobs), bytes.unwrap_or_default());
        lines.push(labelled("blobs", blobs.into()));
    }
    if let Some((moves, first)) = extra.history {
        let since = terminal.times.day(first);
        lines.push(labelled("history", format!("{} since {since}", counted(moves, "move")).into()));
    }
    let label = if extra.is_file { "file" } else { "on disk" };
    lines.push(labelled(label, size(info.bytes).into()));
    if let Some(Reclaimable { blobs, blocks, bytes }) = &info.reclaimable {
        let (blocks, blobs) = (counted(*blocks, "block"), counted(*blobs, "blob"));
        lines.push(labelled("garbage", format!("{}: {blocks}, {blobs}", size(*bytes)).into()));
    }
    lines
}

/// Returns a line with a label before its value.
fn labelled(label: &str, value: Line) -> Line {
    Line::of(Tone::Dim, label).padded(LABEL_COLUMNS).join(value)
}

const LABEL_COLUMNS: usize = 12;

/// The version of commits that accounts of today write.
const CURRENT_VERSION: u8 = 3;
