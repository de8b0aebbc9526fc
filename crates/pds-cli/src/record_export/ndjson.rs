//! Records as lines of JSON.

use std::io::Write;

use anyhow::{Context, Result};
use pds::Snapshot;
use pds::data::{Block, Cid, Value};
use pds::syntax::{Nsid, RecordPath};
use serde::Serialize;

use super::rejected::Rejected;
use crate::arguments::record::uri_of;
use crate::failures::partial::Gaps;
use crate::process::output::Printable;
use crate::process::progress::Progress;
use crate::records::json_form::NO_JSON_FORM;
use crate::records::record_reader::RecordReader;

/// The line of a record.
#[derive(Serialize)]
struct RecordLine<'a> {
    cid: Cid,
    /// The path, only if the commit names no account.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    uri: Option<&'a str>,
    value: &'a Value,
}

/// Writes the records of some collections, or of all, one per line. Returns the number of lines.
pub(crate) fn write_ndjson(
    snapshot: &Snapshot,
    collections: &[Nsid],
    out: &mut dyn Write,
    rejected: &mut Rejected<'_>,
    gaps: &mut Gaps,
) -> Result<u64> {
    let mut progress = Progress::bytes("writing", None);
    let mut records = RecordReader::new(snapshot, collections.to_vec());
    let mut lines = 0;
    while let Some(record) = records.next_record(gaps)? {
        let value = match record.block.as_ref().map(json_value) {
            Ok(Ok(value)) => value,
            Ok(Err(reason)) => {
                rejected.add(&record, &reason)?;
                continue;
            }
            Err(reason) => {
                rejected.add(&record, reason)?;
                continue;
            }
        };
        progress.add(record.block.map_or(0, |block| block.bytes().len() as u64));
        write_line(snapshot, &record.path, record.cid, &value, out)?;
        lines += 1;
    }
    Ok(lines)
}

/// Returns the value of a record, or the reason why its JSON does not mean the record.
pub(super) fn json_value(block: &Block) -> Result<Value, String> {
    match Value::decode(block.bytes()) {
        Ok(value) if value.has_json_form() => Ok(value),
        Ok(_) => Err(NO_JSON_FORM.to_owned()),
        Err(error) => Err(format!("cannot be decoded: {error}")),
    }
}

fn write_line(
    snapshot: &Snapshot,
    path: &RecordPath,
    cid: Cid,
    value: &Value,
    out: &mut dyn Write,
) -> Result<()> {
    let uri = uri_of(snapshot.commit(), path);
    let path = uri.is_none().then(|| path.to_string());
    let line = RecordLine { cid, path, uri: uri.as_deref(), value };
    serde_json::to_writer(Printable(&mut *out), &line)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .context("cannot write a record")
}
