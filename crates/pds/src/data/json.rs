//! The JSON form of the data model, both ways.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::limits::MAX_JSON_BYTES;
use super::{Cid, DataError, Map, Value};

impl Value {
    /// Reads the JSON form: `{"$link": …}` is a link, `{"$bytes": …}` is bytes, and `123.0` is 123.
    ///
    /// # Errors
    ///
    /// [`DataError::Json`] when it is not JSON, has a fraction or an integer outside of 64 bits, a
    /// key twice, or a `$link` or `$bytes` that is not well formed; [`DataError::Model`] as
    /// [`check`](Self::check) says; [`DataError::TooLarge`] above [`MAX_JSON_BYTES`].
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        if text.len() > MAX_JSON_BYTES {
            return Err(DataError::TooLarge { bytes: text.len(), limit: MAX_JSON_BYTES });
        }
        let value: Self =
            serde_json::from_str(text).map_err(|error| DataError::Json(error.to_string()))?;
        value.check()?;
        Ok(value)
    }

    /// Writes the JSON form on one line, keys in canonical order.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a value has text keys and no floats")
    }

    /// Writes the JSON form over several lines.
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
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
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
        i64::try_from(n).map(Value::Int).map_err(|_| E::custom("an integer outside of 64 bits"))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Value, E> {
        // From 2^53 on a float no longer says which integer was meant.
        if n.fract() != 0.0 || n.abs() >= 9_007_199_254_740_992.0 {
            return Err(E::custom("a number that is not an integer"));
        }
        #[allow(clippy::cast_possible_truncation)]
        Ok(Value::Int(n as i64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = entries.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        while let Some(pair) = entries.next_entry::<String, Value>()? {
            pairs.push(pair);
        }
        pairs.sort_by(|(a, _), (b, _)| (a.len(), a.as_str()).cmp(&(b.len(), b.as_str())));
        if let Some([(key, _), _]) = pairs.array_windows().find(|[(a, _), (b, _)]| a == b) {
            let key: String = key.chars().take(64).collect();
            return Err(de::Error::custom(format_args!("the key {key:?} stands twice")));
        }
        special_value(Map::from_sorted(pairs)).map_err(de::Error::custom)
    }
}

/// Turns a map with a reserved key into what it stands for.
fn special_value(map: Map) -> Result<Value, &'static str> {
    if let Some(link) = map.get("$link") {
        let text = link.as_text().ok_or("the $link of a link is text")?;
        let cid: Cid = text.parse().map_err(|_| "the $link of a link is not a CID used here")?;
        return if map.len() == 1 { Ok(Value::Link(cid)) } else { Err("a link with extra keys") };
    }
    if let Some(bytes) = map.get("$bytes") {
        let text = bytes.as_text().ok_or("the $bytes of bytes are text")?;
        let encoding = if text.ends_with('=') { BASE64 } else { BASE64_NOPAD };
        let bytes = encoding.decode(text.as_bytes()).map_err(|_| "$bytes that are not base64")?;
        return if map.len() == 1 { Ok(Value::Bytes(bytes)) } else { Err("bytes with extra keys") };
    }
    Ok(Value::Map(map))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn integral_floats_are_integers_and_others_are_refused() {
        for (text, n) in
            [("123.0", 123), ("-0.0", 0), ("1e3", 1000), ("9007199254740991.0", (1 << 53) - 1)]
        {
            assert_eq!(Value::from_json(text).unwrap(), Value::Int(n), "{text}");
        }
        for text in ["1.5", "1e300", "9223372036854775808", "9007199254740992.0", "NaN"] {
            assert!(Value::from_json(text).is_err(), "{text}");
        }
        assert_eq!(Value::from_json("-9223372036854775808").unwrap(), Value::Int(i64::MIN));
    }

    #[test]
    fn keys_may_not_stand_twice() {
        assert!(Value::from_json(r#"{"a": 1, "b": 2, "a": 1}"#).is_err());
    }

    #[test]
    fn bytes_are_read_with_and_without_padding_and_written_without() {
        for text in [r#"{"$bytes":"aGk="}"#, r#"{"$bytes":"aGk"}"#] {
            let value = Value::from_json(text).unwrap();
            assert_eq!(value, Value::Bytes(b"hi".to_vec()));
            assert_eq!(value.to_json(), r#"{"$bytes":"aGk"}"#);
        }
        for text in [r#"{"$bytes":"aGl"}"#, r#"{"$bytes":"a-_k"}"#, r#"{"$bytes":"aGk=="}"#] {
            assert!(Value::from_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_json_is_an_error_and_no_overflow() {
        let text = "[".repeat(1_000_000);
        assert!(Value::from_json(&text).is_err());
    }
}
