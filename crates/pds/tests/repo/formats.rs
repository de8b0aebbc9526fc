//! Every format that was ever released opens, and the samples are what their page says.

use std::fs;
use std::path::{Path, PathBuf};

use pds::car::CarFile;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::data::Value;
use pds::repo::verify::{Expected, SignatureState, verify_car};
use pds::repo::{Forget, Repo, Revision, export_car};
use pds::store::FORMAT;

pub(super) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// The key that signed the samples.
fn key() -> PublicKey {
    "did:key:zQ3shWabNTiKdPFiwG8j7rpeKBk2s3k3SN5kufvhiH6zLhsNZ".parse().unwrap()
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

#[test]
fn a_store_of_format_1_opens_reads_and_takes_writes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("v1");
    copy(&testdata().join("formats/v1"), &dir);
    let repo = Repo::open(&dir).unwrap();
    let key = key();
    let expected = Expected { key: Some(&key), ..Expected::default() };
    let report = repo.verify(&expected, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((report.records, report.nodes, report.blocks), (27, 11, 53));
    assert_eq!(report.signature, SignatureState::Valid);
    assert_eq!(repo.public_key().unwrap().as_ref(), Some(&key));
    let notes: Vec<String> = repo.log(9).unwrap().into_iter().map(|entry| entry.note).collect();
    assert_eq!(notes, ["rm", "put", "apply", "init"]);
    let before: Revision = "before".parse().unwrap();
    assert_eq!(repo.resolve(&before).unwrap(), repo.resolve(&"HEAD~1".parse().unwrap()).unwrap());
    assert_eq!(super::listed_blobs(&repo).len(), 1);
    repo.set_head(repo.resolve(&before).unwrap(), Default::default(), "reset").unwrap();
    // And what is past can be let go of.
    assert_eq!(repo.gc(&Default::default(), &mut |_| {}).unwrap().blocks, 0);
    let forgotten = repo.forget(&Forget::BeforeState(Revision::head()), &mut |_| {}).unwrap();
    assert!(forgotten.swept.states > 0 && forgotten.swept.remains.is_none());
    repo.verify(&expected, &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn a_store_of_format_2_opens_reads_and_takes_writes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("v2");
    copy(&testdata().join("formats/v2"), &dir);
    let repo = Repo::open(&dir).unwrap();
    let expected = Expected::default();
    let report = repo.verify(&expected, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((report.records, report.nodes, report.blocks), (28, 11, 59));
    assert_eq!(report.signature, SignatureState::Valid);
    let notes: Vec<String> = repo.log(9).unwrap().into_iter().map(|entry| entry.note).collect();
    assert_eq!(notes, ["put", "rm", "put", "apply", "init"]);
    repo.set_head(repo.resolve(&"HEAD~1".parse().unwrap()).unwrap(), Default::default(), "reset")
        .unwrap();
    let report = repo.verify(&Expected { key: Some(&key()), ..expected }, &mut |_| {}).unwrap();
    assert_eq!((report.records, report.signature), (27, SignatureState::Valid));
}

#[test]
fn a_store_of_format_1_becomes_one_of_format_2_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("v1");
    copy(&testdata().join("formats/v1"), &dir);
    // Readers that were there before go on reading.
    let before = Repo::open(&dir).unwrap();
    let mut first = Vec::new();
    before.export(&Revision::head(), &mut first).unwrap();
    let head = before.head().unwrap().unwrap();

    let key = SigningKey::generate(Curve::K256).unwrap();
    let repo = Repo::open(&dir).unwrap().signing_with(key.clone());
    repo.remember_key(&key.public_key()).unwrap();
    let note = Value::from([("text", Value::from("new"))]);
    let path = "com.example.note/new".parse().unwrap();
    repo.put(&path, &note).unwrap();

    for repo in [before, repo, Repo::open(&dir).unwrap()] {
        assert!(repo.find(&path).unwrap().is_some());
        let mut again = Vec::new();
        repo.export(&head.into(), &mut again).unwrap();
        assert!(again == first, "what was here is here");
        assert_eq!(repo.store().block_count().unwrap(), 59);
    }
}

#[test]
fn the_sample_verifies_and_is_what_the_store_exports() {
    let path = testdata().join("sample.car");
    let key = key();
    let did = "did:web:alice.example.com".parse().unwrap();
    let expected = Expected { did: Some(&did), key: Some(&key), ..Expected::default() };
    let file = fs::File::open(&path).unwrap();
    let report = verify_car(file, &expected, &mut |finding| panic!("{finding}")).unwrap();
    assert!(report.is_ok() && report.is_complete());
    assert_eq!((report.records, report.signature), (27, SignatureState::Valid));

    let dir = tempfile::tempdir().unwrap();
    let car = CarFile::open(fs::File::open(&path).unwrap()).unwrap();
    let (repo, imported) = Repo::clone_car(&dir.path().join("r"), &car, Some(&key)).unwrap();
    assert_eq!(imported.new_blocks, car.sections());
    let mut out = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut out, &mut |_| {}).unwrap();
    assert!(out == fs::read(&path).unwrap(), "clone and export give the file back");
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
