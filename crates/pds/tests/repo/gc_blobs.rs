//! Garbage collection of blobs.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pds::Repo;
use pds::blob::{BlobDirectory, BlobStore, MemoryBlobs};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec};
use pds::retain::forget::Forget;
use pds::retain::gc::Keep;
use pds::store::{Change, Event, Expect, MemoryStore, RefName, StoreError};

use super::gc::{gc, keep, with_blob};
use super::watched::{Watch, handles};
use super::{did, in_memory, listed_blobs, note, path};

#[test]
fn blobs_stay_that_a_state_refers_to_and_young_ones() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn BlobStore>; 2] =
        [Arc::new(MemoryBlobs::default()), Arc::new(BlobDirectory::new(dir.path().join("blobs")))];
    for blobs in stores {
        let repo = Repo::with(Arc::new(MemoryStore::default()), blobs)
            .signing_with(SigningKey::generate(Curve::K256).unwrap());
        repo.init(&did()).unwrap();
        let put = |text: &str| repo.put_blob("text/plain", &mut text.as_bytes()).unwrap();
        let [past, present, stray] = ["past", "present", "stray"].map(put);
        repo.put(&path("com.example.file/a"), &with_blob(&past)).unwrap();
        repo.delete(&path("com.example.file/a")).unwrap();
        repo.put(&path("com.example.file/b"), &with_blob(&present)).unwrap();
        let listed = || listed_blobs(&repo);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(gc(&repo, &Keep::default()).blobs, 0, "all are young");
        let weighed = repo.retain().plan_gc(&keep(1), &mut |_| {}).unwrap().swept;
        assert_eq!((weighed.blobs, listed().len()), (2, 3));
        let swept = gc(&repo, &Keep::default().blob_age(Duration::ZERO));
        assert_eq!((swept.blobs, swept.blob_bytes), (1, "stray".len() as u64));
        assert_eq!(listed(), [past.cid, present.cid].into());
        // A deleted state takes its blobs with it, once they are old enough.
        assert_eq!(gc(&repo, &Keep::default().states(NonZeroUsize::new(1))).blobs, 0);
        assert_eq!(gc(&repo, &keep(1)).blobs, 1);
        assert_eq!(listed(), [present.cid].into());
        assert_eq!(put("stray").cid, stray.cid);
    }
}

/// Points HEAD to a tree with one record, which is not DAG-CBOR. An import accepts that. Returns the CID of the record.
fn plant_undecodable(repo: &Repo) -> Cid {
    let record = Block::new(Codec::Cbor, *b"\xff");
    let mut blocks = vec![record.clone()];
    let mut builder = pds::mst::Builder::default();
    builder.push(b"com.example.note/a", record.cid(), |node| blocks.push(node)).unwrap();
    let data = builder.finish(|node| blocks.push(node));
    let key = SigningKey::generate(Curve::K256).unwrap();
    let rev = repo.history().next_tid().unwrap();
    let unsigned = pds::commit::UnsignedCommit { did: did(), data, rev, prev: None };
    let commit = unsigned.sign(&key).unwrap();
    blocks.push(commit.block().clone());
    let edit = pds::store::RefEdit {
        name: RefName::head(),
        target: Some(commit.cid()),
        expect: Expect::Any,
    };
    let event = Event::Import { key: None, replaces: None, begins: false };
    let change = Change::new(event).blocks(blocks.into_iter().map(Ok)).edit(edit);
    repo.store().apply(change).unwrap();
    record.cid()
}

#[test]
fn a_record_that_cannot_be_decoded_keeps_every_blob() {
    let repo = in_memory();
    repo.put_blob("text/plain", &mut &b"stray"[..]).unwrap();
    let record = plant_undecodable(&repo);
    std::thread::sleep(Duration::from_millis(5));
    let swept = gc(&repo, &keep(1));
    assert_eq!((swept.blobs, swept.undecodable), (0, vec![record]));
    assert_eq!(repo.retain().plan_gc(&keep(1), &mut |_| {}).unwrap().swept.blobs, 0);
    repo.delete(&path("com.example.note/a")).unwrap();
    let swept = gc(&repo, &keep(1));
    assert_eq!((swept.blobs, swept.undecodable), (1, vec![]));
}

#[test]
fn the_blob_of_a_purged_record_is_deleted_once_all_records_can_be_decoded() {
    let repo = in_memory();
    let secret = path("com.example.note/secret");
    let blob = repo.put_blob("text/plain", &mut &b"secret"[..]).unwrap();
    repo.put(&secret, &with_blob(&blob)).unwrap();
    let record = plant_undecodable(&repo);
    let purge = Forget::Records(vec![secret]);
    let purged = repo.retain().forget(&purge, &mut |_| {}).unwrap();
    assert_eq!((purged.swept.blobs, purged.swept.undecodable), (0, vec![record]));
    assert!(repo.retain().is_erasing().unwrap(), "the blob is remembered");
    repo.delete(&path("com.example.note/a")).unwrap();
    let keep = Keep::default().states(NonZeroUsize::new(1));
    assert_eq!(gc(&repo, &keep).blobs, 1, "the blob is young, and was purged");
    assert!(!repo.retain().is_erasing().unwrap());
}

#[test]
fn a_blob_that_is_used_again_is_young() {
    let repo = in_memory();
    let blob = repo.put_blob("text/plain", &mut &b"old"[..]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    repo.put(&path("com.example.file/a"), &with_blob(&blob)).unwrap();
    repo.delete(&path("com.example.file/a")).unwrap();
    let young = Keep::default().states(NonZeroUsize::new(1)).blob_age(Duration::from_millis(250));
    assert_eq!(gc(&repo, &young).blobs, 0);
}

/// A store whose second sweep fails, and in which another handle writes after the first sweep.
#[derive(Default)]
struct FailsLater {
    sweeps: AtomicUsize,
    write: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Watch for FailsLater {
    fn collect(&self) -> Result<(), StoreError> {
        match self.sweeps.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(StoreError::Backend("the disk failed".into())),
        }
    }

    fn collected(&self) {
        if let Some(write) = self.write.lock().unwrap().take() {
            write();
        }
    }
}

#[test]
fn an_error_after_the_deletion_does_not_hide_the_deletion() {
    let (store, repo, other) = handles::<FailsLater>();
    repo.put_blob("text/plain", &mut &b"unused"[..]).unwrap();
    for text in ["one", "two"] {
        repo.put(&path("com.example.note/a"), &note(text)).unwrap();
    }
    *store.watch.write.lock().unwrap() = Some(Box::new(move || {
        other.put(&path("com.example.note/b"), &note("meanwhile")).unwrap();
    }));
    std::thread::sleep(Duration::from_millis(2));
    let swept = repo.retain().gc(&keep(1), &mut |_| {}).unwrap();
    assert!(swept.blocks > 0);
    assert!(matches!(swept.remains, Some(StoreError::Backend(_))), "{:?}", swept.remains);
}
