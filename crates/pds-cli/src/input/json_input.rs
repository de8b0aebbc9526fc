//! JSON input of any indentation.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use pds::data::Value;
use pds::data::limits::{MAX_JSON_BYTES, MAX_WRITTEN_RECORD_BYTES};

use crate::failures::exit::Stated;
use crate::input::foreign_file::json_text;
use crate::input::stream::open_stream;

/// Reads the JSON of a record from a file or standard input.
///
/// Long input is read without the indentation of its lines, which may be much longer than the rest and has no
/// meaning.
pub(crate) fn read_json(path: Option<&Path>) -> Result<Vec<u8>> {
    json_from(&mut open_stream(path)?, path)
}

/// Reads the JSON of a record from a reader; `path` is its name in errors.
pub(crate) fn json_from(from: &mut dyn Read, path: Option<&Path>) -> Result<Vec<u8>> {
    let mut from = from.take(MAX_INDENTED_BYTES);
    let mut json = Vec::new();
    (&mut from).take(MAX_JSON_BYTES as u64).read_to_end(&mut json).context("cannot read")?;
    let mut indentation = Indentation { is_at_start: true };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_long = false;
    loop {
        let read = match from.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read.context("cannot read")?,
        };
        let Some(more @ [_, ..]) = chunk.get(..read) else { break };
        if !is_long {
            json.retain(|byte| indentation.keeps(*byte));
            is_long = true;
        }
        json.extend(more.iter().filter(|byte| indentation.keeps(**byte)));
        if json.len() > MAX_JSON_BYTES {
            break;
        }
    }
    if json.len() > MAX_JSON_BYTES || from.limit() == 0 {
        let message =
            format!("the input is longer than {MAX_JSON_BYTES} bytes without indentation");
        return Stated::bad_input(message).fail();
    }
    json_text(json, path)
}

/// Returns the value that JSON text contains.
pub(crate) fn value_of(json: Vec<u8>) -> Result<Value> {
    let text = String::from_utf8(json).map_err(|_| Stated::bad_input("the JSON is not UTF-8"))?;
    Value::from_json(&text).context("cannot read the record")
}

/// Finds the spaces at the start of lines. A JSON string cannot contain a line break, so they are never in one.
struct Indentation {
    is_at_start: bool,
}

impl Indentation {
    fn keeps(&mut self, byte: u8) -> bool {
        let is_indentation = self.is_at_start && matches!(byte, b' ' | b'\t' | b'\r');
        self.is_at_start = byte == b'\n' || is_indentation;
        !is_indentation
    }
}

/// The longest input with indentation. In deeply nested lists, `pds get` prints one byte of a record as four
/// lines of several hundred spaces.
const MAX_INDENTED_BYTES: u64 = 500 * MAX_WRITTEN_RECORD_BYTES as u64;

const CHUNK_BYTES: usize = 64 * 1024;
