//! Types of the caller from values, by serde.

use data_encoding::BASE64_NOPAD;
use serde::de::value::BytesDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use std::borrow::Cow;
use std::fmt;

use crate::data::error::DataError;
use crate::data::typed::CID_OF_OTHER_CRATES;
use crate::data::value::Value;

impl Value {
    /// Converts the value to a type that serde can deserialize.
    ///
    /// This is the inverse of [`from_serialize`](Self::from_serialize): bytes become bytes, and a link becomes the `Cid`
    /// of the crate `cid`. Types that ask for neither, and all parts that serde buffers (`flatten`, `untagged`), get the
    /// JSON form: maps `{"$bytes": …}` and `{"$link": …}`.
    ///
    /// ```
    /// use pds::data::Value;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Note {
    ///     text: String,
    /// }
    ///
    /// let value = Value::from([("text", Value::from("hi"))]);
    /// assert_eq!(value.deserialize_to::<Note>()?.text, "hi");
    /// # Ok::<(), pds::data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Type`] with the place, if the value does not fit the type.
    pub fn deserialize_to<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        T::deserialize(FromValue::Value(self)).map_err(|error| DataError::Type(error.to_string()))
    }
}

/// The reason why a value does not fit a type, and its place: `/embed/images/0`.
#[derive(Debug)]
struct Misfit {
    place: String,
    reason: String,
}

impl Misfit {
    /// Puts the place into the value of a key, or of an index.
    fn within(mut self, key: impl fmt::Display) -> Self {
        self.place = format!("/{key}{}", self.place);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "/" } else { &self.place };
        write!(f, "{place}: {}", self.reason)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { place: String::new(), reason: reason.to_string() }
    }
}

/// A value, or text that is no value of its own: a key, or the text of a link or of bytes in JSON.
enum FromValue<'de> {
    Value(&'de Value),
    Text(Cow<'de, str>),
}

impl<'de> Deserializer<'de> for FromValue<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Self::Value(value) => match value {
                Value::Null => visitor.visit_unit(),
                Value::Bool(bool) => visitor.visit_bool(*bool),
                // Visitors of unsigned numbers may know no others.
                Value::Int(n) => match u64::try_from(*n) {
                    Ok(n) => visitor.visit_u64(n),
                    Err(_) => visitor.visit_i64(*n),
                },
                Value::Text(text) => visitor.visit_borrowed_str(text),
                Value::List(list) => {
                    let mut items = Items { rest: list.iter(), len: list.len() };
                    let made = visitor.visit_seq(&mut items)?;
                    match items.rest.len() {
                        0 => Ok(made),
                        _ => Err(de::Error::invalid_length(list.len(), &"fewer entries")),
                    }
                }
                Value::Map(map) => {
                    visitor.visit_map(Entries::of(map.iter().map(|(k, v)| (k, Self::Value(v)))))
                }
                Value::Link(cid) => visitor.visit_map(Entries::special("$link", cid.to_string())),
                Value::Bytes(bytes) => {
                    visitor.visit_map(Entries::special("$bytes", BASE64_NOPAD.encode(bytes)))
                }
            },
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Value(Value::Bytes(bytes)) => visitor.visit_borrowed_bytes(bytes),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Value(Value::Null) => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Value(Value::Link(cid)) if name == CID_OF_OTHER_CRATES => {
                visitor.visit_newtype_struct(BytesDeserializer::new(cid.as_bytes()))
            }
            other => visitor.visit_newtype_struct(other),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let expected = "the name of a variant, or a map with one";
        match self {
            Self::Value(Value::Text(name)) => {
                visitor.visit_enum(Choice { name: Self::Text(name.into()), content: None })
            }
            Self::Value(Value::Map(map)) => match (map.iter().next(), map.len()) {
                (Some((name, content)), 1) => {
                    let choice = Choice { name: Self::Text(name.into()), content: Some(content) };
                    visitor.visit_enum(choice).map_err(|error| error.within(name))
                }
                _ => Err(de::Error::invalid_value(Unexpected::Map, &expected)),
            },
            name @ Self::Text(_) => visitor.visit_enum(Choice { name, content: None }),
            Self::Value(_) => Err(de::Error::custom(format_args!("expected {expected}"))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The entries of a list.
struct Items<'de> {
    rest: std::slice::Iter<'de, Value>,
    len: usize,
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let index = self.len - self.rest.len();
        let next = self.rest.next().map(|value| seed.deserialize(FromValue::Value(value)));
        next.transpose().map_err(|error| error.within(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The entries of a map.
struct Entries<'de> {
    rest: std::vec::IntoIter<(&'de str, FromValue<'de>)>,
    next: Option<(&'de str, FromValue<'de>)>,
}

impl<'de> Entries<'de> {
    fn of(entries: impl IntoIterator<Item = (&'de str, FromValue<'de>)>) -> Self {
        Self { rest: entries.into_iter().collect::<Vec<_>>().into_iter(), next: None }
    }

    /// Returns the JSON form of a link or of bytes.
    fn special(key: &'static str, text: String) -> Self {
        Self::of([(key, FromValue::Text(Cow::Owned(text)))])
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.next = self.rest.next();
        let key = self.next.as_ref().map(|(key, _)| *key);
        let read = key.map(|key| seed.deserialize(FromValue::Text(key.into())));
        read.transpose().map_err(|error| error.within(key.unwrap_or_default()))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let next = self.next.take();
        let (key, value) = next.ok_or_else(|| de::Error::custom("a value without a key"))?;
        seed.deserialize(value).map_err(|error| error.within(key))
    }
}

/// A variant of an enum, with its content if it has one.
struct Choice<'de> {
    name: FromValue<'de>,
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Misfit;
    type Variant = VariantContent<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, VariantContent<'de>), Misfit> {
        Ok((seed.deserialize(self.name)?, VariantContent(self.content)))
    }
}

/// The content of a variant.
struct VariantContent<'de>(Option<&'de Value>);

impl<'de> VariantContent<'de> {
    fn get(&self) -> Result<FromValue<'de>, Misfit> {
        let content = self.0.map(FromValue::Value);
        content.ok_or_else(|| de::Error::invalid_type(Unexpected::UnitVariant, &"its content"))
    }
}

impl<'de> VariantAccess<'de> for VariantContent<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        self.0.map_or(Ok(()), |content| de::Deserialize::deserialize(FromValue::Value(content)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.get()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.get()?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.get()?.deserialize_struct("", fields, visitor)
    }
}
