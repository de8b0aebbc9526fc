//! Slices that rely on states that are deleted at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pds::Expected;
use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::data::Blocks;
use pds::retain::gc::Keep;
use pds::store::{Store, StoreError};
use pds::transfer::export::{export_car, export_since};
use pds::verify::indexed::verify;
use pds::{Repo, Snapshot};

use super::watched::{Watch, Watched};
use super::{in_memory, note, path};

/// A faster process that deletes all states but the current one before blocks are stored.
#[derive(Default)]
struct SweptBefore {
    /// Whether the deletion happens at the next change.
    is_near: AtomicBool,
    /// The number of deleted log entries.
    moves: AtomicU64,
}

impl Watch for SweptBefore {
    fn apply(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        if !self.is_near.load(Ordering::Relaxed) {
            return Ok(());
        }
        let other = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
        let keep = Keep::default().states(std::num::NonZeroUsize::new(1));
        let gone = other.retain().gc(&keep, &mut |_| {}).unwrap().moves;
        self.moves.fetch_add(gone, Ordering::Relaxed);
        Ok(())
    }
}

fn car(write: impl FnOnce(&mut Vec<u8>) -> pds::Result<()>) -> CarFile<std::io::Cursor<Vec<u8>>> {
    let mut file = Vec::new();
    write(&mut file).unwrap();
    CarFile::open(std::io::Cursor::new(file)).unwrap()
}

fn whole(at: &Snapshot) -> CarFile<std::io::Cursor<Vec<u8>>> {
    car(|out| export_car(at, out, &mut |_| {}).map(drop))
}

#[test]
fn a_slice_brings_what_only_a_state_has_that_is_let_go_of_meanwhile() {
    let repo = in_memory();
    for n in 0..30 {
        repo.put(&path(&format!("com.example.note/{n}")), &note(&n.to_string())).unwrap();
    }
    // The record is `old` in the first and third state, and `new` in the second.
    let place = path("com.example.note/7");
    let states = ["old", "new", "old"].map(|text| {
        repo.put(&place, &note(text)).unwrap();
        repo.snapshot().unwrap()
    });
    // The first and the third state differ only in their commits.
    let slice = car(|out| export_since(&states[2], &states[0], out, &mut |_| {}).map(drop));
    let old = states[0].find_cid(&place).unwrap().unwrap();
    assert!(slice.get(&old).unwrap().is_none(), "the slice relies on it");

    let store = Arc::new(Watched::<SweptBefore>::default());
    let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
    mirror.transfer().import(&whole(&states[0]), None).unwrap();
    mirror.transfer().import(&whole(&states[1]), None).unwrap();
    let keep = Keep::default().states(std::num::NonZeroUsize::new(1));
    mirror.retain().gc(&keep, &mut |_| {}).unwrap();
    assert!(mirror.store().get(&old).unwrap().is_none());
    // The first state was deleted when the second was imported. It is now imported again on another ref.
    let beside = mirror.on("beside".parse().unwrap());
    beside.transfer().import(&whole(&states[0]), None).unwrap();
    beside.history().remove_ref(&"beside".parse().unwrap()).unwrap();
    assert!(mirror.store().get(&old).unwrap().is_some());
    let gone = || store.watch.moves.load(Ordering::Relaxed);
    let before = gone();
    store.watch.is_near.store(true, Ordering::Relaxed);
    mirror.transfer().import(&slice, None).unwrap();
    assert!(gone() > before, "what it relies on was let go of meanwhile");

    let head = mirror.head().unwrap().unwrap();
    assert_eq!(head, states[2].commit().cid());
    let mut panic = |finding| panic!("{finding}");
    let blocks = mirror.store().clone();
    let report = verify(blocks.as_ref(), head, &Expected::default(), &mut panic).unwrap();
    assert!(report.is_complete());
}
