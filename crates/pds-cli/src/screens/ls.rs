//! `pds ls` on a terminal.

use anyhow::Result;
use pds::data::{ReadError, Value};
use pds::syntax::Nsid;
use pds::{RecordEntry, Snapshot};

use crate::process::output::Output;
use crate::records::record_line::{attachments, describe};
use crate::records::record_time::time_of;
use crate::terminal::line::Line;
use crate::terminal::looks::Terminal;
use crate::terminal::numbers::{count, counted, size};
use crate::terminal::short_cids::ShortCids;
use crate::terminal::table::{Column, Table};
use crate::terminal::tone::Tone;

/// Prints the collections with the numbers of their records, and the total.
pub(crate) fn print_collections(counts: &[(Nsid, u64)], out: &mut Output) -> Result<()> {
    let mut table = Table::new([Column::left(), Column::right()]);
    for (collection, records) in counts {
        table.row([Line::from(collection.as_str()), Line::from(count(*records))]);
    }
    out.table(&mut table)?;
    let records = counted(counts.iter().map(|(_, count)| count).sum(), "record");
    let collections = counted(counts.len() as u64, "collection");
    if !counts.is_empty() {
        out.line(&Line::new())?;
    }
    out.line(&Line::from(format!("{records} in {collections}")))
}

/// The list of records: key, CID, time and content.
pub(crate) struct RecordList {
    table: Table,
    shorts: ShortCids,
    terminal: Terminal,
    /// Sizes instead of texts, and whole CIDs if the terminal is wide.
    is_long: bool,
    /// Paths instead of record keys.
    has_collection: bool,
    /// A record is missing or damaged.
    has_gaps: bool,
}

impl RecordList {
    pub(crate) fn new(terminal: &Terminal, is_long: bool, has_collection: bool) -> Self {
        let columns = match is_long {
            true => {
                [Column::left(), Column::left(), Column::right(), Column::time(), Column::left()]
            }
            false => {
                [Column::left(), Column::cid(), Column::time(), Column::left(), Column::left()]
            }
        };
        let (table, shorts) = (Table::new(columns), ShortCids::default());
        Self { table, shorts, terminal: terminal.clone(), is_long, has_collection, has_gaps: false }
    }

    /// Adds a record. One that cannot be read is listed without its content.
    pub(crate) fn add(
        &mut self,
        entry: &RecordEntry,
        snapshot: &Snapshot,
        out: &mut Output,
    ) -> Result<()> {
        let RecordEntry { path, cid } = entry;
        let block = match snapshot.blocks().get(cid) {
            Err(ReadError::Damaged { .. }) => None,
            block => block?,
        };
        let value = block.as_ref().and_then(|block| Value::decode(block.bytes()).ok());
        let name = match self.has_collection {
            true => path.to_string(),
            false => path.rkey.to_string(),
        };
        let time = time_of(&path.rkey, value.as_ref());
        let time = time.map_or_else(Line::new, |time| self.terminal.times.relative(time));
        let embedded = value.as_ref().and_then(attachments).unwrap_or_default();
        let state = match (&block, &value) {
            (None, _) => {
                self.has_gaps = true;
                Some(Line::of(Tone::Red, "missing or damaged"))
            }
            (Some(_), None) => Some(Line::of(Tone::Red, "invalid")),
            (Some(_), Some(_)) => None,
        };
        if self.is_long {
            let bytes =
                block.map_or_else(|| "-".to_owned(), |block| size(block.bytes().len() as u64));
            let last = state.unwrap_or_else(|| Line::of(Tone::Dim, &embedded));
            // On a narrow terminal, a whole CID would leave no room for the size.
            let cid = match self.terminal.is_wide() {
                true => cid.to_string(),
                false => self.shorts.short(cid),
            };
            let cid = Line::of(Tone::Dim, &cid);
            self.table.row([Line::from(name), cid, Line::from(bytes), time, last]);
        } else {
            let text = value.map(|value| describe(path.collection.as_str(), &value));
            let text = state
                .unwrap_or_else(|| Line::from(self.terminal.marked(&text.unwrap_or_default())));
            let cid = Line::of(Tone::Dim, &self.shorts.short(cid));
            let mut row = vec![Line::from(name), cid, time];
            row.extend(self.content(text, &embedded));
            self.table.row(row);
        }
        if self.table.is_full() { self.finish(out) } else { Ok(()) }
    }

    /// Returns the text of a record, and on a wide terminal what is embedded in it.
    fn content(&self, text: Line, embedded: &str) -> Vec<Line> {
        if !self.terminal.is_wide() || self.has_collection {
            return vec![text];
        }
        let cut = self.terminal.symbol(crate::terminal::symbol::Symbol::Cut);
        vec![text.cut(WIDE_TEXT_COLUMNS, cut), Line::of(Tone::Dim, embedded)]
    }

    pub(crate) fn finish(&mut self, out: &mut Output) -> Result<()> {
        out.table(&mut self.table)
    }

    pub(crate) fn has_gaps(&self) -> bool {
        self.has_gaps
    }
}

/// The greatest width of texts on a wide terminal, so that embedded media fit next to them.
const WIDE_TEXT_COLUMNS: usize = 65;
