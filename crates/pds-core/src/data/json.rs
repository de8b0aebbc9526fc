//! The JSON form of the data model: reading and writing.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::cell::Cell;
use std::fmt;

use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::{MAX_JSON_BYTES, MAX_RECORD_BYTES};
use crate::data::value::{Map, Value};

impl Value {
    /// Parses the JSON form: `{"$link": …}` is a link, `{"$bytes": …}` is bytes, and `123.0` is
    /// 123.
    ///
    /// The digits of a number are read exactly, and a number that is not an integer is an error.
    /// The serde implementation of [`Value`] cannot do that: it receives `0.99…9` as a float,
    /// rounded to 1.
    ///
    /// # Errors
    ///
    /// [`DataError::Json`] if the text is not JSON or has a fraction, an integer outside the signed
    /// 64-bit range, a duplicate key, more values than a record can have, or a malformed `$link` or
    /// `$bytes`. [`DataError::Model`] for the errors of [`check`](Self::check).
    /// [`DataError::TooLarge`] above [`MAX_JSON_BYTES`].
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        if text.len() > MAX_JSON_BYTES {
            return Err(DataError::TooLarge { bytes: text.len(), limit: MAX_JSON_BYTES });
        }
        let value = Self::parse_json(text)?;
        value.check()?;
        Ok(value)
    }

    /// Parses text that contains a record as a part. The values are limited as in
    /// [`from_json`](Self::from_json). The length of the text is not limited, and the value is not
    /// [checked](Self::check).
    ///
    /// # Errors
    ///
    /// [`DataError::Json`], as in [`from_json`](Self::from_json).
    pub fn parse_json(text: &str) -> Result<Self, DataError> {
        let value =
            serde_json::from_str(text).map_err(|error| DataError::Json(error.to_string()))?;
        match find_rounded(text) {
            None => Ok(value),
            Some(number) => {
                let shown: String = number.chars().take(MAX_SHOWN).collect();
                Err(DataError::Json(format!("a number that is not an integer: {shown}")))
            }
        }
    }

    /// Returns whether the JSON form of the value means this value. If a map has the key `$link` or `$bytes`, its JSON
    /// form means a link or bytes, or nothing.
    #[must_use]
    pub fn has_json_form(&self) -> bool {
        let is_reserved = |map: &Map| SPECIAL.iter().any(|key| map.get(key).is_some());
        !self.parts().any(|part| part.as_map().is_some_and(is_reserved))
    }

    /// Returns the JSON form on one line, with keys in canonical order. Call [`has_json_form`](Self::has_json_form)
    /// before, if the value is not valid as a record.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a value has text keys and no floats")
    }

    /// Returns the JSON form on several lines, indented.
    #[must_use]
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("a value has text keys and no floats")
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Map(map) => serializer.collect_map(map.iter()),
            Self::Link(cid) => special(serializer, "$link", &cid.to_string()),
            Self::Bytes(bytes) => special(serializer, "$bytes", &BASE64_NOPAD.encode(bytes)),
        }
    }
}

fn special<S: Serializer>(serializer: S, key: &str, text: &str) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, text)?;
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let room = Cell::new(MAX_RECORD_BYTES);
        ValueIn { room: &room, is_counted: true }.deserialize(deserializer)
    }
}

/// A value to read into, with the number of bytes that the record may still have.
///
/// A value with a short text may take much memory. The count of a value is at most the size of its
/// encoding, so every valid record fits.
#[derive(Clone, Copy)]
struct ValueIn<'r> {
    room: &'r Cell<usize>,
    /// Whether this value is counted. The text of a link or of bytes is not: its value is smaller.
    is_counted: bool,
}

impl ValueIn<'_> {
    fn count<E: de::Error>(&self, bytes: usize) -> Result<(), E> {
        if self.is_counted {
            let room = self.room.get().checked_sub(bytes);
            self.room.set(room.ok_or_else(|| E::custom("more values than a record can have"))?);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueIn<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueIn<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the atproto data model")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        i64::try_from(n)
            .map(Value::Int)
            .map_err(|_| E::custom("an integer outside the signed 64-bit range"))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Value, E> {
        if n.fract() != 0.0 {
            return Err(E::custom("a number that is not an integer"));
        }
        // From 2^53 on, a float does not determine the integer that was meant.
        if n.abs() >= 9_007_199_254_740_992.0 {
            return Err(E::custom(
                "a number that is too large: from 2^53 on, write integers without a point or an exponent",
            ));
        }
        #[allow(clippy::cast_possible_truncation)]
        Ok(Value::Int(n as i64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.count(text.len())?;
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.count(text.len())?;
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let each = ValueIn { is_counted: true, ..self };
        while let Some(value) = entries.next_element_seed(each)? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let is_counted = !SPECIAL.contains(&&*key);
            let value = ValueIn { is_counted, ..self };
            value.count(1 + key.len())?;
            pairs.push((key, entries.next_value_seed(value)?));
        }
        let map = Map::from_unique(pairs);
        let map = map.map_err(|key| de::Error::custom(format_args!("duplicate key {key:?}")))?;
        special_value(map).map_err(de::Error::custom)
    }
}

/// Converts a map with a reserved key to the link or the bytes that it represents.
pub(crate) fn special_value(map: Map) -> Result<Value, &'static str> {
    if let Some(link) = map.get("$link") {
        let text = link.as_text().ok_or("the $link of a link must be text")?;
        let cid: Cid = text.parse().map_err(|_| "the $link of a link is not a supported CID")?;
        return if map.len() == 1 { Ok(Value::Link(cid)) } else { Err("a link with extra keys") };
    }
    if let Some(bytes) = map.get("$bytes") {
        let text = bytes.as_text().ok_or("the $bytes of bytes must be text")?;
        let encoding = if text.ends_with('=') { BASE64 } else { BASE64_NOPAD };
        let bytes = encoding.decode(text.as_bytes()).map_err(|_| "$bytes that are not base64")?;
        return if map.len() == 1 { Ok(Value::Bytes(bytes)) } else { Err("bytes with extra keys") };
    }
    Ok(Value::Map(map))
}

/// Finds a number in JSON that is not an integer, even if the nearest float is one.
fn find_rounded(json: &str) -> Option<&str> {
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| matches!(c, '"' | '-' | '0'..='9')) {
        rest = &rest[start..];
        if let Some(text) = rest.strip_prefix('"') {
            rest = &text[text_len(text)..];
            continue;
        }
        let is_part = |c: char| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
        let (number, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        if !is_integer(number) {
            return Some(number);
        }
        rest = after;
    }
    None
}

/// Returns the length of a JSON string, with its closing quotation mark.
fn text_len(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// Returns whether the digits of a JSON number make an integer.
fn is_integer(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let significant = if fraction.is_empty() { whole.trim_end_matches('0') } else { fraction };
    if significant.trim_start_matches('-').bytes().all(|digit| digit == b'0') {
        return true;
    }
    // The decimal place of the last nonzero digit. To the right of the point it is negative.
    let places = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
    let place = match fraction.len() {
        0 => places(whole.len() - significant.len()),
        behind => -places(behind),
    };
    // An exponent beyond 64 bits is negative: the parser has refused such a positive one.
    exponent.parse::<i64>().is_ok_and(|exponent| exponent.saturating_add(place) >= 0)
}

/// The reserved keys: a map with one of them represents a link or bytes.
const SPECIAL: [&str; 2] = ["$link", "$bytes"];

/// The number of characters of a number that an error shows.
const MAX_SHOWN: usize = 64;

#[cfg(test)]
#[path = "json_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
