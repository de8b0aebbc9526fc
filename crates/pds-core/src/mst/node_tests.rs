use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::data::value::Value;
use crate::mst::compressed::fault;
use crate::mst::encoder::Encoder;

/// Returns the number of bytes after an entry, or `None` if the reader does not accept the entry.
fn left_after(bytes: &[u8], read: impl Fn(&mut Cursor<'_>) -> bool) -> Option<usize> {
    let mut cursor = Cursor::new(bytes);
    read(&mut cursor).then(|| cursor.rest().len())
}

/// The number of bytes before the entries.
const HEAD: usize = 4;

proptest! {
    /// [`entry`] reads an entry in one go, and [`fault`] item by item. They differ only for a prefix length of more
    /// than two bytes, which these changes do not produce.
    #[test]
    fn an_entry_is_accepted_in_one_go_where_it_is_item_by_item(
        key in prop_oneof!["[ab]{1,30}", "[ab]{250,303}"],
        next in "[ab]{1,30}",
        has_subtree in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..3),
    ) {
        let cid = Cid::of(Codec::Cbor, b"x");
        let mut encoder = Encoder::default();
        encoder.entry(key.as_bytes(), &cid, has_subtree.then_some(&cid));
        encoder.entry(format!("{key}{next}").as_bytes(), &cid, None);
        let mut bytes = encoder.finish(Some(&cid)).bytes().to_vec();
        for (place, byte, kind) in changes {
            // Most changes are in the first bytes, which contain heads and names of fields.
            let end = if kind == 0 { bytes.len() } else { bytes.len().min(HEAD + 12) };
            let place = HEAD + place.index(end - HEAD);
            match kind {
                0 | 1 => bytes[place] = byte,
                2 => bytes.truncate(place.max(HEAD + 1)),
                // This encodes a number in a longer form than necessary.
                _ => {
                    let head = bytes[place];
                    bytes[place] = head & 0xe0 | 24;
                    bytes.insert(place + 1, head & 0x1f);
                }
            }
        }
        let entries = &bytes[HEAD..];
        let at_once = left_after(entries, |cursor| entry(cursor).is_ok());
        let by_item = left_after(entries, |cursor| fault(cursor) == rule(SHARES_TOO_MUCH));
        prop_assert_eq!(at_once, by_item);
        let read = Node::read(Cid::of(Codec::Cbor, &bytes), &bytes, Position::Root);
        prop_assert!(at_once.is_some() || read.is_err());
    }
}

proptest! {
    /// Keys of a few letters have long common prefixes, begin with one another, and differ in any place.
    #[test]
    fn a_search_finds_what_a_sorted_list_finds(
        keys in prop::collection::btree_set("[ab\u{7f}]{1,6}|a{20,40}[ab]{0,3}", 0..30),
        others in prop::collection::vec("[ab\u{7f}]{0,7}|a{19,41}b?", 30),
        links in any::<u64>(),
    ) {
        agrees_with_a_sorted_list(&keys, &others, links)?;
    }

    /// The lengths of these keys have two bytes in a head, up to the longest valid key.
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
    let (mut encoder, mut made) = (Encoder::default(), Node::start(0, subtree_at(0), keys.len()));
    for (n, key) in keys.iter().enumerate() {
        encoder.entry(key.as_bytes(), &cid(n), subtree_at(n + 1).as_ref());
        made.push(key.as_bytes(), cid(n), subtree_at(n + 1));
    }
    let block = encoder.finish(subtree_at(0).as_ref());
    let mut node = Node::default();
    prop_assert!(node.decode(block.bytes()).is_ok());
    prop_assert_eq!(&node, &made);
    let sorted: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let wanted: BTreeSet<&[u8]> = keys.iter().chain(others).map(String::as_bytes).collect();
    for key in wanted {
        prop_assert_eq!(node.search(key), sorted.binary_search(&key), "{:?}", key);
    }
    prop_assert_eq!(node.len(), keys.len());
    for (n, entry) in node.entries().enumerate() {
        prop_assert_eq!((entry.value, Some(entry)), (cid(n), node.entry(n)));
    }
    for place in 0..=keys.len() {
        prop_assert_eq!(node.subtree(place), subtree_at(place));
    }
    prop_assert_eq!(node.subtree(keys.len() + 1), None);
    Ok(())
}

/// Returns the rule that a node with these entries breaks: the rest of the key, its prefix length and its subtree.
fn broken(entries: &[(&[u8], i64, Value)], left: Value) -> &'static str {
    let entry = |(rest, prefix, right): &(&[u8], i64, Value)| {
        let value = Value::Link(Cid::of(Codec::Cbor, b"x"));
        let prefix = Value::Int(*prefix);
        Value::from([("k", Value::from(*rest)), ("p", prefix), ("t", right.clone()), ("v", value)])
    };
    let list = Value::List(entries.iter().map(entry).collect());
    let bytes = Value::from([("e", list), ("l", left)]).encode();
    match Node::read(Cid::of(Codec::Cbor, &bytes), &bytes, Position::Root) {
        Err(MstError::Invalid { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_rule_of_a_node_is_named() {
    let raw = || Value::Link(Cid::of(Codec::Raw, b"x"));
    let null = || Value::Null;
    let to_raw = "a link to a subtree names raw bytes";
    assert_eq!(broken(&[(b"a", 0, null())], raw()), to_raw);
    assert_eq!(broken(&[(b"a", 0, raw())], null()), to_raw);
    let long = "a key is longer than 1024 bytes";
    for len in [1_025, 70_000] {
        assert_eq!(broken(&[(&vec![b'x'; len], 0, null())], null()), long);
    }
    assert_eq!(broken(&[(b"", 0, null())], null()), "a key is empty");
    assert_eq!(broken(&[(b"a", 1, null())], null()), SHARES_TOO_MUCH);
    let descending = "keys are not in ascending order";
    assert_eq!(broken(&[(b"aa", 0, null()), (b"", 2, null())], null()), descending);
    assert_eq!(broken(&[(b"aa", 0, null()), (b"", 1, null())], null()), descending);
    let compressible = "a key shares more bytes with the previous key than its prefix length";
    assert_eq!(broken(&[(b"aa", 0, null()), (b"ab", 0, null())], null()), compressible);
}

#[test]
fn bytes_that_are_canonical_but_no_node_are_invalid() {
    let read = |bytes: &[u8]| Node::read(Cid::of(Codec::Cbor, bytes), bytes, Position::Root);
    for value in [Value::Null, Value::from([("e", Value::Null)]), Value::from("text")] {
        assert!(matches!(read(&value.encode()), Err(MstError::Invalid { .. })));
    }
    for bytes in [&b""[..], &[0xa2, 0x61], &[0xa2, 0x61, b'e', 0x80, 0x61, b'l', 0xf7]] {
        assert!(matches!(read(bytes), Err(MstError::Undecodable { .. })));
    }
}

#[test]
fn lengths_in_an_entry_have_their_shortest_form() {
    let mut encoder = Encoder::default();
    encoder.entry(&[b'x'; 255], &Cid::of(Codec::Cbor, b"x"), None);
    let block = encoder.finish(None);
    let bytes = &block.bytes()[HEAD..];
    assert_eq!(bytes[3..5], [0x58, 255]);
    assert!(Compressed::split(bytes).is_some());
    let long = [&bytes[..3], &[0x59, 0, 255], &bytes[5..]].concat();
    assert!(Compressed::split(&long).is_none());
}
