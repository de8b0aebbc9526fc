//! The decoder from canonical DAG-CBOR to values.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cbor::{Cursor, Item, Rule};
use crate::data::error::DataError;
use crate::data::limits::{MAX_MESSAGE_BYTES, MAX_NESTING, MAX_RECORD_BYTES};
use crate::data::value::{Map, Value};

impl Value {
    /// Decodes exactly one item of canonical DAG-CBOR of the atproto data model.
    ///
    /// # Errors
    ///
    /// [`DataError::Cbor`] with the byte offset, if the bytes are not canonical, or contain a
    /// float, an integer outside the signed 64-bit range, a tag other than 42 or an unsupported
    /// CID. [`DataError::TooLarge`] above [`MAX_RECORD_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DataError> {
        let (value, rest) = first_item(bytes, MAX_RECORD_BYTES)?;
        if rest.is_empty() {
            return Ok(value);
        }
        Err(Rule("bytes after the end of the item").at(bytes.len().saturating_sub(rest.len())))
    }

    /// Decodes one item at the start of the bytes. Returns it with the bytes after it.
    ///
    /// Event stream frames consist of two items. Everywhere else there is exactly one.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode), with the limit [`MAX_MESSAGE_BYTES`].
    pub fn decode_first(bytes: &[u8]) -> Result<(Self, &[u8]), DataError> {
        first_item(bytes, MAX_MESSAGE_BYTES)
    }
}

fn first_item(bytes: &[u8], limit: usize) -> Result<(Value, &[u8]), DataError> {
    if bytes.len() > limit {
        return Err(DataError::TooLarge { bytes: bytes.len(), limit });
    }
    let mut cursor = Cursor::new(bytes);
    let value = value(&mut cursor, MAX_NESTING)?;
    let (_, rest) = bytes.split_at_checked(cursor.offset()).unwrap_or((bytes, &[]));
    Ok((value, rest))
}

/// Decodes the item at the start of the bytes, with fewer levels than [`MAX_NESTING`].
pub(crate) fn shallow_item(bytes: &[u8], levels: usize) -> Result<Value, DataError> {
    value(&mut Cursor::new(bytes), levels.min(MAX_NESTING))
}

/// Decodes recursively. The number of containers that may still be opened, `depth`, bounds the
/// recursion.
fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, DataError> {
    let start = cursor.offset();
    let inside = |depth: usize| {
        depth
            .checked_sub(1)
            .ok_or_else(|| Rule("nested deeper than the limit of 64 levels").at(start))
    };
    Ok(match cursor.item()? {
        Item::Null => Value::Null,
        Item::Bool(bool) => Value::Bool(bool),
        Item::Int(n) => Value::Int(n),
        Item::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Item::Text(text) => Value::Text(text.to_owned()),
        Item::Link(cid) => Value::Link(cid),
        Item::List(entries) => {
            let depth = inside(depth)?;
            let mut list = Vec::with_capacity(entries.min(TRUSTED_ENTRIES));
            for _ in 0..entries {
                list.push(value(cursor, depth)?);
            }
            Value::List(list)
        }
        Item::Map(pairs) => {
            let depth = inside(depth)?;
            let mut map: Vec<(String, Value)> = Vec::with_capacity(pairs.min(TRUSTED_ENTRIES));
            for _ in 0..pairs {
                let key = cursor.key(map.last().map(|(key, _)| key.as_str()))?;
                map.push((key.to_owned(), value(cursor, depth)?));
            }
            Value::Map(Map::from_sorted(map))
        }
    })
}

/// The number of entries that a container allocates before they are read.
const TRUSTED_ENTRIES: usize = 1_024;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::data::limits::{MAX_CONTAINER_ENTRIES, MAX_MAP_KEY_BYTES};

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| {
            let mut bytes = vec![0x81; depth];
            bytes.push(0x00);
            Value::decode(&bytes)
        };
        assert!(nested(MAX_NESTING).is_ok());
        assert!(nested(MAX_NESTING + 1).is_err());
        assert!(nested(900_000).is_err());
    }

    #[test]
    fn entries_are_limited() {
        let list = |n: usize| Value::from_iter(vec![Value::Null; n]).encode();
        assert!(Value::decode(&list(MAX_CONTAINER_ENTRIES)).is_ok());
        assert!(Value::decode(&list(MAX_CONTAINER_ENTRIES + 1)).is_err());
    }

    #[test]
    fn keys_are_limited() {
        let map = |n: usize| Value::from([("x".repeat(n), Value::Null)]).encode();
        assert!(Value::decode(&map(MAX_MAP_KEY_BYTES)).is_ok());
        assert!(Value::decode(&map(MAX_MAP_KEY_BYTES + 1)).is_err());
    }

    #[test]
    fn size_is_limited() {
        let text = |n: usize| Value::from("x".repeat(n)).encode();
        assert!(Value::decode(&text(MAX_RECORD_BYTES - 5)).is_ok());
        assert_eq!(
            Value::decode(&text(MAX_RECORD_BYTES)).unwrap_err(),
            DataError::TooLarge { bytes: MAX_RECORD_BYTES + 5, limit: MAX_RECORD_BYTES }
        );
    }

    #[test]
    fn map_keys_sort_by_length_first() {
        let sorted = [0xa2, 0x61, b'b', 1, 0x62, b'a', b'a', 2];
        assert!(Value::decode(&sorted).is_ok());
        let bytewise = [0xa2, 0x62, b'a', b'a', 2, 0x61, b'b', 1];
        let twice = [0xa2, 0x61, b'b', 1, 0x61, b'b', 1];
        for bad in [&bytewise[..], &twice[..]] {
            assert!(matches!(Value::decode(bad), Err(DataError::Cbor { offset: 4 | 5, .. })));
        }
    }

    #[test]
    fn nothing_may_follow() {
        assert!(matches!(Value::decode(&[0xf6, 0]), Err(DataError::Cbor { offset: 1, .. })));
        assert_eq!(Value::decode_first(&[0xf6, 0]).unwrap(), (Value::Null, &[0][..]));
    }
}
