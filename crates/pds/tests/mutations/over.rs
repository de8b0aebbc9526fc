//! Imports over a stored state: what is stored already is not read again, and must not make a wrong tree acceptable.

use std::collections::BTreeMap;
use std::io::Cursor;

use pds::crypto::PublicKey;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::transfer::export::export_car;
use pds::{Expected, Repo};

use super::forge::{Forged, Shape, block, car, fields, key, sample, sign};
use super::judge::{empty, judge, shuffle};
use super::peer::{Said, peer};
use super::torture::{amount, row};
use super::trees::bend;
use crate::properties::Random;

fn subset(all: &BTreeMap<Vec<u8>, Cid>, random: &mut Random) -> BTreeMap<Vec<u8>, Cid> {
    let kept = all.iter().filter(|_| random.below(8) > 0);
    kept.map(|(key, cid)| (key.clone(), *cid)).collect()
}

/// Returns a repository that has imported a file.
fn stored(file: &[u8], key: &PublicKey) -> Repo {
    let repo = empty();
    repo.transfer().import_file(Cursor::new(file), Some(key)).unwrap();
    repo
}

fn export(repo: &Repo) -> Vec<u8> {
    let mut file = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut file, &mut |_| {}).unwrap();
    file
}

#[test]
fn a_stored_state_changes_no_verdict() {
    let (all, records) = sample();
    let public = key().public_key();
    let tried = amount(150, 15_000);
    let (mut admitted, mut refused) = (0, 0);
    for seed in 0..tried {
        let mut random = Random(9_000_000 + seed as u64);
        let base = Forged::of(&Shape::of(&subset(&all, &mut random)), &records);
        let right = Shape::of(&subset(&all, &mut random));
        let mut next = right.clone();
        if random.below(4) > 0 {
            bend(&mut next, &right, &mut random);
        }
        let next = Forged::of(&next, &records);
        let mut commit = fields(next.data);
        commit.insert("rev", "3jzfcijpj2z2b");
        if random.below(2) == 0 {
            commit.insert("prev", base.commit.cid());
        }
        let next = next.with_commit(block(sign(commit, &key())));
        let name = format!("seed {seed}");
        let judged = judge(&next, &name, &mut random);
        // The whole file, and only what is new, in any order.
        let known: MemoryBlocks = base.blocks.iter().cloned().collect();
        let is_new = |block: &&Block| !known.contains(&block.cid());
        let mut slice: Vec<Block> = next.blocks.iter().filter(is_new).cloned().collect();
        slice.push(next.commit.clone());
        shuffle(&mut slice, &mut random);
        let union = [&base.blocks[..], &next.blocks].concat();
        let is_tree = matches!(peer(&union, next.data), Said::Tree(_));
        for file in [next.file(), car(&[next.commit.cid()], &slice)] {
            let repo = stored(&base.file(), &public);
            let before = (repo.head().unwrap(), export(&repo));
            let answer = repo.transfer().import_file(Cursor::new(&file), Some(&public));
            // A record that the new state lacks may be stored, and a node, too.
            let is_admitted = judged.is_admitted() || (is_tree && answer.is_ok());
            assert_eq!(answer.is_ok(), is_admitted, "{name}: {:#?}", judged.findings);
            if !is_admitted {
                assert_eq!((repo.head().unwrap(), export(&repo)), before, "{name}");
                continue;
            }
            assert_eq!(repo.head().unwrap(), Some(next.commit.cid()), "{name}");
            let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_complete(), "{name}");
            if judged.is_admitted() {
                assert!(export(&repo) == export(&stored(&next.file(), &public)), "{name}");
            }
        }
        let count = if judged.is_admitted() { &mut admitted } else { &mut refused };
        *count += 1;
    }
    assert!(admitted > tried / 10 && refused > tried / 10, "{admitted} {refused}");
    let found = format!("{admitted} admitted, {refused} refused, as without the stored state");
    row("mutations: trees over a stored state", 2 * tried, &found);
}
