//! The special cases that the tree module lists, one by one.

use pds::data::limits::MAX_NODE_ENTRIES;
use pds::data::{Block, Blocks, Cid, Codec, MemoryBlocks};
use pds::mst::{Builder, EMPTY_NODE, Key, MstError, Node, Position, Tree, height, walk};

use super::{Entries, built, key, record};

/// Keys in order, each with its height as its second character.
const KEYS: [&str; 12] = [
    "A0/374913",
    "A3/578971",
    "B0/601692",
    "B1/986427",
    "C0/451630",
    "C2/014073",
    "D0/952776",
    "D2/269196",
    "E0/670489",
    "E1/091396",
    "E4/820614",
    "F0/697858",
];

pub(super) fn named(name: &str) -> Key {
    key(KEYS.iter().find(|key| key.starts_with(name)).unwrap())
}

fn tree_of(names: &str) -> (MemoryBlocks, Cid) {
    let names = names.split_whitespace();
    let entries: Entries = names.map(|name| (named(name), record(0))).collect();
    let (root, nodes) = built(&entries);
    (nodes.into_iter().collect(), root)
}

/// Draws a tree: the level of each node, and in brackets its subtrees and keys from left to right.
fn drawn(blocks: &dyn Blocks, cid: Cid, position: Position) -> String {
    let block = blocks.get(&cid).unwrap().unwrap();
    let node = Node::read(cid, block.bytes(), position).unwrap();
    let subtree = |link: Option<Cid>| {
        let level = node.level().checked_sub(1)?;
        Some(drawn(blocks, link?, Position::Child { level }))
    };
    let mut parts: Vec<String> = subtree(node.left()).into_iter().collect();
    for entry in node.entries() {
        parts.push(entry.key[..2].escape_ascii().to_string());
        parts.extend(subtree(entry.right));
    }
    format!("{}[{}]", node.level(), parts.join(" "))
}

/// Returns the drawing of an edited tree, and the number of nodes that the edit writes.
fn edited(names: &str, edit: impl Fn(&mut Tree<'_>)) -> (String, usize) {
    let (mut blocks, root) = tree_of(names);
    let mut tree = Tree::open(&blocks, root);
    edit(&mut tree);
    let written = tree.write().unwrap();
    let nodes = written.nodes.len();
    blocks.extend(written.nodes);
    (drawn(&blocks, written.root, Position::Root), nodes)
}

fn with(names: &str, added: &str) -> (String, usize) {
    edited(names, |tree| {
        assert_eq!(tree.insert(named(added), record(0)).unwrap(), None);
    })
}

fn without(names: &str, gone: &str) -> (String, usize) {
    edited(names, |tree| {
        let before = tree.remove(named(gone).as_bytes()).unwrap();
        assert_eq!(before, Some(record(0)));
    })
}

#[test]
fn the_names_of_the_keys_are_their_heights() {
    for key in KEYS {
        let digit = char::from(key.as_bytes()[1]).to_digit(10);
        assert_eq!(digit, Some(u32::from(height(key.as_bytes()))), "{key}");
    }
    assert!(KEYS.is_sorted());
}

#[test]
fn a_key_higher_than_the_root_splits_the_whole_tree() {
    let (blocks, root) = tree_of("A0 B1 C0 E0 E1");
    let before = drawn(&blocks, root, Position::Root);
    assert_eq!(before, "1[0[A0] B1 0[C0 E0] E1]");
    let (after, nodes) = with("A0 B1 C0 E0 E1", "D2");
    assert_eq!(after, "2[1[0[A0] B1 0[C0]] D2 1[0[E0] E1]]");
    // The edit writes the root and both halves of the two split nodes. The node of A0 stays.
    assert_eq!(nodes, 5);
}

#[test]
fn a_key_higher_than_the_root_leaves_a_tree_on_one_side_of_it_whole() {
    assert_eq!(with("B1 C0", "A3"), ("3[A3 2[1[B1 0[C0]]]]".to_owned(), 2));
    let after_all = ("4[3[2[1[B1 0[C0]]]] E4]".to_owned(), 3);
    assert_eq!(with("B1 C0", "E4"), after_all);
}

#[test]
fn a_removed_key_joins_the_subtrees_on_its_two_sides_all_the_way_down() {
    let (after, nodes) = without("A0 B1 C0 D2 E0 E1", "D2");
    assert_eq!(after, "1[0[A0] B1 0[C0 E0] E1]");
    assert_eq!(nodes, 2);
    // If one side ends at a higher level, the rest of the other side is kept unchanged.
    let (after, nodes) = without("A0 B1 D2 E0 E1", "D2");
    assert_eq!(after, "1[0[A0] B1 0[E0] E1]");
    assert_eq!(nodes, 1);
}

#[test]
fn levels_without_keys_are_nodes_with_a_left_subtree_only() {
    let (after, nodes) = with("A0", "E4");
    assert_eq!(after, "4[3[2[1[0[A0]]]] E4]");
    assert_eq!(nodes, 4);
    let (after, nodes) = with("E4", "F0");
    assert_eq!(after, "4[E4 3[2[1[0[F0]]]]]");
    assert_eq!(nodes, 5);
    // A key on a level without keys is added to the node that bridges the level.
    let (after, nodes) = with("A0 E4 F0", "C2");
    assert_eq!(after, "4[3[2[1[0[A0]] C2]] E4 3[2[1[0[F0]]]]]");
    assert_eq!(nodes, 3);
    assert_eq!(without("A0 C2 E4 F0", "C2").0, drawn_tree("A0 E4 F0"));
    // A lower key next to it adds a whole chain of nodes.
    let (after, _) = with("A3 E4", "C0");
    assert_eq!(after, "4[3[A3 2[1[0[C0]]]] E4]");
    assert_eq!(without("A3 C0 E4", "C0").0, "4[3[A3] E4]");
}

fn drawn_tree(names: &str) -> String {
    let (blocks, root) = tree_of(names);
    drawn(&blocks, root, Position::Root)
}

#[test]
fn removing_the_last_key_of_the_root_lowers_the_tree_by_more_than_one_level() {
    assert_eq!(without("A0 B0 E4", "E4"), ("0[A0 B0]".to_owned(), 0));
    assert_eq!(without("A0 B1 E4", "E4"), ("1[0[A0] B1]".to_owned(), 0));
    assert_eq!(without("E4 F0", "E4"), ("0[F0]".to_owned(), 0));
    assert_eq!(without("A0 E4 F0", "E4"), ("0[A0 F0]".to_owned(), 1));
    // This removes several keys before the tree is written.
    let (after, _) = edited("A0 A3 C2 E4 F0", |tree| {
        for gone in ["E4", "C2", "A3"] {
            tree.remove(named(gone).as_bytes()).unwrap();
        }
    });
    assert_eq!(after, "0[A0 F0]");
}

#[test]
fn removing_the_last_key_of_all_leaves_one_empty_node() {
    for name in ["A0", "E4"] {
        let (blocks, root) = tree_of(name);
        let mut tree = Tree::open(&blocks, root);
        tree.remove(named(name).as_bytes()).unwrap();
        assert_eq!(tree.get(named(name).as_bytes()).unwrap(), None);
        assert_eq!(tree.range(..).count(), 0);
        let written = tree.write().unwrap();
        assert_eq!(written.nodes, [Block::new(Codec::Cbor, EMPTY_NODE)]);
        // A tree that has become empty can grow again.
        assert_eq!(tree.insert(named(name), record(0)).unwrap(), None);
        assert_eq!(tree.write().unwrap().root, root);
    }
    let (blocks, root) = tree_of("");
    assert_eq!(drawn(&blocks, root, Position::Root), "0[]");
    let mut tree = Tree::open(&blocks, root);
    assert_eq!(tree.remove(named("A0").as_bytes()).unwrap(), None);
    assert_eq!(tree.insert(named("A0"), record(0)).unwrap(), None);
    assert_eq!(tree.write().unwrap().root, tree_of("A0").1);
}

#[test]
fn edits_that_change_nothing_write_nothing() {
    let names = "A0 B1 C0 C2 E0 E1";
    for name in names.split(' ') {
        let unchanged = edited(names, |tree| {
            let before = tree.insert(named(name), record(0)).unwrap();
            assert_eq!(before, Some(record(0)));
        });
        assert_eq!(unchanged, (drawn_tree(names), 0));
    }
    for absent in ["A3", "B0", "D0", "D2", "E4", "F0"] {
        let unchanged = edited(names, |tree| {
            assert_eq!(tree.remove(named(absent).as_bytes()).unwrap(), None);
        });
        assert_eq!(unchanged, (drawn_tree(names), 0));
    }
}

#[test]
fn a_builder_takes_keys_in_ascending_order_only() {
    let mut builder = Builder::default();
    let mut push = |name: &str| {
        let pushed = builder.push(named(name).as_bytes(), record(0), drop);
        pushed.map_err(|error| error.to_string())
    };
    push("A0").unwrap();
    push("C2").unwrap();
    for refused in ["C2", "B1", "A0"] {
        let error = push(refused).unwrap_err();
        assert_eq!(error, "not a tree key: keys are not in ascending order");
    }
    // A refused key has no effect.
    push("E0").unwrap();
    assert_eq!(builder.finish(drop), tree_of("A0 C2 E0").1);
}

/// A tree must be able to read every node that it writes.
#[test]
fn a_node_takes_as_many_entries_as_can_be_read_and_not_one_more() {
    let low: Vec<Key> = (10_000..)
        .map(|n| key(&format!("com.example.a/{n}")))
        .filter(|key| key.height() == 0)
        .take(MAX_NODE_ENTRIES + 1)
        .collect();
    let (last, full) = low.split_last().unwrap();
    let entries: Entries = full.iter().map(|key| (key.clone(), record(0))).collect();
    let (root, nodes) = built(&entries);
    let blocks: MemoryBlocks = nodes.into_iter().collect();
    assert_eq!(walk(&blocks, root).map(Result::unwrap).count(), 1 + full.len());

    let mut builder = Builder::default();
    for key in full {
        builder.push(key.as_bytes(), record(0), drop).unwrap();
    }
    assert!(matches!(builder.push(last.as_bytes(), record(0), drop), Err(MstError::Full)));
    assert_eq!(builder.finish(drop), root);

    let mut tree = Tree::open(&blocks, root);
    assert!(matches!(tree.insert(last.clone(), record(0)), Err(MstError::Full)));
    assert_eq!(tree.write().unwrap().root, root);
    // A higher key in the middle makes room on both sides, and then cannot be removed.
    let middle = (0..)
        .map(|n| key(&format!("{}/{n}", full[MAX_NODE_ENTRIES / 2])))
        .find(|key| key.height() > 0)
        .unwrap();
    tree.insert(middle.clone(), record(0)).unwrap();
    tree.insert(last.clone(), record(0)).unwrap();
    let both = tree.write().unwrap().root;
    assert!(matches!(tree.remove(middle.as_bytes()), Err(MstError::Full)));
    assert_eq!(tree.write().unwrap().root, both);
    tree.remove(last.as_bytes()).unwrap();
    tree.remove(middle.as_bytes()).unwrap();
    assert_eq!(tree.write().unwrap().root, root);
}
