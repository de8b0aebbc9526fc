//! Every rule of the tree, broken in every node of a tree of five levels.

use std::sync::Arc;

use pds::data::{Block, Cid, Codec, Map, MemoryBlocks, Value};
use pds::mst::height;
use pds::{Code, Finding};

use super::forge::{Forged, Shape, Slot, of_height, record, sample};
use super::judge::{Judged, judge};
use super::peer::Said;
use super::torture::{amount, row};
use crate::properties::Random;

const ORDER: &str = "keys are not in ascending order";
const ACROSS: &str = "keys do not ascend from one node to the next";
const LEVEL: &str = "a child is not exactly one level below its parent";
const BELOW: &str = "a subtree below level 0";
const HEIGHTS: &str = "keys of different heights in one node";
const EMPTY: &str = "an empty node below the root";
const HOLLOW: &str = "the root has no entries, only a subtree";
const TOO_FAR: &str = "the prefix length of a key exceeds the previous key";
const TOO_SHORT: &str = "a key shares more bytes with the previous key than its prefix length";
const FIELDS: &str = "a node must have the fields e and l and no others";
const ENTRY: &str = "an entry must have the fields k, p, t and v and no others";
const RAW: &str = "a link to a subtree names raw bytes";
const AGAIN: &str = "an unreadable subtree occurs in the tree again";
const NO_KEY: &str = "a key is empty";

/// A change of one node, which returns `false` where it is not possible.
type Change = fn(&mut Shape) -> bool;

/// Each change with the rules that it may break, or none if another tree without a fault is the result.
const CHANGES: [(&str, Change, &[&str]); 17] = [
    ("two entries swapped", |node| swapped(node, 1), &[ORDER, TOO_FAR, ACROSS]),
    ("an entry twice", twice, &[ORDER]),
    ("an entry removed", removed, &[EMPTY, HOLLOW, ACROSS]),
    ("a left subtree cut off", |node| node.left.take().is_some(), &[EMPTY, HOLLOW]),
    ("a right subtree cut off", |node| rights(node).any(|right| right.take().is_some()), &[EMPTY]),
    ("two subtrees swapped", |node| subtrees(node, std::mem::swap), &[ACROSS]),
    ("a node shared twice", |node| subtrees(node, |a, b| a.clone_from(b)), &[ACROSS, AGAIN]),
    ("a node on another level", |node| each_child(node, Shape::above), &[LEVEL, BELOW, EMPTY]),
    ("a level skipped", skipped, &[LEVEL, HEIGHTS, EMPTY, ACROSS]),
    ("an empty node", |node| absent(node, Shape::default()), &[EMPTY, BELOW, HOLLOW]),
    ("a chain of empty nodes", |node| absent(node, chain(200)), &[LEVEL, EMPTY, BELOW, HOLLOW]),
    ("a key of another height", higher, &[HEIGHTS, LEVEL, ORDER]),
    ("a key of the parent below", lent, &[LEVEL, HEIGHTS, ORDER, ACROSS, BELOW]),
    ("an empty key", |node| renamed(node, Vec::new()), &[NO_KEY]),
    ("an empty key after another", |node| last_renamed(node, Vec::new()), &[NO_KEY, ORDER]),
    ("the last key first", last_first, &[ORDER]),
    ("a raw subtree", raw_subtree, &[RAW]),
];

fn rights(node: &mut Shape) -> impl Iterator<Item = &mut Option<Box<Shape>>> {
    node.entries.iter_mut().map(|slot| &mut slot.right)
}

/// Swaps the keys and values of two neighbours, but not the subtrees between them.
fn swapped(node: &mut Shape, at: usize) -> bool {
    let Some([one, two]) = node.entries.get_mut(at - 1..=at) else { return false };
    std::mem::swap(&mut one.key, &mut two.key);
    std::mem::swap(&mut one.value, &mut two.value);
    true
}

fn twice(node: &mut Shape) -> bool {
    let Some(first) = node.entries.first().cloned() else { return false };
    node.entries.insert(1, Slot { right: None, ..first });
    true
}

fn removed(node: &mut Shape) -> bool {
    let Some(last) = node.entries.pop() else { return false };
    // The subtree after it is cut off as well, unless it is the only one.
    if node.entries.is_empty() && node.left.is_none() {
        node.left = last.right;
    }
    true
}

fn subtrees(
    node: &mut Shape,
    change: fn(&mut Option<Box<Shape>>, &mut Option<Box<Shape>>),
) -> bool {
    let mut places: Vec<_> = node.places().filter(|place| place.is_some()).collect();
    let [first, .., last] = &mut places[..] else { return false };
    change(first, last);
    true
}

fn each_child(node: &mut Shape, change: fn(Shape) -> Shape) -> bool {
    let mut places = node.places().filter(|place| place.is_some());
    let Some(place) = places.next() else { return false };
    *place = place.take().map(|child| Box::new(change(*child)));
    true
}

/// Puts the subtree of a child in its place.
fn skipped(node: &mut Shape) -> bool {
    for place in node.places() {
        let below = place.as_mut().and_then(|child| child.places().find_map(|of| of.take()));
        if below.is_some() {
            *place = below;
            return true;
        }
    }
    false
}

/// Puts a subtree where there was none.
fn absent(node: &mut Shape, subtree: Shape) -> bool {
    let Some(place) = node.places().find(|place| place.is_none()) else { return false };
    *place = Some(Box::new(subtree));
    true
}

fn chain(len: usize) -> Shape {
    (0..len).fold(Shape::default(), |below, _| below.above())
}

fn higher(node: &mut Shape) -> bool {
    let Some(last) = node.entries.last() else { return false };
    let name = String::from_utf8(last.key.clone()).unwrap();
    let other = (height(&last.key) + 1) % 3;
    let key = of_height(&format!("{name}-"), other).into_bytes();
    node.entries.push(Slot { key, value: last.value, right: None });
    true
}

/// Moves an entry into the subtree before it.
fn lent(node: &mut Shape) -> bool {
    let at = node.places().position(|place| place.is_some());
    let Some(at) = at.filter(|at| *at < node.entries.len()) else { return false };
    let slot = node.entries.remove(at);
    let place = node.places().nth(at).unwrap().as_mut().unwrap();
    place.entries.push(Slot { right: None, ..slot });
    true
}

fn renamed(node: &mut Shape, key: Vec<u8>) -> bool {
    node.entries.first_mut().map(|slot| slot.key = key).is_some()
}

fn last_renamed(node: &mut Shape, key: Vec<u8>) -> bool {
    node.entries.len() > 1 && node.entries.last_mut().map(|slot| slot.key = key).is_some()
}

fn last_first(node: &mut Shape) -> bool {
    if node.entries.len() < 2 {
        return false;
    }
    let last = node.entries.pop().unwrap();
    node.entries.insert(0, last);
    true
}

fn raw_subtree(node: &mut Shape) -> bool {
    let Some(child) = node.places().flatten().next() else { return false };
    let (cid, _) = child.write(&MemoryBlocks::default());
    child.instead = Some(Cid::from_digest(Codec::Raw, *cid.digest()));
    true
}

/// Returns the messages of the tree's faults.
fn faults(judged: &Judged) -> Vec<&str> {
    let of_tree = |found: &&Finding| found.code() == Code::NodeInvalid;
    judged.errors().filter(of_tree).map(|found| found.message.as_str()).collect()
}

#[test]
fn every_change_of_every_node_is_judged_by_the_definition() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let mut random = Random(1);
    let whole = judge(&Forged::of(&right, &records), "the right tree", &mut random);
    assert!(whole.findings.is_empty(), "{:#?}", whole.findings);
    assert_eq!(whole.said, Said::Tree(entries.clone()));
    let (mut tried, mut still_trees) = (0, 0);
    for (name, change, rules) in CHANGES {
        let mut of_this = 0;
        for number in 0..right.count() {
            let mut bent = right.clone();
            if !change(bent.node(number).unwrap()) {
                continue;
            }
            let name = format!("{name}, node {number}");
            let judged = judge(&Forged::of(&bent, &records), &name, &mut random);
            let found = faults(&judged);
            assert!(found.iter().all(|fault| rules.contains(fault)), "{name}: {found:?}");
            // Fewer entries are another tree, if no node is left empty.
            still_trees += usize::from(matches!(judged.said, Said::Tree(_)));
            (tried, of_this) = (tried + 1, of_this + 1);
        }
        assert!(of_this > 0, "{name} was tried nowhere");
    }
    row(
        "mutations: structure of trees",
        tried,
        &format!("{still_trees} are other trees, all judged alike"),
    );
}

/// A change of the fields of a node, with the rule that it breaks.
type Bend = (&'static str, fn(&mut Value), &'static [&'static str]);

fn set(node: &mut Value, field: &str, value: Option<Value>) {
    let Value::Map(map) = node else { panic!("a node is a map") };
    match value {
        Some(value) => drop(map.insert(field, value)),
        None => drop(map.remove(field)),
    }
}

/// Changes the last entry of a node.
fn entry(node: &mut Value, change: impl FnOnce(&mut Value)) {
    let Value::Map(map) = node else { panic!("a node is a map") };
    let Some(Value::List(mut entries)) = map.remove("e") else { panic!("with entries") };
    if let Some(last) = entries.last_mut() {
        change(last);
    }
    map.insert("e", entries);
}

fn set_entry(node: &mut Value, field: &str, value: Option<Value>) {
    entry(node, |entry| set(entry, field, value));
}

/// Moves the border between the shared bytes and the rest of the last key.
fn border(node: &mut Value, shared: fn(i64) -> i64, rest: fn(&[u8]) -> Vec<u8>) {
    entry(node, |entry| {
        let prefix = entry.get("p").unwrap().as_int().unwrap();
        let bytes = rest(entry.get("k").unwrap().as_bytes().unwrap());
        set(entry, "p", Some(Value::Int(shared(prefix))));
        set(entry, "k", Some(Value::Bytes(bytes)));
    });
}

fn raw() -> Value {
    Value::Link(Cid::of(Codec::Raw, b"raw"))
}

/// The rules on the fields of a node and of its last entry. All entries share 17 bytes or more.
const BENDS: [Bend; 25] = [
    ("without e", |node| set(node, "e", None), &[FIELDS]),
    ("without l", |node| set(node, "l", None), &[FIELDS]),
    ("a third field", |node| set(node, "x", Some(Value::Null)), &[FIELDS]),
    ("e is null", |node| set(node, "e", Some(Value::Null)), &["expected an array"]),
    ("e is a map", |node| set(node, "e", Some(Value::Map(Map::new()))), &["expected an array"]),
    ("l is text", |node| set(node, "l", Some(Value::from("l"))), &["expected a link or null"]),
    ("l is false", |node| set(node, "l", Some(Value::from(false))), &["expected a link or null"]),
    ("l is raw", |node| set(node, "l", Some(raw())), &[RAW]),
    (
        "another field",
        |node| {
            set(node, "l", None);
            set(node, "m", Some(Value::Null));
        },
        &["an unexpected map key"],
    ),
    ("an entry is null", |node| entry(node, |entry| *entry = Value::Null), &["expected a map"]),
    (
        "an entry is a list",
        |node| entry(node, |entry| *entry = Value::List(vec![])),
        &["expected a map"],
    ),
    ("without k", |node| set_entry(node, "k", None), &[ENTRY]),
    ("without p", |node| set_entry(node, "p", None), &[ENTRY]),
    ("without t", |node| set_entry(node, "t", None), &[ENTRY]),
    ("without v", |node| set_entry(node, "v", None), &[ENTRY]),
    ("a fifth field", |node| set_entry(node, "x", Some(Value::Null)), &[ENTRY]),
    ("k is text", |node| set_entry(node, "k", Some(Value::from("k"))), &["expected a byte string"]),
    (
        "p is negative",
        |node| set_entry(node, "p", Some(Value::Int(-1))),
        &["expected a number that is not negative"],
    ),
    ("p is text", |node| set_entry(node, "p", Some(Value::from("0"))), &["expected a number"]),
    ("t is raw", |node| set_entry(node, "t", Some(raw())), &[RAW]),
    ("v is null", |node| set_entry(node, "v", Some(Value::Null)), &["expected a link"]),
    ("v is bytes", |node| set_entry(node, "v", Some(Value::from(vec![1]))), &["expected a link"]),
    ("p beyond the key", |node| border(node, |p| p + 1_000, <[u8]>::to_vec), &[TOO_FAR]),
    ("p beyond all", |node| border(node, |_| i64::MAX, <[u8]>::to_vec), &[TOO_FAR]),
    (
        "p too small",
        |node| border(node, |p| p - 1, |rest| [b"0", rest].concat()),
        &[TOO_SHORT, ORDER, HEIGHTS, LEVEL, TOO_FAR, "expected a number that is not negative"],
    ),
];

#[test]
fn every_field_of_every_node_is_of_its_one_form() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let (mut random, mut tried) = (Random(2), 0);
    for (name, bend, rules) in BENDS {
        let mut of_this = 0;
        for number in (0..right.count()).step_by(amount(3, 1)) {
            let mut bent = right.clone();
            let node = bent.node(number).unwrap();
            let is_possible = !node.entries.is_empty() || !rules.contains(&ENTRY);
            node.bend = Some(Arc::new(move |mut value| {
                bend(&mut value);
                value.encode()
            }));
            let forged = Forged::of(&bent, &records);
            if !is_possible || forged.data == Forged::of(&right, &records).data {
                continue;
            }
            let name = format!("{name}, node {number}");
            let judged = judge(&forged, &name, &mut random);
            let found = faults(&judged);
            assert!(!found.is_empty(), "{name}: {:#?}", judged.findings);
            assert!(found.iter().all(|fault| rules.contains(fault)), "{name}: {found:?}");
            (tried, of_this) = (tried + 1, of_this + 1);
        }
        assert!(of_this > 0, "{name} was tried nowhere");
    }
    row("mutations: fields of nodes", tried, "each refused for its rule");
}

/// Names that no record may have, and names that are only unusual, with the expected codes.
const NAMES: [(&str, &[&str]); 16] = [
    ("com.example.note", &["path-invalid"]),
    ("com.example.note/", &["path-invalid"]),
    ("/com.example.note/a", &["path-invalid"]),
    ("com.example.note/a/b", &["path-invalid"]),
    ("com.example.note/.", &["path-invalid"]),
    ("com.example.note/..", &["path-invalid"]),
    ("com.example.note/a b", &["path-invalid"]),
    ("com.example.note/ä", &["path-invalid"]),
    ("com.example.note/a\0", &["path-invalid"]),
    ("com.example/a", &["path-invalid", "record-type-mismatch"]),
    ("com..note/a", &["path-invalid"]),
    ("com.example.1note/a", &["path-invalid"]),
    ("\u{7f}", &["path-invalid"]),
    ("Com.Example.note/a", &["path-not-normalized", "record-type-mismatch"]),
    ("com.example.note/a:b~c_d.e-f", &[]),
    ("com.example.note/:", &[]),
];

#[test]
fn names_are_judged_apart_from_the_tree() {
    let (entries, mut records) = sample();
    let (mut random, mut tried) = (Random(3), 0);
    let collection = "com.example.note/";
    let long = |len: usize| format!("{collection}{}", "x".repeat(len - collection.len()));
    let typed = record("com.example.note/typed");
    records.insert(typed.clone());
    let more: [(String, &[&str]); 4] = [
        (long(collection.len() + 512), &[]),
        (long(collection.len() + 513), &["path-invalid"]),
        (long(1_024), &["path-invalid"]),
        (long(1_025), &["node-invalid"]),
    ];
    let names = NAMES.iter().map(|(name, codes)| ((*name).to_owned(), *codes));
    for (name, codes) in names.chain(more) {
        let mut entries = entries.clone();
        entries.insert(name.clone().into_bytes(), typed.cid());
        let forged = Forged::of(&Shape::of(&entries), &records);
        let judged = judge(&forged, &name, &mut random);
        let mut found = judged.codes();
        if codes.contains(&"path-invalid") {
            // The collection of an invalid path is not compared with the type.
            found.remove("record-type-mismatch");
        }
        let codes = codes
            .iter()
            .copied()
            .filter(|code| found.contains(code) || *code != "record-type-mismatch");
        assert_eq!(found, codes.collect(), "{name:?}: {:#?}", judged.findings);
        tried += 1;
    }
    row("mutations: names of records", tried, "each judged as expected");
}

#[test]
fn values_of_any_kind_are_judged_as_records() {
    let (mut entries, mut records) = sample();
    let (mut random, mut tried) = (Random(4), 0);
    let node = Shape::of(&entries).write(&records).1.remove(0);
    let first = entries.keys().next().unwrap().clone();
    let raw = Block::new(Codec::Raw, *b"raw");
    let missing = record("com.example.note/missing");
    for (name, value, codes) in [
        ("raw bytes", &raw, &["record-not-cbor"][..]),
        ("a node as a record", &node, &["record-type-missing"]),
        ("a missing record", &missing, &["record-missing"]),
    ] {
        if value != &missing {
            records.insert(value.clone());
        }
        entries.insert(first.clone(), value.cid());
        let judged = judge(&Forged::of(&Shape::of(&entries), &records), name, &mut random);
        assert_eq!(judged.codes(), codes.iter().copied().collect(), "{name}");
        tried += 1;
    }
    row("mutations: values of the tree", tried, "each judged as expected");
}
