//! Known roots, heights, shared prefixes and commit proofs.

use std::collections::BTreeSet;

use ipld_core::ipld::Ipld;
use pds::data::{Blocks, Cid, Codec, MemoryBlocks};
use pds::mst::{Builder, Key, Tree, get, height};
use serde_json::Value as Json;

use super::{cid, count, each, only, read, read_json, text};
use crate::fixtures;

/// Reads a file of the test data, or returns null without them.
fn json(path: &str) -> Json {
    fixtures().map_or(Json::Null, |dir| read_json(&dir.join(path)))
}

/// Iterates over an array, or over nothing if there are no test data.
fn cases(json: &Json) -> impl DoubleEndedIterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

fn built(keys: &BTreeSet<&str>, value: Cid) -> Cid {
    let mut builder = Builder::default();
    for key in keys {
        builder.push(key.as_bytes(), value, drop).unwrap();
    }
    builder.finish(drop)
}

fn inserted<'k>(keys: impl Iterator<Item = &'k str>, value: Cid) -> (Cid, MemoryBlocks) {
    let none = MemoryBlocks::default();
    let mut tree = Tree::empty(&none);
    for text in keys {
        assert_eq!(tree.insert(key(text), value).unwrap(), None, "{text}");
    }
    let written = tree.write().unwrap();
    (written.root, written.nodes.into_iter().collect())
}

#[test]
fn known_maps_have_their_known_roots_in_whatever_order_they_are_built() {
    let file = json("mst/known-roots.json");
    for map in cases(&file["maps"]) {
        let name = text(&map["name"]);
        let value = cid(&file["value_cid_for_every_key"]);
        let root = cid(&map["root"]);
        let keys = || each(&map["keys"]).map(text);
        assert_eq!(inserted(keys(), value).0, root, "{name}");
        assert_eq!(inserted(keys().rev(), value).0, root, "{name}, reversed");
        assert_eq!(built(&keys().collect(), value), root, "{name}, built");
    }
}

#[test]
fn every_known_map_can_be_edited_into_every_other() {
    let file = json("mst/known-roots.json");
    for a in cases(&file["maps"]) {
        for b in cases(&file["maps"]) {
            let value = cid(&file["value_cid_for_every_key"]);
            let [before, after] =
                [a, b].map(|map| -> BTreeSet<&str> { each(&map["keys"]).map(text).collect() });
            let (root, blocks) = inserted(before.iter().copied(), value);
            let mut tree = Tree::open(&blocks, root);
            for added in after.difference(&before) {
                assert_eq!(tree.insert(key(added), value).unwrap(), None);
            }
            for gone in before.difference(&after) {
                assert_eq!(tree.remove(gone.as_bytes()).unwrap(), Some(value));
            }
            let (from, to) = (text(&a["name"]), text(&b["name"]));
            assert_eq!(tree.write().unwrap().root, cid(&b["root"]), "{from} -> {to}");
        }
    }
}

#[test]
fn the_tree_takes_any_key_that_is_neither_empty_nor_too_long() {
    let file = json("mst/known-roots.json");
    for allowed in cases(&file["mst_level_keys_allowed"]) {
        assert!(Key::new(text(allowed).as_bytes()).is_ok(), "{allowed}");
    }
    // The implementation that provides the list checks the syntax of record paths in the tree. In this library the path
    // type does that, and a tree refuses keys by their length only.
    for refused in cases(&file["mst_level_keys_rejected"]) {
        let key = text(refused).as_bytes();
        assert_eq!(Key::new(key).is_err(), key.is_empty() || key.len() > 1024);
        let pushed = Builder::default().push(key, Cid::of(Codec::Cbor, b""), drop);
        assert_eq!(pushed.is_err(), key.is_empty() || key.len() > 1024);
    }
}

#[test]
fn known_keys_have_their_known_heights() {
    for case in cases(&json("atproto-interop/mst/key_heights.json")) {
        let key = text(&case["key"]).as_bytes();
        assert_eq!(usize::from(height(key)), count(&case["height"]), "{case}");
    }
    let file = json("mst/known-roots.json");
    for (key, expected) in file["key_depths"].as_object().into_iter().flatten() {
        assert_eq!(usize::from(height(key.as_bytes())), count(expected), "{key}");
    }
}

#[test]
fn example_keys_have_the_heights_in_their_names() {
    let Some(dir) = fixtures() else { return };
    let file = read(&dir.join("atproto-interop/mst/example_keys.txt"));
    let keys: BTreeSet<&str> = str::from_utf8(&file).unwrap().lines().collect();
    assert_eq!(keys.len(), 156);
    for name in &keys {
        let digit = name.chars().nth(1).and_then(|digit| digit.to_digit(10));
        assert_eq!(Some(u32::from(height(name.as_bytes()))), digit, "{name}");
    }
    let value = Cid::of(Codec::Cbor, b"");
    assert_eq!(inserted(keys.iter().copied(), value).0, built(&keys, value));
}

#[test]
fn keys_share_as_many_bytes_with_the_key_before_as_they_can() {
    for case in cases(&json("atproto-interop/mst/common_prefix.json")) {
        let (left, right) = (text(&case["left"]), text(&case["right"]));
        if left == right {
            // This has one key, not two.
            continue;
        }
        // Two keys share a node if their heights are equal, and no key may be empty. Equal padding before both keys
        // ensures that, and is a part of their common prefix.
        let pad = (0..)
            .map(|n| format!("{n}/"))
            .find(|pad| [left, right].map(|end| height((pad.clone() + end).as_bytes())) == [0, 0])
            .unwrap();
        let keys = BTreeSet::from([left, right].map(|end| pad.clone() + end));
        let (root, blocks) = inserted(keys.iter().map(String::as_str), cid_of_nothing());
        let block = blocks.get(&root).unwrap().unwrap();
        let node: Ipld = serde_ipld_dagcbor::from_slice(block.bytes()).unwrap();
        let Some(Ipld::List(entries)) = node.get("e").unwrap() else {
            panic!("{node:?}");
        };
        let field = |index: usize, name: &str| {
            let field = entries[index].get(name).unwrap();
            field.unwrap().clone()
        };
        let shared = pad.len() + count(&case["len"]);
        let second = keys.last().unwrap().as_bytes();
        assert_eq!(field(0, "p"), Ipld::Integer(0), "{case}");
        assert_eq!(field(0, "k"), Ipld::Bytes(keys.first().unwrap().as_bytes().into()));
        assert_eq!(field(1, "p"), Ipld::Integer(i128::try_from(shared).unwrap()));
        assert_eq!(field(1, "k"), Ipld::Bytes(second[shared..].into()), "{case}");
    }
}

fn cid_of_nothing() -> Cid {
    Cid::of(Codec::Raw, b"")
}

#[test]
fn commit_proofs_lead_to_the_root_after_and_back_to_the_root_before() {
    for case in cases(&json("atproto-interop/firehose/commit-proof-fixtures.json")) {
        let name = text(&case["comment"]);
        let value = cid(&case["leafValue"]);
        let list = |field: &str| each(&case[field]).map(text).collect::<Vec<_>>();
        let (adds, dels) = (list("adds"), list("dels"));
        let (before, mut blocks) = inserted(list("keys").into_iter(), value);
        assert_eq!(before, cid(&case["rootBeforeCommit"]), "{name}");

        let mut tree = Tree::open(&blocks, before);
        edit(&mut tree, &adds, &dels, value);
        let written = tree.write().unwrap();
        let after = written.root;
        assert_eq!(after, cid(&case["rootAfterCommit"]), "{name}");
        blocks.extend(written.nodes);

        let proof: Vec<Cid> = each(&case["blocksInProof"]).map(cid).collect();
        let shown = only(&blocks, &proof);
        for (keys, value) in [(&adds, Some(value)), (&dels, None)] {
            for key in keys {
                assert_eq!(get(&shown, after, key.as_bytes()).unwrap(), value, "{name}");
            }
        }
        let mut tree = Tree::open(&shown, after);
        edit(&mut tree, &dels, &adds, value);
        assert_eq!(tree.write().unwrap().root, before, "{name}");
    }
}

fn edit(tree: &mut Tree<'_>, adds: &[&str], dels: &[&str], value: Cid) {
    for added in adds {
        assert_eq!(tree.insert(key(added), value).unwrap(), None);
    }
    for gone in dels {
        assert_eq!(tree.remove(gone.as_bytes()).unwrap(), Some(value));
    }
}
