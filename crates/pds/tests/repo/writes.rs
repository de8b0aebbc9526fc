//! Writes: the effects of a commit, and the refused writes.

use std::collections::{BTreeMap, BTreeSet};

use pds::commit::Commit;
use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::limits::MAX_WRITTEN_RECORD_BYTES;
use pds::data::{Cid, Codec, DataError, Value};
use pds::store::{Expect, StoreError};
use pds::{Error, Write, WriteOptions};
use pds::{Expected, SignatureState};

use super::{did, in_memory, note, path};

#[test]
fn a_record_that_is_put_is_found_listed_and_verified() {
    let repo = in_memory();
    let written = repo.put(&path("com.example.note/a"), &note("hello")).unwrap();
    let record = repo.find(&path("com.example.note/a")).unwrap().unwrap();
    assert_eq!(written.changes[0].after, Some(record.cid()));
    assert_eq!(record.value().unwrap().get("text"), Some(&Value::from("hello")));
    let listed = repo.list(&"com.example.note".parse().unwrap()).unwrap();
    assert_eq!((listed.len(), listed[0].cid), (1, record.cid()));
    let report =
        repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((report.records, report.signature), (1, SignatureState::Valid));
    assert_eq!(repo.find(&path("com.example.note/b")).unwrap(), None);
}

#[test]
fn a_missing_type_becomes_the_collection_and_another_one_is_refused() {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("hello")).unwrap();
    let value = repo.find(&path("com.example.note/a")).unwrap().unwrap().value().unwrap();
    assert_eq!(value.get("$type"), Some(&Value::from("com.example.note")));
    let other = Value::from([("$type", Value::from("com.example.other"))]);
    let refused = repo.put(&path("com.example.note/a"), &other).unwrap_err();
    assert!(matches!(refused, Error::Record { .. }), "{refused}");
    // Bytes are stored as they are, so no `$type` can be added.
    let refused = repo.put_bytes(&path("com.example.note/a"), &note("x").encode()).unwrap_err();
    assert!(matches!(refused, Error::Record { .. }), "{refused}");
}

#[test]
fn identical_content_makes_no_new_commit() {
    let repo = in_memory();
    let first = repo.put(&path("com.example.note/a"), &note("hello")).unwrap();
    let again = repo.put(&path("com.example.note/a"), &note("hello")).unwrap();
    assert_eq!(first.commit, again.commit);
    assert_eq!(repo.history().log(10).unwrap().len(), 2, "init and one put");
}

#[test]
fn commits_name_the_one_before_and_revs_ascend() {
    let repo = in_memory();
    let mut before: Option<Commit> = None;
    for n in 0..20 {
        let commit = repo.put(&path("com.example.note/a"), &Value::from([("n", n.into())]));
        let commit = commit.unwrap().commit;
        if let Some(before) = before {
            assert_eq!(commit.prev(), Some(before.cid()));
            assert!(commit.rev() > before.rev());
        }
        before = Some(commit);
    }
}

#[test]
fn a_batch_is_one_commit_or_none() {
    let repo = in_memory();
    let collection = "com.example.note".parse().unwrap();
    let writes = [
        Write::create(path("com.example.note/a"), note("a")),
        Write::add(collection, note("b")),
        Write::add("com.example.note".parse().unwrap(), note("c")),
    ];
    let written = repo.write(&writes).unwrap();
    assert_eq!(written.changes.len(), 3);
    let keys: Vec<_> = written.changes.iter().map(|change| change.path.rkey.clone()).collect();
    assert!(keys[1] < keys[2], "fresh keys ascend");
    assert_eq!(repo.history().log(10).unwrap().len(), 2);

    let head = repo.head().unwrap();
    for (writes, found) in [
        (
            vec![
                Write::delete(path("com.example.note/a")),
                Write::delete(path("com.example.note/x")),
            ],
            None,
        ),
        (vec![Write::create(path("com.example.note/a"), note("again"))], written.changes[0].after),
        (vec![Write::update(path("com.example.note/x"), note("x"))], None),
    ] {
        let refused = repo.write(&writes).unwrap_err();
        assert!(refused.is_conflict(), "{refused}");
        assert!(matches!(refused, Error::Conflict { found: f, .. } if f == found));
        assert_eq!(repo.head().unwrap(), head);
    }
}

#[test]
fn writes_of_one_record_take_effect_in_their_order() {
    let repo = in_memory();
    let (a, b) = (path("com.example.note/a"), path("com.example.note/b"));
    let before = repo.head().unwrap();
    let nothing = [Write::create(a.clone(), note("1")), Write::delete(a.clone())];
    let written = repo.write(&nothing).unwrap();
    assert!(written.changes.is_empty());
    assert_eq!(repo.head().unwrap(), before);
    let twice = [Write::create(a.clone(), note("1")), Write::create(a.clone(), note("1"))];
    assert!(repo.write(&twice).unwrap_err().is_conflict());
    let gone = [Write::delete(a.clone()), Write::create(a.clone(), note("1"))];
    assert!(repo.write(&gone).unwrap_err().is_conflict());

    let draft = repo
        .draft(&[
            Write::create(a.clone(), note("1")),
            Write::create(b.clone(), note("2")),
            Write::update(a.clone(), note("3")),
            Write::create(path("com.example.note/c"), note("4")),
            Write::delete(path("com.example.note/c")),
        ])
        .unwrap();
    let changed: Vec<_> = draft.changes().iter().map(|change| change.path.clone()).collect();
    assert_eq!(changed, [a.clone(), b]);
    let records: Vec<_> = draft.changes().iter().map(|change| change.after.unwrap()).collect();
    // Replaced and deleted records are not stored.
    let nodes = draft.blocks().iter().filter(|block| !records.contains(&block.cid()));
    assert!(nodes.clone().all(|node| Value::decode(node.bytes()).unwrap().get("e").is_some()));
    assert_eq!(draft.blocks().len(), nodes.count() + 2);

    repo.put(&a, &note("1")).unwrap();
    let again = [Write::delete(a.clone()), Write::create(a.clone(), note("5"))];
    let change = &repo.write(&again).unwrap().changes[0];
    assert_eq!((change.before.is_some(), change.after.is_some()), (true, true));
    let away = [Write::update(a.clone(), note("6")), Write::delete(a)];
    let change = &repo.write(&away).unwrap().changes[0];
    assert_eq!((change.before.is_some(), change.after.is_some()), (true, false));
}

/// Tells whether writes of notes succeed in their order, and applies them to a map.
fn simulate(notes: &mut BTreeMap<u64, u64>, writes: &[(u64, u64, u64)]) -> bool {
    writes.iter().all(|(action, key, text)| {
        let is_there = notes.contains_key(key);
        match action {
            0 => notes.insert(*key, *text).is_none(),
            1 => notes.insert(*key, *text).is_some(),
            2 => notes.insert(*key, *text).is_some() == is_there,
            _ => notes.remove(key).is_some(),
        }
    })
}

#[test]
fn a_batch_has_the_result_of_its_writes_one_by_one() {
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (together, single) = (in_memory(), in_memory());
    let (mut notes, mut done, mut refused) = (BTreeMap::new(), 0, 0);
    for _ in 0..400 {
        let len = 1 + random(5);
        let plan: Vec<_> = (0..len).map(|_| (random(4), random(4), random(3))).collect();
        let writes: Vec<Write> = plan
            .iter()
            .map(|(action, key, text)| {
                let path = path(&format!("com.example.note/{key}"));
                let note = note(&text.to_string());
                match action {
                    0 => Write::create(path, note),
                    1 => Write::update(path, note),
                    2 => Write::put(path, note),
                    _ => Write::delete(path),
                }
            })
            .collect();
        let (head, mut after) = (together.head().unwrap(), notes.clone());
        let written = together.write(&writes);
        if !simulate(&mut after, &plan) {
            assert!(written.unwrap_err().is_conflict());
            assert_eq!(together.head().unwrap(), head);
            refused += 1;
            continue;
        }
        let written = written.unwrap();
        for write in &writes {
            single.write(std::slice::from_ref(write)).unwrap();
        }
        assert_eq!(written.commit.data(), single.snapshot().unwrap().commit().data());
        let changed: BTreeSet<_> = written.changes.iter().map(|change| &change.path).collect();
        assert_eq!(changed.len(), written.changes.len(), "each record is listed once");
        for change in &written.changes {
            let key: u64 = change.path.rkey.to_string().parse().unwrap();
            let is_there = |notes: &BTreeMap<u64, u64>| notes.contains_key(&key);
            let found = (change.before.is_some(), change.after.is_some());
            assert_eq!(found, (is_there(&notes), is_there(&after)));
        }
        notes = after;
        done += 1;
    }
    assert!(done > 100 && refused > 100, "{done} {refused}");
}

#[test]
fn a_swap_happens_only_if_nothing_changed() {
    let repo = in_memory();
    let first = repo.put(&path("com.example.note/a"), &note("1")).unwrap();
    let cid = first.changes[0].after.unwrap();
    let swap = Write::put(path("com.example.note/a"), note("2")).expecting(Expect::Exactly(cid));
    repo.write(std::slice::from_ref(&swap)).unwrap();
    assert!(repo.write(&[swap]).unwrap_err().is_conflict());

    let options = WriteOptions::default().swap_commit(Some(first.commit.cid()));
    let lost = repo.write(
        pds::Batch::new(&[Write::put(path("com.example.note/b"), note("b"))]).with(options.clone()),
    );
    assert!(matches!(lost, Err(Error::Store(StoreError::Moved { .. }))));
}

#[test]
fn invalid_writes_are_refused() {
    let repo = in_memory();
    let head = repo.head().unwrap();
    let long = Value::from("x".repeat(MAX_WRITTEN_RECORD_BYTES));
    for value in [
        Value::from("text"),
        Value::from([("a", Value::from([("$link", Value::from("x"))]))]),
        Value::from([("text", long)]),
    ] {
        let refused = repo.put(&path("com.example.note/a"), &value).unwrap_err();
        assert!(matches!(refused, Error::Record { .. }), "{refused}");
    }
    let refused = repo.put(&path("Com.Example.note/a"), &note("x")).unwrap_err();
    assert!(matches!(refused, Error::Record { .. }), "an authority that is not in lower case");
    for bytes in [&b"\xa1\x61"[..], b"\xbf\xff", b"\xf9\x3c\x00"] {
        let refused = repo.put_bytes(&path("com.example.note/a"), bytes).unwrap_err();
        assert!(
            matches!(refused, Error::Record { source: DataError::Cbor { .. }, .. }),
            "{refused}"
        );
    }
    assert_eq!(repo.head().unwrap(), head);
}

#[test]
fn the_largest_record_that_fits_is_written_and_one_byte_more_is_not() {
    let repo = in_memory();
    let of_len = |len: usize| Value::from([("text", Value::from("x".repeat(len)))]);
    let frame = {
        let value = of_len(70_000);
        repo.put(&path("com.example.note/a"), &value).unwrap();
        repo.find(&path("com.example.note/a")).unwrap().unwrap().block.bytes().len() - 70_000
    };
    let fits = MAX_WRITTEN_RECORD_BYTES - frame;
    repo.put(&path("com.example.note/a"), &of_len(fits)).unwrap();
    assert!(repo.put(&path("com.example.note/a"), &of_len(fits + 1)).is_err());
}

#[test]
fn a_draft_can_be_signed_elsewhere() {
    let key = SigningKey::generate(Curve::P256).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    pds::local::directory::create_with_key(&dir, &did(), &key).unwrap();
    // This handle has no key file. It can read, and knows the public key.
    let repo = pds::local::open::open_without_key(&dir).unwrap();
    let writes = [Write::put(path("com.example.note/a"), note("hello"))];
    assert!(matches!(repo.write(&writes), Err(Error::NoSigner)));

    let draft = repo.draft(&writes).unwrap();
    assert!(!draft.is_unchanged());
    assert_eq!(repo.find(&path("com.example.note/a")).unwrap(), None, "nothing is stored yet");
    let stranger = SigningKey::generate(Curve::P256).unwrap();
    let forged = stranger.sign(&draft.commit().signing_bytes()).unwrap();
    assert!(matches!(repo.commit(draft.clone(), forged), Err(Error::Crypto(_))));
    let signature = key.sign(&draft.commit().signing_bytes()).unwrap();
    let commit = repo.commit(draft.clone(), signature).unwrap();
    assert_eq!(repo.head().unwrap(), Some(commit.cid()));
    // HEAD has moved since the draft was made.
    assert!(repo.commit(draft, signature).unwrap_err().is_conflict());
    // A draft that changes nothing makes no commit, signed or not.
    let again = repo.draft(&writes).unwrap();
    assert!(again.is_unchanged());
    let signature = key.sign(&again.commit().signing_bytes()).unwrap();
    assert_eq!(repo.commit(again, signature).unwrap(), commit);
    assert_eq!(repo.head().unwrap(), Some(commit.cid()));
}

#[test]
fn a_shared_record_stays_while_one_path_has_it() {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("same")).unwrap();
    repo.put(&path("com.example.note/b"), &note("same")).unwrap();
    repo.delete(&path("com.example.note/a")).unwrap();
    assert!(repo.find(&path("com.example.note/b")).unwrap().is_some());
    let gone = Cid::of(Codec::Cbor, b"nothing");
    assert_ne!(repo.find(&path("com.example.note/b")).unwrap().unwrap().cid(), gone);
}

#[test]
fn a_second_init_changes_nothing() {
    let repo = in_memory();
    let (head, key) = (repo.head().unwrap(), repo.public_key().unwrap());
    let other = repo.clone().signing_with(SigningKey::generate(Curve::P256).unwrap());
    let refused = other.init(&"did:web:bob.example.com".parse().unwrap()).unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    assert_eq!(repo.did().unwrap(), Some(did()));
    assert_eq!((repo.head().unwrap(), repo.public_key().unwrap()), (head, key));
}

#[test]
fn a_blob_of_the_legacy_shape_must_be_here_as_well() {
    let repo = in_memory();
    let legacy = Value::from([
        ("cid", Value::from(Cid::of(Codec::Raw, b"picture").to_string())),
        ("mimeType", Value::from("image/png")),
    ]);
    let value = Value::from([("image", legacy)]);
    let refused = repo.put(&path("com.example.picture/a"), &value).unwrap_err();
    assert!(matches!(refused, Error::BlobMissing { .. }), "{refused}");
    repo.put_blob("text/plain", &mut &b"picture"[..]).unwrap();
    repo.put(&path("com.example.picture/a"), &value).unwrap();
}
