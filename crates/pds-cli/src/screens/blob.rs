//! `pds blob` on a terminal.

use std::collections::HashMap;

use anyhow::Result;
use pds::blobs::MissingBlobs;
use pds::data::Cid;

use crate::process::output::Output;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{counted, size};
use crate::terminal::short_cids::ShortCids;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// A list of stored blobs, with their number and size at its end.
pub(crate) struct BlobList {
    table: Table,
    shorts: ShortCids,
    terminal: Terminal,
    blobs: u64,
    bytes: u64,
}

impl BlobList {
    pub(crate) fn new(terminal: &Terminal) -> Self {
        let table = Table::new([Column::left(), Column::right(), Column::time()]);
        let shorts = ShortCids::default();
        Self { table, shorts, terminal: terminal.clone(), blobs: 0, bytes: 0 }
    }

    pub(crate) fn add(
        &mut self,
        cid: &Cid,
        bytes: u64,
        stored_at_micros: u64,
        out: &mut Output,
    ) -> Result<()> {
        (self.blobs, self.bytes) = (self.blobs + 1, self.bytes.saturating_add(bytes));
        self.table.row([
            Line::of(Tone::Dim, &self.shorts.short(cid)),
            Line::from(size(bytes)),
            self.terminal.times.relative(stored_at_micros),
        ]);
        if self.table.is_full() { out.table(&mut self.table) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self, out: &mut Output) -> Result<()> {
        out.table(&mut self.table)?;
        if self.blobs > 0 {
            out.line(&Line::new())?;
        }
        out.line(&Line::from(format!("{}, {}", counted(self.blobs, "blob"), size(self.bytes))))
    }
}

/// Prints the missing blobs, each with the records that refer to it.
pub(crate) fn print_missing(found: &MissingBlobs, out: &mut Output) -> Result<()> {
    let mut uses: Vec<_> = found.missing.iter().collect();
    // Each blob once, in the order of its first record.
    let mut order: Vec<Cid> = Vec::new();
    let mut seen = HashMap::new();
    for one in &uses {
        seen.entry(one.blob.cid).or_insert_with(|| {
            order.push(one.blob.cid);
            order.len()
        });
    }
    uses.sort_by_key(|one| seen.get(&one.blob.cid).copied());
    let mut shorts = ShortCids::default();
    order.iter().for_each(|cid| shorts.note(cid));
    let mut table = Table::new([Column::left(), Column::right(), Column::left(), Column::left()]);
    let (mut last, mut claimed) = (None, 0_u64);
    for one in &uses {
        let path = Line::from(one.path.to_string());
        if last == Some(one.blob.cid) {
            table.row([Line::new(), Line::new(), Line::new(), path]);
        } else {
            let bytes = one.blob.size_bytes;
            claimed = claimed.saturating_add(bytes.unwrap_or(0));
            table.row([
                Line::of(Tone::Dim, &shorts.short(&one.blob.cid)),
                Line::from(bytes.map_or_else(|| "-".to_owned(), size)),
                Line::from(one.blob.mime_type.as_str()),
                path,
            ]);
        }
        last = Some(one.blob.cid);
        if table.is_full() {
            out.table(&mut table)?;
        }
    }
    out.table(&mut table)?;
    if order.is_empty() {
        return out.line(&Line::of(Tone::Green, "no blob is missing"));
    }
    out.line(&Line::new())?;
    let (blobs, bytes) = (counted(order.len() as u64, "blob"), size(claimed));
    let records = counted(uses.len() as u64, "record");
    out.line(
        &Line::from(blobs)
            .tone(Tone::Red, " missing")
            .text(&format!(", {bytes} as claimed, used by {records}")),
    )?;
    out.hint(PUT)
}

const PUT: &str = "pds blob put FILE adds one; pds import DIR copies them from another repository";
