//! The rules for single nodes, one by one.

use ipld_core::ipld::Ipld;
use pds::data::limits::MAX_NODE_ENTRIES;
use pds::data::{Cid, Codec};
use pds::mst::{EMPTY_NODE, MstError, Node, Position};

use super::mst_cases::named;
use super::{ipld_map, link, record};

fn node(left: Ipld, entries: &[Ipld]) -> Ipld {
    ipld_map([("e", Ipld::List(entries.to_vec())), ("l", left)])
}

fn entry(prefix: i128, rest: &[u8], right: Ipld) -> Ipld {
    ipld_map([
        ("k", Ipld::Bytes(rest.to_vec())),
        ("p", Ipld::Integer(prefix)),
        ("t", right),
        ("v", link(record(0))),
    ])
}

/// Reads an invalid node and returns the rule that it breaks.
fn refused(node: &Ipld, position: Position) -> &'static str {
    let bytes = serde_ipld_dagcbor::to_vec(node).unwrap();
    let cid = Cid::of(Codec::Cbor, &bytes);
    match Node::read(cid, &bytes, position) {
        Err(MstError::Invalid { cid: named, reason }) if named == cid => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_rule_on_the_shape_of_a_node_is_checked_when_it_is_read() {
    let root = |node: Ipld| refused(&node, Position::Root);
    let child = |level, node: Ipld| refused(&node, Position::Child { level });
    let full = |name: &str| entry(0, named(name).as_bytes(), Ipld::Null);
    let subtree = || link(Cid::of(Codec::Cbor, b""));
    let leaf = |entries: &[Ipld]| node(Ipld::Null, entries);

    assert_eq!(root(leaf(&[entry(0, b"", Ipld::Null)])), "a key is empty");
    let long = entry(0, &[b'x'; 1025], Ipld::Null);
    assert_eq!(root(leaf(&[long])), "a key is longer than 1024 bytes");
    let descending = "keys are not in ascending order";
    assert_eq!(root(leaf(&[full("B0"), full("A0")])), descending);
    assert_eq!(root(leaf(&[full("A0"), entry(9, b"", Ipld::Null)])), descending);
    let too_far = "the prefix length of a key exceeds the previous key";
    assert_eq!(root(leaf(&[entry(1, b"A", Ipld::Null)])), too_far);
    assert_eq!(root(leaf(&[full("A0"), entry(10, b"", Ipld::Null)])), too_far);
    let huge = entry(i128::from(i64::MAX), b"", Ipld::Null);
    assert_eq!(root(leaf(&[full("A0"), huge])), too_far);
    let not_far_enough = "a key shares more bytes with the previous key than its prefix length";
    let [first, second] = [entry(0, b"key/1", Ipld::Null), entry(3, b"/3", Ipld::Null)];
    assert_eq!(root(leaf(&[first, second])), not_far_enough);

    let mixed = "keys of different heights in one node";
    assert_eq!(root(leaf(&[full("A0"), full("B1")])), mixed);
    assert_eq!(root(leaf(&[full("B1"), full("C0")])), mixed);
    let hollow = "the root has no entries, only a subtree";
    assert_eq!(root(node(subtree(), &[])), hollow);
    assert_eq!(child(0, leaf(&[])), "an empty node below the root");
    let stray = "a child is not exactly one level below its parent";
    assert_eq!(child(1, leaf(&[full("A0")])), stray);
    assert_eq!(child(1, leaf(&[full("C2")])), stray);
    let below = "a subtree below level 0";
    assert_eq!(child(0, node(subtree(), &[])), below);
    assert_eq!(root(node(subtree(), &[full("A0")])), below);
    assert_eq!(root(leaf(&[entry(0, named("A0").as_bytes(), subtree())])), below);
    let raw = "a link to a subtree names raw bytes";
    let blob = || link(Cid::of(Codec::Raw, b""));
    assert_eq!(root(node(blob(), &[full("B1")])), raw);
    assert_eq!(root(leaf(&[entry(0, named("B1").as_bytes(), blob())])), raw);
    let raw = Cid::of(Codec::Raw, &EMPTY_NODE);
    assert!(matches!(
        Node::read(raw, &EMPTY_NODE, Position::Root),
        Err(MstError::Invalid { reason: "a link to a node names raw bytes", .. })
    ));
}

#[test]
fn a_map_without_the_fields_of_a_node_is_no_node() {
    let good = entry(0, named("A0").as_bytes(), Ipld::Null);
    let Ipld::Map(good) = good else { panic!() };
    let changed = |name: &str, value: Option<Ipld>| {
        let mut entry = good.clone();
        entry.remove(name);
        entry.extend(value.map(|value| (name.to_owned(), value)));
        node(Ipld::Null, &[Ipld::Map(entry)])
    };
    let many = vec![Ipld::Map(good.clone()); MAX_NODE_ENTRIES + 1];
    let text = |text: &str| Ipld::String(text.to_owned());
    let list = || Ipld::List(Vec::new());
    for bad in [
        Ipld::Null,
        list(),
        ipld_map([("e", list())]),
        ipld_map([("e", list()), ("m", Ipld::Null)]),
        ipld_map([("e", Ipld::Null), ("l", Ipld::Null)]),
        ipld_map([("e", list()), ("l", Ipld::Null), ("m", Ipld::Null)]),
        node(list(), &[]),
        node(Ipld::Null, &[Ipld::Null]),
        node(Ipld::Null, &many),
        changed("k", None),
        changed("k", Some(text("A0/374913"))),
        changed("p", Some(Ipld::Integer(-1))),
        changed("p", Some(Ipld::Null)),
        changed("t", None),
        changed("t", Some(text(""))),
        changed("v", Some(Ipld::Null)),
        changed("w", Some(Ipld::Null)),
    ] {
        let bytes = serde_ipld_dagcbor::to_vec(&bad).unwrap();
        let cid = Cid::of(Codec::Cbor, &bytes);
        let error = Node::read(cid, &bytes, Position::Root).unwrap_err();
        assert!(matches!(error, MstError::Invalid { .. }), "{bad:?}: {error}");
        assert_eq!(error.cid(), Some(cid));
    }
    let trailing = [&EMPTY_NODE[..], &[0]].concat();
    let cid = Cid::of(Codec::Cbor, &trailing);
    let error = Node::read(cid, &trailing, Position::Root).unwrap_err();
    assert!(matches!(error, MstError::Undecodable { .. }), "{error}");
}
