//! Checks of records without building values: one pass and no allocation.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::blob_ref::BlobRef;
use crate::data::cbor::{Cursor, Item, Rule};
use crate::data::cid::{Cid, Codec};
use crate::data::decode::shallow_item;
use crate::data::error::DataError;
use crate::data::limits::{
    MAX_BLOCK_NESTING, MAX_CONTAINER_ENTRIES, MAX_DEEP_BLOB_NESTING, MAX_MAP_KEY_BYTES,
    MAX_NESTING, MAX_RECORD_BYTES, MAX_SAFE_INTEGER,
};
use crate::data::value::{Map, Value};

/// Facts that a pass over a record collects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts<'a> {
    /// The `$type` of the record, if it has one.
    pub record_type: Option<&'a str>,
    /// Whether the record contains a typed blob reference.
    pub has_blobs: bool,
    /// Whether the record contains a field `mimeType` with a text. Each blob reference has one, in the typed and in the
    /// legacy form.
    pub has_media_types: bool,
    /// Whether the record contains an integer beyond 2^53 - 1, which some implementations cannot
    /// represent.
    pub has_unsafe_integers: bool,
    /// The number of arrays and maps around the innermost value. Records with more than
    /// [`MAX_NESTING`] are valid, but are not decoded.
    pub nesting: usize,
}

/// Checks that bytes are canonical DAG-CBOR of the data model. The rules are those of
/// [`Value::decode`] without its size limit, and with the limit [`MAX_BLOCK_NESTING`].
///
/// # Errors
///
/// [`DataError::Cbor`] with the byte offset of the problem.
pub fn check_canonical(bytes: &[u8]) -> Result<(), DataError> {
    scan(bytes, |_, _| {}).map(drop)
}

/// Checks that bytes are a valid record: a canonical map of at most [`MAX_RECORD_BYTES`], in which
/// every `$type` is text and every blob reference is well formed.
///
/// A record should have a `$type`. Records without one exist and can be read, so a missing `$type`
/// is a fact and no error.
///
/// ```
/// use pds::data::{Value, check_record};
///
/// let record = Value::from([("$type", Value::from("com.example.note"))]).encode();
/// assert_eq!(check_record(&record).unwrap().record_type, Some("com.example.note"));
/// assert!(check_record(&Value::from("text").encode()).is_err());
/// ```
///
/// # Errors
///
/// [`DataError::TooLarge`], [`DataError::Cbor`] or [`DataError::Model`].
pub fn check_record(bytes: &[u8]) -> Result<RecordFacts<'_>, DataError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(DataError::TooLarge { bytes: bytes.len(), limit: MAX_RECORD_BYTES });
    }
    let seen = scan(bytes, |_, _| {})?;
    if !seen.map_at_top {
        return Err(model("/", "the record is not a map"));
    }
    if seen.bad_type || seen.reserved_key || seen.facts.has_blobs {
        // A second, slower pass finds the place of the error. It is rarely needed.
        match seen.facts.nesting > MAX_NESTING {
            true => check_deep(bytes, &seen)?,
            false => Value::decode(bytes)?.check()?,
        }
    }
    Ok(seen.facts)
}

/// Returns all links in a block, in byte order.
///
/// # Errors
///
/// [`DataError::Cbor`] with the byte offset of the problem, if the block is not canonical.
pub fn links(bytes: &[u8]) -> Result<Vec<Cid>, DataError> {
    let mut links = Vec::new();
    scan(bytes, |_, item| {
        if let Item::Link(cid) = item {
            links.push(*cid);
        }
    })?;
    Ok(links)
}

/// Returns all blob references in the bytes of a record, as [`Value::blobs`] does. The record may be nested deeper
/// than values may be.
///
/// # Errors
///
/// [`DataError::Cbor`] with the byte offset of the problem, if the record is not canonical.
/// [`DataError::TooLarge`] above [`MAX_RECORD_BYTES`].
pub fn blobs_in(record: &[u8]) -> Result<Vec<BlobRef>, DataError> {
    if record.len() > MAX_RECORD_BYTES {
        return Err(DataError::TooLarge { bytes: record.len(), limit: MAX_RECORD_BYTES });
    }
    if let Ok(value) = Value::decode(record) {
        return Ok(value.blobs().collect());
    }
    Ok(shallow_maps(record)?.1.iter().filter_map(BlobRef::from_value).collect())
}

/// Checks the rules of the data model in a record that is nested too deep to be decoded.
fn check_deep(record: &[u8], seen: &Scanned<'_>) -> Result<(), DataError> {
    if seen.bad_type {
        return Err(model("/", "a $type must be text and not empty"));
    }
    if seen.reserved_key {
        return Err(model("/", "$link and $bytes are reserved and cannot be keys"));
    }
    let (_, maps) = shallow_maps(record)?;
    maps.iter().try_for_each(Value::check)
}

/// Scans a record, and decodes each map in it that has few levels.
fn shallow_maps(record: &[u8]) -> Result<(Scanned<'_>, Vec<Value>), DataError> {
    let mut maps = Vec::new();
    let seen = scan(record, |start, item| {
        let bytes = record.get(start..).unwrap_or_default();
        if matches!(item, Item::Map(_))
            && let Ok(map) = shallow_item(bytes, MAX_DEEP_BLOB_NESTING)
            && map.get("mimeType").is_some()
        {
            maps.push(map);
        }
    })?;
    Ok((seen, maps))
}

impl Value {
    /// Checks the rules of the data model that are no rules of CBOR: a `$type` is text and not
    /// empty, blob references are well formed, and `$link` and `$bytes` are not used as keys. The
    /// limits for nesting, entries and keys are those of [`decode`](Self::decode).
    ///
    /// # Errors
    ///
    /// [`DataError::Model`] with the place of the problem.
    pub fn check(&self) -> Result<(), DataError> {
        check_value(self, &mut Vec::new())
    }
}

/// Checks a value recursively. The length of the path bounds the recursion.
fn check_value<'v>(value: &'v Value, path: &mut Vec<PathStep<'v>>) -> Result<(), DataError> {
    let entries = match value {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Ok(()),
    };
    let refused = |reason| Err(model(&place(path), reason));
    if path.len() >= MAX_NESTING {
        return refused("nested deeper than the limit");
    }
    if entries > MAX_CONTAINER_ENTRIES {
        return refused("more entries than the limit");
    }
    match value {
        Value::List(list) => {
            for (index, value) in list.iter().enumerate() {
                path.push(PathStep::Index(index));
                check_value(value, path)?;
                path.pop();
            }
        }
        Value::Map(map) => {
            check_map(value, map).map_err(|reason| model(&place(path), reason))?;
            for (key, value) in map.iter() {
                path.push(PathStep::Key(key));
                check_value(value, path)?;
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

fn check_map(value: &Value, map: &Map) -> Result<(), &'static str> {
    if map.keys().any(|key| key.len() > MAX_MAP_KEY_BYTES) {
        return Err("a key longer than the limit");
    }
    if RESERVED_KEYS.iter().any(|key| map.get(key).is_some()) {
        return Err("$link and $bytes are reserved and cannot be keys");
    }
    match map.get("$type") {
        None => Ok(()),
        Some(Value::Text(name)) if name == "blob" => match BlobRef::from_value(value) {
            None => Err("a blob reference must have a link ref, a mimeType and a size"),
            Some(blob) if blob.mime_type.is_empty() => Err("the mimeType of a blob is empty"),
            Some(blob) if blob.cid.codec() != Codec::Raw => {
                Err("the ref of a blob reference is not the CID of a blob")
            }
            Some(_) => Ok(()),
        },
        Some(Value::Text(name)) if !name.is_empty() => Ok(()),
        Some(_) => Err("a $type must be text and not empty"),
    }
}

enum PathStep<'v> {
    Key(&'v str),
    Index(usize),
}

fn place(path: &[PathStep<'_>]) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let text: String = path
        .iter()
        .map(|step| match step {
            PathStep::Key(key) => {
                let shown: String = key.chars().take(64).collect();
                format!("/{}", shown.escape_debug())
            }
            PathStep::Index(index) => format!("/{index}"),
        })
        .collect();
    text.chars().take(512).collect()
}

fn model(place: &str, reason: &'static str) -> DataError {
    DataError::Model { place: place.to_owned(), reason }
}

#[derive(Default)]
struct Scanned<'a> {
    facts: RecordFacts<'a>,
    map_at_top: bool,
    bad_type: bool,
    reserved_key: bool,
}

/// An open container: the number of items that are still to be read, and in a map the key before.
#[derive(Clone, Copy, Default)]
struct Open<'a> {
    left: usize,
    is_map: bool,
    key: Option<&'a str>,
}

impl<'a> Scanned<'a> {
    /// Notes an entry of a map.
    #[inline]
    fn note(&mut self, key: &str, item: Item<'a>, depth: usize) {
        match (key, item) {
            ("mimeType", Item::Text(_)) => self.facts.has_media_types = true,
            (key, _) if !key.starts_with('$') => {}
            ("$type", Item::Text(name)) => {
                self.facts.has_blobs |= name == "blob";
                self.bad_type |= name.is_empty();
                if depth == 1 {
                    self.facts.record_type = Some(name);
                }
            }
            ("$type", _) => self.bad_type = true,
            (key, _) => self.reserved_key |= RESERVED_KEYS.contains(&key),
        }
    }
}

/// Walks over one item and all items inside it, without recursion. The callback receives each item with its offset.
#[inline]
fn scan<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(usize, &Item<'a>),
) -> Result<Scanned<'a>, DataError> {
    let mut cursor = Cursor::new(bytes);
    let mut seen = Scanned::default();
    let mut outer: [Open<'a>; MAX_NESTING] = [Open::default(); MAX_NESTING];
    // The levels beyond those of nearly all records.
    let mut deeper: Vec<Open<'a>> = Vec::new();
    let mut depth = 0_usize;
    let mut open = Open { left: 1, is_map: false, key: None };
    loop {
        while open.left == 0 {
            let Some(below) = depth.checked_sub(1) else {
                cursor.end()?;
                return Ok(seen);
            };
            depth = below;
            open = match outer.get(depth) {
                Some(open) => *open,
                None => deeper.pop().unwrap_or_default(),
            };
        }
        open.left = open.left.saturating_sub(1);
        if open.is_map {
            open.key = Some(cursor.key(open.key)?);
        }
        let start = cursor.offset();
        let item = cursor.item()?;
        visit(start, &item);
        if let Some(key) = open.key {
            seen.note(key, item, depth);
        }
        let inner = match item {
            Item::List(left) => Open { left, is_map: false, key: None },
            Item::Map(left) => {
                seen.map_at_top |= depth == 0;
                Open { left, is_map: true, key: None }
            }
            Item::Int(n) => {
                seen.facts.has_unsafe_integers |= n.unsigned_abs() > MAX_SAFE_INTEGER as u64;
                continue;
            }
            _ => continue,
        };
        match outer.get_mut(depth) {
            Some(slot) => *slot = open,
            None if depth < MAX_BLOCK_NESTING => deeper.push(open),
            None => return Err(Rule("nested deeper than the limit of 65,535 levels").at(start)),
        }
        depth = depth.saturating_add(1);
        seen.facts.nesting = seen.facts.nesting.max(depth);
        open = inner;
    }
}

const RESERVED_KEYS: [&str; 2] = ["$link", "$bytes"];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
