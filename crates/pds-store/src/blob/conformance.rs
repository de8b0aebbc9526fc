//! The conformance suite that every blob store must pass.
//!
//! ```
//! use pds::blob::{MemoryBlobs, conformance};
//!
//! conformance::check(&|| Box::new(MemoryBlobs::default()));
//! ```

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use crate::blob::memory::MemoryBlobs;
use crate::blob::store::{BlobInfo, BlobStore, BlobSweep};
use pds_core::data::cid::{Cid, Codec};

/// Runs the whole suite. Each check has its own empty blob store.
///
/// # Panics
///
/// If the blob store breaks a rule of the trait. The message names the rule.
pub fn check(make: &dyn Fn() -> Box<dyn BlobStore>) {
    let checks: [fn(&dyn BlobStore); 10] = [
        absent_blobs_are_no_error,
        stored_blobs_are_read_and_listed,
        a_list_is_in_order_and_ends_early,
        listed_blobs_are_deleted,
        blobs_of_another_store_are_copied,
        a_failed_upload_leaves_nothing,
        old_blobs_that_are_not_kept_are_swept,
        blobs_become_young_when_stored_again_or_renewed,
        blobs_renewed_next_to_a_sweep_stay,
        callbacks_may_use_the_blob_store,
    ];
    for check in checks {
        check(make().as_ref());
    }
}

/// Checks that damaged bytes are detected, and that storing the blob again repairs it.
///
/// `damage` replaces the stored bytes of a blob by other bytes.
///
/// ```
/// use pds::blob::{BlobDirectory, conformance};
///
/// let dir = tempfile::tempdir()?;
/// let blobs = BlobDirectory::new(dir.path());
/// conformance::check_damage(&blobs, &|cid, bytes| {
///     std::fs::write(blobs.path(cid), bytes).expect("the blob has a file");
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// If the blob store breaks a rule of the trait. The message names the rule.
pub fn check_damage(blobs: &dyn BlobStore, damage: &dyn Fn(&Cid, &[u8])) {
    let bytes = vec![7; 100_000];
    let cid = put(blobs, &bytes).cid;
    let mut changed = bytes.clone();
    changed[50_000] ^= 1;
    let longer = [&bytes[..], b"more"].concat();
    for damaged in [&changed[..], &bytes[..99_999], &longer, b""] {
        damage(&cid, damaged);
        let mut read = Vec::new();
        let mut opened = blobs.open(&cid).expect("open does not read the bytes").expect("open");
        let error =
            opened.reader.read_to_end(&mut read).expect_err("damaged bytes fail at the end");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "the error of damaged bytes");
        assert_eq!(put(blobs, &bytes).cid, cid, "a damaged blob can be stored again");
        assert_eq!(read_all(blobs, &cid), bytes, "storing a damaged blob again repairs it");
    }
}

fn put(blobs: &dyn BlobStore, bytes: &[u8]) -> BlobInfo {
    blobs.put(&mut &*bytes).expect("put")
}

fn read_all(blobs: &dyn BlobStore, cid: &Cid) -> Vec<u8> {
    let mut read = Vec::new();
    let mut opened = blobs.open(cid).expect("open").expect("open finds a stored blob");
    opened.reader.read_to_end(&mut read).expect("read");
    read
}

fn list(blobs: &dyn BlobStore) -> Vec<BlobInfo> {
    let mut listed = Vec::new();
    blobs
        .list(&mut |info| {
            listed.push(info);
            ControlFlow::Continue(())
        })
        .expect("list");
    listed
}

fn sweep_before(blobs: &dyn BlobStore, micros: u64, keep: &dyn Fn(&Cid) -> bool) -> Vec<BlobInfo> {
    blobs.sweep(BlobSweep::StoredBefore { micros, keep }).expect("sweep by age")
}

fn cids(blobs: &[BlobInfo]) -> Vec<Cid> {
    blobs.iter().map(|blob| blob.cid).collect()
}

/// Waits until the coarsest clock of a file system has advanced.
fn wait() {
    thread::sleep(Duration::from_millis(20));
}

fn absent_blobs_are_no_error(blobs: &dyn BlobStore) {
    let absent = Cid::of(Codec::Raw, b"absent");
    assert!(blobs.open(&absent).expect("open").is_none(), "open of an absent blob returns None");
    assert!(blobs.renew(&absent).expect("renew").is_none(), "renew of an absent blob returns None");
    let listed = blobs.sweep(BlobSweep::Listed(&[absent])).expect("sweep of a list");
    assert!(listed.is_empty(), "a sweep of a list returns only blobs that it deleted");
    assert!(list(blobs).is_empty(), "an empty blob store lists nothing");
    assert!(sweep_before(blobs, u64::MAX, &|_| false).is_empty(), "nothing to sweep");
}

fn stored_blobs_are_read_and_listed(blobs: &dyn BlobStore) {
    let large = vec![7; 300_000];
    let mut stored = Vec::new();
    for bytes in [&b""[..], b"hello", &large] {
        let info = put(blobs, bytes);
        let expected = (Cid::of(Codec::Raw, bytes), bytes.len() as u64);
        assert_eq!((info.cid, info.size_bytes), expected, "put returns the CID and the size");
        assert_eq!(put(blobs, bytes).cid, info.cid, "storing a blob again keeps it");
        let opened = blobs.open(&info.cid).expect("open").expect("open finds a stored blob").info;
        assert_eq!((opened.cid, opened.size_bytes), expected, "open reports the size");
        assert_eq!(read_all(blobs, &info.cid), bytes, "a blob has the bytes that were stored");
        stored.push(info.cid);
    }
    stored.sort();
    assert_eq!(cids(&list(blobs)), stored, "every stored blob is listed once, in order");
    for info in list(blobs) {
        let opened = blobs.open(&info.cid).expect("open").expect("open finds a listed blob");
        assert_eq!(info, opened.info, "list and open agree about a blob");
    }
}

fn a_list_is_in_order_and_ends_early(blobs: &dyn BlobStore) {
    let mut stored: Vec<Cid> = (0..10_u8).map(|n| put(blobs, &[n]).cid).collect();
    stored.sort();
    assert_eq!(cids(&list(blobs)), stored, "a list is in the order of the CIDs");
    let mut calls = Vec::new();
    blobs
        .list(&mut |info| {
            calls.push(info.cid);
            if calls.len() < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .expect("stopping a list early is no error");
    assert_eq!(calls, stored[..4], "a list ends when `each` stops it");
}

fn blobs_of_another_store_are_copied(blobs: &dyn BlobStore) {
    let from = MemoryBlobs::default();
    let cid = put(&from, b"from elsewhere").cid;
    for _ in 0..2 {
        let copied = blobs.copy(&cid, &from).expect("copy").expect("copy finds the blob");
        assert_eq!((copied.cid, copied.size_bytes), (cid, 14), "copy returns what it stored");
    }
    assert_eq!(read_all(blobs, &cid), b"from elsewhere", "a copied blob is read");
    let absent = Cid::of(Codec::Raw, b"absent");
    assert!(blobs.copy(&absent, &from).expect("copy").is_none(), "copy of an absent blob");
    assert_eq!(cids(&list(blobs)), [cid], "only the copied blob is stored");
}

fn listed_blobs_are_deleted(blobs: &dyn BlobStore) {
    let [gone, stays, old] = [&b"one"[..], b"two", b"three"].map(|bytes| put(blobs, bytes));
    let nothing = blobs.sweep(BlobSweep::Listed(&[])).expect("sweep of an empty list");
    assert!(nothing.is_empty(), "a sweep of an empty list deletes nothing");
    wait();
    let young = blobs.renew(&gone.cid).expect("renew").expect("renew finds a stored blob");
    let absent = Cid::of(Codec::Raw, b"absent");
    // A CID that is listed twice is deleted once.
    let listed = [gone.cid, absent, old.cid, gone.cid];
    let deleted = blobs.sweep(BlobSweep::Listed(&listed)).expect("sweep of a list");
    let mut found = cids(&deleted);
    found.sort();
    let mut expected = vec![gone.cid, old.cid];
    expected.sort();
    assert_eq!(found, expected, "a sweep of a list deletes its blobs, young or old, and no others");
    let size = deleted.iter().find(|info| info.cid == gone.cid).map(|info| info.size_bytes);
    assert_eq!(size, Some(young.size_bytes), "a sweep returns the size of a deleted blob");
    assert!(blobs.open(&gone.cid).expect("open").is_none(), "a deleted blob is absent");
    assert!(blobs.renew(&gone.cid).expect("renew").is_none(), "a deleted blob is not renewed");
    assert_eq!(cids(&list(blobs)), [stays.cid], "a deleted blob is not listed");
    assert_eq!(put(blobs, b"one").cid, gone.cid, "a deleted blob can be stored again");
    assert_eq!(read_all(blobs, &gone.cid), b"one", "a blob that is stored again is read");
}

fn a_failed_upload_leaves_nothing(blobs: &dyn BlobStore) {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cut"))
        }
    }
    let cut = &b"start"[..];
    assert!(blobs.put(&mut cut.chain(Failing)).is_err(), "put fails when its source fails");
    assert!(list(blobs).is_empty(), "a failed put stores nothing");
    let start = Cid::of(Codec::Raw, b"start");
    assert!(blobs.open(&start).expect("open").is_none(), "a failed put stores no part of a blob");
}

fn old_blobs_that_are_not_kept_are_swept(blobs: &dyn BlobStore) {
    let [one, two] = [&b"one"[..], b"two"].map(|bytes| put(blobs, bytes).cid);
    assert!(sweep_before(blobs, 0, &|_| false).is_empty(), "a sweep by age keeps young blobs");
    wait();
    let young = put(blobs, b"three");
    let before = young.stored_at_micros;
    let swept = sweep_before(blobs, before, &|cid| *cid == one);
    assert_eq!(cids(&swept), [two], "a sweep by age deletes the old blobs that are not kept");
    let mut left = vec![one, young.cid];
    left.sort();
    assert_eq!(cids(&list(blobs)), left, "kept blobs and young blobs stay");
    let swept = sweep_before(blobs, before, &|_| false);
    assert_eq!(cids(&swept), [one], "a blob that is no longer kept is deleted");
}

fn blobs_become_young_when_stored_again_or_renewed(blobs: &dyn BlobStore) {
    let [again, renewed, old] = [&b"one"[..], b"two", b"three"].map(|bytes| put(blobs, bytes));
    wait();
    let before = put(blobs, b"one").stored_at_micros;
    let young = blobs.renew(&renewed.cid).expect("renew").expect("renew finds a stored blob");
    assert!(before > again.stored_at_micros, "a blob that is stored again counts as stored now");
    let is_young = young.stored_at_micros > renewed.stored_at_micros;
    assert!(is_young, "a renewed blob counts as stored now");
    let swept = sweep_before(blobs, before.min(young.stored_at_micros), &|_| false);
    assert_eq!(cids(&swept), [old.cid], "a sweep by age keeps what was stored again or renewed");
    assert_eq!(read_all(blobs, &renewed.cid), b"two", "a renewed blob keeps its bytes");
}

fn blobs_renewed_next_to_a_sweep_stay(blobs: &dyn BlobStore) {
    let mut stored: Vec<Cid> = (0..24_u8).map(|n| put(blobs, &[n]).cid).collect();
    // A sweep usually starts at the other end, so the two meet.
    stored.sort_by(|one, other| other.cmp(one));
    wait();
    let before = put(blobs, b"a later blob").stored_at_micros;
    let renewed = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let renew = |cid: &&Cid| blobs.renew(cid).expect("renew").is_some();
            stored.iter().filter(renew).collect::<Vec<_>>()
        });
        sweep_before(blobs, before, &|_| false);
        writer.join().expect("a renewing thread")
    });
    for cid in renewed {
        let opened = blobs.open(cid).expect("open");
        assert!(opened.is_some(), "a blob that was renewed next to a sweep is not deleted");
    }
}

fn callbacks_may_use_the_blob_store(blobs: &dyn BlobStore) {
    let one = put(blobs, b"one").cid;
    blobs
        .list(&mut |info| {
            assert_eq!(read_all(blobs, &info.cid), b"one", "the call of a list may read blobs");
            blobs.renew(&info.cid).expect("the call of a list may renew blobs");
            ControlFlow::Continue(())
        })
        .expect("list");
    let keep = |cid: &Cid| blobs.renew(cid).expect("the call of a sweep may renew").is_some();
    assert!(sweep_before(blobs, u64::MAX, &keep).is_empty(), "a sweep keeps what its call keeps");
    assert!(blobs.open(&one).expect("open").is_some(), "a kept blob stays");
}
