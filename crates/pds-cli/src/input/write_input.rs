//! Writes as JSON: one object per line, or the body of a request to `com.atproto.repo.applyWrites`. A line of
//! `export --format ndjson` is a put, and so is a file of a record in a directory.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use pds::Write;
use pds::data::limits::MAX_JSON_BYTES;
use pds::data::{Cid, DataError, Map, Value};
use pds::syntax::{AtIdentifier, Did, Nsid, RecordKey, RecordPath};
use serde::de::IgnoredAny;

use crate::arguments::record::check_account;
use crate::failures::exit::Stated;
use crate::input::exported_line::{exported_write, is_exported};
use crate::input::foreign_file::{Kind, without_mark};
use crate::input::record_directory::RecordDirectory;
use crate::input::record_envelope::refuse_envelope;
use crate::input::stream::{bytes_of, open_stream};
use crate::process::progress::Progress;

/// The writes of a file or of standard input.
pub(crate) struct WriteInput {
    lines: Lines,
    account: Did,
    /// The writes of a request that were not returned yet.
    waiting: VecDeque<Write>,
    is_begun: bool,
    /// The commit that must be HEAD, if a request named it.
    pub(crate) swap_commit: Option<Cid>,
    /// The directory that is read instead of lines.
    directory: Option<RecordDirectory>,
    /// The bytes of lines, or the files of a directory. It is gone at the end.
    progress: Option<Progress>,
}

impl WriteInput {
    /// Opens a file, standard input, or a directory of records.
    pub(crate) fn open(path: Option<&Path>, account: Did) -> Result<Self> {
        let Some(dir) = path.filter(|path| path.is_dir()) else {
            if let Some(table) = path.filter(|path| has_csv_ending(path)) {
                let message = format!("{} is a table, and apply reads JSON", table.display());
                return Stated::bad_input(message).hint(LINES).fail();
            }
            let total = path.and_then(bytes_of);
            return Self::new(open_stream(path)?, account, Progress::bytes("reading", total));
        };
        let directory = RecordDirectory::open(dir, &account)?;
        let progress = Progress::things("files", None);
        let mut input = Self::new(Box::new(io::empty()), account, progress)?;
        input.directory = Some(directory);
        Ok(input)
    }

    /// Starts to read, and refuses input of another kind.
    fn new(from: Box<dyn Read>, account: Did, progress: Progress) -> Result<Self> {
        let mut from = BufReader::new(from);
        let kind = Kind::of(from.fill_buf().context("cannot read")?);
        match kind {
            Kind::Json | Kind::ServerError(_) | Kind::Text | Kind::Unknown | Kind::Empty => {}
            kind => return kind.refusal(Path::new("the input"), "JSON").fail(),
        }
        let (lines, waiting) = (Lines { from, number: 0, bytes: 0 }, VecDeque::new());
        let (is_begun, swap_commit, directory) = (false, None, None);
        let progress = Some(progress);
        Ok(Self { lines, account, waiting, is_begun, swap_commit, directory, progress })
    }

    /// Returns the next write, or `None` at the end of the input.
    pub(crate) fn next_write(&mut self) -> Result<Option<Write>> {
        let before = self.lines.bytes;
        let write = self.read_write()?;
        match &mut self.progress {
            Some(progress) if write.is_some() => match self.directory {
                Some(_) => progress.add(1),
                None => progress.add(self.lines.bytes - before),
            },
            _ => self.progress = None,
        }
        Ok(write)
    }

    fn read_write(&mut self) -> Result<Option<Write>> {
        if let Some(directory) = &mut self.directory {
            return directory.next_write();
        }
        while self.waiting.is_empty() {
            let Some(text) = self.lines.next_object()? else { return Ok(None) };
            let number = self.lines.number;
            // Parsed as a value of the data model, so that `$link` and `$bytes` become links and bytes.
            let value = Value::parse_json(&text).map_err(|error| match error {
                DataError::Json(reason) => {
                    let (place, reason) = placed(&reason, number);
                    bad(reason).context(place)
                }
                error => anyhow!(error).context(format!("line {number}")),
            })?;
            self.take(&value).with_context(|| format!("line {number}"))?;
            self.is_begun = true;
        }
        Ok(self.waiting.pop_front())
    }

    /// Takes a write, or the writes of a request.
    fn take(&mut self, value: &Value) -> Result<()> {
        let map = value.as_map().ok_or_else(|| bad("a write must be a JSON object"))?;
        if is_exported(map) {
            self.waiting.push_back(exported_write(map, &self.account)?);
            return Ok(());
        }
        let Some(writes) = map.get("writes") else {
            self.waiting.push_back(write(map)?);
            return Ok(());
        };
        check_fields(map, &REQUEST_FIELDS)?;
        if let Some(repo) = text_of(map, "repo")? {
            match repo.parse()? {
                AtIdentifier::Did(did) => check_account(Some(&did), &self.account)?,
                AtIdentifier::Handle(_) => {
                    return Err(bad("handles cannot be resolved offline; write the DID as repo"));
                }
            }
        }
        if map.get("validate").and_then(Value::as_bool) == Some(true) {
            return Err(bad("records are not checked against lexicons; remove validate"));
        }
        if let Some(swap) = text_of(map, "swapCommit")? {
            if self.is_begun {
                return Err(bad("swapCommit is possible only in the first request"));
            }
            self.swap_commit = Some(swap.parse()?);
        }
        let writes = writes.as_list().ok_or_else(|| bad("writes must be a list"))?;
        for (index, value) in writes.iter().enumerate() {
            let map = value.as_map().ok_or_else(|| bad("a write must be a JSON object"));
            self.waiting.push_back(map.and_then(write).with_context(|| format!("writes/{index}"))?);
        }
        Ok(())
    }
}

fn has_csv_ending(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

const LINES: &str = "pds export --format ndjson writes lines that apply reads";

/// Splits the place off from the reason of a JSON error, and returns it as a place in the input. The object begins on
/// the line with a number.
fn placed(reason: &str, number: usize) -> (String, &str) {
    let place = reason.rsplit_once(" at line ").and_then(|(reason, place)| {
        let (line, column) = place.split_once(" column ")?;
        let line = number.checked_add(line.parse().ok()?)?.checked_sub(1)?;
        Some((format!("line {line}, column {}", column.parse::<usize>().ok()?), reason))
    });
    place.unwrap_or_else(|| (format!("line {number}"), reason))
}

/// Reads lines of bounded length, numbers them from one, and skips empty ones.
struct Lines {
    from: BufReader<Box<dyn Read>>,
    number: usize,
    /// The bytes of the lines so far.
    bytes: u64,
}

impl Lines {
    /// Returns the next line. If the first object has several lines, all of the input is one object.
    fn next_object(&mut self) -> Result<Option<String>> {
        let is_first = self.number == 0;
        let Some(mut line) = self.next_line()? else { return Ok(None) };
        let parsed = serde_json::from_str::<IgnoredAny>(&line);
        if is_first && parsed.is_err_and(|error| error.is_eof()) {
            let mut rest = Vec::new();
            let limit = MAX_JSON_BYTES as u64 + 1;
            (&mut self.from).take(limit).read_to_end(&mut rest).context("cannot read")?;
            if rest.len() > MAX_JSON_BYTES {
                let message = format!("the object is longer than {MAX_JSON_BYTES} bytes");
                return Stated::bad_input(message).fail();
            }
            line += &String::from_utf8(rest).map_err(|_| bad("the JSON is not UTF-8"))?;
        }
        Ok(Some(line))
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
            self.bytes += line.len() as u64;
            if line.len() > MAX_LINE_BYTES {
                let message = format!("line {} is longer than {MAX_LINE_BYTES} bytes", self.number);
                return Stated::bad_input(message).fail();
            }
            let text = if self.number == 1 { without_mark(&line) } else { &line };
            let text = std::str::from_utf8(text);
            let text = text.map_err(|_| bad(format!("line {} is not UTF-8", self.number)))?;
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }
}

/// Converts one object to a write.
fn write(map: &Map) -> Result<Write> {
    check_fields(map, &WRITE_FIELDS)?;
    let action = action(map)?;
    let collection = text_of(map, "collection")?.ok_or_else(|| bad("collection is missing"))?;
    let collection: Nsid = collection.parse()?;
    let rkey: Option<RecordKey> = text_of(map, "rkey")?.map(str::parse).transpose()?;
    let value = map.get("value").cloned();
    value.as_ref().map_or(Ok(()), refuse_envelope)?;
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

/// Returns the action of a write: by name, or as the type of a write in a request.
fn action(map: &Map) -> Result<&str> {
    let named = text_of(map, "action")?;
    let Some(kind) = text_of(map, "$type")? else {
        return named.ok_or_else(|| bad("action is missing"));
    };
    let typed =
        kind.strip_prefix(WRITE_TYPE).ok_or_else(|| bad(format!("unknown $type {kind:?}")))?;
    match named {
        Some(named) if named != typed => Err(bad("action and $type differ")),
        _ => Ok(typed),
    }
}

fn text_of<'m>(map: &'m Map, key: &str) -> Result<Option<&'m str>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(bad(format!("{key} must be a string"))),
    }
}

fn check_fields(map: &Map, fields: &[&str]) -> Result<()> {
    match map.keys().find(|key| !fields.contains(key)) {
        Some(unknown) => Err(bad(format!("unknown field {unknown:?}"))),
        None => Ok(()),
    }
}

fn bad(message: impl Into<String>) -> anyhow::Error {
    anyhow!(Stated::bad_input(message))
}

/// The fields of a write. Other fields are errors, so that a misspelt one is noticed.
const WRITE_FIELDS: [&str; 5] = ["$type", "action", "collection", "rkey", "value"];

/// The fields of a request.
const REQUEST_FIELDS: [&str; 4] = ["repo", "swapCommit", "validate", "writes"];

/// The type of a write in a request, before its action.
const WRITE_TYPE: &str = "com.atproto.repo.applyWrites#";

/// The longest line: a record and the fields around it.
const MAX_LINE_BYTES: usize = MAX_JSON_BYTES + 4_096;
