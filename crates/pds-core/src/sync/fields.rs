//! The fields of a map in a frame, read without building values.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use std::str::FromStr;

use crate::data::cbor::{Cursor, Item};
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::MAX_SAFE_INTEGER;
use crate::syntax::did::Did;

/// The fields of a map that is known to be canonical. Each value is read when it is asked for.
pub(crate) struct Fields<'a>(Vec<(&'a str, Cursor<'a>)>);

/// A field that breaks a rule.
pub(crate) struct Broken {
    pub(crate) field: &'static str,
    pub(crate) reason: &'static str,
}

impl<'a> Fields<'a> {
    /// Reads a map of at most [`MAX_FIELDS`] fields, and moves the cursor behind it.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DataError> {
        let offset = cursor.offset();
        let pairs = cursor.map()?;
        if pairs > MAX_FIELDS {
            return Err(DataError::Cbor { offset, reason: "more fields than an event has" });
        }
        let mut fields = Vec::with_capacity(pairs);
        for _ in 0..pairs {
            let key = cursor.key(None)?;
            fields.push((key, cursor.clone()));
            cursor.skip_item()?;
        }
        Ok(Self(fields))
    }

    /// Returns a cursor at the value of a field, or `None` if the field is absent.
    pub(crate) fn cursor(&self, field: &str) -> Option<Cursor<'a>> {
        self.0.iter().find(|(key, _)| *key == field).map(|(_, value)| value.clone())
    }

    /// Returns the value of a field, or the head of a list or map. `None` means that the field is absent or null.
    pub(crate) fn item(&self, field: &str) -> Option<Item<'a>> {
        self.cursor(field)?.item().ok().filter(|item| *item != Item::Null)
    }

    pub(crate) fn bool(&self, field: &'static str) -> Result<bool, Broken> {
        match self.item(field) {
            Some(Item::Bool(value)) => Ok(value),
            _ => Err(Broken { field, reason: "neither true nor false" }),
        }
    }

    pub(crate) fn bytes(&self, field: &'static str) -> Result<&'a [u8], Broken> {
        match self.item(field) {
            Some(Item::Bytes(bytes)) => Ok(bytes),
            _ => Err(Broken { field, reason: "not bytes" }),
        }
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<&'a str, Broken> {
        self.text_or_none(field)?.ok_or(Broken { field, reason: "missing" })
    }

    pub(crate) fn text_or_none(&self, field: &'static str) -> Result<Option<&'a str>, Broken> {
        match self.item(field) {
            Some(Item::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Broken { field, reason: "not text" }),
            None => Ok(None),
        }
    }

    pub(crate) fn parsed<T: FromStr>(&self, field: &'static str) -> Result<T, Broken> {
        self.parsed_or_none(field)?.ok_or(Broken { field, reason: "missing" })
    }

    pub(crate) fn parsed_or_none<T: FromStr>(
        &self,
        field: &'static str,
    ) -> Result<Option<T>, Broken> {
        let text = self.text_or_none(field)?;
        let parsed = text.map(|text| text.parse().map_err(|_| Broken { field, reason: SYNTAX }));
        parsed.transpose()
    }

    pub(crate) fn link(&self, field: &'static str) -> Result<Cid, Broken> {
        self.link_or_none(field)?.ok_or(Broken { field, reason: "missing" })
    }

    pub(crate) fn link_or_none(&self, field: &'static str) -> Result<Option<Cid>, Broken> {
        match self.item(field) {
            Some(Item::Link(cid)) => Ok(Some(cid)),
            Some(_) => Err(Broken { field, reason: "not a link" }),
            None => Ok(None),
        }
    }

    /// Reads a sequence number.
    pub(crate) fn seq(&self) -> Result<u64, Broken> {
        let broken = Broken { field: "seq", reason: "not a number from 0 to 2^53 - 1" };
        match self.item("seq") {
            Some(Item::Int(seq)) if seq <= MAX_SAFE_INTEGER => {
                u64::try_from(seq).map_err(|_| broken)
            }
            _ => Err(broken),
        }
    }

    /// Returns the account of an event of any kind, if it can be read.
    pub(crate) fn account(&self) -> Option<Did> {
        self.parsed("repo").or_else(|_| self.parsed("did")).ok()
    }
}

const SYNTAX: &str = "not in the syntax of its kind";

/// The fields of a map. The events of the specification have at most twelve.
const MAX_FIELDS: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::value::{Map, Value};

    #[test]
    fn a_map_of_many_fields_is_refused() {
        let encoded = |fields: usize| {
            let mut map = Map::new();
            (0..fields).for_each(|number| drop(map.insert(format!("{number:03}"), true)));
            Value::Map(map).encode()
        };
        let read =
            |bytes: &[u8]| Fields::read(&mut Cursor::new(bytes)).map(|fields| fields.0.len());
        assert_eq!(read(&encoded(64)).unwrap(), 64);
        assert!(matches!(read(&encoded(65)), Err(DataError::Cbor { offset: 0, .. })));
    }
}
