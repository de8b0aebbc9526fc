//! Random changes of trees, one after another, compared with the definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use pds::data::{Block, Cid, Codec, MemoryBlocks, Value};
use pds::mst::Builder;

use super::deviant::deviants;
use super::forge::{Forged, Shape, Slot, record, sample};
use super::judge::judge;
use super::peer::Said;
use super::torture::{amount, row};
use crate::properties::Random;

/// Changes a tree at random places. Many results are trees again, of fewer or other entries.
pub(super) fn bend(shape: &mut Shape, donor: &Shape, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let number = random.below(shape.count());
        let node = shape.node(number).unwrap();
        let count = node.entries.len();
        match random.below(12) {
            0 if count > 0 => drop(node.entries.remove(random.below(count))),
            1 if count > 1 => node.entries.swap(0, random.below(count)),
            2 if count > 0 => {
                let copy = node.entries[random.below(count)].clone();
                node.entries.insert(random.below(count + 1), copy);
            }
            3 => {
                let place = node.places().nth(random.below(count + 1)).unwrap();
                *place = None;
            }
            4 => graft(node, donor, random),
            5 => {
                let place = node.places().nth(random.below(count + 1)).unwrap();
                *place = place.take().map(|child| Box::new(child.above()));
            }
            6 if count > 0 => {
                let key = &mut node.entries[random.below(count)].key;
                // An earlier change may have cut the key to nothing.
                let at = random.below(key.len().max(1));
                if let Some(byte) = key.get_mut(at) {
                    *byte = byte.wrapping_add(1);
                }
            }
            7 if count > 0 => {
                let slot = &mut node.entries[random.below(count)];
                slot.key.truncate(random.below(slot.key.len().max(1)));
            }
            8 => *node = node.clone().above(),
            9 => flipped(node, random),
            10 => {
                let key = format!("com.example.note/r{:03}", random.below(40)).into_bytes();
                let at = node.entries.partition_point(|slot| slot.key < key);
                let value = record("com.example.note/b001").cid();
                node.entries.insert(at, Slot { key, value, right: None });
            }
            _ => level_lost(node),
        }
    }
}

/// Puts a node of another tree in the place of a subtree.
fn graft(node: &mut Shape, donor: &Shape, random: &mut Random) {
    let mut donor = donor.clone();
    let other = donor.node(random.below(donor.count())).unwrap().clone();
    let count = node.entries.len();
    *node.places().nth(random.below(count + 1)).unwrap() = Some(Box::new(other));
}

fn level_lost(node: &mut Shape) {
    if let Some(child) = node.left.take() {
        node.left = child.left;
    }
}

/// Changes one bit of the encoded node.
fn flipped(node: &mut Shape, random: &mut Random) {
    let (at, bit) = (random.below(4_096), random.below(8));
    node.bend = Some(Arc::new(move |value| {
        let mut bytes = value.encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        bytes
    }));
}

#[test]
fn random_trees_are_judged_by_the_definition() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let (mut trees, mut others) = (0, 0);
    let tried = amount(200, 20_000);
    for seed in 0..tried {
        let mut random = Random(seed as u64);
        let mut bent = right.clone();
        bend(&mut bent, &right, &mut random);
        let judged = judge(&Forged::of(&bent, &records), &format!("seed {seed}"), &mut random);
        match judged.said {
            Said::Tree(_) => trees += 1,
            Said::Other(_) => others += 1,
        }
    }
    assert!(trees > tried / 20 && others > tried / 2, "{trees} {others}");
    row("mutations: random trees", tried, &format!("{trees} trees, {others} refused, all alike"));
}

/// Small trees of random keys: all blocks in, then each block left out, doubled, or replaced by a stranger.
#[test]
fn random_sets_of_blocks_are_judged_alike() {
    let (all, records) = sample();
    let tried = amount(100, 6_000);
    let mut incomplete = 0;
    for seed in 0..tried {
        let mut random = Random(1_000_000 + seed as u64);
        let entries: BTreeMap<Vec<u8>, Cid> = all
            .iter()
            .filter(|_| random.below(3) > 0)
            .map(|(key, cid)| (key.clone(), *cid))
            .collect();
        let mut forged = Forged::of(&Shape::of(&entries), &records);
        for _ in 0..random.below(4) {
            let at = random.below(forged.blocks.len());
            match random.below(3) {
                0 if forged.blocks.len() > 1 => drop(forged.blocks.remove(at)),
                1 => forged.blocks.push(forged.blocks[at].clone()),
                _ => forged.blocks.insert(at, Block::new(Codec::Cbor, *b"\xa0")),
            }
        }
        let judged = judge(&forged, &format!("seed {seed}"), &mut random);
        let stored: MemoryBlocks = forged.blocks.iter().cloned().collect();
        let is_whole = entries.values().all(|cid| stored.contains(cid))
            && matches!(judged.said, Said::Tree(_));
        assert_eq!(judged.report.is_ok(), is_whole, "seed {seed}: {:#?}", judged.findings);
        assert_eq!(judged.report.is_complete(), is_whole, "seed {seed}");
        incomplete += usize::from(!is_whole);
    }
    assert!(incomplete > tried / 5 && incomplete < tried, "{incomplete}");
    row("mutations: random sets of blocks", tried, &format!("{incomplete} incomplete, all alike"));
}

/// A tree as deep as one can be mined stays cheap, and a chain of subtrees ends at the first broken rule.
#[test]
fn a_deep_chain_of_nodes_ends_at_the_first_broken_rule() {
    let (_, records) = sample();
    let mut tried = 0;
    for len in [1, 2, 127, 128, 129, 130, 1_000] {
        for is_full in [false, true] {
            let value = record("com.example.note/b001").cid();
            let slot = |n: usize| Slot {
                key: format!("com.example.note/{n:05}").into_bytes(),
                value,
                right: None,
            };
            let mut blocks: Vec<Block> = records.iter().cloned().collect();
            let mut left = None;
            for n in 0..=len {
                let is_leaf = n == 0;
                let entries = if is_full || is_leaf { vec![slot(n)] } else { Vec::new() };
                let node = Shape { left, entries, ..Shape::default() };
                let (cid, node) = node.write(&MemoryBlocks::default());
                blocks.extend(node);
                left = Some(Box::new(Shape { instead: Some(cid), ..Shape::default() }));
            }
            let root = *left.unwrap();
            let mut forged = Forged::of(&root, &records);
            forged.blocks = blocks;
            let name = format!("a chain of {len}, {is_full}");
            let judged = judge(&forged, &name, &mut Random(len as u64));
            assert!(!judged.report.is_ok(), "{name}");
            assert!(judged.report.nodes <= 2, "{name}: {}", judged.report.nodes);
            tried += 1;
        }
    }
    row("mutations: deep chains", tried, "each refused at once");
}

/// Wide nodes, up to the limit and beyond it, made of mined keys of one height.
#[test]
fn a_node_of_many_entries_is_refused_above_the_limit_only() {
    let value = record("com.example.note/b001");
    let records: MemoryBlocks = [value.clone()].into_iter().collect();
    let keys: Vec<Vec<u8>> = (0..)
        .map(|n| format!("com.example.note/{n:06}").into_bytes())
        .filter(|key| pds::mst::height(key) == 0)
        .take(1_025)
        .collect();
    let counts = [1_024, 1_025];
    for count in counts {
        let entries = keys[..count].iter().map(|key| (key.clone(), value.cid())).collect();
        let forged = Forged::of(&Shape::of(&entries), &records);
        let judged = judge(&forged, &format!("{count} entries"), &mut Random(5));
        assert_eq!(judged.is_admitted(), count <= 1_024, "{count}");
        let mut builder = Builder::default();
        let mut pushed = Ok(());
        for key in entries.keys() {
            pushed = pushed.and_then(|()| builder.push(key, value.cid(), |_| {}));
        }
        assert_eq!(pushed.is_ok(), count <= 1_024, "the builder has the same limit");
    }
    row("mutations: wide nodes", counts.len(), "the limit is exact");
}

/// A node that is a right one in another place, or another block of the repository.
#[test]
fn a_block_of_another_kind_is_no_node() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let forged = Forged::of(&right, &records);
    let note = record("com.example.note/b001");
    let own = Value::from([("$type", Value::from("com.example.note"))]);
    let blocks = [note, Block::new(Codec::Cbor, own.encode()), forged.commit.clone()];
    let (mut random, mut tried) = (Random(6), 0);
    for number in 0..right.count() {
        for other in &blocks {
            let mut bent = right.clone();
            bent.node(number).unwrap().instead = Some(other.cid());
            let mut forged = Forged::of(&bent, &records);
            forged.blocks.push(other.clone());
            let name = format!("node {number} is {}", other.cid());
            let judged = judge(&forged, &name, &mut random);
            assert!(!judged.report.is_ok(), "{name}");
            tried += 1;
        }
    }
    row("mutations: other blocks as nodes", tried, "each refused");
}

#[test]
fn a_node_in_another_encoding_is_refused() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let (mut random, mut tried) = (Random(7), 0);
    for number in 0..right.count() {
        let (_, blocks) = right.clone().node(number).unwrap().write(&records);
        let node = Value::decode(blocks[0].bytes()).unwrap();
        for (deviation, _, bytes) in deviants(&node, amount(101, 7)) {
            let name = format!("{deviation:?} in node {number}");
            let mut bent = right.clone();
            bent.node(number).unwrap().bend = Some(Arc::new(move |_| bytes.clone()));
            let judged = judge(&Forged::of(&bent, &records), &name, &mut random);
            let codes: Vec<&str> = judged.codes().into_iter().collect();
            assert_eq!(codes, ["node-undecodable"], "{name}: {:#?}", judged.findings);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
    row("mutations: encodings of nodes", tried, "each refused");
}
