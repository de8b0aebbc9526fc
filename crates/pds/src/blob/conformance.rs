//! The suite that every blob store must pass.
//!
//! ```
//! use pds::blob::{MemoryBlobs, conformance};
//!
//! conformance::check(&|| Box::new(MemoryBlobs::default()));
//! ```

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use super::{BlobInfo, BlobStore};
use crate::data::{Cid, Codec};

/// Runs the whole suite; each check gets an empty blob store of its own.
///
/// ```
/// use pds::blob::{MemoryBlobs, conformance};
///
/// conformance::check(&|| Box::new(MemoryBlobs::default()));
/// ```
///
/// # Panics
///
/// When the blob store does something else than the trait says.
pub fn check(make: &dyn Fn() -> Box<dyn BlobStore>) {
    let checks: [fn(&dyn BlobStore); 6] = [
        what_is_not_there_is_no_error,
        what_is_stored_is_read_and_listed_by_name,
        what_is_deleted_is_gone,
        an_upload_that_fails_leaves_nothing,
        what_is_old_and_not_kept_is_swept,
        what_is_stored_again_or_renewed_is_young,
    ];
    for check in checks {
        check(make().as_ref());
    }
}

fn put(blobs: &dyn BlobStore, bytes: &[u8]) -> BlobInfo {
    blobs.put(&mut &*bytes).expect("put")
}

fn cids(blobs: &[BlobInfo]) -> Vec<Cid> {
    blobs.iter().map(|blob| blob.cid).collect()
}

/// Lets time go on, as far as the coarsest clock of a file system tells.
fn wait() {
    thread::sleep(Duration::from_millis(20));
}

fn what_is_not_there_is_no_error(blobs: &dyn BlobStore) {
    let absent = Cid::of(Codec::Raw, b"absent");
    assert!(blobs.open(&absent).expect("open").is_none());
    assert!(blobs.info(&absent).expect("info").is_none());
    assert!(blobs.renew(&absent).expect("renew").is_none());
    blobs.delete(&absent).expect("delete");
    assert!(blobs.list().expect("list").is_empty());
    assert!(blobs.sweep(u64::MAX, &|_| false).expect("sweep").is_empty());
}

fn what_is_stored_is_read_and_listed_by_name(blobs: &dyn BlobStore) {
    let large = vec![7; 300_000];
    let mut stored = Vec::new();
    for bytes in [&b""[..], b"hello", &large] {
        let info = put(blobs, bytes);
        assert_eq!((info.cid, info.size_bytes), (Cid::of(Codec::Raw, bytes), bytes.len() as u64));
        assert_eq!(put(blobs, bytes).cid, info.cid, "what is there already stays");
        let told = blobs.info(&info.cid).expect("info").expect("it is here");
        assert_eq!((told.cid, told.size_bytes), (info.cid, info.size_bytes));
        let mut read = Vec::new();
        let mut reader = blobs.open(&info.cid).expect("open").expect("it is here");
        reader.read_to_end(&mut read).expect("read");
        assert_eq!(read, bytes);
        stored.push(info.cid);
    }
    stored.sort();
    assert_eq!(cids(&blobs.list().expect("list")), stored);
}

fn what_is_deleted_is_gone(blobs: &dyn BlobStore) {
    let [gone, stays] = [&b"one"[..], b"two"].map(|bytes| put(blobs, bytes).cid);
    blobs.delete(&gone).expect("delete");
    assert!(blobs.open(&gone).expect("open").is_none());
    assert!(blobs.info(&gone).expect("info").is_none());
    assert_eq!(cids(&blobs.list().expect("list")), [stays]);
    assert_eq!(put(blobs, b"one").cid, gone, "and may come again");
}

fn an_upload_that_fails_leaves_nothing(blobs: &dyn BlobStore) {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cut"))
        }
    }
    let cut = &b"start"[..];
    assert!(blobs.put(&mut cut.chain(Failing)).is_err());
    assert!(blobs.list().expect("list").is_empty());
    assert!(blobs.info(&Cid::of(Codec::Raw, b"start")).expect("info").is_none());
}

fn what_is_old_and_not_kept_is_swept(blobs: &dyn BlobStore) {
    let [one, two] = [&b"one"[..], b"two"].map(|bytes| put(blobs, bytes).cid);
    assert!(blobs.sweep(0, &|_| false).expect("sweep").is_empty(), "all are younger");
    wait();
    let young = put(blobs, b"three");
    let before = young.stored_at_micros;
    let swept = blobs.sweep(before, &|cid| *cid == one).expect("sweep");
    assert_eq!(cids(&swept), [two]);
    let mut left = vec![one, young.cid];
    left.sort();
    assert_eq!(cids(&blobs.list().expect("list")), left);
    let swept = blobs.sweep(before, &|_| false).expect("sweep");
    assert_eq!(cids(&swept), [one]);
}

fn what_is_stored_again_or_renewed_is_young(blobs: &dyn BlobStore) {
    let [again, renewed, old] = [&b"one"[..], b"two", b"three"].map(|bytes| put(blobs, bytes));
    wait();
    let before = put(blobs, b"one").stored_at_micros;
    let told = blobs.renew(&renewed.cid).expect("renew").expect("it is here");
    assert!(before > again.stored_at_micros && told.stored_at_micros > renewed.stored_at_micros);
    let swept = blobs.sweep(before.min(told.stored_at_micros), &|_| false).expect("sweep");
    assert_eq!(cids(&swept), [old.cid]);
}
