//! Locks, publication and removal of unfinished work.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::conformance::support::SetOnDrop;
use crate::leftovers::{find_free, remove_free};

#[test]
fn held_entries_stay_and_leftovers_go() {
    let dir = tempfile::tempdir().unwrap();
    let held = UnfinishedDir::create_in(dir.path(), ".a-").unwrap();
    let mut file = UnfinishedFile::private_in(dir.path(), ".b-", ".tmp").unwrap();
    io::Write::write_all(file.as_file(), b"part").unwrap();
    let link = UnfinishedFile::link_in(dir.path(), ".c-", file.path()).unwrap_err();
    assert_eq!(link.kind(), io::ErrorKind::NotFound, "the file is locked");
    fs::write(dir.path().join("blob"), "bytes").unwrap();
    let links = [(); 2]
        .map(|()| UnfinishedFile::link_in(dir.path(), ".c-", dir.path().join("blob")).unwrap());
    fs::create_dir_all(dir.path().join(".a-left/inner")).unwrap();
    fs::write(dir.path().join(".b-left.tmp"), "old").unwrap();
    fs::write(dir.path().join("other"), "stays").unwrap();
    let mut found = remove_leftovers(dir.path(), |name| name.starts_with('.'));
    assert_eq!(found.removed, [".a-left", ".b-left.tmp"].map(|name| dir.path().join(name)));
    let mut in_use = vec![held.path(), file.path(), links[0].path(), links[1].path()];
    in_use.sort();
    found.in_use.sort();
    assert_eq!(found.in_use, in_use);
    assert!(in_use.iter().all(|path| path.exists()) && found.failed.is_empty());
    file.publish_new(dir.path().join("done")).unwrap();
    held.publish(dir.path().join("dir")).unwrap();
    drop(links);
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["blob", "dir", "done", "other"]);
}

#[test]
fn a_new_copy_removes_those_that_the_same_user_has_left() {
    let dir = tempfile::tempdir().unwrap();
    let [left, other] = [".pds-copy-left", ".pds-copy-other"].map(|name| dir.path().join(name));
    fs::create_dir(&left).unwrap();
    fs::write(left.join("copy.db"), "records").unwrap();
    fs::write(dir.path().join(".pds-new-left"), "not in the directory for temporary files")
        .unwrap();
    let (living, found) = UnfinishedDir::copy_in(dir.path()).unwrap();
    assert_eq!((found.removed, found.failed.len()), (vec![left], 0));
    fs::create_dir(&other).unwrap();
    // Only root can give an entry to another user.
    #[cfg(unix)]
    let is_given = std::os::unix::fs::chown(&other, Some(65534), None).is_ok();
    #[cfg(not(unix))]
    let is_given = false;
    let (_, found) = UnfinishedDir::copy_in(dir.path()).unwrap();
    assert_eq!(found.removed.is_empty(), is_given);
    assert!(living.path().is_dir() && other.exists() == is_given);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2 + usize::from(is_given));
}

#[test]
fn a_dropped_entry_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnfinishedDir::create_in(dir.path(), ".a-").unwrap());
    drop(UnfinishedFile::create_in(dir.path(), ".b-").unwrap());
    fs::write(dir.path().join("taken"), "old").unwrap();
    let file = UnfinishedFile::create_in(dir.path(), ".b-").unwrap();
    let error = file.publish_new(dir.path().join("taken")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_cannot_be_read_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let found = remove_leftovers(dir.path().join("absent"), |_| true);
    assert!(found.removed.is_empty() && found.failed.is_empty());
    let file = dir.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let [(path, error)] = &remove_leftovers(&file, |_| true).failed[..] else { panic!() };
    assert_eq!((path, error.kind()), (&file, io::ErrorKind::NotADirectory));
}

#[test]
fn an_entry_that_is_removed_before_its_lock_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // An entry may also have been removed by its owner.
                let (free, mut found) = find_free(dir.path(), |_| true);
                remove_free(free, &mut found);
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
fn an_entry_that_is_locked_late_is_no_leftover() {
    let dir = tempfile::tempdir().unwrap();
    let [late, left] = [".a-late", ".a-left"].map(|name| dir.path().join(name));
    [&late, &left].into_iter().for_each(|path| fs::create_dir(path).unwrap());
    let (free, mut found) = find_free(dir.path(), |_| true);
    assert_eq!(free.len(), 2);
    let _held = Held::of(&late, Claim::Wait).unwrap().unwrap();
    remove_free(free, &mut found);
    assert_eq!((found.removed, found.in_use), (vec![left], vec![late.clone()]));
    assert!(late.is_dir() && found.failed.is_empty());
}

#[test]
fn an_error_names_its_reason_and_not_the_temporary_path() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let errors = [
        UnfinishedDir::create_in(&missing, ".work-").unwrap_err(),
        UnfinishedFile::create_in(&missing, ".work-").unwrap_err(),
    ];
    let expected = File::open(&missing).unwrap_err().to_string();
    for error in errors {
        assert_eq!(error.to_string(), expected);
    }
}
