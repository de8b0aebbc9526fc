//! The values of the data model, which are the content of records, and their maps.

use crate::data::cid::Cid;

/// A value of the atproto data model.
///
/// There are no floats, integers have 64 bits with a sign, and a link is a type of its own
/// (specification "Data Model"). With serde, a value has the JSON form: links are `{"$link": …}`
/// and bytes are `{"$bytes": …}`.
///
/// ```
/// use pds::data::Value;
///
/// let value = Value::from_json(r#"{"$type": "com.example.note", "text": "hi", "n": 1.0}"#)?;
/// assert_eq!(value.get("n"), Some(&Value::Int(1)));
/// let bytes = value.encode();
/// assert_eq!(Value::decode(&bytes)?, value);
/// # Ok::<(), pds::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Null, which differs from an absent value.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer. Beyond 2^53 some implementations lose digits.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text, not normalized.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// A map, in canonical order.
    Map(Map),
    /// A link to a block or a blob.
    Link(Cid),
}

impl Value {
    /// Returns the value of a key, if this is a map with that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// Returns the map, if this is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the text, if this is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, if this is an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// Returns the truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(*is),
            _ => None,
        }
    }

    /// Returns the bytes, if this is a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the link, if this is a link.
    #[must_use]
    pub fn as_link(&self) -> Option<Cid> {
        match self {
            Self::Link(cid) => Some(*cid),
            _ => None,
        }
    }

    /// Returns the values, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Iterates over all links in this value, in canonical order.
    pub fn links(&self) -> impl Iterator<Item = Cid> {
        self.parts().filter_map(|part| match part {
            Self::Link(cid) => Some(*cid),
            _ => None,
        })
    }

    /// Iterates over this value and all values inside it, outer before inner and first before last.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Self> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let part = waiting.pop()?;
            match part {
                Self::List(list) => waiting.extend(list.iter().rev()),
                Self::Map(map) => {
                    let start = waiting.len();
                    waiting.extend(map.iter().map(|(_, value)| value));
                    waiting[start..].reverse();
                }
                _ => {}
            }
            Some(part)
        })
    }
}

/// A map from text keys to values, in canonical order: shorter keys first, then by bytes.
///
/// ```
/// use pds::data::{Map, Value};
///
/// let mut map = Map::new();
/// map.insert("text", Value::from("hi"));
/// map.insert("n", Value::from(1));
/// assert_eq!(map.keys().collect::<Vec<_>>(), ["n", "text"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<(String, Value)>);

impl Map {
    /// Returns an empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.position(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Sets the value of a key and returns its previous value.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Iterates over the pairs in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Iterates over the keys in canonical order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// Returns the map of pairs in any order, or the beginning of a key that occurs twice.
    pub(crate) fn from_unique(mut pairs: Vec<(String, Value)>) -> Result<Self, String> {
        pairs.sort_by(|(a, _), (b, _)| (a.len(), a.as_str()).cmp(&(b.len(), b.as_str())));
        let twice = pairs.iter().zip(pairs.iter().skip(1)).find(|((a, _), (b, _))| a == b);
        match twice {
            Some(((key, _), _)) => Err(key.chars().take(MAX_SHOWN).collect()),
            None => Ok(Self(pairs)),
        }
    }

    /// Returns the map of pairs that are already in canonical order.
    pub(crate) fn from_sorted(pairs: Vec<(String, Value)>) -> Self {
        Self(pairs)
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| (found.len(), found.as_str()).cmp(&(key.len(), key)))
    }
}

/// Collects pairs. If a key occurs twice, the last value is kept.
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        for (key, value) in pairs {
            map.insert(key, value);
        }
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

macro_rules! value_from {
    ($($from:ty => $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from(from: $from) -> Self {
                $to(from.into())
            }
        })*
    };
}

value_from! {
    bool => Value::Bool;
    i64 => Value::Int;
    i32 => Value::Int;
    u32 => Value::Int;
    &str => Value::Text;
    String => Value::Text;
    Vec<u8> => Value::Bytes;
    &[u8] => Value::Bytes;
    Vec<Value> => Value::List;
    Map => Value::Map;
    Cid => Value::Link;
}

impl<K: Into<String>, const N: usize> From<[(K, Self); N]> for Value {
    fn from(pairs: [(K, Self); N]) -> Self {
        Self::Map(pairs.into_iter().collect())
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(values: I) -> Self {
        Self::List(values.into_iter().collect())
    }
}

/// The number of characters of a key that an error shows.
const MAX_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds that a value can be read as.
    fn kinds(value: &Value) -> Vec<&'static str> {
        let found = [
            value.as_bool().map(|_| "bool"),
            value.as_int().map(|_| "int"),
            value.as_text().map(|_| "text"),
            value.as_bytes().map(|_| "bytes"),
            value.as_link().map(|_| "link"),
            value.as_list().map(|_| "list"),
            value.as_map().map(|_| "map"),
        ];
        found.into_iter().flatten().collect()
    }

    #[test]
    fn a_value_is_read_as_its_own_kind_only() {
        let (link, list) = (Cid::of(crate::data::cid::Codec::Raw, b"a"), vec![Value::Null]);
        let map = Map::from_iter([("a", 1)]);
        let bytes = Value::from(vec![7_u8]);
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert_eq!(Value::from(false).as_bool(), Some(false));
        assert_eq!(bytes.as_bytes(), Some(&[7][..]));
        assert_eq!(Value::from(link).as_link(), Some(link));
        assert_eq!(Value::from(list.clone()).as_list(), Some(&list[..]));
        assert_eq!(Value::from(map.clone()).as_map(), Some(&map));
        let values: [(Value, &[&str]); 8] = [
            (Value::Null, &[]),
            (true.into(), &["bool"]),
            (1.into(), &["int"]),
            ("a".into(), &["text"]),
            (bytes, &["bytes"]),
            (link.into(), &["link"]),
            (list.into(), &["list"]),
            (map.into(), &["map"]),
        ];
        for (value, expected) in values {
            assert_eq!(kinds(&value), expected);
        }
    }

    #[test]
    fn a_map_forgets_what_is_removed() {
        let mut map = Map::new();
        assert!(map.is_empty());
        assert_eq!([map.insert("a", 1), map.insert("a", 2)], [None, Some(1.into())]);
        assert!(!map.is_empty());
        let all: Vec<_> = map.clone().into_iter().collect();
        assert_eq!(all, [("a".to_owned(), Value::from(2))]);
        assert_eq!(
            [map.remove("b"), map.remove("a"), map.remove("a")],
            [None, Some(2.into()), None]
        );
        assert_eq!(map, Map::new());
    }
}
