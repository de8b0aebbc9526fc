//! Spooled batches, compared with plain ones.

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{BlobRef, Cid, Codec, Value};
use pds::store::{Expect, MemoryStore, SqliteStore};
use pds::syntax::RecordPath;
use pds::{Batch, Error, RecordChange, Repo, SpooledBatch, Write, WriteOptions};
use proptest::prelude::*;

use super::{block_count, did, in_memory, note, path};

/// A write, from numbers.
type Step = (u16, u8, u8);

fn target(n: u16) -> RecordPath {
    path(&format!("com.example.c{}/{}", n % 3, n / 3))
}

fn value(n: u8) -> Value {
    let blob = |name: &[u8]| {
        let (cid, mime_type) = (Cid::of(Codec::Raw, name), "x/y".to_owned());
        BlobRef { cid, mime_type, size_bytes: Some(1) }.to_value()
    };
    match n % 32 {
        30 => Value::from([("blob", blob(b"absent"))]),
        31 => Value::from([("$type", Value::from("com.example.other"))]),
        n => note(&format!("note {}", n % 4)),
    }
}

/// The CID that a record with a value has.
fn cid_of(at: u16, n: u8) -> Cid {
    let repo = in_memory();
    repo.put(&target(at), &note(&format!("note {}", n % 4))).unwrap().changes[0].after.unwrap()
}

fn write((at, kind, n): Step) -> Write {
    match kind % 16 {
        0..8 => Write::put(target(at), value(n)),
        8..10 => Write::delete(target(at)).expecting(Expect::Any),
        10 => Write::create(target(at), value(n)),
        11 => Write::update(target(at), value(n)),
        12 => Write::delete(target(at)),
        13 => Write::put(target(at), value(n)).expecting(Expect::Exactly(cid_of(at, n))),
        _ => Write::put(target(at), value(n % 4)),
    }
}

fn spooled(
    repo: &Repo,
    writes: &[Write],
    options: &WriteOptions,
) -> Result<Vec<RecordChange>, Error> {
    let mut batch = SpooledBatch::on(repo)?;
    writes.iter().try_for_each(|write| batch.push(write))?;
    assert_eq!(batch.len(), writes.len() as u64);
    let written = batch.commit(options)?;
    assert_eq!(repo.head()?, Some(written.commit.cid()));
    let changes: Vec<RecordChange> = written.changes().collect::<Result<_, Error>>()?;
    assert_eq!((written.len(), written.is_empty()), (changes.len() as u64, changes.is_empty()));
    Ok(changes)
}

/// Makes the same batch in two repositories, and compares all that can be seen.
fn assert_alike(plain: &Repo, other: &Repo, writes: &[Write], options: &WriteOptions) {
    let made = plain.write(Batch::new(writes).with(options.clone()));
    let found = spooled(other, writes, options);
    match (made, found) {
        (Ok(made), Ok(found)) => assert_eq!(made.changes, found),
        (Err(made), Err(found)) => assert_eq!(format!("{made:?}"), format!("{found:?}")),
        (made, found) => panic!("{made:?} and {found:?}"),
    }
    let data = |repo: &Repo| repo.snapshot().unwrap().commit().data();
    assert_eq!(data(plain), data(other));
    assert_eq!(block_count(plain), block_count(other));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spooled_batch_is_a_plain_one(
        batches in prop::collection::vec(
            (prop::collection::vec((0..60_u16, any::<u8>(), any::<u8>()), 0..24), any::<bool>()),
            1..5,
        ),
    ) {
        let (plain, other) = (in_memory(), in_memory());
        for (steps, allow) in batches {
            let writes: Vec<Write> = steps.into_iter().map(write).collect();
            let options = WriteOptions::default().allow_missing_blobs(allow).message("a batch");
            assert_alike(&plain, &other, &writes, &options);
        }
        prop_assert_eq!(&plain.history().log(1).unwrap()[0].message, &other.history().log(1).unwrap()[0].message);
    }
}

/// Many more records than a draft holds at a time, and more bytes than a temporary file keeps in memory.
#[test]
fn a_large_batch_is_a_plain_one() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate(Curve::K256).unwrap();
    let repos: Vec<Repo> = ["plain", "other"]
        .iter()
        .map(|name| {
            let store = SqliteStore::create(dir.path().join(name)).unwrap();
            let repo = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
            let repo = repo.signing_with(key.clone());
            repo.init(&did()).unwrap();
            repo
        })
        .collect();
    let (plain, other) = (&repos[0], &repos[1]);
    let options = WriteOptions::default();
    let scattered = |n: u32| n.wrapping_mul(0x9e37_79b1) % 50_000;
    let long = "x".repeat(1_000);
    let creations: Vec<Write> = (0..8_000)
        .map(|n| {
            let path = path(&format!("com.example.note/{:05}", scattered(n)));
            Write::put(path, note(&format!("{long}{n}")))
        })
        .collect();
    assert_alike(plain, other, &creations, &options);
    let edits: Vec<Write> = (0..6_000_u32)
        .map(|n| {
            let path = path(&format!("com.example.note/{:05}", scattered(n * 7 % 8_000)));
            match n % 3 {
                0 => Write::delete(path).expecting(Expect::Any),
                _ => Write::put(path, note(&n.to_string())),
            }
        })
        .collect();
    assert_alike(plain, other, &edits, &options);
    // Nothing changes, so no commit is made.
    let present = other.head().unwrap();
    let same = &edits[edits.len() - 2..];
    assert_alike(plain, other, same, &options);
    assert_eq!(other.head().unwrap(), present);
}

#[test]
fn generated_keys_ascend_and_a_swap_is_checked() {
    let repo = in_memory();
    let first = repo.head().unwrap().unwrap();
    let mut batch = SpooledBatch::on(&repo).unwrap();
    for n in 0..100 {
        batch.push(&Write::add("com.example.note".parse().unwrap(), note(&n.to_string()))).unwrap();
    }
    // Another writer is faster. The batch is made on top of its commit.
    repo.put(&target(0), &note("meanwhile")).unwrap();
    let written = batch.commit(&WriteOptions::default()).unwrap();
    let keys: Vec<_> = written.changes().map(|change| change.unwrap().path.rkey).collect();
    assert!(keys.len() == 100 && keys.is_sorted());
    assert!(repo.find(&target(0)).unwrap().is_some());
    let mut batch = SpooledBatch::on(&repo).unwrap();
    batch.push(&Write::put(target(1), note("late"))).unwrap();
    let refused = batch.commit(&WriteOptions::default().swap_commit(first)).err().unwrap();
    assert!(refused.is_conflict(), "{refused}");
    let nothing = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
    assert!(matches!(SpooledBatch::on(&nothing).err(), Some(Error::NoCommit(_))));
}
