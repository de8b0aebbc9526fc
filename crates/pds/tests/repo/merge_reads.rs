//! The reads of a merge.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::merge::commit::MergeKind;
use pds::{Repo, Write};

use super::merges::{branch, merge};
use super::watched::{Watch, Watched};
use super::{did, note, path};

/// Counts the blocks that are read from a store, and records their CIDs.
#[derive(Default)]
struct Counting {
    read: AtomicU64,
    which: Mutex<HashSet<Cid>>,
}

impl Watch for Counting {
    fn blocks(&self, cids: &[Cid]) {
        self.read.fetch_add(cids.len() as u64, Ordering::Relaxed);
        self.which.lock().unwrap().extend(cids);
    }
}

#[test]
fn a_merge_reads_what_differs_and_not_what_is_there() {
    let reads = |changes: usize| {
        let store = Arc::new(Watched::<Counting>::default());
        let key = SigningKey::generate(Curve::K256).unwrap();
        let open = || {
            Repo::with(store.clone(), Arc::new(MemoryBlobs::default())).signing_with(key.clone())
        };
        let repo = open();
        repo.init(&did()).unwrap();
        let record = |n: usize, text: &str| {
            Write::put(path(&format!("com.example.note/n{n:06}")), note(text))
        };
        let all: Vec<Write> = (0..10_000).map(|n| record(n, "base")).collect();
        repo.write(&all).unwrap();
        let side = branch(&repo, "side");
        // The changes are far apart, so that they share as few nodes as possible.
        let step = 10_000 / changes;
        let of = |first: usize, text: &str| -> Vec<Write> {
            (0..changes).map(|n| record(first + n * step, text)).collect()
        };
        side.write(&of(0, "side")).unwrap();
        repo.write(&of(step / 2, "here")).unwrap();
        let nodes = |rev: &str| -> HashSet<Cid> {
            let data = repo.checkout(&rev.parse().unwrap()).unwrap().commit().data();
            pds::mst::nodes(store.store.as_ref(), data).map(|node| node.unwrap().cid()).collect()
        };
        let (base, ours, theirs) = (nodes("HEAD~1"), nodes("HEAD"), nodes("side"));
        let all_nodes = ours.len() as u64;
        let before = store.watch.read.load(Ordering::Relaxed);
        store.watch.which.lock().unwrap().clear();
        // This handle has an empty cache.
        let merged = merge(&open(), "side").unwrap();
        assert_eq!((merged.how, merged.changes.len()), (MergeKind::Commit, changes));
        let read = store.watch.which.lock().unwrap();
        let unchanged = |node: &&Cid| base.contains(node) && theirs.contains(node);
        let touched = ours.iter().filter(unchanged).filter(|node| read.contains(node));
        assert_eq!(touched.count(), 0, "nodes that are the same on both sides were read");
        (store.watch.read.load(Ordering::Relaxed) - before, all_nodes)
    };
    let (few, _) = reads(10);
    let (many, all_nodes) = reads(100);
    // The merge reads three trees, and on each of the two sides the path to each change. At 10,000 records, that is
    // about seven nodes of a tree with thousands.
    let depth = 8;
    assert!(few < 5 * 10 * depth, "{few} blocks read for 10 changes");
    assert!(many < all_nodes, "{many} blocks read for 100 changes, of {all_nodes} in a tree");
    assert!(many < 3 * 10 * few, "{many} blocks for 100 changes, {few} for 10");
    assert!(few * 10 < 3 * all_nodes, "{few} blocks read of {all_nodes} nodes in a tree");
    eprintln!("{few} blocks for 10 changes, {many} for 100, {all_nodes} nodes");
}
