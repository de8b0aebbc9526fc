//! Histories with a large commit.

use crate::common::TestRepo;

#[test]
fn a_large_commit_is_counted_and_listed_in_bounds() {
    let repo = TestRepo::with_many_notes(60_000);
    let peak = |args: &[&str]| {
        let ended = repo.pds(args.iter().copied()).ended();
        assert!(matches!(ended.code(), 0 | 1), "{args:?}: {}", ended.stderr);
        ended.peak_kib
    };
    // Opening the repository and reading one record. The peak of a run that is short may be missed.
    let least = (0..5).map(|_| peak(&["get", "com.example.note/n000001"])).max().unwrap();
    for args in [
        &["log"][..],
        &["log", "com.example.note"],
        &["log", "com.example.note/n000001"],
        &["reflog"],
        &["diff", "HEAD^", "HEAD"],
        &["diff", "--name-only"],
        &["diff", "--stat"],
        &["show", "HEAD"],
    ] {
        let peak = peak(args);
        assert!(peak < least + MORE_KIB, "{args:?}: {peak} KiB after {least}");
    }
}

/// The cache of nodes, which takes 19 MiB here. A list of 60,000 changes takes at least 12 MiB.
const MORE_KIB: u64 = 28 * 1024;

#[test]
fn a_large_collection_is_deleted_in_bounds() {
    let repo = TestRepo::with_many_notes(60_000);
    let peak = |args: &[&str]| {
        let ended = repo.pds(args.iter().copied()).ended();
        assert_eq!(ended.code(), 0, "{args:?}: {}", ended.stderr);
        ended.peak_kib
    };
    let least = (0..5).map(|_| peak(&["get", "com.example.note/n000001"])).max().unwrap();
    let peak = peak(&["rm", "com.example.note", "--yes"]);
    assert!(peak < least + DELETION_KIB, "{peak} KiB after {least}");
    assert_eq!(repo.pds(["ls"]).ok(), "");
}

/// The cache of nodes and the buffers of the sorted batch. A list of 60,000 deletions takes 24 MiB more.
const DELETION_KIB: u64 = 36 * 1024;
