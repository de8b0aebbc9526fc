//! `pds export --format ndjson` and `pds export --format csv`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use pds::Snapshot;
use pds::syntax::Nsid;

use crate::answers::commit::CommitId;
use crate::answers::export::ExportedRecords;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::process::destination::{named, write_file};
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::process::text::say;
use crate::record_export::csv_files::{CsvExport, check_is_free};
use crate::record_export::ndjson::write_ndjson;
use crate::record_export::rejected::Rejected;
use crate::screens;

/// The records to write, and the place.
pub(super) struct RecordExport<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The collections to write; empty for all.
    pub(super) collections: &'a [Nsid],
    /// The file or directory, as the user named it.
    pub(super) to: Option<&'a Path>,
    pub(super) force: bool,
}

impl RecordExport<'_> {
    pub(super) fn ndjson(&self, out: &mut Output) -> Result<Exit> {
        let (snapshot, collections) = (self.snapshot, self.sorted());
        self.one_file(out, &mut |to, _, rejected, gaps| {
            write_ndjson(snapshot, &collections, to, rejected, gaps)
        })
    }

    pub(super) fn csv(&self, guards: bool, out: &mut Output) -> Result<Exit> {
        let (snapshot, collections) = (self.snapshot, self.sorted());
        let progress = Progress::bytes("writing", None);
        let mut csv = CsvExport { snapshot, guards, progress, is_cut: false, is_screen: false };
        let exit = match (&collections[..], named(self.to)) {
            ([collection], _) => self.one_file(out, &mut |to, is_screen, rejected, gaps| {
                csv.is_screen = is_screen;
                csv.collection(collection, to, rejected, gaps)
            })?,
            (_, None) => {
                let message =
                    "csv has a file for each collection; use -o DIR, or -c for one collection";
                return Stated::usage(message).fail();
            }
            (_, Some(dir)) => {
                check_is_free(dir)?;
                let mut rejected = Rejected::new(snapshot.commit(), Some(dir), self.force)?;
                let mut gaps = Gaps::default();
                let (files, rows) = csv.directory(&collections, dir, &mut rejected, &mut gaps)?;
                self.answer(Some(files), rows, rejected.count, out)?;
                exit_of(&rejected, &gaps)
            }
        };
        Ok(if csv.is_cut { Exit::Partly } else { exit })
    }

    /// Writes a file, or standard output. The function receives the writer, and whether a terminal shows the text.
    fn one_file(&self, out: &mut Output, write: &mut WriteRecords<'_>) -> Result<Exit> {
        let file = named(self.to);
        let mut rejected = Rejected::new(self.snapshot.commit(), file, self.force)?;
        let mut gaps = Gaps::default();
        let Some(file) = file else {
            let is_screen = out.terminal().is_some();
            write(out.bytes(), is_screen, &mut rejected, &mut gaps)?;
            return Ok(exit_of(&rejected, &gaps));
        };
        let records = write_file(file, self.force, |to| {
            let records = write(to, false, &mut rejected, &mut gaps)?;
            rejected.finish()?;
            Ok(records)
        })?;
        self.answer(None, records, rejected.count, out)?;
        Ok(exit_of(&rejected, &gaps))
    }

    /// Returns the collections in key order, each once.
    fn sorted(&self) -> Vec<Nsid> {
        let by_key = self.collections.iter().map(|name| (format!("{name}/"), name.clone()));
        by_key.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Prints the numbers of files and records.
    fn answer(
        &self,
        files: Option<u64>,
        records: u64,
        rejected: u64,
        out: &mut Output,
    ) -> Result<()> {
        out.has_done();
        let commit = CommitId::of(self.snapshot.commit());
        let answer = ExportedRecords { commit, files, records, rejected };
        if out.is_json() || out.terminal().is_some() {
            let place = self.to.map(|to| to.display().to_string()).unwrap_or_default();
            return out
                .show(&answer, |terminal| screens::files::records(&answer, &place, terminal));
        }
        say(&answer.to_string());
        Ok(())
    }
}

/// Writes records into a file or a screen, and returns their number.
type WriteRecords<'f> =
    dyn FnMut(&mut dyn Write, bool, &mut Rejected<'_>, &mut Gaps) -> Result<u64> + 'f;

fn exit_of(rejected: &Rejected<'_>, gaps: &Gaps) -> Exit {
    if rejected.count > 0 { Exit::Partly } else { gaps.exit() }
}
