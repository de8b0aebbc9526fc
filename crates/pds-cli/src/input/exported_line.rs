//! The lines of `export --format ndjson`, read as writes.

use anyhow::Result;
use pds::Write;
use pds::data::{Cid, Codec, Map, Value};
use pds::syntax::{AtIdentifier, AtUri, Did, RecordPath};

use crate::failures::exit::Stated;
use crate::input::record_envelope::refuse_envelope;

/// Tells whether an object is the line of a record, and not a write with an action.
pub(crate) fn is_exported(map: &Map) -> bool {
    let names_record = map.get("uri").is_some() || map.get("path").is_some();
    names_record && map.get("action").is_none() && map.get("$type").is_none()
}

/// Converts the line of a record to a write that puts the same record.
pub(crate) fn exported_write(map: &Map, account: &Did) -> Result<Write> {
    if let Some(unknown) = map.keys().find(|key| !FIELDS.contains(key)) {
        return Stated::bad_input(format!("unknown field {unknown:?}")).fail();
    }
    let path = path_of(map, account)?;
    let Some(value) = map.get("value") else {
        return Stated::bad_input("value is missing").fail();
    };
    refuse_envelope(value)?;
    let Some(cid) = text_in(map, "cid")? else { return Ok(Write::put(path, value.clone())) };
    let (cid, bytes) = (cid.parse::<Cid>()?, value.encode());
    let found = Cid::of(Codec::Cbor, &bytes);
    if found != cid {
        let message = format!("the value of {path} has the CID {found}, but the line says {cid}");
        return Stated::bad_input(message).hint(CHANGED).fail();
    }
    // The bytes and not the value, so that no $type is added.
    Ok(Write::put_bytes(path, bytes))
}

/// Returns the record that a line names. A line without an account has a path instead of an at-uri.
fn path_of(map: &Map, account: &Did) -> Result<RecordPath> {
    let Some(uri) = text_in(map, "uri")? else {
        return match text_in(map, "path")? {
            Some(path) => Ok(path.parse()?),
            None => Stated::bad_input("uri is missing").fail(),
        };
    };
    let uri: AtUri = uri.parse()?;
    match uri.authority() {
        AtIdentifier::Did(did) if did == account => {}
        AtIdentifier::Did(did) => {
            let message = format!("this is the repository of {account}, not of {did}");
            return Stated::no("wrong-did", message).hint(ANOTHER_ACCOUNT).fail();
        }
        AtIdentifier::Handle(_) => {
            let message = "handles cannot be resolved offline; write the DID in the uri";
            return Stated::bad_input(message).fail();
        }
    }
    match uri.record_path() {
        Some(path) => Ok(path),
        None => Stated::bad_input("the uri names no record").fail(),
    }
}

fn text_in<'m>(map: &'m Map, key: &str) -> Result<Option<&'m str>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Stated::bad_input(format!("{key} must be a string")).fail(),
    }
}

/// The fields of a line. Other fields are errors, so that a misspelt one is noticed.
const FIELDS: [&str; 4] = ["cid", "path", "uri", "value"];

const CHANGED: &str = "if the change is intended, remove cid from the line";

const ANOTHER_ACCOUNT: &str = "to copy the records of another account, write path (collection/rkey) in place of uri, and no cid where the value is changed";
