//! The decoder of node entries in their compressed form.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cbor::{Cursor, LINK_HEAD, Rule};
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::mst::key::check_len;

/// An entry in its compressed form: the end of its key, and how much of the previous key it shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed<'b> {
    pub(super) rest: &'b [u8],
    pub(super) prefix: usize,
    /// The fields `t` and `v`.
    links: &'b [u8],
}

impl<'b> Compressed<'b> {
    /// Splits the first entry from the bytes, if it has the only legal encoding. Neither the key nor the links are
    /// checked.
    #[inline]
    pub(super) fn split(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (len, after) = head(0x40, bytes.strip_prefix(b"\xa4\x61k")?)?;
        let (rest, after) = after.split_at_checked(len)?;
        let (prefix, after) = head(0, after.strip_prefix(b"\x61p")?)?;
        let no_subtree = *after.get(2)? == NULL;
        let (links, after) =
            after.split_at_checked(if no_subtree { LINK_ALONE } else { TWO_LINKS })?;
        Some((Self { rest, prefix, links }, after))
    }

    /// Reads the link to the subtree after the entry and the link to its record, if both have the only legal encoding.
    #[inline]
    pub(super) fn links(&self) -> Option<Links<'b>> {
        let (right, after) = link_or_null(self.links.strip_prefix(b"\x61t")?)?;
        let (value, _) = link_or_null(after.strip_prefix(b"\x61v")?)?;
        Some((right, value?))
    }
}

/// Reads an entry and its links, and checks the encoding and the CIDs.
#[inline]
pub(super) fn entry<'b>(cursor: &mut Cursor<'b>) -> Result<(Compressed<'b>, Links<'b>), DataError> {
    if let Some((entry, after)) = Compressed::split(cursor.rest())
        && let Some(links @ (right, value)) = entry.links()
        && Cid::has_form(value)
        && right.is_none_or(|right| {
            Cid::has_form(right) && Cid::from_checked(right).codec() == Codec::Cbor
        })
    {
        cursor.pass_to(after);
        return Ok((entry, links));
    }
    Err(fault(cursor))
}

/// Returns the error for an entry that [`entry`] does not accept.
#[cold]
pub(super) fn fault(cursor: &mut Cursor<'_>) -> DataError {
    let mut read = || {
        let start = cursor.offset();
        if cursor.map()? != 4 {
            return Err(Rule("an entry must have the fields k, p, t and v and no others").at(start));
        }
        cursor.expect_key("k")?;
        let rest = cursor.byte_string()?;
        if !rest.is_empty() {
            check_len(rest).map_err(rule)?;
        }
        cursor.expect_key("p")?;
        cursor.unsigned()?;
        cursor.expect_key("t")?;
        subtree_link(cursor)?;
        cursor.expect_key("v")?;
        cursor.link()
    };
    // Every other part of the entry is valid. So its prefix length is greater than any key is long.
    read().err().unwrap_or(rule(SHARES_TOO_MUCH))
}

pub(super) fn subtree_link(cursor: &mut Cursor<'_>) -> Result<Option<Cid>, DataError> {
    let link = cursor.link_or_null()?;
    match link.map(|cid| cid.codec()) {
        Some(Codec::Raw) => Err(rule("a link to a subtree names raw bytes")),
        _ => Ok(link),
    }
}

pub(super) fn rule(reason: &'static str) -> DataError {
    DataError::Model { place: String::new(), reason }
}

/// Reads the number in the head of an item of this kind. The shortest form is required, with at most two extra bytes,
/// because no number in an entry is greater.
#[inline]
fn head(kind: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (initial, rest) = bytes.split_first()?;
    match initial.checked_sub(kind)? {
        small @ 0..=23 => Some((usize::from(small), rest)),
        24 => {
            rest.split_first().filter(|(n, _)| **n >= 24).map(|(n, rest)| (usize::from(*n), rest))
        }
        25 => {
            let (n, rest) = rest.split_first_chunk()?;
            let n = u16::from_be_bytes(*n);
            (n > 0xff).then_some((usize::from(n), rest))
        }
        _ => None,
    }
}

/// The CIDs of the subtree after an entry and of its record.
type Links<'b> = (Option<&'b [u8; Cid::LEN]>, &'b [u8; Cid::LEN]);

#[inline]
fn link_or_null(bytes: &[u8]) -> Option<(Option<&[u8; Cid::LEN]>, &[u8])> {
    if let Some(rest) = bytes.strip_prefix(&[NULL]) {
        return Some((None, rest));
    }
    let (cid, rest) = bytes.strip_prefix(&LINK_HEAD)?.split_first_chunk()?;
    Some((Some(cid), rest))
}

const NULL: u8 = 0xf6;
/// The size of the fields `t` and `v` in bytes, if `t` is null.
const LINK_ALONE: usize = 3 + TWO_LINKS / 2;
/// The size of the fields `t` and `v` in bytes, if `t` is a link.
const TWO_LINKS: usize = 2 * (2 + LINK_HEAD.len() + Cid::LEN);

pub(super) const SHARES_TOO_MUCH: &str = "the prefix length of a key exceeds the previous key";
