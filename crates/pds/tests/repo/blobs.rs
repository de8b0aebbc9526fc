//! Blobs, and the records that refer to them.

use pds::data::{BlobRef, Cid, Codec, Value};
use pds::verify::blobs::verify_blobs;
use pds::{Code, Expected};
use pds::{Error, Write, WriteOptions};

use super::{in_memory, note, path};

fn picture(blob: &BlobRef) -> Value {
    Value::from([("image", blob.to_value())])
}

#[test]
fn a_record_with_a_blob_is_written_once_the_blob_is_here() {
    let repo = in_memory();
    let blob = BlobRef {
        cid: Cid::of(Codec::Raw, b"picture"),
        mime_type: "image/png".to_owned(),
        size_bytes: Some(7),
    };
    let place = path("com.example.picture/a");
    let refused = repo.put(&place, &picture(&blob)).unwrap_err();
    assert!(matches!(refused, Error::BlobMissing { cid, .. } if cid == blob.cid));
    assert_eq!(repo.put_blob("image/png", &mut &b"picture"[..]).unwrap(), blob);
    repo.put(&place, &picture(&blob)).unwrap();
    assert!(repo.verify().missing_blobs().unwrap().missing.is_empty());

    let absent = BlobRef { cid: Cid::of(Codec::Raw, b"absent"), ..blob };
    let options = WriteOptions::default().allow_missing_blobs(true);
    let write = Write::put(path("com.example.picture/b"), picture(&absent));
    repo.write(pds::Batch::new(&[write]).with(options.clone())).unwrap();
    let missing = repo.verify().missing_blobs().unwrap().missing;
    assert_eq!((missing.len(), missing[0].blob.cid), (1, absent.cid));
}

#[test]
fn verifying_blobs_names_what_is_missing_damaged_and_of_another_size() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let repo = pds::Repo::create(&dir, &super::did()).unwrap();
    let mut codes = Vec::new();
    for (name, bytes, said) in [
        ("a-unreadable", "zero", 4),
        ("damaged", "one", 3),
        ("missing", "two", 3),
        ("size", "three", 4),
    ] {
        let blob = repo.put_blob("x/y", &mut bytes.as_bytes()).unwrap();
        let blob = BlobRef { size_bytes: Some(said), ..blob };
        repo.put(&path(&format!("com.example.picture/{name}")), &picture(&blob)).unwrap();
        let file = dir.join("blobs/ba").join(blob.cid.to_string());
        match name {
            "damaged" => std::fs::write(file, "eno").unwrap(),
            "missing" => std::fs::remove_file(file).unwrap(),
            "a-unreadable" => {
                std::fs::remove_file(&file).unwrap();
                std::fs::create_dir(file).unwrap();
            }
            _ => {}
        }
    }
    let mut report = repo.verify().present(&Expected::default(), &mut |f| panic!("{f}")).unwrap();
    let snapshot = repo.snapshot().unwrap();
    verify_blobs(&snapshot, repo.blobs().as_ref(), &mut report, &mut |finding| {
        codes.push((finding.path.clone().unwrap(), finding.code()));
    })
    .unwrap();
    let at = |name: &str| format!("com.example.picture/{name}");
    assert_eq!(
        codes,
        [
            (at("a-unreadable"), Code::BlobDamaged),
            (at("damaged"), Code::BlobDamaged),
            (at("missing"), Code::BlobMissing),
            (at("size"), Code::BlobSize)
        ]
    );
    assert_eq!(report.errors, 4);
}

#[test]
fn records_without_blobs_need_none() {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("x")).unwrap();
    assert_eq!(repo.verify().missing_blobs().unwrap(), pds::blobs::MissingBlobs::default());
}
