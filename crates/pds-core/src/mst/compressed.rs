//! The entries of a node as they stand in its block, and reading them.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cbor::{Cursor, LINK_HEAD, Rule};
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::mst::key::check_len;

/// An entry as it stands in its block: of its key, what differs from the key before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed<'b> {
    pub(super) rest: &'b [u8],
    pub(super) prefix: usize,
    /// The fields `t` and `v`.
    links: &'b [u8],
}

impl<'b> Compressed<'b> {
    /// Takes off an entry if one stands here in the one form that is legal. Whether it may stand here is not looked at,
    /// nor are its links.
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

    /// Reads the subtree after it and its value, if each stands there in the one form that is legal.
    #[inline]
    pub(super) fn links(&self) -> Option<Links<'b>> {
        let (right, after) = link_or_null(self.links.strip_prefix(b"\x61t")?)?;
        let (value, _) = link_or_null(after.strip_prefix(b"\x61v")?)?;
        Some((right, value?))
    }
}

/// Reads an entry: what its key does not share, how much it shares, the subtree after it, its value.
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

/// What is wrong with an entry.
#[cold]
pub(super) fn fault(cursor: &mut Cursor<'_>) -> DataError {
    let mut read = || {
        let start = cursor.offset();
        if cursor.map()? != 4 {
            return Err(Rule("an entry has the fields k, p, t and v and no others").at(start));
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
    // What is left is a number that no key is long enough for.
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

/// The number in the head of an item of this kind, in its shortest form; none here needs more than two bytes.
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

/// The subtree after an entry, and its value.
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
/// The fields `t` and `v` where `t` is null, and where it is a link.
const LINK_ALONE: usize = 3 + TWO_LINKS / 2;
const TWO_LINKS: usize = 2 * (2 + LINK_HEAD.len() + Cid::LEN);

pub(super) const SHARES_TOO_MUCH: &str = "a key shares more bytes than the key before it has";
