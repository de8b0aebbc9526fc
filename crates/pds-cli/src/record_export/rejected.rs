//! The records that an export cannot write, in a file next to it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::{Cid, Value};
use serde::Serialize;

use crate::arguments::record::uri_of;
use crate::process::destination::{check_is_free, is_device, write_file};
use crate::process::output::Printable;
use crate::process::text::{counted_plain, say};
use crate::records::record_reader::ReadRecord;

/// The rejected records of an export: lines of `OUT.rejected`, or messages if the export is no file.
pub(crate) struct Rejected<'c> {
    commit: &'c Commit,
    /// The file, and whether an existing one is replaced.
    to: Option<(PathBuf, bool)>,
    /// The lines before they get their name.
    lines: Option<BufWriter<File>>,
    pub(crate) count: u64,
}

/// A record that was not written, with its bytes if it has any.
#[derive(Serialize)]
struct RejectedLine<'a> {
    bytes: Option<Value>,
    cid: Cid,
    path: &'a str,
    reason: &'a str,
    uri: Option<String>,
}

impl<'c> Rejected<'c> {
    /// Checks that the file next to an export can be written.
    pub(crate) fn new(commit: &'c Commit, export: Option<&Path>, force: bool) -> Result<Self> {
        let file = export.filter(|export| !is_device(export)).map(rejected_file);
        if let Some(file) = &file {
            check_is_free(file, force)?;
        }
        let to = file.map(|file| (file, force));
        Ok(Self { commit, to, lines: None, count: 0 })
    }

    /// Records that a record was not written.
    pub(crate) fn add(&mut self, record: &ReadRecord, reason: &str) -> Result<()> {
        self.count += 1;
        let ReadRecord { path, cid, block } = record;
        if self.to.is_none() {
            say(&format!("{path} {reason}: not written"));
            return Ok(());
        }
        let line = RejectedLine {
            bytes: block.as_ref().ok().map(|block| Value::from(block.bytes())),
            cid: *cid,
            path: &path.to_string(),
            reason,
            uri: uri_of(self.commit, path),
        };
        let lines = match &mut self.lines {
            Some(lines) => lines,
            none => {
                let file = tempfile::tempfile().context("cannot create a temporary file")?;
                none.insert(BufWriter::new(file))
            }
        };
        serde_json::to_writer(Printable(&mut *lines), &line)
            .map_err(io::Error::from)
            .and_then(|()| lines.write_all(b"\n"))
            .context("cannot write a temporary file")
    }

    /// Writes the file if a record was rejected; otherwise removes the one of an earlier export that is replaced.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let Some((file, force)) = &self.to else { return Ok(()) };
        let Some(lines) = self.lines.take() else {
            if *force && file.exists() {
                fs::remove_file(file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
            }
            return Ok(());
        };
        let mut lines = lines.into_inner().context("cannot write a temporary file")?;
        lines.rewind().context("cannot read a temporary file")?;
        write_file(file, *force, |out| Ok(io::copy(&mut lines, out)?))?;
        let records = counted_plain(self.count, "record");
        say(&format!("{records} cannot be written in this format: see {}", file.display()));
        Ok(())
    }
}

/// Returns the name of the file next to an export.
fn rejected_file(export: &Path) -> PathBuf {
    // A slash at the end would make the file one in the directory.
    let export: PathBuf = export.components().collect();
    let mut name: OsString = export.into();
    name.push(".rejected");
    name.into()
}
