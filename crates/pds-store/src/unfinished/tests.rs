//! Locks, publication and removal of unfinished work.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::conformance::support::SetOnDrop;

#[test]
fn what_is_held_stays_and_what_was_left_goes() {
    let dir = tempfile::tempdir().unwrap();
    let held = UnfinishedDir::create_in(dir.path(), ".a-").unwrap();
    let mut file = UnfinishedFile::private_in(dir.path(), ".b-", ".tmp").unwrap();
    io::Write::write_all(file.as_file(), b"part").unwrap();
    let link = UnfinishedFile::link_in(dir.path(), ".c-", file.path()).unwrap_err();
    assert_eq!(link.kind(), io::ErrorKind::NotFound, "the file is locked");
    fs::write(dir.path().join("blob"), "bytes").unwrap();
    let links = [(); 2]
        .map(|()| UnfinishedFile::link_in(dir.path(), ".c-", &dir.path().join("blob")).unwrap());
    fs::create_dir_all(dir.path().join(".a-left/inner")).unwrap();
    fs::write(dir.path().join(".b-left.tmp"), "old").unwrap();
    fs::write(dir.path().join("other"), "stays").unwrap();
    let removed = remove_leftovers(dir.path(), |name| name.starts_with('.')).unwrap();
    assert_eq!(removed, [".a-left", ".b-left.tmp"].map(|name| dir.path().join(name)));
    assert!(held.path().is_dir() && file.path().is_file());
    assert!(links.iter().all(|link| link.path().is_file()));
    file.publish_new(&dir.path().join("done")).unwrap();
    held.publish(&dir.path().join("dir")).unwrap();
    drop(links);
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["blob", "dir", "done", "other"]);
}

#[test]
fn what_is_dropped_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnfinishedDir::create_in(dir.path(), ".a-").unwrap());
    drop(UnfinishedFile::create_in(dir.path(), ".b-").unwrap());
    fs::write(dir.path().join("taken"), "old").unwrap();
    let file = UnfinishedFile::create_in(dir.path(), ".b-").unwrap();
    let error = file.publish_new(&dir.path().join("taken")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(remove_leftovers(&dir.path().join("absent"), |_| true).unwrap().is_empty());
}

#[test]
fn what_is_removed_before_its_lock_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // An entry may also have been removed by its owner.
                let _ = remove_after(Duration::ZERO, dir.path(), |_| true);
            }
        });
        let lost = (0..3_000).find(|_| {
            let made = UnfinishedDir::create_in(dir.path(), ".a-").unwrap();
            !made.path().is_dir()
        });
        assert_eq!(lost, None);
    });
}

#[test]
fn what_is_locked_late_is_no_leftover() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".a-new");
    fs::create_dir(&path).unwrap();
    let removed = std::thread::scope(|scope| {
        let removal =
            scope.spawn(|| remove_after(Duration::from_secs(1), dir.path(), |_| true).unwrap());
        let _held = Held::of(&path, Claim::Wait).unwrap().unwrap();
        removal.join().unwrap()
    });
    assert!(removed.is_empty() && path.is_dir());
}
