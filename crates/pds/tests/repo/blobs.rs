//! Blobs, and the records that refer to them.

use pds::data::{BlobRef, Cid, Codec, Value};
use pds::verify::blobs::verify_blobs;
use pds::{Code, Expected};
use pds::{Error, Repo, Write, WriteOptions};

use super::{in_memory, note, path};
use crate::properties::Random;

fn picture(blob: &BlobRef) -> Value {
    Value::from([("image", blob.to_value())])
}

/// Writes a record as an import may bring it: its blob is not stored yet, and nothing is known about it.
fn put_unchecked(repo: &Repo, at: &str, blob: &BlobRef) {
    let options = WriteOptions::default().allow_missing_blobs(true);
    repo.write(pds::Batch::new(&[Write::put(path(at), picture(blob))]).with(options)).unwrap();
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
    let repo = Repo::create(&dir, &super::did()).unwrap();
    let mut codes = Vec::new();
    for (name, bytes, said) in [
        ("a-unreadable", "zero", 4),
        ("damaged", "one", 3),
        ("missing", "two", 3),
        ("size", "three", 4),
    ] {
        let cid = Cid::of(Codec::Raw, bytes.as_bytes());
        let blob = BlobRef { cid, mime_type: "x/y".to_owned(), size_bytes: Some(said) };
        put_unchecked(&repo, &format!("com.example.picture/{name}"), &blob);
        repo.put_blob("x/y", &mut bytes.as_bytes()).unwrap();
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
    verify_blobs(
        &snapshot,
        repo.blobs().as_ref(),
        pds::Progress::default(),
        &mut report,
        &mut |finding| {
            codes.push((finding.path.clone().unwrap(), finding.code()));
        },
    )
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

/// A record with a caption and perhaps a blob.
fn captioned(caption: &str, blob: Option<&BlobRef>) -> Value {
    let mut value = note(caption).as_map().unwrap().clone();
    if let Some(blob) = blob {
        value.insert("image", blob.to_value());
    }
    Value::Map(value)
}

#[test]
fn a_size_that_the_stored_blob_does_not_have_is_refused() {
    let repo = in_memory();
    let right = repo.put_blob("image/png", &mut &b"picture"[..]).unwrap();
    let wrong = BlobRef { size_bytes: Some(9), ..right.clone() };
    let at = path("com.example.picture/a");
    let head = repo.head().unwrap();
    for allow in [false, true] {
        let options = WriteOptions::default().allow_missing_blobs(allow);
        let write = [Write::put(at.clone(), picture(&wrong))];
        match repo.write(pds::Batch::new(&write).with(options)).unwrap_err() {
            Error::BlobSize { cid, size: 9, stored: 7, .. } => assert_eq!(cid, right.cid),
            error => panic!("{error}"),
        }
    }
    assert_eq!(repo.head().unwrap(), head);
    // A legacy reference gives no size, and the media type is a statement of the author.
    repo.put(&at, &picture(&BlobRef { size_bytes: None, ..right.clone() })).unwrap();
    repo.put(&at, &picture(&BlobRef { mime_type: "text/plain".to_owned(), ..right })).unwrap();
    let mut report = repo.verify().present(&Expected::default(), &mut |f| panic!("{f}")).unwrap();
    let snapshot = repo.snapshot().unwrap();
    verify_blobs(
        &snapshot,
        repo.blobs().as_ref(),
        pds::Progress::default(),
        &mut report,
        &mut |f| panic!("{f}"),
    )
    .unwrap();
}

#[test]
fn a_reference_with_a_wrong_size_may_stay_in_its_record_or_move_with_it() {
    let repo = in_memory();
    let cid = Cid::of(Codec::Raw, b"picture");
    let wrong = BlobRef { cid, mime_type: "x/y".to_owned(), size_bytes: Some(9) };
    put_unchecked(&repo, "com.example.picture/a", &wrong);
    repo.put_blob("x/y", &mut &b"picture"[..]).unwrap();
    let [a, b] = ["a", "b"].map(|name| path(&format!("com.example.picture/{name}")));
    repo.put(&a, &captioned("edited", Some(&wrong))).unwrap();
    let again = repo.put(&b, &captioned("copied", Some(&wrong)));
    assert!(matches!(again, Err(Error::BlobSize { .. })), "{again:?}");
    let moved = [Write::delete(a), Write::put(b, captioned("moved", Some(&wrong)))];
    repo.write(pds::Batch::new(&moved)).unwrap();
}

#[test]
fn only_blobs_that_no_record_refers_to_yet_are_required() {
    // A mirror of an account without its blobs: for every write, the oracle compares the states before and after.
    let names = ["a", "b", "c", "d"];
    let blobs: Vec<BlobRef> = (0..4_u8)
        .map(|n| BlobRef {
            cid: Cid::of(Codec::Raw, &[n]),
            mime_type: "image/png".to_owned(),
            size_bytes: Some(1),
        })
        .collect();
    let at = |name: usize| path(&format!("com.example.picture/{}", names[name]));
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..60 {
        let mut random = Random(seed);
        let repo = in_memory();
        // The first blob is stored, the others are not.
        repo.put_blob("image/png", &mut &[0_u8][..]).unwrap();
        let mut present: [Option<Option<usize>>; 4] = [None; 4];
        for (name, state) in present.iter_mut().enumerate() {
            let blob = random.below(5).checked_sub(1);
            if random.below(2) == 0 {
                let record = captioned("first", blob.map(|blob| &blobs[blob]));
                let options = WriteOptions::default().allow_missing_blobs(true);
                let write = [Write::put(at(name), record)];
                repo.write(pds::Batch::new(&write).with(options)).unwrap();
                *state = Some(blob);
            }
        }
        for step in 0..8 {
            let mut next = present;
            let mut writes = Vec::new();
            for (name, state) in next.iter_mut().enumerate() {
                match random.below(4) {
                    0 if state.take().is_some() => writes.push(Write::delete(at(name))),
                    1 => {
                        let blob = random.below(5).checked_sub(1);
                        let text = format!("step {step}");
                        let record = captioned(&text, blob.map(|blob| &blobs[blob]));
                        writes.push(Write::put(at(name), record));
                        *state = Some(blob);
                    }
                    _ => {}
                }
            }
            let refers =
                |state: &[Option<Option<usize>>; 4], blob| state.contains(&Some(Some(blob)));
            let lacks = (1..4).any(|blob| refers(&next, blob) && !refers(&present, blob));
            match repo.write(pds::Batch::new(&writes)) {
                Ok(_) if !lacks => (present, taken) = (next, taken + 1),
                Err(Error::BlobMissing { .. }) if lacks => refused += 1,
                answer => panic!("seed {seed}, step {step}: {lacks} {answer:?}"),
            }
        }
    }
    assert!(taken > 50 && refused > 50, "{taken} {refused}");
}
