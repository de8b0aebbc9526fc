//! `pds blob` on a terminal.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use pds::blobs::MissingBlobs;
use pds::data::{BlobRef, Cid};

use crate::answers::blob::BlobCheck;
use crate::process::output::Output;
use crate::screens::arrived::done;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::messages::folded_after;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::short_cids::ShortCids;
use crate::terminal::symbol::Symbol;
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

/// A list of files that were stored as blobs.
pub(crate) struct StoredList {
    table: Table,
    shorts: ShortCids,
}

impl StoredList {
    pub(crate) fn new() -> Self {
        let columns = [Column::left(), Column::cid(), Column::right(), Column::left()];
        Self { table: Table::new(columns), shorts: ShortCids::default() }
    }

    pub(crate) fn add(&mut self, file: &Path, blob: &BlobRef, out: &mut Output) -> Result<()> {
        self.table.row([
            Line::from(file.display().to_string()),
            Line::of(Tone::Dim, &self.shorts.short(&blob.cid)),
            Line::from(blob.size_bytes.map(size).unwrap_or_default()),
            Line::from(blob.mime_type.as_str()),
        ]);
        if self.table.is_full() { out.table(&mut self.table) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self, out: &mut Output) -> Result<()> {
        out.table(&mut self.table)
    }
}

/// Returns the lines about the hashes of the stored blobs. CIDs are whole, because other verbs need them.
pub(crate) fn checked(check: &BlobCheck, terminal: &Terminal) -> Vec<Line> {
    let (damaged, unread) = (check.damaged.len() as u64, check.unreadable.len() as u64);
    if check.ok {
        let text = format!(" {} intact", counted(check.whole, "blob"));
        return vec![done(terminal).text(&text)];
    }
    let all = counted(check.whole + damaged + unread, "blob");
    let are = |number: u64| if number == 1 { "is" } else { "are" };
    let mut facts = Vec::new();
    if damaged > 0 {
        facts.push(format!("{} of {all} {} damaged", count(damaged), are(damaged)));
    }
    if unread > 0 {
        facts.push(format!("{} of {all} cannot be read", count(unread)));
    }
    let cross = Line::of(Tone::Red, terminal.symbol(Symbol::Cross));
    let mut lines = vec![cross.text(" ").text(&facts.join(", "))];
    let cid = |cid: &Cid| Line::from("  ").tone(Tone::Dim, &cid.to_string());
    lines.extend(check.damaged.iter().map(|one| cid(one).text(" is damaged")));
    for (one, reason) in &check.unreadable {
        lines.push(cid(one).text(" cannot be read"));
        lines.extend(folded_after(Line::from("    "), reason, terminal.width()));
    }
    lines
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
