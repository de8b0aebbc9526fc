//! The invariants between operations: every commit has all of its blocks, and no block is ever lost.

use std::io::Cursor;

use pds::Expected;
use pds::car::CarFile;
use pds::data::Cid;
use pds::store::Expect;
use pds::transfer::export::{export_car, export_since};
use pds::verify::indexed::verify;
use pds::{Repo, Write};

use super::{block_count, in_memory, note, path};

/// Checks that every commit in the log has all of its blocks.
fn assert_closed(repo: &Repo) {
    for entry in repo.history().log(usize::MAX).unwrap() {
        let Some(commit) = entry.after else { continue };
        let report =
            verify(repo.store().clone().as_ref(), commit, &Expected::default(), &mut |finding| {
                panic!("{commit}: {finding}");
            });
        assert!(report.unwrap().is_complete());
    }
}

#[test]
fn every_commit_stays_whole_and_no_block_leaves() {
    let repo = in_memory();
    let mut blocks = block_count(&repo);
    let mut check = |what: &str| {
        assert_closed(&repo);
        let now = block_count(&repo);
        assert!(now >= blocks, "{what}: {blocks} blocks became {now}");
        blocks = now;
    };
    for n in 0..30 {
        repo.put(&path(&format!("com.example.note/{n}")), &note(&n.to_string())).unwrap();
    }
    check("puts");
    let deletes: Vec<Write> =
        (0..20).map(|n| Write::delete(path(&format!("com.example.note/{n}")))).collect();
    repo.write(&deletes).unwrap();
    check("deletes");
    let early = repo.history().resolve(&"HEAD~5".parse().unwrap()).unwrap();
    repo.history().set_head(early, Expect::Any, "reset").unwrap();
    check("reset");
    assert!(repo.write(&[Write::delete(path("com.example.note/x"))]).is_err());
    check("a refused write");
}

#[test]
fn a_slice_is_taken_in_over_what_is_here_and_nowhere_else() {
    let repo = in_memory();
    for n in 0..50 {
        repo.put(&path(&format!("com.example.note/{n}")), &note(&n.to_string())).unwrap();
    }
    let early = repo.snapshot().unwrap();
    let whole = car(|out| export_car(&early, out, &mut |_| {}).map(drop));
    repo.put(&path("com.example.note/7"), &note("changed")).unwrap();
    repo.delete(&path("com.example.note/8")).unwrap();
    repo.put(&path("com.example.other/new"), &note("new")).unwrap();
    let late = repo.snapshot().unwrap();
    let slice = car(|out| export_since(&late, &early, out, &mut |_| {}).map(drop));

    let empty = Repo::with(
        std::sync::Arc::new(pds::store::MemoryStore::default()),
        std::sync::Arc::new(pds::blob::MemoryBlobs::default()),
    );
    assert!(empty.transfer().import(&slice, None).is_err(), "a slice alone is not a repository");
    assert_eq!((empty.head().unwrap(), block_count(&empty)), (None, 0));
    empty.transfer().import(&whole, None).unwrap();
    let imported = empty.transfer().import(&slice, repo.public_key().unwrap().as_ref()).unwrap();
    assert_eq!(imported.new_blocks, slice.sections());
    assert_eq!(empty.head().unwrap(), repo.head().unwrap());
    assert_closed(&empty);
    let again = empty.transfer().import(&slice, None).unwrap();
    assert_eq!(again.new_blocks, 0);
    assert_eq!(empty.history().log(9).unwrap().len(), 2, "the second time is no move");
}

#[test]
fn a_file_out_of_order_is_taken_in_as_well() {
    let repo = in_memory();
    for n in 0..50 {
        repo.put(&path(&format!("com.example.note/{n}")), &note("the same")).unwrap();
    }
    let snapshot = repo.snapshot().unwrap();
    let mut file = Vec::new();
    export_car(&snapshot, &mut file, &mut |_| {}).unwrap();
    let in_order = car(|out| export_car(&snapshot, out, &mut |_| {}).map(drop));
    let mut blocks: Vec<Cid> =
        (0..in_order.len()).map(|n| in_order.cid(n).unwrap().unwrap()).collect();
    blocks.reverse();
    let mut shuffled = pds::car::CarWriter::new(Vec::new(), in_order.roots()).unwrap();
    for cid in blocks {
        let block = pds::data::Blocks::get(&in_order, &cid).unwrap().unwrap();
        shuffled.block(block.borrowed()).unwrap();
    }
    for file in [file, shuffled.finish().unwrap()] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("clone");
        let (clone, imported) =
            pds::local::directory::clone_file(&dir, Cursor::new(file), None, pds::Jobs::default())
                .unwrap();
        assert_eq!((imported.records, imported.new_blocks), (50, in_order.sections()));
        assert_eq!(clone.head().unwrap(), repo.head().unwrap());
        assert_closed(&clone);
    }
}

fn car(write: impl FnOnce(&mut dyn std::io::Write) -> pds::Result<()>) -> CarFile<Cursor<Vec<u8>>> {
    let mut file = Vec::new();
    write(&mut file).unwrap();
    CarFile::open(Cursor::new(file)).unwrap()
}
