//! The entries of a node as they stand in its block, and searching them there.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::cbor::LINK_HEAD;
use crate::data::cid::Cid;

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

type Link<'b> = Option<&'b [u8; Cid::LEN]>;

/// The subtree after an entry, and its value.
pub(super) type Links<'b> = (Link<'b>, &'b [u8; Cid::LEN]);

#[inline]
fn link_or_null(bytes: &[u8]) -> Option<(Link<'_>, &[u8])> {
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
