//! Checks of records without building values: one pass and no allocation.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::blob_ref::BlobRef;
use crate::data::cbor::{Cursor, Item, Rule};
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::data::limits::{
    MAX_CONTAINER_ENTRIES, MAX_MAP_KEY_BYTES, MAX_NESTING, MAX_RECORD_BYTES, MAX_SAFE_INTEGER,
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
}

/// Checks that bytes are canonical DAG-CBOR of the data model. The rules are those of
/// [`Value::decode`], without its size limit.
///
/// # Errors
///
/// [`DataError::Cbor`] with the byte offset of the problem.
pub fn check_canonical(bytes: &[u8]) -> Result<(), DataError> {
    scan(bytes, |_| {}).map(drop)
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
    let seen = scan(bytes, |_| {})?;
    if !seen.map_at_top {
        return Err(model("/", "the record is not a map"));
    }
    if seen.bad_type || seen.reserved_key || seen.facts.has_blobs {
        // A second, slower pass finds the place of the error. It is rarely needed.
        Value::decode(bytes)?.check()?;
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
    scan(bytes, |cid| links.push(cid))?;
    Ok(links)
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

/// Walks over one item and all items inside it, with a stack of fixed size.
#[inline]
fn scan<'a>(bytes: &'a [u8], mut on_link: impl FnMut(Cid)) -> Result<Scanned<'a>, DataError> {
    let mut cursor = Cursor::new(bytes);
    let mut seen = Scanned::default();
    let mut outer: [Open<'a>; MAX_NESTING] = [Open::default(); MAX_NESTING];
    let mut depth = 0_usize;
    let mut open = Open { left: 1, is_map: false, key: None };
    loop {
        while open.left == 0 {
            let Some(below) = depth.checked_sub(1) else {
                cursor.end()?;
                return Ok(seen);
            };
            depth = below;
            open = outer.get(depth).copied().unwrap_or_default();
        }
        open.left = open.left.saturating_sub(1);
        if open.is_map {
            open.key = Some(cursor.key(open.key)?);
        }
        let start = cursor.offset();
        let item = cursor.item()?;
        if let Some(key) = open.key {
            match (key, item) {
                ("mimeType", Item::Text(_)) => seen.facts.has_media_types = true,
                (key, _) if !key.starts_with('$') => {}
                ("$type", Item::Text(name)) => {
                    seen.facts.has_blobs |= name == "blob";
                    seen.bad_type |= name.is_empty();
                    if depth == 1 {
                        seen.facts.record_type = Some(name);
                    }
                }
                ("$type", _) => seen.bad_type = true,
                (key, _) => seen.reserved_key |= RESERVED_KEYS.contains(&key),
            }
        }
        let inner = match item {
            Item::List(left) => Open { left, is_map: false, key: None },
            Item::Map(left) => {
                seen.map_at_top |= depth == 0;
                Open { left, is_map: true, key: None }
            }
            Item::Link(cid) => {
                on_link(cid);
                continue;
            }
            Item::Int(n) => {
                seen.facts.has_unsafe_integers |= n.unsigned_abs() > MAX_SAFE_INTEGER as u64;
                continue;
            }
            _ => continue,
        };
        let Some(slot) = outer.get_mut(depth) else {
            return Err(Rule("nested deeper than the limit").at(start));
        };
        *slot = open;
        depth = depth.saturating_add(1);
        open = inner;
    }
}

const RESERVED_KEYS: [&str; 2] = ["$link", "$bytes"];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn record(pairs: &[(&str, Value)]) -> Vec<u8> {
        let mut map: Map = pairs.iter().cloned().collect();
        map.insert("$type", "com.example.note");
        Value::Map(map).encode()
    }

    fn refused(pairs: &[(&str, Value)]) -> (String, &'static str) {
        match check_record(&record(pairs)) {
            Err(DataError::Model { place, reason }) => (place, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bad_blob_reference_is_named_with_its_place() {
        let blob = |cid: Cid, mime: &str, size: i64| {
            Value::from([
                ("$type", Value::from("blob")),
                ("ref", Value::Link(cid)),
                ("mimeType", Value::from(mime)),
                ("size", Value::Int(size)),
            ])
        };
        let (raw, cbor) = (Cid::of(Codec::Raw, b"x"), Cid::of(Codec::Cbor, b"x"));
        let facts_of = record(&[("embed", blob(raw, "image/png", 0))]);
        let facts = check_record(&facts_of).unwrap();
        assert!(facts.has_blobs && facts.has_media_types);
        let within = |value| Value::from_iter([Value::from([("image", value)])]);
        let (place, _) = refused(&[("embed", within(blob(cbor, "image/png", 1)))]);
        assert_eq!(place, "/embed/0/image");
        refused(&[("embed", blob(raw, "", 1))]);
        refused(&[("embed", blob(raw, "image/png", -1))]);
    }

    #[test]
    fn reserved_keys_and_types_are_checked_at_any_depth() {
        let inner = |key: &str, value: Value| Value::from([(key, value)]);
        assert_eq!(refused(&[("a", inner("$type", Value::Null))]).0, "/a");
        assert_eq!(refused(&[("a", inner("$type", Value::from("")))]).0, "/a");
        assert_eq!(refused(&[("a", inner("$link", Value::from("x")))]).0, "/a");
        assert_eq!(refused(&[("a", inner("$bytes", Value::from("x")))]).0, "/a");
        assert!(check_record(&record(&[("a", inner("$other", Value::Null))])).is_ok());
    }

    #[test]
    fn a_record_is_a_map_and_its_own_type_counts() {
        for bad in [
            Value::from("text"),
            Value::from_iter([Value::from([("$type", Value::from("x"))])]),
            Value::from([("$type", Value::from(""))]),
            Value::from([("$type", Value::Null)]),
        ] {
            assert!(matches!(check_record(&bad.encode()), Err(DataError::Model { .. })), "{bad:?}");
        }
        let inner = Value::from([("a", Value::from([("$type", Value::from("x"))]))]);
        for untyped in [Value::Map(Map::new()), inner] {
            assert_eq!(check_record(&untyped.encode()).unwrap().record_type, None);
        }
    }

    #[test]
    fn integers_beyond_two_to_the_53_are_noted() {
        for (n, noted) in [(MAX_SAFE_INTEGER, false), (-MAX_SAFE_INTEGER - 1, true)] {
            let bytes = record(&[("n", Value::Int(n))]);
            assert_eq!(check_record(&bytes).unwrap().has_unsafe_integers, noted);
        }
    }

    #[test]
    fn nesting_meets_the_same_limit_as_decoding() {
        for depth in [MAX_NESTING, MAX_NESTING + 1] {
            let mut bytes = vec![0x81; depth];
            bytes.push(0xf6);
            assert_eq!(check_canonical(&bytes), Value::decode(&bytes).map(drop));
        }
    }
}
