//! The entries of a node as they stand in its block, and searching them there.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use std::cmp::Ordering;

use crate::data::cbor::LINK_HEAD;
use crate::data::cid::Cid;
use crate::mst::key::common_prefix;

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

/// Finds a key: its value, or the place that it would have, counted from left to right.
///
/// No key is put together for that. Let the key in hand share `shared` bytes with an entry that sorts before it.
/// If the next entry has more in common with that entry, it differs from the key in the same byte and sorts before it,
/// too; if it has less, it left the key earlier and sorts after it. Only if it has as much, bytes are compared.
///
/// An entry without a value would be found as `Ok(None)`: no node that has been checked has one.
pub(super) fn search(bytes: &[u8], key: &[u8]) -> Result<Option<Cid>, usize> {
    let (mut shared, mut place) = (0, 0_usize);
    for entry in entries(bytes) {
        match entry.prefix.cmp(&shared) {
            Ordering::Greater => {}
            Ordering::Less => return Err(place),
            Ordering::Equal => {
                let wanted = key.get(shared..).unwrap_or_default();
                let common = common_prefix(entry.rest, wanted);
                match entry.rest.get(common).cmp(&wanted.get(common)) {
                    Ordering::Less => shared = shared.saturating_add(common),
                    Ordering::Equal => {
                        return Ok(entry.links().map(|(_, value)| Cid::from_checked(value)));
                    }
                    Ordering::Greater => return Err(place),
                }
            }
        }
        place = place.saturating_add(1);
    }
    Err(place)
}

/// The subtree at a place, counted from left to right.
pub(super) fn subtree(bytes: &[u8], place: usize) -> Option<Cid> {
    let link = match place.checked_sub(1) {
        Some(before) => entries(bytes).nth(before)?.links()?.0,
        None => {
            let mut entries = entries(bytes);
            entries.by_ref().for_each(drop);
            link_or_null(entries.rest.strip_prefix(b"\x61l")?)?.0
        }
    };
    link.map(Cid::from_checked)
}

/// How many entries a node has.
pub(super) fn count(bytes: &[u8]) -> usize {
    list(bytes).map_or(0, |(count, _)| count)
}

fn entries(bytes: &[u8]) -> Entries<'_> {
    Entries { rest: list(bytes).map_or(&[], |(_, rest)| rest) }
}

fn list(bytes: &[u8]) -> Option<(usize, &[u8])> {
    head(0x80, bytes.strip_prefix(b"\xa2\x61e")?)
}

/// The entries that follow, in a node that has been checked.
struct Entries<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Entries<'b> {
    type Item = Compressed<'b>;

    #[inline]
    fn next(&mut self) -> Option<Compressed<'b>> {
        let (entry, rest) = Compressed::split(self.rest)?;
        self.rest = rest;
        Some(entry)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;
    use crate::data::cid::Codec;
    use crate::mst::node::Encoder;

    proptest! {
        /// Keys of a few letters share much, end within each other, and differ everywhere.
        #[test]
        fn a_search_finds_what_a_sorted_list_finds(
            keys in prop::collection::btree_set("[ab\u{7f}]{1,6}|a{20,40}[ab]{0,3}", 0..30),
            others in prop::collection::vec("[ab\u{7f}]{0,7}|a{19,41}b?", 30),
            links in any::<u64>(),
        ) {
            agrees_with_a_sorted_list(&keys, &others, links)?;
        }

        /// Lengths that take two bytes in a head, up to the longest key.
        #[test]
        fn a_search_finds_what_a_sorted_list_finds_among_long_keys(
            keys in prop::collection::btree_set("a{250,300}[ab]{0,3}|a{1015,1021}[ab]{0,3}|b{256,303}", 0..30),
            others in prop::collection::vec("a{249,301}b{0,3}|a{1015,1022}b{0,2}|b{255,304}", 30),
            links in any::<u64>(),
        ) {
            agrees_with_a_sorted_list(&keys, &others, links)?;
        }
    }

    fn agrees_with_a_sorted_list(
        keys: &BTreeSet<String>,
        others: &[String],
        links: u64,
    ) -> Result<(), TestCaseError> {
        let cid = |n: usize| Cid::of(Codec::Cbor, &n.to_be_bytes());
        let subtree_at = |n: usize| ((links >> n) & 1 == 1).then(|| cid(1_000 + n));
        let mut encoder = Encoder::default();
        for (n, key) in keys.iter().enumerate() {
            encoder.entry(key.as_bytes(), &cid(n), subtree_at(n + 1).as_ref());
        }
        let block = encoder.finish(subtree_at(0).as_ref());
        let sorted: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let wanted: BTreeSet<&[u8]> = keys.iter().chain(others).map(String::as_bytes).collect();
        for key in wanted {
            let expected = sorted.binary_search(&key).map(|n| Some(cid(n)));
            prop_assert_eq!(search(block.bytes(), key), expected, "{:?}", key);
        }
        prop_assert_eq!(count(block.bytes()), keys.len());
        for place in 0..=keys.len() {
            prop_assert_eq!(subtree(block.bytes(), place), subtree_at(place));
        }
        prop_assert_eq!(subtree(block.bytes(), keys.len() + 1), None);
        Ok(())
    }
}
