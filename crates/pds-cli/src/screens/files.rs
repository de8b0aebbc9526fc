//! `pds export`, `pds unpack` and `pds blob export` on a terminal: what was written, and where.

use crate::answers::blob::BlobExport;
use crate::answers::export::{ExportAnswer, ExportedRecords};
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded_after;
use crate::terminal::numbers::{counted, size};
use crate::terminal::tone::Tone;

/// Returns the lines about a CAR file.
pub(crate) fn car(answer: &ExportAnswer, file: &str, terminal: &Terminal) -> Vec<Line> {
    let (blocks, bytes) = (counted(answer.blocks, "block"), size(answer.bytes));
    written(&format!("exported {blocks}, {bytes}, to {file}"), true, terminal)
}

/// Returns the lines about files of records.
pub(crate) fn records(answer: &ExportedRecords, place: &str, terminal: &Terminal) -> Vec<Line> {
    let records = counted(answer.records, "record");
    let text = match answer.files {
        Some(files) => format!("exported {records} to {} in {place}", counted(files, "file")),
        None => format!("exported {records} to {place}"),
    };
    written(&text, answer.rejected == 0, terminal)
}

/// Returns the lines about a directory of records.
pub(crate) fn unpacked(count: u64, dir: &str, is_whole: bool, terminal: &Terminal) -> Vec<Line> {
    written(&format!("unpacked {} into {dir}", counted(count, "record")), is_whole, terminal)
}

/// Returns the lines about a directory of blobs.
pub(crate) fn blobs(answer: &BlobExport, terminal: &Terminal) -> Vec<Line> {
    let BlobExport { blobs, bytes, damaged, dir, kept, missing } = answer;
    let mut text = format!("wrote {}, {}, into {dir}", counted(*blobs, "blob"), size(*bytes));
    for (number, what) in [(kept, "there already"), (missing, "missing"), (damaged, "damaged")] {
        if *number > 0 {
            text += &format!("; {} {what}", counted(*number, "blob"));
        }
    }
    written(&text, *missing == 0 && *damaged == 0, terminal)
}

/// Returns lines after a mark, which tells whether everything was written.
fn written(text: &str, is_whole: bool, terminal: &Terminal) -> Vec<Line> {
    let mark = if is_whole { done(terminal) } else { Line::of(Tone::Yellow, "!") };
    folded_after(mark.text(" "), text, terminal.width())
}
