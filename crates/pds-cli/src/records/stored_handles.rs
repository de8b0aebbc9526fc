//! The handles of an account, as the identity document next to its repository has them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pds::data::limits::MAX_DID_DOCUMENT_BYTES;
use pds::local::layout::IDENTITY_DIRECTORY;
use pds::syntax::{Did, Handle};
use serde_json::Value;

/// Tells whether the stored document of an account names a handle. Nothing is checked online.
///
/// Without a readable document of this account, no handle is confirmed.
pub(crate) fn confirms(directory: &Path, account: &Did, handle: &Handle) -> bool {
    let Some(document) = read(&directory.join(IDENTITY_DIRECTORY).join(DOCUMENT)) else {
        return false;
    };
    let is_of_account = document.get("id").and_then(Value::as_str) == Some(account.as_str());
    let names = document.get("alsoKnownAs").and_then(Value::as_array);
    let is_named = |name: &Value| {
        let named = name.as_str().and_then(|name| name.strip_prefix("at://"));
        named.is_some_and(|named| named.eq_ignore_ascii_case(handle.as_str()))
    };
    is_of_account && names.is_some_and(|names| names.iter().any(is_named))
}

fn read(path: &Path) -> Option<Value> {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_DID_DOCUMENT_BYTES).ok()?;
    File::open(path).ok()?.take(limit + 1).read_to_end(&mut text).ok()?;
    if text.len() > MAX_DID_DOCUMENT_BYTES {
        return None;
    }
    serde_json::from_slice(&text).ok()
}

/// The document of an account among its identity files.
const DOCUMENT: &str = "did.json";
