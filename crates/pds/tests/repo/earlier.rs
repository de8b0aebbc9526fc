//! Files with several states: the valid ones are kept, and the others are listed and do no harm.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::car::{CarWriter, ReadAt};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, Codec, MemoryBlocks, Value};
use pds::mst::{Step, walk};
use pds::store::MemoryStore;
use pds::syntax::Tid;
use pds::transfer::earlier::Reason;

use super::{block_count, did, in_memory, moves, note, path};

/// A repository with ten states, and all of its blocks.
struct States {
    repo: Repo,
    commits: Vec<Commit>,
    blocks: BTreeMap<Cid, Block>,
}

impl States {
    fn new() -> Self {
        let repo = in_memory();
        let mut commits = Vec::new();
        for n in 0..10 {
            let at = path(&format!("com.example.note/{n}"));
            commits.push(repo.put(&at, &note(&n.to_string())).unwrap().commit);
        }
        let mut blocks = BTreeMap::new();
        let maintain = repo.store().maintain().unwrap();
        let mut visit = |name: &[u8], bytes: &[u8]| {
            let block = Block::verified(Cid::from_bytes(name).unwrap(), bytes).unwrap();
            blocks.insert(block.cid(), block);
            std::ops::ControlFlow::Continue(())
        };
        maintain.scan_raw(&mut visit).unwrap();
        Self { repo, commits, blocks }
    }

    fn newest(&self) -> Cid {
        self.commits[9].cid()
    }

    /// Writes a file of all blocks, in the order of their CIDs.
    fn file(&self, root: Cid) -> Vec<u8> {
        let mut file = Vec::new();
        let mut car = CarWriter::new(&mut file, &[root]).unwrap();
        for block in self.blocks.values() {
            car.block(block.borrowed()).unwrap();
        }
        car.finish().unwrap();
        file
    }

    fn add(&mut self, commit: &Commit) -> Cid {
        self.blocks.insert(commit.cid(), commit.block().clone());
        commit.cid()
    }
}

fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

fn import(repo: &Repo, file: Vec<u8>) -> pds::transfer::import::Imported {
    repo.transfer().import_file(Cursor::new(file), None).unwrap()
}

/// Returns a commit of another tree or account, signed with some key.
fn commit(like: &Commit, change: impl FnOnce(&mut UnsignedCommit)) -> Commit {
    let (did, data) = (like.did().clone(), like.data());
    let (rev, prev) = (like.rev().unwrap(), like.prev());
    let mut unsigned = UnsignedCommit { did, data, rev, prev };
    change(&mut unsigned);
    unsigned.sign(&SigningKey::generate(Curve::K256).unwrap()).unwrap()
}

#[test]
fn each_state_gets_a_row_in_the_order_of_the_revs() {
    let states = States::new();
    let copy = empty();
    let imported = import(&copy, states.file(states.newest()));
    assert_eq!((imported.earlier, imported.left_out.len()), (10, 0));
    let after: Vec<_> = moves(&copy).iter().map(|row| row.after.unwrap()).collect();
    let expected: Vec<Cid> = moves(&states.repo).iter().map(|row| row.after.unwrap()).collect();
    assert_eq!(after, expected);
    copy.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    assert_eq!(block_count(&copy), states.blocks.len() as u64);
    // Again: everything is known.
    let again = import(&copy, states.file(states.newest()));
    assert_eq!((again.earlier, again.new_blocks, moves(&copy).len()), (0, 0, 11));
}

#[test]
fn states_that_are_older_than_the_present_one_come_before_it() {
    let states = States::new();
    let copy = empty();
    let at = pds::Revision::from(states.commits[4].cid());
    let mut file = Vec::new();
    states.repo.transfer().export(&at, &mut file).unwrap();
    import(&copy, file);
    assert_eq!(import(&copy, states.file(states.newest())).earlier, 9);
    let after: Vec<_> = moves(&copy).iter().map(|row| row.after.unwrap()).collect();
    let all: Vec<Cid> = moves(&states.repo).iter().map(|row| row.after.unwrap()).collect();
    assert_eq!(after[0], all[5]);
    assert_eq!(after[1..], all, "the ref moves through all states");
    let parent = |n: usize| copy.history().resolve(&format!("HEAD~{n}").parse().unwrap()).unwrap();
    assert!((0..11).all(|n| parent(n) == all[10 - n]));
}

#[test]
fn a_newer_state_than_the_root_is_kept_and_named() {
    let states = States::new();
    let copy = empty();
    let oldest = states.commits[0].cid();
    let imported = import(&copy, states.file(oldest));
    assert_eq!((imported.commit.cid(), imported.earlier), (oldest, 10));
    assert_eq!(imported.newer.unwrap().cid(), states.newest());
    assert_eq!(copy.head().unwrap(), Some(oldest), "the root of the file counts");
    copy.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    let newest = copy.checkout(&states.newest().into()).unwrap();
    assert_eq!(newest.records().count(), 10);
}

#[test]
fn a_commit_without_its_tree_is_listed() {
    let states = States::new();
    let mut file = Vec::new();
    let options = pds::transfer::export::ExportOptions::default().chain(true);
    let snapshot = states.repo.snapshot().unwrap();
    pds::transfer::export::export_with(&snapshot, &options, &mut file, &mut |_| {}).unwrap();
    let copy = empty();
    let imported = import(&copy, file);
    // The first commit has the tree without records, which no other state has.
    assert_eq!((imported.earlier, imported.left_out.len()), (0, 10));
    assert!(imported.left_out.iter().all(|left| left.reason == Reason::WithoutTree));
    assert_eq!(moves(&copy).len(), 1);
}

#[test]
fn invalid_states_are_listed_and_nothing_of_them_is_stored() {
    let mut states = States::new();
    let [early, middle] = [2, 5].map(|n| states.commits[n].clone());
    let other_did = "did:web:other.example.com".parse().unwrap();
    let other = commit(&early, |unsigned| unsigned.did = other_did);
    let same_rev = commit(&states.commits[9].clone(), |_| {});
    let twin = commit(&middle, |unsigned| unsigned.data = early.data());
    let [other_cid, same, twin] = [&other, &same_rev, &twin].map(|commit| states.add(commit));
    // A record that only the states 3 to 5 have goes missing.
    let blocks: MemoryBlocks = states.blocks.values().cloned().collect();
    let nodes = |commit: &Commit| -> Vec<Cid> {
        let steps = walk(&blocks, commit.data()).map(Result::unwrap);
        steps
            .filter_map(|step| match step {
                Step::Node { block, .. } => Some(block.cid()),
                Step::Entry { .. } => None,
            })
            .collect()
    };
    let root = nodes(&states.commits[4])[0];
    states.blocks.remove(&root);
    let copy = empty();
    let imported = import(&copy, states.file(states.newest()));
    let reasons: BTreeMap<Cid, Reason> =
        imported.left_out.iter().map(|left| (left.commit, left.reason.clone())).collect();
    assert_eq!(reasons[&other_cid], Reason::OtherAccount(other.did().clone()));
    assert_eq!(reasons[&same], Reason::SameRev(states.newest()));
    let second = if twin < middle.cid() { middle.cid() } else { twin };
    assert!(matches!(reasons[&second], Reason::SameRev(_)));
    assert_eq!(reasons[&states.commits[4].cid()], Reason::WithoutTree);
    assert_eq!(reasons.len(), 4);
    assert_eq!(imported.earlier, 9, "11 commits before the root, without two");
    let report = copy.verify().history(&Default::default(), &mut |_| {}).unwrap();
    assert!(report.is_complete());
    let before = block_count(&copy);
    copy.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    assert_eq!(block_count(&copy), before, "no block of an invalid state was stored");
    assert!(copy.store().get(&other_cid).unwrap().is_none());
    assert_eq!(copy.did().unwrap(), Some(did()));
}

#[test]
fn an_invalid_part_is_found_in_each_state_that_has_it() {
    let states = States::new();
    for lost in states.blocks.keys() {
        let mut damaged = States {
            repo: states.repo.clone(),
            commits: states.commits.clone(),
            blocks: states.blocks.clone(),
        };
        damaged.blocks.remove(lost);
        let whole: Vec<Cid> = moves(&states.repo)
            .iter()
            .map(|row| row.after.unwrap())
            .filter(|commit| is_whole(&damaged.blocks, *commit))
            .collect();
        let copy = empty();
        let file = Cursor::new(damaged.file(states.newest()));
        match copy.transfer().import_file(file, None) {
            Ok(_) => {
                let kept: Vec<Cid> = moves(&copy).iter().map(|row| row.after.unwrap()).collect();
                assert_eq!(kept, whole, "without {lost}");
                assert!(copy.verify().history(&Default::default(), &mut |_| {}).unwrap().is_ok());
            }
            Err(_) => {
                assert!(!whole.contains(&states.newest()), "without {lost}");
                assert_eq!(block_count(&copy), 0);
            }
        }
    }
}

/// Returns whether all blocks of a state are there.
fn is_whole(blocks: &BTreeMap<Cid, Block>, commit: Cid) -> bool {
    let blocks: MemoryBlocks = blocks.values().cloned().collect();
    let Some(block) = blocks.get(&commit).unwrap() else { return false };
    walk(&blocks, Commit::decode(&block).unwrap().data()).all(|step| match step {
        Ok(Step::Entry { value, .. }) => blocks.get(&value).unwrap().is_some(),
        step => step.is_ok(),
    })
}

/// A file in memory that counts the bytes that were read.
struct Counted {
    file: Vec<u8>,
    read: Arc<AtomicU64>,
}

impl ReadAt for Counted {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = Cursor::new(&self.file).read_at(buffer, offset)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }
}

#[test]
fn invalid_trees_are_read_a_few_times_however_many_states_have_them() {
    let list = Value::from_iter((0..40_000).map(Value::from));
    let junk = Block::new(Codec::Cbor, list.encode());
    let absent = Block::new(Codec::Cbor, *b"\xa0").cid();
    // The root is valid, or it is invalid as well.
    for is_valid in [true, false] {
        let mut states = States::new();
        let first = states.commits[0].clone();
        let mut rev = first.rev();
        for _ in 0..200 {
            rev = Tid::next(0, 0, rev);
            let data = junk.cid();
            let hostile =
                commit(&first, |unsigned| (unsigned.rev, unsigned.data) = (rev.unwrap(), data));
            states.add(&hostile);
        }
        states.blocks.insert(junk.cid(), junk.clone());
        let wrong = commit(&states.commits[9].clone(), |unsigned| unsigned.data = absent);
        let root = if is_valid { states.newest() } else { states.add(&wrong) };
        let (file, read) = (states.file(root), Arc::new(AtomicU64::new(0)));
        let bytes = file.len() as u64;
        let copy = empty();
        let imported = copy.transfer().import_file(Counted { file, read: read.clone() }, None);
        match imported {
            Ok(imported) => {
                assert_eq!((is_valid, imported.earlier, imported.left_out.len()), (true, 10, 200));
            }
            Err(error) => assert!(!is_valid, "{error}"),
        }
        let read = read.load(Ordering::Relaxed);
        assert!(read < 10 * bytes, "{read} of {bytes}, {is_valid}");
    }
}
