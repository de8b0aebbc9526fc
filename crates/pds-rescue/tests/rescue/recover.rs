//! `recover` on damaged files, compared with an oracle that knows the whole file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Cursor;
use std::path::PathBuf;

use pds::car::{CarFile, CarReader, CarWriter};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, Value};
use pds::mst::Builder;
use pds::syntax::Tid;
use pds_rescue::{FoundState, Part, Recovered, Recovery, recover};

/// Random numbers from a start.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed >> 33) % below as u64).unwrap()
    }
}

/// A section of a file before the damage: its bytes, its block, and whether the damage spared it.
struct Original {
    block: Block,
    is_spared: bool,
}

/// A node, read by its form.
struct Plain {
    entries: Vec<(String, Cid)>,
    subtrees: Vec<Cid>,
}

fn plain(block: &Block) -> Option<Plain> {
    let value = Value::decode(block.bytes()).ok()?;
    let map = value.as_map().filter(|map| map.len() == 2)?;
    let mut subtrees: Vec<Cid> = map.get("l")?.as_link().into_iter().collect();
    let (mut key, mut entries) = (Vec::new(), Vec::new());
    for entry in map.get("e")?.as_list()? {
        key.truncate(usize::try_from(entry.get("p")?.as_int()?).ok()?);
        key.extend(entry.get("k")?.as_bytes()?);
        entries.push((String::from_utf8(key.clone()).ok()?, entry.get("v")?.as_link()?));
        subtrees.extend(entry.get("t")?.as_link());
    }
    Some(Plain { entries, subtrees })
}

/// All that `recover` reports.
#[derive(Default)]
struct Found {
    present: BTreeSet<(String, Cid)>,
    pairs: BTreeSet<(String, Cid)>,
    cids: BTreeSet<Cid>,
    lost: Vec<(Part, Option<Cid>)>,
    states: BTreeMap<Cid, FoundState>,
    recovery: Recovery,
}

fn found_in(file: Vec<u8>) -> Found {
    let mut found = Found::default();
    let car = CarFile::salvage(Cursor::new(file), &mut |_| {}).unwrap();
    let mut add = |recovered| {
        let (key, block) = match recovered {
            Recovered::Record { key, block } => {
                found.present.insert((key.to_string(), block.cid()));
                (Some(key), block)
            }
            Recovered::InState { key, block, .. } | Recovered::Unplaced { key, block } => {
                (Some(key), block)
            }
            Recovered::WithoutPath { block } => (None, block),
            Recovered::Lost { part, cid, .. } => {
                found.lost.push((part, cid));
                return Ok(());
            }
            Recovered::State(state) => {
                found.states.insert(state.commit, state);
                return Ok(());
            }
        };
        let is_new = match key {
            Some(key) => found.pairs.insert((key.to_string(), block.cid())),
            None => !found.cids.contains(&block.cid()),
        };
        assert!(is_new, "{} is reported twice", block.cid());
        found.cids.insert(block.cid());
        Ok(())
    };
    let recovery = recover(&car, &car, &mut add).unwrap();
    found.recovery = recovery;
    found
}

/// Returns whether a lost part accounts for a path.
fn covers(part: &Part, path: &str) -> bool {
    match part {
        Part::Commit => false,
        Part::Record { key } => key.as_bytes() == path.as_bytes(),
        Part::Records { after, before } => {
            after.as_ref().is_none_or(|after| after.as_bytes() < path.as_bytes())
                && before.as_ref().is_none_or(|before| path.as_bytes() < before.as_bytes())
        }
    }
}

/// Compares what is found in a damaged file with the file before.
fn check(originals: &[Original], damaged: Vec<u8>, what: &str) {
    let found = found_in(damaged);
    let spared: HashMap<Cid, &Block> = originals
        .iter()
        .filter(|original| original.is_spared)
        .map(|original| (original.block.cid(), &original.block))
        .collect();
    let all: HashMap<Cid, &Block> =
        originals.iter().map(|original| (original.block.cid(), &original.block)).collect();
    let values: BTreeSet<Cid> = all
        .values()
        .filter_map(|block| plain(block))
        .flat_map(|node| node.entries.into_iter().map(|(_, cid)| cid))
        .collect();

    // Every record whose bytes are left is reported, and no block that was never there.
    for cid in values.iter().filter(|cid| spared.contains_key(cid)) {
        assert!(found.cids.contains(cid), "{what}: record {cid}");
    }
    assert!(found.cids.iter().all(|cid| all.contains_key(cid)), "{what}");
    // Every path that is left in any node is reported with its record.
    for node in spared.values().filter_map(|block| plain(block)) {
        for pair in node.entries.into_iter().filter(|(_, cid)| spared.contains_key(cid)) {
            assert!(found.pairs.contains(&pair), "{what}: {} {}", pair.0, pair.1);
        }
    }
    // Nothing of the present state is missing in silence. But if its root is lost, a tree whose own commit is lost may
    // be taken for it.
    let is_commit = |original: &Original| Commit::decode(&original.block).is_ok();
    let has_stray_tree = originals.iter().any(|one| !one.is_spared && is_commit(one));
    if let Some(commit) = &found.recovery.commit {
        let is_ambiguous = !spared.contains_key(&commit.data()) && has_stray_tree;
        for pair in entries(&all, commit.data()).into_iter().filter(|_| !is_ambiguous) {
            let is_lost = || found.lost.iter().any(|(part, _)| covers(part, &pair.0));
            assert!(found.present.contains(&pair) || is_lost(), "{what}: {} is silent", pair.0);
        }
        assert_eq!(found.recovery.records, found.present.len() as u64, "{what}");
    }
    // The count of each state is right.
    for (cid, state) in &found.states {
        let commit = Commit::decode(all[cid]).unwrap();
        let left = entries(&spared, commit.data());
        let left = left.iter().filter(|(_, cid)| spared.contains_key(cid)).count() as u64;
        assert!(state.records >= left, "{what}: {state:?}, {left} are left");
        let all = entries(&all, commit.data()).len() as u64;
        assert!(state.records == all || state.records < all && state.lost > 0, "{what}: {state:?}");
    }
    assert_eq!(found.recovery.lost, found.lost.len() as u64, "{what}");
}

/// Returns the entries of a tree, as far as its nodes are there.
fn entries(blocks: &HashMap<Cid, &Block>, root: Cid) -> Vec<(String, Cid)> {
    let Some(node) = blocks.get(&root).and_then(|block| plain(block)) else { return Vec::new() };
    let below = node.subtrees.iter().flat_map(|cid| entries(blocks, *cid));
    node.entries.iter().cloned().chain(below).collect()
}

/// The sections of a file, and the place of each.
fn sections(file: &[u8]) -> Vec<(Block, std::ops::Range<usize>)> {
    let (mut reader, mut found) = (CarReader::new(file).unwrap(), Vec::new());
    while let Some(section) = reader.next_section().unwrap() {
        let start = usize::try_from(section.offset).unwrap();
        let cid = usize::try_from(section.cid_offset).unwrap();
        found.push((section.block.to_block(), start..cid + 36 + section.block.bytes().len()));
    }
    found
}

/// Flips bits of a file, perhaps cuts it, and compares what is left.
fn damage_and_check(file: &[u8], flips: usize, is_cut: bool, numbers: &mut Numbers, what: &str) {
    let mut damaged = file.to_vec();
    let places: Vec<usize> = (0..flips).map(|_| numbers.next(file.len())).collect();
    places.iter().for_each(|at| damaged[*at] ^= 1 << numbers.next(8));
    if is_cut {
        damaged.truncate(file.len() / 4 + numbers.next(file.len() * 3 / 4));
    }
    let spares = |range: &std::ops::Range<usize>| {
        range.end <= damaged.len() && !places.iter().any(|at| range.contains(at))
    };
    let originals: Vec<Original> = sections(file)
        .into_iter()
        .map(|(block, range)| Original { is_spared: spares(&range), block })
        .collect();
    let what = format!("{what}, flips at {places:?}, {} of {} bytes", damaged.len(), file.len());
    check(&originals, damaged, &what);
}

/// Returns a file with several states, one after the other. Its header names any of them.
fn file_of_states(numbers: &mut Numbers) -> Vec<u8> {
    let key = SigningKey::from_bytes(Curve::K256, &[3; 32]).unwrap();
    let mut records: BTreeMap<String, Block> = BTreeMap::new();
    let (mut blocks, mut known, mut commits) = (Vec::new(), BTreeSet::new(), Vec::new());
    for state in 0..1 + numbers.next(4) {
        for _ in 0..numbers.next(60) {
            let path = format!("com.example.note/{}", numbers.next(200));
            let text = Value::from([("n", Value::Int(i64::try_from(numbers.next(500)).unwrap()))]);
            records.insert(path, Block::new(Codec::Cbor, text.encode()));
        }
        records.retain(|_, _| numbers.next(10) > 0);
        let (mut builder, mut nodes) = (Builder::default(), Vec::new());
        for (path, record) in &records {
            builder.push(path.as_bytes(), record.cid(), |node| nodes.push(node)).unwrap();
        }
        let data = builder.finish(|node| nodes.push(node));
        let rev = Tid::new(1_700_000_000_000_000 + state as u64, 0).unwrap();
        let unsigned = UnsignedCommit { did: super::did(), data, rev, prev: None };
        let commit = unsigned.sign(&key).unwrap();
        commits.push(commit.cid());
        let all =
            [commit.block().clone()].into_iter().chain(nodes).chain(records.values().cloned());
        let new: Vec<Block> = all.filter(|block| known.insert(block.cid())).collect();
        blocks.extend(new);
    }
    if numbers.next(3) == 0 {
        // Blocks that were removed before are no damage that a reader could see.
        blocks.retain(|block| commits.contains(&block.cid()) || numbers.next(12) > 0);
    }
    let root = commits[numbers.next(commits.len())];
    let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
    blocks.iter().for_each(|block| car.block(block.borrowed()).unwrap());
    car.finish().unwrap()
}

#[test]
fn all_that_is_left_of_random_states_is_found() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let start = u64::from(now.subsec_nanos());
    // In this case, a tree without its commit is taken for the present one, whose root is lost.
    for start in (start..start + 300).chain([522_692_549]) {
        let mut numbers = Numbers(start);
        let file = file_of_states(&mut numbers);
        let (flips, is_cut) = (numbers.next(5), numbers.next(4) == 0);
        damage_and_check(&file, flips, is_cut, &mut numbers, &format!("start {start}"));
    }
}

#[test]
fn all_that_is_left_of_real_files_is_found_after_a_flipped_bit() {
    let Some(fixtures) = fixtures() else { return };
    let (mut numbers, mut files) = (Numbers(1), 0);
    for folder in ["cars", "reference-pds/alice", "reports"] {
        for entry in std::fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_real = folder != "reports" || name.starts_with("real-");
            if !is_real || !name.ends_with(".car") {
                continue;
            }
            let file = std::fs::read(&path).unwrap();
            // Some files are not intact to begin with, and have other sections.
            let is_intact = CarFile::open(Cursor::new(&file)).is_ok_and(|car| !car.is_empty());
            if !is_intact {
                continue;
            }
            files += 1;
            let rounds = if file.len() > 500_000 {
                2
            } else if file.len() > 100_000 {
                6
            } else {
                40
            };
            for round in 0..rounds {
                damage_and_check(&file, usize::from(round > 0), false, &mut numbers, name);
            }
        }
    }
    assert!(files > 20, "{files}");
}

fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let path = std::env::var_os("PDS_FIXTURES").map_or_else(beside, PathBuf::from);
    if path.join("README.md").exists() {
        return Some(path);
    }
    assert!(std::env::var_os("PDS_FIXTURES_REQUIRED").is_none(), "no test data at {path:?}");
    eprintln!("skipped: no test data at {} (set PDS_FIXTURES)", path.display());
    None
}
