//! Stores of every format, and the samples that the format page describes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pds::car::CarFile;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::data::{Cid, Codec, Value};
use pds::identity::DidDocument;
use pds::local::layout::{KEY_FILE, STORE_FILE};
use pds::retain::forget::Forget;
use pds::store::{Expect, FORMAT, Fact, FactKind, SqliteStore, StoreError};
use pds::transfer::export::export_car;
use pds::verify::car::verify_car;
use pds::{Error, Repo, Revision, Snapshot, Write, WriteOptions};
use pds::{Expected, SignatureState};

use super::{actions, block_count, did, facts, path};

pub(super) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// The key that signed the samples.
fn key() -> PublicKey {
    "did:key:zQ3shS59FKeup69m3Y9tSXB9G42eRZZYdVRn2dDHAuMaVjwN4".parse().unwrap()
}

#[test]
fn there_is_a_store_of_every_format() {
    let mut found: Vec<String> = fs::read_dir(testdata().join("formats"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let expected: Vec<String> = (1..=FORMAT).map(|version| format!("v{version}")).collect();
    assert_eq!(found, expected, "a new format comes with a store of it");
}

/// Makes a store in a directory, without the key that signed it: four commits with the records of the
/// sample, a ref `before`, and a blob.
fn make(dir: &Path) {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let repo = pds::local::directory::create_with_key(dir, &did(), &key).unwrap();
    let sample = CarFile::open(fs::File::open(testdata().join("sample.car")).unwrap()).unwrap();
    let root = sample.roots()[0];
    let sample = Snapshot::open(Arc::new(sample), root).unwrap();
    let writes: Vec<Write> = sample
        .records()
        .map(|entry| {
            let record = sample.find(&entry.unwrap().path).unwrap().unwrap();
            Write::put_bytes(record.path, record.block.bytes())
        })
        .collect();
    let options = WriteOptions::default().allow_missing_blobs(true).message("apply".to_owned());
    repo.write(pds::Batch::new(&writes).with(options.clone())).unwrap();
    let blob = repo.put_blob("text/plain", &mut &b"a file"[..]).unwrap();
    let value = Value::from([("text", Value::from("extra")), ("file", blob.to_value())]);
    let options = |message: &str| WriteOptions::default().message(message);
    let extra = path("com.example.note/extra");
    repo.write(pds::Batch::new(&[Write::put(extra.clone(), value)]).with(options("put"))).unwrap();
    let head = repo.head().unwrap().unwrap();
    repo.history().set_ref(&"before".parse().unwrap(), head, Expect::Absent, "").unwrap();
    repo.write(pds::Batch::new(&[Write::delete(extra)]).with(options("rm"))).unwrap();
    fs::remove_file(dir.join(KEY_FILE)).unwrap();
}

#[test]
fn a_store_opens_reads_and_takes_writes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    make(&dir);
    let repo = Repo::open(&dir).unwrap();
    let key = repo.public_key().unwrap().unwrap();
    let expected = Expected::default().key(Some(&key));
    let report = repo.verify().present(&expected, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((report.records, report.nodes, report.blocks), (35, 9, 53));
    assert_eq!(report.signature, SignatureState::Valid);
    assert_eq!(facts(&repo, FactKind::Account), [Fact::Account(did())]);
    assert_eq!(facts(&repo, FactKind::Key), [Fact::Key((&key).into())]);
    assert_eq!(actions(&repo), ["write: rm", "write: put", "write: apply", "init"]);
    let before: Revision = "before".parse().unwrap();
    assert_eq!(
        repo.history().resolve(&before).unwrap(),
        repo.history().resolve(&"HEAD~1".parse().unwrap()).unwrap()
    );
    assert_eq!(super::listed_blobs(&repo).len(), 1);
    repo.history()
        .set_head(repo.history().resolve(&before).unwrap(), Default::default(), "reset")
        .unwrap();
    let report = repo.verify().present(&expected, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((report.records, report.signature), (36, SignatureState::Valid));
    // Past states can be deleted.
    assert_eq!(repo.retain().gc(&Default::default(), &mut |_| {}).unwrap().blocks, 0);
    let forgotten =
        repo.retain().forget(&Forget::BeforeState(Revision::head()), &mut |_| {}).unwrap();
    assert!(forgotten.swept.states > 0 && forgotten.swept.remains.is_none());
    repo.verify().present(&expected, &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn readers_go_on_while_a_store_is_written_with_another_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    make(&dir);
    // A reader that is already open continues to work.
    let before = Repo::open(&dir).unwrap();
    let mut first = Vec::new();
    before.transfer().export(&Revision::head(), &mut first).unwrap();
    let head = before.head().unwrap().unwrap();
    let blocks = block_count(&before);

    let key = SigningKey::generate(Curve::K256).unwrap();
    let repo = Repo::open(&dir).unwrap().signing_with(key.clone());
    repo.keys().remember(&key.public_key()).unwrap();
    let note = Value::from([("text", Value::from("new"))]);
    let path = path("com.example.note/new");
    let draft = repo.draft(&[Write::put(path.clone(), note.clone())]).unwrap();
    repo.put(&path, &note).unwrap();
    let blocks = blocks + draft.blocks().len() as u64 + 1;

    for repo in [&before, &repo, &Repo::open(&dir).unwrap()] {
        assert!(repo.find(&path).unwrap().is_some());
        let mut again = Vec::new();
        repo.transfer().export(&head.into(), &mut again).unwrap();
        assert!(again == first, "what was here is here");
        assert_eq!(block_count(repo), blocks);
        let report = repo
            .verify()
            .present(&Expected::default(), &mut |finding| panic!("{finding}"))
            .unwrap();
        assert_eq!((report.records, report.signature), (36, SignatureState::Valid));
    }
    // The earlier state is signed by its old key.
    let old = before.keys().of(before.checkout(&head.into()).unwrap().commit()).unwrap();
    assert_ne!(old, Some(key.public_key()));
    repo.history().set_head(head, Default::default(), "reset").unwrap();
    for expected in [old.as_ref(), None] {
        let expected = Expected::default().key(expected);
        let report = repo.verify().present(&expected, &mut |finding| panic!("{finding}")).unwrap();
        assert_eq!((report.records, report.signature), (35, SignatureState::Valid));
    }
}

#[test]
fn a_store_of_an_unreleased_or_a_later_format_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    make(&dir);
    let set = |pragma: &str, value: i64| {
        let sql = rusqlite::Connection::open(dir.join(STORE_FILE)).unwrap();
        sql.pragma_update(None, pragma, value).unwrap();
    };
    let refusal = || match Repo::open(&dir) {
        Err(Error::Store(error)) => error,
        other => panic!("{other:?}"),
    };
    set("user_version", i64::from(FORMAT) + 1);
    let later = refusal();
    assert!(
        matches!(later, StoreError::NewerFormat { found, supported: FORMAT } if found == FORMAT + 1),
        "{later:?}"
    );
    set("application_id", UNRELEASED_ID);
    for format in [1, 2] {
        set("user_version", format);
        assert!(matches!(refusal(), StoreError::UnreleasedFormat));
        let written = SqliteStore::open(dir.join(STORE_FILE)).map(drop);
        assert!(matches!(written, Err(StoreError::UnreleasedFormat)), "{written:?}");
    }
}

/// The mark in the header of the formats before the first release.
const UNRELEASED_ID: i64 = 0x7064_7331;

#[test]
fn the_sample_verifies_and_is_what_the_store_exports() {
    let path = testdata().join("sample.car");
    let key = key();
    let did = "did:web:alice.example.com".parse().unwrap();
    let expected = Expected::default().did(Some(&did)).key(Some(&key));
    let file = fs::File::open(&path).unwrap();
    let report = verify_car(file, &expected, &mut |finding| panic!("{finding}")).unwrap();
    assert!(report.is_ok() && report.is_complete());
    assert_eq!((report.records, report.signature), (35, SignatureState::Valid));

    let dir = tempfile::tempdir().unwrap();
    let car = CarFile::open(fs::File::open(&path).unwrap()).unwrap();
    let (repo, imported) =
        pds::local::directory::clone_car(dir.path().join("r"), &car, Some(&key)).unwrap();
    assert_eq!(imported.new_blocks, car.sections());
    let mut out = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut out, &mut |_| {}).unwrap();
    assert!(out == fs::read(&path).unwrap(), "clone and export give the file back");
}

#[test]
fn the_samples_are_two_backups_of_one_account_with_its_did_document_and_its_images() {
    let document = fs::read_to_string(testdata().join("did.json")).unwrap();
    let document = DidDocument::parse(&document).unwrap();
    assert_eq!(document.did().to_string(), "did:web:alice.example.com");
    assert_eq!(document.signing_key(), Some(&key()));

    let mut revs = Vec::new();
    for (name, records) in [("sample-earlier.car", 28), ("sample.car", 35)] {
        let file = || fs::File::open(testdata().join(name)).unwrap();
        let expected = Expected::default().did(Some(document.did())).key(document.signing_key());
        let report = verify_car(file(), &expected, &mut |finding| panic!("{finding}")).unwrap();
        assert_eq!((report.records, report.signature), (records, SignatureState::Valid), "{name}");
        let car = CarFile::open(file()).unwrap();
        let root = car.roots()[0];
        let snapshot = Snapshot::open(Arc::new(car), root).unwrap();
        revs.push(snapshot.commit().rev().unwrap());

        let mut images = Vec::new();
        for entry in snapshot.records() {
            let record = snapshot.find(&entry.unwrap().path).unwrap().unwrap();
            images.extend(record.value().unwrap().blobs());
        }
        for image in ["avatar.png", "plot.png"] {
            let bytes = fs::read(testdata().join(image)).unwrap();
            let cid = Cid::of(Codec::Raw, &bytes);
            let size = Some(bytes.len() as u64);
            let found = images.iter().filter(|blob| blob.cid == cid).inspect(|blob| {
                assert_eq!((blob.mime_type.as_str(), blob.size_bytes), ("image/png", size));
            });
            assert!(found.count() > 0, "{name} refers to {image}");
            images.retain(|blob| blob.cid != cid);
        }
        assert!(images.is_empty(), "{name} refers to other files: {images:?}");
    }
    assert!(revs[0] < revs[1], "the second backup is the later one");
}

#[test]
fn links_between_records_of_the_sample_name_what_is_there() {
    let car = CarFile::open(fs::File::open(testdata().join("sample.car")).unwrap()).unwrap();
    let root = car.roots()[0];
    let sample = Snapshot::open(Arc::new(car), root).unwrap();
    let own = "at://did:web:alice.example.com/";
    let mut links = 0;
    for entry in sample.records() {
        let record = sample.find(&entry.unwrap().path).unwrap().unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&record.value().unwrap().to_json()).unwrap();
        let mut waiting = vec![&json];
        while let Some(value) = waiting.pop() {
            if let (Some(uri), Some(cid)) = (value["uri"].as_str(), value["cid"].as_str())
                && let Some(path) = uri.strip_prefix(own)
            {
                let target = sample.find(&path.parse().unwrap()).unwrap().expect(uri);
                assert_eq!(target.block.cid().to_string(), cid, "{uri}");
                links += 1;
            }
            waiting.extend(value.as_array().into_iter().flatten());
            waiting.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        }
    }
    assert!(links >= 8, "the sample has links into itself: {links}");
}
