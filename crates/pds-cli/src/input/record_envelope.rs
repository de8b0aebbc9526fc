//! The answers and requests of servers that contain a record and are easily confused with it.

use anyhow::Result;
use pds::data::Value;

use crate::failures::exit::Stated;
use crate::input::json_input::value_of;

/// Returns the record that JSON text contains.
pub(crate) fn record_of(json: Vec<u8>) -> Result<Value> {
    let value = value_of(json)?;
    refuse_envelope(&value)?;
    Ok(value)
}

/// Refuses a value that is an answer or a request with a record in it.
///
/// A record may have these fields if it names its `$type`, which answers and requests do not have.
pub(crate) fn refuse_envelope(value: &Value) -> Result<()> {
    let Some(map) = value.as_map() else { return Ok(()) };
    let is_answer = map.keys().all(|key| ANSWER_FIELDS.contains(&key))
        && map.get("uri").and_then(Value::as_text).is_some_and(|uri| uri.starts_with("at://"))
        && map.get("value").is_some_and(|value| value.as_map().is_some());
    let is_request = map.keys().all(|key| REQUEST_FIELDS.contains(&key))
        && map.get("collection").is_some_and(|name| name.as_text().is_some())
        && map.get("record").is_some_and(|value| value.as_map().is_some());
    let (what, hint) = match (is_answer, is_request) {
        (true, _) => (
            "the answer {uri, cid, value} of getRecord or pds get --json",
            "write its value alone, as pds get prints it; if a record has these fields, give it a $type",
        ),
        (_, true) => (
            "the request {repo, collection, record} of putRecord or createRecord",
            "write its record alone; if a record has these fields, give it a $type",
        ),
        _ => return Ok(()),
    };
    Stated::bad_input(format!("the input is {what}, not a record")).hint(hint).fail()
}

const ANSWER_FIELDS: [&str; 3] = ["uri", "cid", "value"];

const REQUEST_FIELDS: [&str; 7] =
    ["repo", "collection", "rkey", "record", "validate", "swapRecord", "swapCommit"];
