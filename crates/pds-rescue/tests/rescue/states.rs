//! `recover` on files with several states: their order, their losses and the cost of reading them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use pds::car::{CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::{Block, Blocks, Cid, Codec, ReadError, Value, one_by_one};
use pds::mst::Builder;
use pds::syntax::Tid;
use pds_rescue::{FoundState, Recovered, Recovery, recover};

/// A state for a file: its commit, its nodes and its records.
#[derive(Clone)]
struct State {
    commit: Commit,
    nodes: Vec<Block>,
    records: BTreeMap<String, Block>,
}

impl State {
    /// Makes a state with notes. A state of version 2 has no rev. Nothing checks the signature here.
    fn new(notes: impl IntoIterator<Item = u64>, prev: Option<Cid>, rev: Option<&str>) -> Self {
        let record = |n: u64| {
            let value = Value::from([("n", Value::Int(i64::try_from(n).unwrap()))]);
            (format!("com.example.note/{n:04}"), Block::new(Codec::Cbor, value.encode()))
        };
        let records: BTreeMap<String, Block> = notes.into_iter().map(record).collect();
        let (mut builder, mut nodes) = (Builder::default(), Vec::new());
        for (path, record) in &records {
            builder.push(path.as_bytes(), record.cid(), |node| nodes.push(node)).unwrap();
        }
        let data = builder.finish(|node| nodes.push(node));
        let commit = Commit::decode(&commit_block(data, prev, rev)).unwrap();
        Self { commit, nodes, records }
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let commit = [self.commit.block().clone()].into_iter();
        commit.chain(self.nodes.iter().cloned()).chain(self.records.values().cloned())
    }
}

fn commit_block(data: Cid, prev: Option<Cid>, rev: Option<&str>) -> Block {
    let mut fields = vec![
        ("did", Value::from(super::did().as_str())),
        ("data", Value::Link(data)),
        ("prev", prev.map_or(Value::Null, Value::Link)),
        ("version", Value::Int(if rev.is_some() { 3 } else { 2 })),
        ("sig", Value::from(&[1; 64][..])),
    ];
    fields.extend(rev.map(|rev| ("rev", Value::from(rev))));
    Block::new(Codec::Cbor, Value::Map(fields.into_iter().collect()).encode())
}

/// Returns a file with these blocks, each once.
fn file(root: Cid, blocks: impl IntoIterator<Item = Block>) -> CarFile<Cursor<Vec<u8>>> {
    let mut car = CarWriter::new(Vec::new(), &[root]).unwrap();
    let mut known = std::collections::BTreeSet::new();
    for block in blocks.into_iter().filter(|block| known.insert(block.cid())) {
        car.block(block.borrowed()).unwrap();
    }
    CarFile::open(Cursor::new(car.finish().unwrap())).unwrap()
}

fn all_of(car: &CarFile<Cursor<Vec<u8>>>) -> (Recovery, Vec<FoundState>) {
    let mut states = Vec::new();
    let recovery = recover(car, car, &mut |recovered| {
        if let Recovered::State(state) = recovered {
            states.push(state);
        }
        Ok(())
    });
    (recovery.unwrap(), states)
}

/// Returns a chain of states without revs, the oldest first.
fn chain(len: u64) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for n in 0..len {
        let prev = states.last().map(|state| state.commit.cid());
        states.push(State::new(0..=n, prev, None));
    }
    states
}

#[test]
fn the_newest_state_without_revs_is_the_end_of_the_chain() {
    let states = chain(12);
    for root in [11, 4] {
        let blocks = states.iter().flat_map(State::blocks);
        let (recovery, found) = all_of(&file(states[root].commit.cid(), blocks));
        assert_eq!(recovery.commit.as_ref(), Some(&states[11].commit));
        assert_eq!((recovery.records, recovery.in_states), (12, 0));
        let order: Vec<Cid> = found.iter().map(|state| state.commit).collect();
        assert_eq!(order, states.iter().rev().map(|state| state.commit.cid()).collect::<Vec<_>>());
    }
}

#[test]
fn the_root_of_the_header_is_newest_if_the_chain_has_a_gap() {
    let states = chain(12);
    // The end of the chain is shorter than its start.
    let kept = states.iter().enumerate().filter(|(number, _)| *number != 8);
    let blocks = kept.flat_map(|(_, state)| state.blocks());
    let (recovery, _) = all_of(&file(states[11].commit.cid(), blocks));
    assert_eq!(recovery.commit.as_ref(), Some(&states[11].commit));
    assert_eq!(recovery.records, 12);
}

#[test]
fn the_root_of_the_header_is_newer_than_another_commit_with_its_rev() {
    let rev = Some("3kjzfcijpj2z2");
    let one = State::new(0..3, None, rev);
    let other = State::new(0..5, None, rev);
    for root in [&one, &other] {
        let (recovery, _) = all_of(&file(root.commit.cid(), one.blocks().chain(other.blocks())));
        assert_eq!(recovery.commit.as_ref(), Some(&root.commit));
    }
}

#[test]
fn the_names_of_states_with_one_rev_are_their_commits() {
    let rev = Some("3kjzfcijpj2z2");
    let (one, other) = (State::new(0..3, None, rev), State::new(2..5, None, rev));
    let newest = State::new(0..2, None, Some("3kjzfcijpj2z3"));
    let old = State::new(5..6, None, Some("3kjzfcijpj222"));
    let blocks = [&newest, &one, &other, &old].into_iter().flat_map(State::blocks);
    let car = file(newest.commit.cid(), blocks);
    let mut names = BTreeMap::new();
    recover(&car, &car, &mut |recovered| {
        if let Recovered::InState { state, key, .. } = recovered {
            names.insert(key.to_string(), state.to_string());
        }
        Ok(())
    })
    .unwrap();
    let name_of = |n: u64| names[&format!("com.example.note/{n:04}")].as_str();
    assert!([one.commit.cid(), other.commit.cid()].iter().any(|cid| cid.to_string() == name_of(2)));
    assert_eq!(name_of(3), other.commit.cid().to_string());
    assert_eq!(name_of(5), "3kjzfcijpj222");
    assert_eq!(names.len(), 4);
}

/// Blocks that count how often they are read.
struct Counted<'a> {
    blocks: &'a CarFile<Cursor<Vec<u8>>>,
    reads: AtomicUsize,
}

impl Blocks for Counted<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.blocks.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        one_by_one(self, cids)
    }
}

#[test]
fn commits_that_share_a_tree_cost_no_more_reads_than_one() {
    let state = State::new(0..50, None, None);
    let (missing, data) = (Cid::of(Codec::Cbor, b"missing"), state.commit.data());
    let reads = |commits: u64, data: Cid| {
        let rev = |n: u64| Tid::new(1_700_000_000_000_000 + n, 0).unwrap().to_string();
        let commits = (0..commits).map(|n| commit_block(data, None, Some(&rev(n))));
        let car = file(state.commit.cid(), state.blocks().chain(commits));
        let counted = Counted { blocks: &car, reads: AtomicUsize::new(0) };
        let recovery = recover(&car, &counted, &mut |_| Ok(())).unwrap();
        assert_eq!(recovery.records, 50);
        counted.reads.into_inner()
    };
    for data in [data, missing] {
        let (few, many) = (reads(2, data), reads(300, data));
        assert!(many <= few + 2, "{few} reads, and {many} with more commits");
    }
}

#[test]
fn a_long_chain_of_nodes_without_entries_is_not_walked_again_and_again() {
    let state = State::new(0..3, None, Some("3kjzfcijpj2z2"));
    let mut bridges = vec![state.nodes[0].clone()];
    for _ in 0..2_000 {
        let left = Value::Link(bridges[bridges.len() - 1].cid());
        let node = Value::from([("e", Value::from_iter::<[Value; 0]>([])), ("l", left)]);
        bridges.push(Block::new(Codec::Cbor, node.encode()));
    }
    let car = file(state.commit.cid(), state.blocks().chain(bridges));
    let counted = Counted { blocks: &car, reads: AtomicUsize::new(0) };
    recover(&car, &counted, &mut |_| Ok(())).unwrap();
    let reads = counted.reads.into_inner();
    assert!(reads < 2_000 * 300, "{reads}");
}

#[test]
fn the_root_of_the_header_needs_its_tree_even_if_it_is_the_oldest() {
    let old = State::new(0..3, None, Some("3kjzfcijpj222"));
    let new = State::new(4..9, None, Some("3kjzfcijpj2z2"));
    let commit = || [old.commit.block().clone()].into_iter();
    let (recovery, _) = all_of(&file(old.commit.cid(), commit().chain(new.blocks())));
    assert_eq!((recovery.records, recovery.lost), (5, 1));
    let (recovery, _) = all_of(&file(new.commit.cid(), commit().chain(new.blocks())));
    assert_eq!((recovery.records, recovery.lost), (5, 0));
}

#[test]
fn a_record_with_some_fields_of_a_commit_is_a_record() {
    let mut state = State::new(0..3, None, Some("3kjzfcijpj2z2"));
    let link = Value::Link(Cid::of(Codec::Cbor, b"elsewhere"));
    let value = Value::from([("data", link), ("sig", Value::from(&[1; 64][..]))]);
    let record = Block::new(Codec::Cbor, value.encode());
    state.records.insert("stray".to_owned(), record);
    let (recovery, _) = all_of(&file(state.commit.cid(), state.blocks()));
    assert_eq!((recovery.commits.len(), recovery.without_path), (1, 1));
}

#[test]
fn a_malformed_commit_is_a_state() {
    let state = State::new(0..3, None, Some("3kjzfcijpj2z2"));
    let bad = commit_block(state.commit.data(), None, Some("not a rev"));
    let blocks = state.blocks().filter(|block| block.cid() != state.commit.cid());
    let (recovery, _) = all_of(&file(bad.cid(), [bad.clone()].into_iter().chain(blocks)));
    let commit = recovery.commit.unwrap();
    assert_eq!((commit.cid(), recovery.records, recovery.lost), (bad.cid(), 3, 0));
    assert_eq!(commit.faults()[0].field, "rev");
}
