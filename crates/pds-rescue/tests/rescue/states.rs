//! `recover` on files with several states: their order, their losses and the cost of reading them.

use std::collections::BTreeMap;
use std::io::Cursor;

use pds::car::{CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::{Block, Cid, Codec, Value};
use pds::mst::Builder;
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
