//! The parser for CBOR: one cursor that checks every rule of a single item.
//!
//! No function recurses or allocates. The rules are those of DRISL as atproto uses it: definite
//! lengths in shortest form, no floats, no tags except 42, and no simple values except false, true
//! and null.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::{MAX_CONTAINER_ENTRIES, MAX_MAP_KEY_BYTES};

/// One item. For an array or a map it is only the head; the entries follow in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    List(usize),
    Map(usize),
    Link(Cid),
}

/// A position in CBOR bytes, with functions that read the item there.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the number of bytes that were read.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Returns the unread bytes.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Skips bytes that a caller has parsed itself. `rest` is the input after them.
    #[inline]
    pub(crate) fn pass_to(&mut self, rest: &'a [u8]) {
        self.at = self.bytes.len().saturating_sub(rest.len());
    }

    /// Reads one item, or the head of an array or a map.
    #[inline]
    pub(crate) fn item(&mut self) -> Result<Item<'a>, DataError> {
        let start = self.at;
        let initial = self.byte()?;
        let info = initial & 0x1f;
        match initial >> 5 {
            0 => {
                let n = self.argument(start, info)?;
                i64::try_from(n).map(Item::Int).map_err(|_| OUT_OF_RANGE.at(start))
            }
            1 => {
                let n = self.argument(start, info)?;
                // -1 - n, without leaving the range of i64: the complement of n.
                i64::try_from(n).map(|n| Item::Int(!n)).map_err(|_| OUT_OF_RANGE.at(start))
            }
            2 => {
                let len = self.argument(start, info)?;
                self.take(start, len).map(Item::Bytes)
            }
            3 => {
                let len = self.argument(start, info)?;
                let bytes = self.take(start, len)?;
                std::str::from_utf8(bytes)
                    .map(Item::Text)
                    .map_err(|_| Rule("text is not UTF-8").at(start))
            }
            4 => self.entries(start, info, 1).map(Item::List),
            5 => self.entries(start, info, 2).map(Item::Map),
            6 => {
                if self.argument(start, info)? != LINK_TAG {
                    return Err(Rule("a tag other than 42").at(start));
                }
                self.tagged_link(start).map(Item::Link)
            }
            _ => match initial {
                0xf4 => Ok(Item::Bool(false)),
                0xf5 => Ok(Item::Bool(true)),
                0xf6 => Ok(Item::Null),
                0xf7 => Err(Rule("undefined is not in the data model").at(start)),
                0xf9..=0xfb => Err(Rule("floats are not in the data model").at(start)),
                0xff => Err(Rule("a break without an indefinite length").at(start)),
                _ => Err(Rule("a simple value other than false, true and null").at(start)),
            },
        }
    }

    /// Skips one item with all items in it. The order of map keys is not checked.
    pub(crate) fn skip_item(&mut self) -> Result<(), DataError> {
        let mut left = 1_usize;
        while left > 0 {
            left = left.saturating_sub(1);
            left = left.saturating_add(match self.item()? {
                Item::List(entries) => entries,
                Item::Map(pairs) => pairs.saturating_mul(2),
                _ => 0,
            });
        }
        Ok(())
    }

    /// Reads a key of a map. It must sort after the key before it: by length, then by bytes.
    #[inline]
    pub(crate) fn key(&mut self, before: Option<&str>) -> Result<&'a str, DataError> {
        let start = self.at;
        let Item::Text(key) = self.item()? else {
            return Err(Rule("a map key that is not text").at(start));
        };
        if key.len() > MAX_MAP_KEY_BYTES {
            return Err(Rule("a map key longer than the limit").at(start));
        }
        if let Some(before) = before {
            match (before.len(), before).cmp(&(key.len(), key)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(Rule("a duplicate map key").at(start)),
                std::cmp::Ordering::Greater => {
                    return Err(Rule("map keys are not in canonical order").at(start));
                }
            }
        }
        Ok(key)
    }

    /// Reads the head of a map and returns the number of pairs.
    pub(crate) fn map(&mut self) -> Result<usize, DataError> {
        let start = self.at;
        match self.item()? {
            Item::Map(pairs) => Ok(pairs),
            _ => Err(Rule("expected a map").at(start)),
        }
    }

    /// Reads the head of an array and returns the number of entries.
    pub(crate) fn list(&mut self) -> Result<usize, DataError> {
        let start = self.at;
        match self.item()? {
            Item::List(entries) => Ok(entries),
            _ => Err(Rule("expected an array").at(start)),
        }
    }

    /// Reads a key and checks that it equals `key`.
    #[inline]
    pub(crate) fn expect_key(&mut self, key: &'static str) -> Result<(), DataError> {
        let start = self.at;
        if let Some((head, text)) = self.rest().split_first()
            && usize::from(*head) == key.len().saturating_add(TEXT_HEAD)
            && text.starts_with(key.as_bytes())
        {
            self.at = start.saturating_add(1).saturating_add(key.len());
            return Ok(());
        }
        self.item()?;
        Err(Rule("an unexpected map key").at(start))
    }

    /// Reads a byte string.
    #[inline]
    pub(crate) fn byte_string(&mut self) -> Result<&'a [u8], DataError> {
        let start = self.at;
        if let Some(initial @ BYTES_HEAD..TEXT_HEAD_BYTE) = self.rest().first() {
            self.at = start.saturating_add(1);
            let len = self.argument(start, initial & 0x1f)?;
            return self.take(start, len);
        }
        self.item()?;
        Err(Rule("expected a byte string").at(start))
    }

    /// Reads an integer that is not negative.
    pub(crate) fn unsigned(&mut self) -> Result<u64, DataError> {
        let start = self.at;
        match self.item()? {
            Item::Int(n) => u64::try_from(n)
                .map_err(|_| Rule("expected a number that is not negative").at(start)),
            _ => Err(Rule("expected a number").at(start)),
        }
    }

    /// Reads a link.
    #[inline]
    pub(crate) fn link(&mut self) -> Result<Cid, DataError> {
        let start = self.at;
        if let Some(cid) = self.plain_link() {
            return Ok(cid);
        }
        self.item()?;
        Err(Rule("expected a link").at(start))
    }

    /// Reads a link or null.
    #[inline]
    pub(crate) fn link_or_null(&mut self) -> Result<Option<Cid>, DataError> {
        let start = self.at;
        if let Some(cid) = self.plain_link() {
            return Ok(Some(cid));
        }
        match self.item()? {
            Item::Null => Ok(None),
            _ => Err(Rule("expected a link or null").at(start)),
        }
    }

    /// Checks that all bytes were read.
    pub(crate) fn end(&self) -> Result<(), DataError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(Rule("bytes after the end of the item").at(self.at))
    }

    /// Reads a link, which has one valid encoding. Otherwise it reads nothing: [`item`](Self::item)
    /// then returns another item or the error.
    #[inline]
    fn plain_link(&mut self) -> Option<Cid> {
        let (head, rest) = self.rest().split_first_chunk()?;
        if head != &LINK_HEAD {
            return None;
        }
        let cid = Cid::from_bytes(rest.first_chunk::<{ Cid::LEN }>()?).ok()?;
        self.at = self.at.saturating_add(LINK_HEAD.len()).saturating_add(Cid::LEN);
        Some(cid)
    }

    /// Reads the content of tag 42: a byte string of 37 bytes, which are a zero byte and a binary
    /// CID.
    fn tagged_link(&mut self, start: usize) -> Result<Cid, DataError> {
        let initial = self.byte()?;
        if initial >> 5 != 2 {
            return Err(Rule("tag 42 without a byte string").at(start));
        }
        let len = self.argument(start, initial & 0x1f)?;
        let Some((0, cid)) = self.take(start, len)?.split_first() else {
            return Err(Rule("a link does not start with a zero byte").at(start));
        };
        Cid::from_bytes(cid).map_err(|_| Rule("a link with an unsupported CID").at(start))
    }

    /// Reads the number in a head and checks that it has its shortest form.
    #[inline]
    fn argument(&mut self, start: usize, info: u8) -> Result<u64, DataError> {
        let (n, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (u64::from(self.byte()?), 24),
            25 => (u64::from(u16::from_be_bytes(self.array(start)?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array(start)?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array(start)?), 1 << 32),
            31 => return Err(Rule("an indefinite length").at(start)),
            _ => return Err(Rule("a reserved length").at(start)),
        };
        if n < least {
            return Err(Rule("a number not in its shortest form").at(start));
        }
        Ok(n)
    }

    /// Reads the number of entries of a container. Each entry takes at least `least` bytes.
    fn entries(&mut self, start: usize, info: u8, least: usize) -> Result<usize, DataError> {
        let count = self.argument(start, info)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count.saturating_mul(least) > self.bytes.len().saturating_sub(self.at) {
            return Err(Rule("more entries than remaining bytes").at(start));
        }
        if count > MAX_CONTAINER_ENTRIES {
            return Err(Rule("more entries than the limit").at(start));
        }
        Ok(count)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, DataError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| ENDS_EARLY.at(self.at))?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    #[inline]
    fn array<const N: usize>(&mut self, start: usize) -> Result<[u8; N], DataError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let array = rest.first_chunk().ok_or_else(|| ENDS_EARLY.at(start))?;
        self.at = self.at.saturating_add(N);
        Ok(*array)
    }

    #[inline]
    fn take(&mut self, start: usize, len: u64) -> Result<&'a [u8], DataError> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| Rule("a length greater than the remaining bytes").at(start))?;
        self.at = self.at.saturating_add(taken.len());
        Ok(taken)
    }
}

/// A broken rule, before its offset is known.
pub(crate) struct Rule(pub(crate) &'static str);

impl Rule {
    #[cold]
    pub(crate) fn at(&self, offset: usize) -> DataError {
        DataError::Cbor { offset, reason: self.0 }
    }
}

const OUT_OF_RANGE: Rule = Rule("an integer outside the signed 64-bit range");
const ENDS_EARLY: Rule = Rule("the bytes end in the middle of an item");
const LINK_TAG: u64 = 42;

/// The encoding of tag 42, the head of a byte string of 37 bytes, and the zero byte before the CID.
pub(crate) const LINK_HEAD: [u8; 5] = [0xd8, 0x2a, 0x58, 0x25, 0x00];

/// The heads of an empty byte string and of an empty text.
const BYTES_HEAD: u8 = 0x40;
const TEXT_HEAD_BYTE: u8 = 0x60;
const TEXT_HEAD: usize = TEXT_HEAD_BYTE as usize;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn refused(hex: &str) -> &'static str {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex");
        match Cursor::new(&bytes).item() {
            Err(DataError::Cbor { reason, .. }) => reason,
            other => panic!("{hex}: {other:?}"),
        }
    }

    #[test]
    fn every_rule_of_an_item_is_named() {
        assert_eq!(refused(""), "the bytes end in the middle of an item");
        assert_eq!(refused("1817"), "a number not in its shortest form");
        assert_eq!(refused("1900ff"), "a number not in its shortest form");
        assert_eq!(refused("1a0000ffff"), "a number not in its shortest form");
        assert_eq!(refused("1b00000000ffffffff"), "a number not in its shortest form");
        assert_eq!(refused("1b8000000000000000"), OUT_OF_RANGE.0);
        assert_eq!(refused("3b8000000000000000"), OUT_OF_RANGE.0);
        assert_eq!(refused("5f"), "an indefinite length");
        assert_eq!(refused("1c"), "a reserved length");
        assert_eq!(refused("62c328"), "text is not UTF-8");
        assert_eq!(refused("636161"), "a length greater than the remaining bytes");
        assert_eq!(refused("9b7fffffffffffffff"), "more entries than remaining bytes");
        assert_eq!(refused("c000"), "a tag other than 42");
        assert_eq!(refused("d82a60"), "tag 42 without a byte string");
        assert_eq!(refused("d82a4101"), "a link does not start with a zero byte");
        assert_eq!(refused("d82a420001"), "a link with an unsupported CID");
        assert_eq!(refused("f7"), "undefined is not in the data model");
        assert_eq!(refused("f93c00"), "floats are not in the data model");
        assert_eq!(refused("ff"), "a break without an indefinite length");
        assert_eq!(refused("e0"), "a simple value other than false, true and null");
    }

    #[test]
    fn the_three_simple_values_are_read() {
        for (byte, item) in
            [(0xf4, Item::Bool(false)), (0xf5, Item::Bool(true)), (0xf6, Item::Null)]
        {
            assert_eq!(Cursor::new(&[byte]).item(), Ok(item));
        }
    }

    #[test]
    fn the_whole_range_of_integers_is_read() {
        for (hex, n) in [
            ("00", 0),
            ("17", 23),
            ("1818", 24),
            ("1b7fffffffffffffff", i64::MAX),
            ("20", -1),
            ("3b7fffffffffffffff", i64::MIN),
        ] {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex");
            assert_eq!(Cursor::new(&bytes).item(), Ok(Item::Int(n)));
        }
    }
}
