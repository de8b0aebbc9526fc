//! Values from types of the caller, by serde.

use serde::ser::{self, Serialize, Serializer};
use std::fmt;

use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::json::special_value;
use crate::data::limits::MAX_NESTING;
use crate::data::value::{Map, Value};

impl Value {
    /// Converts any type that serde can serialize.
    ///
    /// Bytes become bytes, the `Cid` of the crate `cid` becomes a link, and maps such as `{"$link": …}` become the value
    /// that they are the JSON form of. A [`Cid`] of this crate becomes text, as in `com.atproto.repo.strongRef`; use
    /// [`Value::Link`] for a link. An absent `Option` becomes null, so records leave it out with `skip_serializing_if`.
    ///
    /// ```
    /// use pds::data::Value;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Note<'a> {
    ///     #[serde(rename = "$type")]
    ///     kind: &'a str,
    ///     text: &'a str,
    ///     count: u32,
    /// }
    ///
    /// let note = Note { kind: "com.example.note", text: "hi", count: 2 };
    /// let value = Value::from_serialize(&note)?;
    /// assert_eq!(value, Value::from_json(r#"{"$type":"com.example.note","text":"hi","count":2}"#)?);
    /// assert!(Value::from_serialize(&0.5).is_err());
    /// # Ok::<(), pds::data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Type`] for floats, integers outside the signed 64-bit range, map keys that are not text, duplicate
    /// keys, deep nesting, malformed `$link` and `$bytes`, and errors of the type itself. [`DataError::Model`] for the
    /// errors of [`check`](Self::check).
    pub fn from_serialize<T: Serialize + ?Sized>(from: &T) -> Result<Self, DataError> {
        let value =
            from.serialize(ToValue { depth: 0 }).map_err(|error| DataError::Type(error.0))?;
        value.check()?;
        Ok(value)
    }
}

/// The reason why a type has no value.
#[derive(Debug)]
struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// Serializes to a value, inside as many values as `depth` says.
#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    /// Returns the serializer of the values inside a list or map.
    fn inner(self) -> Result<Self, Unfit> {
        // A link is written as a map, so it is one level deeper than the lists and maps around it.
        match self.depth <= MAX_NESTING {
            true => Ok(Self { depth: self.depth + 1 }),
            false => Err(Unfit(format!("nested deeper than {MAX_NESTING} levels"))),
        }
    }

    fn list(self, variant: Option<&'static str>) -> Result<ToList, Unfit> {
        Ok(ToList { variant, list: Vec::new(), each: self.inner()? })
    }

    fn map(self, variant: Option<&'static str>) -> Result<ToMap, Unfit> {
        Ok(ToMap { variant, pairs: Vec::new(), key: None, each: self.inner()? })
    }
}

fn no_float<T>() -> Result<T, Unfit> {
    Err(Unfit("a float, which the data model does not have".to_owned()))
}

fn int(n: impl TryInto<i64>) -> Result<Value, Unfit> {
    let n = n.try_into().map(Value::Int);
    n.map_err(|_| Unfit("an integer outside the signed 64-bit range".to_owned()))
}

/// Returns the value of a variant that has one: a map with the name of the variant.
fn in_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => Value::from([(name, value)]),
        None => value,
    }
}

macro_rules! integers {
    ($($name:ident: $type:ty;)*) => {
        $(fn $name(self, n: $type) -> Result<Value, Unfit> {
            int(n)
        })*
    };
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = Unfit;
    type SerializeSeq = ToList;
    type SerializeTuple = ToList;
    type SerializeTupleStruct = ToList;
    type SerializeTupleVariant = ToList;
    type SerializeMap = ToMap;
    type SerializeStruct = ToMap;
    type SerializeStructVariant = ToMap;

    integers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
    }

    fn serialize_bool(self, bool: bool) -> Result<Value, Unfit> {
        Ok(Value::Bool(bool))
    }

    fn serialize_f32(self, _: f32) -> Result<Value, Unfit> {
        no_float()
    }

    fn serialize_f64(self, _: f64) -> Result<Value, Unfit> {
        no_float()
    }

    fn serialize_char(self, letter: char) -> Result<Value, Unfit> {
        Ok(Value::Text(letter.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, Unfit> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, Unfit> {
        Ok(Value::from(bytes))
    }

    fn serialize_none(self) -> Result<Value, Unfit> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Unfit> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Unfit> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Unfit> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Unfit> {
        match value.serialize(self)? {
            Value::Bytes(bytes) if name == CID_OF_OTHER_CRATES => {
                let cid = Cid::from_bytes(&bytes);
                cid.map(Value::Link).map_err(|error| Unfit(error.to_string()))
            }
            value => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Unfit> {
        let mut map = self.map(None)?;
        map.add(variant.to_owned(), value)?;
        map.finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ToList, Unfit> {
        self.list(None)
    }

    fn serialize_tuple(self, _: usize) -> Result<ToList, Unfit> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<ToList, Unfit> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ToList, Unfit> {
        self.inner()?.list(Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<ToMap, Unfit> {
        self.map(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<ToMap, Unfit> {
        self.map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ToMap, Unfit> {
        self.inner()?.map(Some(variant))
    }
}

/// A list that grows.
struct ToList {
    variant: Option<&'static str>,
    list: Vec<Value>,
    each: ToValue,
}

impl ToList {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.list.push(value.serialize(self.each)?);
        Ok(())
    }

    fn finish(self) -> Result<Value, Unfit> {
        Ok(in_variant(self.variant, Value::List(self.list)))
    }
}

/// A map that grows.
struct ToMap {
    variant: Option<&'static str>,
    pairs: Vec<(String, Value)>,
    /// The key of the next value.
    key: Option<String>,
    each: ToValue,
}

impl ToMap {
    fn add<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Unfit> {
        self.pairs.push((key, value.serialize(self.each)?));
        Ok(())
    }

    fn finish(self) -> Result<Value, Unfit> {
        let map =
            Map::from_unique(self.pairs).map_err(|key| Unfit(format!("duplicate key {key:?}")))?;
        let value = special_value(map).map_err(|reason| Unfit(reason.to_owned()))?;
        Ok(in_variant(self.variant, value))
    }
}

macro_rules! lists {
    ($($trait:ident: $each:ident;)*) => {
        $(impl ser::$trait for ToList {
            type Ok = Value;
            type Error = Unfit;

            fn $each<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                self.add(value)
            }

            fn end(self) -> Result<Value, Unfit> {
                self.finish()
            }
        })*
    };
}

lists! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! structs {
    ($($trait:ident;)*) => {
        $(impl ser::$trait for ToMap {
            type Ok = Value;
            type Error = Unfit;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Unfit> {
                self.add(key.to_owned(), value)
            }

            fn end(self) -> Result<Value, Unfit> {
                self.finish()
            }
        })*
    };
}

structs! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for ToMap {
    type Ok = Value;
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        match key.serialize(self.each)? {
            Value::Text(key) => self.key = Some(key),
            _ => return Err(Unfit("a map key must be text".to_owned())),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let key = self.key.take().ok_or_else(|| Unfit("a map value without a key".to_owned()))?;
        self.add(key, value)
    }

    fn end(self) -> Result<Value, Unfit> {
        self.finish()
    }
}

/// The name that the crate `cid` gives to a CID in every serde format.
pub(super) const CID_OF_OTHER_CRATES: &str = "$__private__serde__identifier__for__cid";

#[cfg(test)]
#[path = "typed_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
