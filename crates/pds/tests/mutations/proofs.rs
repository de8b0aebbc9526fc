//! Proofs: any set of blocks in any order, judged by a descent that knows the whole tree.

use std::collections::BTreeSet;
use std::io::Cursor;

use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, MemoryBlocks};
use pds::identity::KeyHistory;
use pds::mst::height;
use pds::syntax::RecordPath;
use pds::transfer::prove::{ProofError, verify_proof};

use super::forge::{Forged, Shape, block, car, fields, key, record, sample, sign};
use super::judge::shuffle;
use super::torture::{amount, row};
use crate::properties::Random;

/// The blocks that a path needs, from the root down, each with the height down to which it is needed.
fn needed(shape: &Shape, path: &[u8], level: u8, into: &mut Vec<(Cid, u8)>) -> Option<Cid> {
    into.push((shape.write(&MemoryBlocks::default()).0, level));
    let before = shape.entries.partition_point(|slot| slot.key.as_slice() < path);
    if let Some(slot) = shape.entries.get(before).filter(|slot| slot.key == path) {
        return Some(slot.value);
    }
    let below = match before.checked_sub(1) {
        None => shape.left.as_ref(),
        Some(at) => shape.entries[at].right.as_ref(),
    };
    below.and_then(|below| needed(below, path, level - 1, into))
}

/// What a proof shows.
#[derive(Debug, PartialEq)]
enum Shown {
    Record(Cid),
    Absence,
    Nothing,
}

/// Says what a set of blocks shows about a path.
fn expected(shape: &Shape, path: &RecordPath, blocks: &BTreeSet<Cid>) -> Shown {
    let key = path.to_key();
    let mut nodes = Vec::new();
    let top = shape.entries.first().map_or(0, |slot| height(&slot.key));
    let record = needed(shape, &key, top, &mut nodes);
    // Below the level of an absent key, no node can have it.
    let lowest = if record.is_some() { 0 } else { height(&key) };
    let mut due = nodes.iter().enumerate().filter(|(at, (_, level))| *at == 0 || *level >= lowest);
    if due.any(|(_, (cid, _))| !blocks.contains(cid)) {
        return Shown::Nothing;
    }
    match record {
        Some(cid) if blocks.contains(&cid) => Shown::Record(cid),
        Some(_) => Shown::Nothing,
        None => Shown::Absence,
    }
}

#[test]
fn any_set_of_blocks_shows_what_the_descent_says() {
    let (entries, records) = sample();
    let right = Shape::of(&entries);
    let forged = Forged::of(&right, &records);
    let mut few = entries.clone();
    few.retain(|key, _| key.len() % 2 == 0 || key.ends_with(b"1"));
    let other = Forged::of(&Shape::of(&few), &records);
    let keys: KeyHistory = key().public_key().into();
    let mut paths: Vec<String> =
        entries.keys().map(|key| String::from_utf8(key.clone()).unwrap()).collect();
    for n in 0..30 {
        paths.push(format!("com.example.note/b{n:03}-"));
        paths.push(format!("com.example.{}/{n}", ["a", "note", "z"][n % 3]));
    }
    let (mut found, mut nothing) = ([0, 0], 0);
    let tried = amount(1_000, 100_000);
    for seed in 0..tried {
        let mut random = Random(8_000_000 + seed as u64);
        let path: RecordPath = paths[random.below(paths.len())].parse().unwrap();
        let mut wanted = Vec::new();
        let top = right.entries.first().map_or(0, |slot| height(&slot.key));
        let record = needed(&right, &path.to_key(), top, &mut wanted);
        let wanted: Vec<Cid> = wanted.into_iter().map(|(cid, _)| cid).chain(record).collect();
        // Most sets have all that is needed, or all but one block.
        let gone = random.below(2 * wanted.len());
        let is_in = |block: &&Block| match wanted.iter().position(|cid| *cid == block.cid()) {
            Some(at) => at != gone,
            None => false,
        };
        let mut blocks: Vec<Block> = forged.blocks.iter().filter(is_in).cloned().collect();
        for _ in 0..random.below(4) {
            let pool = if random.below(2) == 0 { &forged.blocks } else { &other.blocks };
            blocks.push(pool[random.below(pool.len())].clone());
        }
        blocks.push(forged.commit.clone());
        shuffle(&mut blocks, &mut random);
        let cids: BTreeSet<Cid> = blocks.iter().map(Block::cid).collect();
        let file = car(&[forged.commit.cid()], &blocks);
        let shown = match verify_proof(Cursor::new(&file), &path, &keys) {
            Ok(proven) => {
                let exact = proven.require_exact().is_ok();
                let is_exact =
                    blocks.len() == wanted.len() + 1 && wanted.iter().all(|cid| cids.contains(cid));
                assert_eq!(exact, is_exact, "seed {seed}");
                proven.record.map_or(Shown::Absence, |record| Shown::Record(record.block.cid()))
            }
            Err(ProofError::Missing { cid, .. }) => {
                assert!(!cids.contains(&cid) && wanted.contains(&cid), "seed {seed}: {cid}");
                Shown::Nothing
            }
            Err(error) => panic!("seed {seed}: {error}"),
        };
        assert_eq!(shown, expected(&right, &path, &cids), "seed {seed}: {path}");
        match shown {
            Shown::Nothing => nothing += 1,
            shown => found[usize::from(shown == Shown::Absence)] += 1,
        }
    }
    assert!(nothing > tried / 10 && found.iter().all(|count| *count > tried / 10), "{found:?}");
    let found = format!("{} of a record, {} of absence, {nothing} of nothing", found[0], found[1]);
    row("mutations: random proofs", tried, &found);
}

#[test]
fn a_proof_under_another_root_or_commit_is_judged_by_it() {
    let (entries, records) = sample();
    let forged = Forged::of(&Shape::of(&entries), &records);
    let keys: KeyHistory = key().public_key().into();
    let path: RecordPath = "com.example.note/b001".parse().unwrap();
    let check = |roots: &[Cid], commit: &Block| {
        let blocks = [std::slice::from_ref(commit), &forged.blocks].concat();
        verify_proof(Cursor::new(car(roots, &blocks)), &path, &keys).map(|_| ())
    };
    let root = forged.commit.cid();
    assert!(check(&[root], &forged.commit).is_ok());
    for roots in [vec![], vec![root; 2], vec![root, forged.data], vec![forged.data, root]] {
        assert!(matches!(check(&roots, &forged.commit), Err(ProofError::Header)), "{roots:?}");
    }
    for wrong in [forged.data, record("com.example.note/b001").cid()] {
        assert!(matches!(check(&[wrong], &forged.commit), Err(ProofError::Commit(_))), "{wrong}");
    }
    let raw = Cid::from_digest(Codec::Raw, *root.digest());
    assert!(matches!(check(&[raw], &forged.commit), Err(ProofError::Missing { .. })));
    let stranger = SigningKey::from_bytes(Curve::P256, &[9; 32]).unwrap();
    let by_other = block(sign(fields(forged.data), &stranger));
    assert!(matches!(check(&[by_other.cid()], &by_other), Err(ProofError::Signature { .. })));
    let elsewhere = block(sign(fields(Cid::of(Codec::Cbor, b"another tree")), &key()));
    assert!(matches!(check(&[elsewhere.cid()], &elsewhere), Err(ProofError::Missing { .. })));
    row("mutations: roots and commits of proofs", 10, "each judged as expected");
}
