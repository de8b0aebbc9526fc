//! Records as CSV (RFC 4180), one file for each collection.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use csv::{Terminator, WriterBuilder};
use pds::Snapshot;
use pds::data::Value;
use pds::syntax::{Datetime, Nsid};
use pds::unfinished::UnfinishedDir;

use super::cells::{FIRST_COLUMNS, cell, each_cell, guarded};
use super::columns::{Columns, MAX_COLUMNS};
use super::ndjson::json_value;
use super::rejected::Rejected;
use crate::arguments::record::uri_of;
use crate::failures::partial::Gaps;
use crate::process::leftovers::{UNFINISHED, clear_from};
use crate::process::new_directory::publish_directory;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::records::portable_name::portable;
use crate::records::record_files::{check_is_new, make};
use crate::records::record_reader::{ReadRecord, RecordReader};
use crate::records::record_time::time_of;
use crate::terminal::safe_text::printable;

/// An export of a state as CSV.
pub(crate) struct CsvExport<'s> {
    pub(crate) snapshot: &'s Snapshot,
    /// Whether cells that spreadsheets run as formulas get an apostrophe.
    pub(crate) guards: bool,
    pub(crate) progress: Progress,
    /// Whether a collection has more columns than a file may have.
    pub(crate) is_cut: bool,
    /// Whether a terminal shows the rows. Their cells then have no characters that control it.
    pub(crate) is_screen: bool,
}

impl CsvExport<'_> {
    /// Writes one collection and returns the number of rows. `gaps` reports the missing parts of its tree.
    pub(crate) fn collection(
        &mut self,
        collection: &Nsid,
        out: &mut dyn Write,
        rejected: &mut Rejected<'_>,
        gaps: &mut Gaps,
    ) -> Result<u64> {
        let columns = self.columns(collection, gaps)?;
        if columns.is_cut {
            self.is_cut = true;
            say(&format!(
                "{collection} has more than {MAX_COLUMNS} columns, or very long names: the other fields are not \
                 written; --format ndjson writes all fields"
            ));
        }
        let end = if self.is_screen { Terminator::Any(b'\n') } else { Terminator::CRLF };
        let mut csv = WriterBuilder::new().terminator(end).from_writer(out);
        let names = columns.names().iter().map(|name| Cow::Borrowed(name.as_str()));
        let first = FIRST_COLUMNS.map(Cow::Borrowed);
        let head = first.into_iter().chain(names).map(|name| self.safe(name));
        csv.write_record(head.map(|cell| self.bytes(cell))).context("cannot write the columns")?;
        let mut records = RecordReader::new(self.snapshot, vec![collection.clone()]);
        let (mut rows, mut silent) = (0, Gaps::silent());
        while let Some(record) = records.next_record(&mut silent)? {
            match map_of(&record) {
                Ok(value) => {
                    let row = self.row(&record, &value, &columns);
                    csv.write_record(row.into_iter().map(|cell| self.bytes(cell)))
                        .context("cannot write a row")?;
                    rows += 1;
                }
                Err(reason) => rejected.add(&record, &reason)?,
            }
            self.progress.add(record.block.map_or(0, |block| block.bytes().len() as u64));
        }
        csv.flush().context("cannot write the rows")?;
        Ok(rows)
    }

    /// Finds the columns of a collection.
    fn columns(&mut self, collection: &Nsid, gaps: &mut Gaps) -> Result<Columns> {
        let mut columns = Columns::default();
        let mut records = RecordReader::new(self.snapshot, vec![collection.clone()]);
        while let Some(record) = records.next_record(gaps)? {
            if let Ok(Value::Map(map)) = map_of(&record) {
                each_cell(&map, &mut |name, _| columns.add(name));
            }
        }
        Ok(columns)
    }

    fn row<'v>(
        &self,
        record: &'v ReadRecord,
        value: &'v Value,
        columns: &Columns,
    ) -> Vec<Cow<'v, str>> {
        let ReadRecord { path, cid, .. } = record;
        let time = time_of(&path.rkey, Some(value)).and_then(|micros| i64::try_from(micros).ok());
        let time = time.and_then(Datetime::from_unix_micros);
        let mut row = vec![
            Cow::Owned(uri_of(self.snapshot.commit(), path).unwrap_or_default()),
            Cow::Owned(cid.to_string()),
            self.safe(Cow::Borrowed(path.rkey.as_str())),
            Cow::Owned(time.map_or_else(String::new, |time| time.to_string())),
        ];
        let first = row.len();
        row.resize(first + columns.names().len(), Cow::Borrowed(""));
        let mut set = |name: &str, value: &'v Value| {
            let place = columns.place(name).and_then(|place| row.get_mut(first + place));
            if let Some(place) = place {
                // A negative number is no formula.
                let is_number = matches!(value, Value::Int(_));
                *place = if is_number { cell(value) } else { self.safe(cell(value)) };
            }
        };
        if let Some(map) = value.as_map() {
            each_cell(map, &mut set);
        }
        row
    }

    fn safe<'c>(&self, cell: Cow<'c, str>) -> Cow<'c, str> {
        if self.guards { guarded(cell) } else { cell }
    }

    fn bytes<'c>(&self, cell: Cow<'c, str>) -> Cow<'c, [u8]> {
        match cell {
            cell if self.is_screen => Cow::Owned(printable(&cell).into_owned().into_bytes()),
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// Writes some collections, or all of them, into a new directory. Returns the numbers of files and of rows.
    pub(crate) fn directory(
        &mut self,
        collections: &[Nsid],
        dir: &Path,
        rejected: &mut Rejected<'_>,
        gaps: &mut Gaps,
    ) -> Result<(u64, u64)> {
        let parent = parent_of(dir);
        make(parent)?;
        let staging = UnfinishedDir::private_in(parent, UNFINISHED);
        let staging = staging.with_context(|| format!("cannot write {}", dir.display()))?;
        let new = staging.path().join("files");
        make(&new)?;
        let (mut files, mut rows) = (0, 0);
        let all = collections.is_empty();
        let found = if all { collections_of(self.snapshot, gaps)? } else { collections.to_vec() };
        for collection in &found {
            let file = portable_file(&new, collection)?;
            let mut file = BufWriter::new(file);
            // The list of all collections has reported the gaps.
            let mut silent = Gaps::silent();
            let gaps = if all { &mut silent } else { &mut *gaps };
            rows += self.collection(collection, &mut file, rejected, gaps)?;
            file.flush().context("cannot write a file")?;
            files += 1;
        }
        rejected.finish()?;
        check_is_new(dir)?;
        publish_directory(&staging, &new, dir)?;
        Ok((files, rows))
    }
}

/// Removes what killed runs have left next to the directory, and checks that it can be made.
pub(crate) fn check_is_free(dir: &Path) -> Result<()> {
    clear_from(parent_of(dir), &[UNFINISHED]);
    check_is_new(dir)
}

fn parent_of(dir: &Path) -> &Path {
    dir.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."))
}

/// Creates the file of a collection, with a name that every file system accepts.
fn portable_file(dir: &Path, collection: &Nsid) -> Result<File> {
    let path = portable(dir, collection.as_str(), ".csv");
    if let Some(above) = path.parent() {
        make(above)?;
    }
    File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the collections of a state in the order of the tree.
fn collections_of(snapshot: &Snapshot, gaps: &mut Gaps) -> Result<Vec<Nsid>> {
    let mut found: Vec<Nsid> = Vec::new();
    for entry in snapshot.records() {
        if let Some(entry) = gaps.pass(entry)?
            && found.last() != Some(&entry.path.collection)
        {
            found.push(entry.path.collection);
        }
    }
    Ok(found)
}

/// Returns the map of a record, or the reason why it has no row.
fn map_of(record: &ReadRecord) -> Result<Value, Cow<'static, str>> {
    match record.block.as_ref().map(json_value) {
        Ok(Ok(value)) if value.as_map().is_some() => Ok(value),
        Ok(Ok(_)) => Err(Cow::Borrowed("is not a map")),
        Ok(Err(reason)) => Err(Cow::Owned(reason)),
        Err(reason) => Err(Cow::Borrowed(reason)),
    }
}
