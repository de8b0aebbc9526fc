//! `pds apply`

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use pds::data::limits::MAX_JSON_BYTES;
use pds::data::{DataError, Value};
use pds::store::RefName;
use pds::syntax::{Nsid, RecordKey, RecordPath};
use pds::{Repo, Write, WriteOptions, Written};

use super::put::print_written;
use crate::failure::{Exit, Stated};
use crate::open::{Place, open_stream};
use crate::output::Output;

/// Make many writes, as one signed commit
///
/// Reads a JSON object a line: {"action": "create|update|delete|put", "collection": …, "rkey": …,
/// "value": …}. Without an rkey, create and put make a fresh TID. What is printed is committed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    pds apply writes.ndjson --batch 200     a commit for each 200 writes")]
pub(crate) struct Args {
    /// The writes; stdin if there is no file
    file: Option<PathBuf>,

    /// Make a commit for each N writes instead of one for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// Take records whose blobs are not here
    #[arg(long)]
    allow_missing_blobs: bool,

    /// Write to another ref than HEAD
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
            // A commit is acknowledged when it is made, not when the last one is.
            print_written(&written, out)
                .and_then(|()| out.flush())
                .map_err(|error| partly(committed, &error))?;
            // Nobody would learn of further ones.
            if out.is_closed() {
                let rest = lines.next_line().map_err(|error| partly(committed, &error))?;
                return Ok(if rest.is_some() { Exit::Partly } else { Exit::Done });
            }
        }
    }

    /// Commits the next writes, if there are any.
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
        Ok(Some(repo.write(pds::Batch::new(&writes).with(options.clone()))?))
    }
}

fn partly(committed: usize, error: &anyhow::Error) -> anyhow::Error {
    let writes = if committed == 1 { "1 write was" } else { &format!("{committed} writes were") };
    Stated::partly(format!("{writes} committed, then: {error:#}"))
        .hint("what was printed is done, what comes after it is not")
        .into()
}

/// Lines of bounded length, counted from one; empty ones are passed over.
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
                return Err(Stated::bad_input(message).into());
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
    // The line is read as a value of the data model, so that links and bytes come out as such.
    let line = Value::parse_json(line).map_err(|error| match error {
        DataError::Json(reason) => bad(reason),
        error => error.into(),
    })?;
    let map = line.as_map().ok_or_else(|| bad("not an object"))?;
    if let Some(unknown) = map.keys().find(|key| !FIELDS.contains(key)) {
        return Err(bad(format!("unknown field {unknown:?}")));
    }
    let text = |key: &str| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(bad(format!("{key} is not text"))),
    };
    let action = text("action")?.ok_or_else(|| bad("action is missing"))?;
    let collection = text("collection")?.ok_or_else(|| bad("collection is missing"))?;
    let collection: Nsid = collection.parse()?;
    let rkey: Option<RecordKey> = text("rkey")?.map(str::parse).transpose()?;
    let value = map.get("value").cloned();
    let needed = |value: Option<Value>| value.ok_or_else(|| bad("value is missing"));
    match (action, rkey) {
        ("create" | "put", None) => Ok(Write::add(collection, needed(value)?)),
        ("create", Some(rkey)) => {
            Ok(Write::create(RecordPath::new(collection, rkey), needed(value)?))
        }
        ("put", Some(rkey)) => Ok(Write::put(RecordPath::new(collection, rkey), needed(value)?)),
        ("update", Some(rkey)) => {
            Ok(Write::update(RecordPath::new(collection, rkey), needed(value)?))
        }
        ("delete", _) if value.is_some() => Err(bad("a delete has no value")),
        ("delete", Some(rkey)) => Ok(Write::delete(RecordPath::new(collection, rkey))),
        ("update" | "delete", None) => Err(bad("rkey is missing")),
        (other, _) => Err(bad(format!("unknown action {other:?}"))),
    }
}

fn bad(message: impl Into<String>) -> anyhow::Error {
    anyhow!(Stated::bad_input(message))
}

/// What a write may say; a misspelt field must not be passed over.
const FIELDS: [&str; 4] = ["action", "collection", "rkey", "value"];

/// A record with what stands around it.
const MAX_LINE_BYTES: usize = MAX_JSON_BYTES + 4096;
