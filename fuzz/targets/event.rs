//! Events of commits: those that are made of any repository pass the check, and their inversion ends where they began.
#![no_main]

use atpds_fuzz::{linked_blocks, stored};
use libfuzzer_sys::fuzz_target;
use pds::commit::{Commit, UnsignedCommit};
use pds::data::{Blocks, MemoryBlocks};
use pds::mst::Tree;
use pds::sync::{CommitEvent, State, build_commit, check_commit};
use pds::syntax::{Datetime, Tid};

fuzz_target!(|input: &[u8]| {
    let blocks = linked_blocks(input);
    let Some(Ok(commit)) = blocks.last().map(Commit::decode) else { return };
    let mut stored = stored(&blocks);
    let Some(first) = event(None, &commit, &stored) else { return };
    assert_eq!((first.since, first.prev_data), (None, None));
    // Another commit deletes every second record.
    let mut tree = Tree::open(&stored, commit.data());
    for op in first.ops.iter().step_by(2) {
        let removed = tree.remove(&op.path.to_key()).expect("the tree was read");
        assert_eq!(removed, op.cid);
    }
    let written = tree.write().expect("the tree was read");
    stored.extend(written.nodes);
    let next = commit.rev().and_then(|rev| Tid::new(rev.micros() + 1, 0));
    let Some(rev) = next.filter(|next| Some(*next) > commit.rev()) else { return };
    let unsigned =
        UnsignedCommit { did: commit.did().clone(), data: written.root, rev, prev: None };
    let later = unsigned.with_signature(*commit.signature());
    let second = event(Some(&commit), &later, &stored).expect("a smaller tree has an event");
    assert_eq!(second.ops.len(), first.ops.len().div_ceil(2));
    assert_eq!(second.prev_data, Some(commit.data()));
});

/// Makes an event, and checks it.
fn event(before: Option<&Commit>, commit: &Commit, blocks: &MemoryBlocks) -> Option<CommitEvent> {
    let of = |commit| State { commit, blocks: blocks as &dyn Blocks };
    let time = Datetime::from_unix_micros(0).expect("1970 is a year");
    let event = build_commit(before.map(of), of(commit), 1, &time).ok()?;
    let checked = check_commit(&event, None).expect("an event of our own");
    assert_eq!(&checked.commit, commit);
    Some(event)
}
