use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Mutex;

use proptest::prelude::*;

use crate::data::block::{Block, Blocks, MemoryBlocks, ReadError};
use crate::data::cid::{Cid, Codec};
use crate::mst::diff::{Change, diff};
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::range::range;
use crate::mst::seen::Seen;
use crate::mst::tree::Tree;
use crate::mst::walk::{Step, walk};

/// Blocks that record the CIDs of each round trip.
struct Noted<'m> {
    blocks: &'m MemoryBlocks,
    batch: usize,
    /// The number of results in one round trip, at most.
    answers: usize,
    trips: Mutex<Vec<Vec<Cid>>>,
}

impl<'m> Noted<'m> {
    fn new(blocks: &'m MemoryBlocks, batch: usize) -> Self {
        Self { blocks, batch, answers: usize::MAX, trips: Mutex::default() }
    }

    /// Runs a reader, and returns its result, the CIDs that it read, and the number of its round trips.
    fn read<T>(&self, reader: impl FnOnce(&Self) -> T) -> (T, BTreeSet<Cid>, usize) {
        let result = reader(self);
        let trips = std::mem::take(&mut *self.trips.lock().unwrap());
        (result, trips.iter().flatten().copied().collect(), trips.len())
    }
}

impl Blocks for Noted<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.trips.lock().unwrap().push(vec![*cid]);
        self.blocks.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        assert!(cids.len() <= self.batch, "{} together, of {}", cids.len(), self.batch);
        let cids = &cids[..cids.len().min(self.answers)];
        self.trips.lock().unwrap().push(cids.to_vec());
        cids.iter().map(|cid| self.blocks.get(cid)).collect()
    }

    fn batch(&self) -> usize {
        self.batch
    }
}

fn key(n: u32) -> Key {
    Key::new(format!("com.example.note/{n:06}").into_bytes()).unwrap()
}

fn value(n: u32) -> Cid {
    Cid::of(Codec::Cbor, &n.to_be_bytes())
}

/// Adds the nodes of a tree with these keys and values to blocks, and returns its root.
fn tree(blocks: &mut MemoryBlocks, keys: impl IntoIterator<Item = (u32, Cid)>) -> Cid {
    let nothing = MemoryBlocks::default();
    let mut tree = Tree::empty(&nothing);
    for (n, value) in keys {
        tree.insert(key(n), value).unwrap();
    }
    let written = tree.write().unwrap();
    blocks.extend(written.nodes);
    written.root
}

fn plain(count: u32) -> (MemoryBlocks, Cid) {
    let mut blocks = MemoryBlocks::default();
    let root = tree(&mut blocks, (0..count).map(|n| (n, value(n))));
    (blocks, root)
}

/// Returns the steps of a reader in a form that can be compared.
fn shown<T: std::fmt::Debug>(steps: impl Iterator<Item = Result<T, MstError>>) -> Vec<String> {
    steps.map(|step| format!("{step:?}")).collect()
}

fn walked(blocks: &Noted<'_>, root: Cid) -> Vec<String> {
    shown(walk(blocks, root).map(|step| {
        step.map(|step| match step {
            Step::Node { block, .. } => (block.cid(), None),
            Step::Entry { key, value } => (value, Some(key)),
        })
    }))
}

#[test]
fn a_walk_reads_many_nodes_in_one_round_trip_and_no_others() {
    let (blocks, root) = plain(3_000);
    let (expected, all, single) = Noted::new(&blocks, 1).read(|blocks| walked(blocks, root));
    assert_eq!((all.len(), single), (blocks.len(), blocks.len()));
    for batch in [2, 7, 64, 4_096] {
        let (steps, asked, trips) = Noted::new(&blocks, batch).read(|blocks| walked(blocks, root));
        assert_eq!((&steps, &asked), (&expected, &all), "{batch}");
        assert!(trips * batch.min(20) < 2 * single, "{trips} round trips of {batch}");
    }
    let file = Noted::new(&blocks, 1 << 20);
    assert_eq!(file.read(|blocks| walked(blocks, root)), (expected, all, single), "a file");
}

#[test]
fn a_diff_reads_many_nodes_in_one_round_trip_and_no_others() {
    let mut blocks = MemoryBlocks::default();
    let before = tree(&mut blocks, (0..3_000).map(|n| (n, value(n))));
    let changed = |n| (n, value(if n % 20 == 0 { n + 1 } else { n }));
    let after = tree(&mut blocks, (0..3_000).map(changed));
    let reader = |noted: &Noted<'_>| shown(diff(noted, Some(before), Some(after)));
    let (expected, all, single) = Noted::new(&blocks, 1).read(reader);
    for batch in [2, 7, 64, 4_096] {
        let (changes, asked, trips) = Noted::new(&blocks, batch).read(reader);
        assert_eq!((&changes, &asked), (&expected, &all), "{batch}");
        assert!(trips * batch.min(20) < 2 * single, "{trips} round trips of {batch}, not {single}");
    }
}

#[test]
fn a_source_may_return_less_than_it_was_asked_for() {
    let (blocks, root) = plain(500);
    let (expected, ..) = Noted::new(&blocks, 1).read(|blocks| walked(blocks, root));
    for answers in [0, 1, 3] {
        let noted = Noted { answers, ..Noted::new(&blocks, 64) };
        assert_eq!(noted.read(|blocks| walked(blocks, root)).0, expected, "{answers}");
    }
}

#[test]
fn a_walk_of_some_levels_reads_nothing_below_them() {
    let (blocks, root) = plain(3_000);
    for levels in 1..5 {
        let top = |noted: &Noted<'_>| shown(walk(noted, root).levels(levels));
        let (expected, all, _) = Noted::new(&blocks, 1).read(top);
        let (steps, asked, _) = Noted::new(&blocks, 64).read(top);
        assert_eq!((steps, asked), (expected, all), "{levels}");
    }
}

#[test]
fn seen_subtrees_are_not_read_ahead() {
    let mut blocks = MemoryBlocks::default();
    let first = tree(&mut blocks, (0..2_000).map(|n| (n, value(n))));
    let changed = |n| (n, value(if n % 100 == 0 { n + 1 } else { n }));
    let second = tree(&mut blocks, (0..2_000).map(changed));
    let twice = |noted: &Noted<'_>| {
        let mut seen = Seen::default();
        [first, second, first].map(|root| shown(walk(noted, root).passing_over(&mut seen)))
    };
    let (expected, all, single) = Noted::new(&blocks, 1).read(twice);
    let (steps, asked, trips) = Noted::new(&blocks, 64).read(twice);
    assert_eq!((&steps, asked), (&expected, all));
    assert!(trips < single / 10, "{trips} of {single}");
    assert!(expected[1].len() < expected[0].len() && expected[2].is_empty());
}

#[test]
fn errors_stay_in_their_places() {
    let (whole, root) = plain(2_000);
    let (_, nodes, _) = Noted::new(&whole, 1).read(|blocks| walked(blocks, root));
    let lost =
        |cid: &&Cid| **cid != root && cid.as_bytes().last().is_some_and(|last| last % 5 == 0);
    let blocks: MemoryBlocks =
        nodes.iter().filter(|cid| !lost(cid)).map(|cid| whole.get(cid).unwrap().unwrap()).collect();
    let reader = |noted: &Noted<'_>| {
        let forwards = shown(range(noted, root, ..));
        let backwards = shown(range(noted, root, ..).reversed());
        [walked(noted, root), forwards, backwards, shown(diff(noted, None, Some(root)))]
    };
    let (expected, all, _) = Noted::new(&blocks, 1).read(reader);
    let (steps, asked, _) = Noted::new(&blocks, 64).read(reader);
    assert_eq!(steps, expected);
    assert!(asked.is_superset(&all) && asked.is_subset(&nodes));
    let errors = |steps: &[String]| steps.iter().filter(|step| step.contains("Missing")).count();
    assert!(errors(&expected[0]) > 5 && errors(&expected[1]) == errors(&expected[0]));
    assert_eq!(errors(&expected[3]), 1, "a diff ends");
}

#[test]
fn the_range_of_an_edited_tree_needs_no_stored_nodes() {
    let nothing = MemoryBlocks::default();
    let noted = Noted::new(&nothing, 64);
    let mut tree = Tree::empty(&noted);
    for n in 0..300 {
        tree.insert(key(n), value(n)).unwrap();
    }
    let listed =
        |tree: &Tree<'_>| tree.range(..).map(|entry| entry.unwrap().key).collect::<Vec<_>>();
    assert_eq!(listed(&tree), (0..300).map(key).collect::<Vec<_>>());
    tree.write().unwrap();
    assert_eq!(listed(&tree), (0..300).map(key).collect::<Vec<_>>(), "written, but not stored");
    tree.remove(key(0).as_bytes()).unwrap();
    assert_eq!(listed(&tree), (1..300).map(key).collect::<Vec<_>>(), "edited again");
    assert!(noted.trips.lock().unwrap().is_empty());
}

proptest! {
    #[test]
    fn a_range_asks_for_the_same_nodes_in_fewer_round_trips(
        count in 0..600_u32,
        from in (0..700_u32, any::<Option<bool>>()),
        to in (0..700_u32, any::<Option<bool>>()),
        reversed in any::<bool>(),
        batch in 2..200_usize,
    ) {
        let (blocks, root) = plain(count);
        let bound = |(n, included): (u32, Option<bool>)| match included {
            None => Bound::Unbounded,
            Some(true) => Bound::Included(key(n)),
            Some(false) => Bound::Excluded(key(n)),
        };
        let bounds = (bound(from), bound(to));
        let reader = |noted: &Noted<'_>| {
            let range = range(noted, root, bounds.clone());
            shown(if reversed { range.reversed() } else { range })
        };
        let (expected, all, single) = Noted::new(&blocks, 1).read(reader);
        let (entries, asked, trips) = Noted::new(&blocks, batch).read(reader);
        prop_assert_eq!((entries, asked), (expected, all));
        prop_assert!(trips <= single);
    }

    #[test]
    fn a_diff_asks_for_the_same_nodes_in_fewer_round_trips(
        keys in prop::collection::btree_map(0..2_000_u32, 0..20_u8, 0..400),
        batch in 2..200_usize,
    ) {
        // Some keys are in one tree only, and some have different values in the two trees.
        let mut blocks = MemoryBlocks::default();
        let kept = |side: u8| {
            let other = move |(n, kind): (u32, u8)| (n, value(if kind == side { n + 1 } else { n }));
            keys.clone().into_iter().filter(move |(_, kind)| *kind != side + 2).map(other)
        };
        let before = tree(&mut blocks, kept(0));
        let after = tree(&mut blocks, kept(1));
        let reader = |noted: &Noted<'_>| -> Vec<Change> {
            diff(noted, Some(before), Some(after)).collect::<Result<_, _>>().unwrap()
        };
        let (expected, all, single) = Noted::new(&blocks, 1).read(reader);
        let (changes, asked, trips) = Noted::new(&blocks, batch).read(reader);
        prop_assert_eq!((changes, asked), (expected, all));
        prop_assert!(trips <= single);
    }
}
