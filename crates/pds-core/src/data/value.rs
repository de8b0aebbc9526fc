//! What a record holds.

use super::{BlobRef, Cid, Map};

/// A value of the atproto data model.
///
/// There are no floats, integers have 64 bits with a sign, and a link is a value of its own.
/// (Specification "Data Model".) It serialises with serde in the JSON form, links as
/// `{"$link": …}` and bytes as `{"$bytes": …}`.
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
    /// Null, which is not the same as absent.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer; beyond 2^53 some implementations lose digits.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text, not normalised.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// A map, in canonical order.
    Map(Map),
    /// A link to a block or a blob.
    Link(Cid),
}

impl Value {
    /// Returns the value of a key, where this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// Returns the map, where this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the text, where this is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, where this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// Tells which it is, where this is true or false.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(*is),
            _ => None,
        }
    }

    /// Returns the bytes, where this is a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the link, where this is one.
    #[must_use]
    pub fn as_link(&self) -> Option<Cid> {
        match self {
            Self::Link(cid) => Some(*cid),
            _ => None,
        }
    }

    /// Returns the values, where this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Iterates over every link in here, in canonical order.
    pub fn links(&self) -> impl Iterator<Item = Cid> {
        self.parts().filter_map(|part| match part {
            Self::Link(cid) => Some(*cid),
            _ => None,
        })
    }

    /// Iterates over every blob reference in here, in canonical order: typed ones, and maps of the
    /// legacy shape, which cannot be told from any other map that looks like one.
    pub fn blobs(&self) -> impl Iterator<Item = BlobRef> {
        self.parts().filter_map(BlobRef::from_value)
    }

    /// Iterates over this value and everything inside, outer before inner, first before last.
    fn parts(&self) -> impl Iterator<Item = &Self> {
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
