//! `pds apply`

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use pds::data::limits::MAX_JSON_BYTES;
use pds::data::{DataError, Value};
use pds::store::RefName;
use pds::syntax::{Nsid, RecordKey, RecordPath};
use pds::{Batch, Repo, Write, WriteOptions, Written};

use crate::answers::put::WrittenRow;
use crate::exit::{Exit, Stated};
use crate::open::Place;
use crate::output::Output;
use crate::stream::open_stream;

/// Apply many writes in one signed commit
///
/// Reads one JSON object per line: {"action": "create|update|delete|put", "collection": …, "rkey": …,
/// "value": …}. Without an rkey, create and put generate a TID. Every write that is printed is committed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    pds apply writes.ndjson --batch 200     write one commit per 200 writes")]
pub(crate) struct Args {
    /// File with the writes [default: stdin]
    file: Option<PathBuf>,

    /// Write one commit per N writes instead of one for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// Accept records whose blobs are not stored
    #[arg(long)]
    allow_missing_blobs: bool,

    /// Write to this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let repo = place.branch(self.ref_name.as_ref())?;
        let batch_len = self.batch.map_or(usize::MAX, |batch| batch as usize);
        let mut lines = Lines::new(open_stream(self.file.as_deref())?);
        let mut committed = 0_usize;
        loop {
            let written = match self.write_batch(&repo, &mut lines, batch_len) {
                Ok(Some(written)) => written,
                Ok(None) => return Ok(Exit::Done),
                Err(error) if committed > 0 => return Err(partly(committed, &error)),
                Err(error) => return Err(error),
            };
            committed += written.changes.len();
            // Each commit is acknowledged as soon as it is made.
            out.answers(WrittenRow::all(&written))
                .and_then(|()| out.flush())
                .map_err(|error| partly(committed, &error))?;
            // Without a reader, later commits would not be acknowledged.
            if out.is_closed() {
                let rest = lines.next_line().map_err(|error| partly(committed, &error))?;
                return Ok(if rest.is_some() { Exit::Partly } else { Exit::Done });
            }
        }
    }

    /// Commits the next batch of writes; returns `None` at the end of the input.
    fn write_batch(
        &self,
        repo: &Repo,
        lines: &mut Lines,
        batch_len: usize,
    ) -> Result<Option<Written>> {
        let mut writes = Vec::new();
        while writes.len() < batch_len
            && let Some(line) = lines.next_line()?
        {
            let number = lines.number;
            writes.push(parse(&line).with_context(|| format!("line {number}"))?);
        }
        if writes.is_empty() {
            return Ok(None);
        }
        let options = WriteOptions::default()
            .allow_missing_blobs(self.allow_missing_blobs)
            .message("apply".to_owned());
        Ok(Some(repo.write(Batch::new(&writes).with(options))?))
    }
}

fn partly(committed: usize, error: &anyhow::Error) -> anyhow::Error {
    let writes = if committed == 1 { "1 write was" } else { &format!("{committed} writes were") };
    Stated::partly(format!("{writes} committed, then: {error:#}"))
        .hint("the printed writes are committed, the writes after them are not")
        .into()
}

/// Reads lines of bounded length, numbers them from one, and skips empty ones.
struct Lines {
    from: BufReader<Box<dyn Read>>,
    number: usize,
}

impl Lines {
    fn new(from: Box<dyn Read>) -> Self {
        Self { from: BufReader::new(from), number: 0 }
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        loop {
            let mut line = Vec::new();
            let limit = MAX_LINE_BYTES as u64 + 1;
            (&mut self.from).take(limit).read_until(b'\n', &mut line).context("cannot read")?;
            if line.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > MAX_LINE_BYTES {
                let message = format!("line {} is longer than {MAX_LINE_BYTES} bytes", self.number);
                return Stated::bad_input(message).fail();
            }
            let line = String::from_utf8(line);
            let line = line.map_err(|_| bad(format!("line {} is not UTF-8", self.number)))?;
            if !line.trim().is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

fn parse(line: &str) -> Result<Write> {
    // Parsed as a value of the data model, so that `$link` and `$bytes` become links and bytes.
    let line = Value::parse_json(line).map_err(|error| match error {
        DataError::Json(reason) => bad(reason),
        error => error.into(),
    })?;
    let map = line.as_map().ok_or_else(|| bad("a write must be a JSON object"))?;
    if let Some(unknown) = map.keys().find(|key| !FIELDS.contains(key)) {
        return Err(bad(format!("unknown field {unknown:?}")));
    }
    let text = |key: &str| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(bad(format!("{key} must be a string"))),
    };
    let action = text("action")?.ok_or_else(|| bad("action is missing"))?;
    let collection = text("collection")?.ok_or_else(|| bad("collection is missing"))?;
    let collection: Nsid = collection.parse()?;
    let rkey: Option<RecordKey> = text("rkey")?.map(str::parse).transpose()?;
    let value = map.get("value").cloned();
    let needed = |value: Option<Value>| value.ok_or_else(|| bad("value is missing"));
    let path = rkey.map(|rkey| RecordPath::new(collection.clone(), rkey));
    match (action, path) {
        ("create" | "put", None) => Ok(Write::add(collection, needed(value)?)),
        ("create", Some(path)) => Ok(Write::create(path, needed(value)?)),
        ("put", Some(path)) => Ok(Write::put(path, needed(value)?)),
        ("update", Some(path)) => Ok(Write::update(path, needed(value)?)),
        ("delete", _) if value.is_some() => Err(bad("a delete must not have a value")),
        ("delete", Some(path)) => Ok(Write::delete(path)),
        ("update" | "delete", None) => Err(bad("rkey is missing")),
        (other, _) => Err(bad(format!("unknown action {other:?}"))),
    }
}

fn bad(message: impl Into<String>) -> anyhow::Error {
    anyhow!(Stated::bad_input(message))
}

/// The fields of a write. Other fields are errors, so that a misspelt one is noticed.
const FIELDS: [&str; 4] = ["action", "collection", "rkey", "value"];

/// The longest line: a record and the fields around it.
const MAX_LINE_BYTES: usize = MAX_JSON_BYTES + 4096;
