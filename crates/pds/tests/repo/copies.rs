//! Copies of whole repositories: what is lost or damaged, and what is refused. The model tests random repositories.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pds::blob::{BlobDirectory, MemoryBlobs};
use pds::crypto::{Curve, SigningKey};
use pds::data::{BlobRef, Cid, Codec};
use pds::local::copy::clone_repository;
use pds::local::copy_options::CopyOptions;
use pds::retain::gc::Keep;
use pds::store::{Expect, Fact, FactEdit, FactKind, MemoryStore, RefName};
use pds::{Error, Repo};

use super::{SetOnDrop, did, facts, in_memory, moves, note, path, refs, set_facts};

fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// A repository in a directory with three states, a branch and two blobs.
fn original(dir: &Path) -> (Repo, [Cid; 2]) {
    let repo = Repo::create(dir, &did()).unwrap();
    let blobs = [&b"one"[..], b"two"].map(|mut bytes| {
        let blob = repo.put_blob("text/plain", &mut bytes).unwrap();
        let value = pds::Value::from([("file", blob.to_value())]);
        repo.put(&path(&format!("com.example.file/{}", blob.cid)), &value).unwrap();
        blob.cid
    });
    let head = repo.head().unwrap().unwrap();
    repo.history().set_ref(&"draft".parse().unwrap(), head, Expect::Absent, "").unwrap();
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    (repo, blobs)
}

/// Overwrites the bytes of a block in the file of a store.
fn damage(dir: &Path, cid: Cid) {
    let file = dir.join("pds.db");
    let repo = Repo::open(dir).unwrap();
    let block = repo.store().get(&cid).unwrap().unwrap();
    drop(repo);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(block.bytes().len()).position(|part| part == block.bytes()).unwrap();
    bytes[at + block.bytes().len() / 2] ^= 1;
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_copy_has_refs_log_blobs_and_identity_files_and_the_key_on_request() {
    let home = tempfile::tempdir().unwrap();
    let [source, copy, writer] = ["source", "copy", "writer"].map(|name| home.path().join(name));
    let (repo, blobs) = original(&source);
    fs::create_dir(source.join("identity")).unwrap();
    fs::write(source.join("identity/did.json"), "{}").unwrap();
    fs::write(source.join("identity/other"), "").unwrap();
    let (copied, report) = clone_repository(&copy, &source, &CopyOptions::default()).unwrap();
    assert_eq!((report.states, report.blobs.copied), (4, 2));
    assert_eq!((refs(&copied), moves(&copied)), (refs(&repo), moves(&repo)));
    assert!(blobs.iter().all(|cid| copied.blob(cid).unwrap().is_some()));
    assert!(!copied.keys().can_sign() && !copy.join("key").exists(), "a mirror");
    assert_eq!(copied.public_key().unwrap(), repo.public_key().unwrap());
    let files: Vec<_> = fs::read_dir(copy.join("identity"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files, ["did.json"]);

    fs::create_dir(&writer).unwrap();
    let options = CopyOptions::default().with_key(true);
    let (written, _) = clone_repository(&writer, &source, &options).unwrap();
    written.put(&path("com.example.note/b"), &note("b")).unwrap();
    assert_eq!(fs::read(writer.join("key")).unwrap(), fs::read(source.join("key")).unwrap());
    let refused = clone_repository(home.path().join("x"), &copy, &options).unwrap_err();
    assert!(matches!(refused, Error::NoSigner) && !home.path().join("x").exists());
}

#[test]
fn a_damaged_past_state_is_listed_and_becomes_a_known_loss() {
    let home = tempfile::tempdir().unwrap();
    let [source, copy, again] = ["source", "copy", "again"].map(|name| home.path().join(name));
    let repo = Repo::create(&source, &did()).unwrap();
    repo.put(&path("com.example.note/a"), &note("to be lost")).unwrap();
    let lost = repo.find(&path("com.example.note/a")).unwrap().unwrap().block.cid();
    repo.put(&path("com.example.note/a"), &note("later")).unwrap();
    drop(repo);
    damage(&source, lost);
    let (copied, report) = clone_repository(&copy, &source, &CopyOptions::default()).unwrap();
    assert_eq!(report.lost, [lost]);
    assert_eq!(facts(&copied, FactKind::Loss), [Fact::Loss(lost)]);
    assert!(copied.verify().present(&Default::default(), &mut |_| {}).unwrap().is_ok());
    copied.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    // A copy of the copy carries the loss, and does not list it again.
    let (copied, report) = clone_repository(&again, &copy, &CopyOptions::default()).unwrap();
    assert_eq!(report.lost, []);
    assert_eq!(facts(&copied, FactKind::Loss), [Fact::Loss(lost)]);
}

#[test]
fn a_damaged_present_state_is_refused() {
    for on_branch in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let [source, copy] = ["source", "copy"].map(|name| home.path().join(name));
        let repo = Repo::create(&source, &did()).unwrap();
        repo.put(&path("com.example.note/a"), &note("to be damaged")).unwrap();
        let lost = repo.find(&path("com.example.note/a")).unwrap().unwrap().block.cid();
        if on_branch {
            let head = repo.head().unwrap().unwrap();
            repo.history().set_ref(&"draft".parse().unwrap(), head, Expect::Absent, "").unwrap();
            repo.put(&path("com.example.note/a"), &note("later")).unwrap();
        }
        drop(repo);
        damage(&source, lost);
        let refused = clone_repository(&copy, &source, &CopyOptions::default()).unwrap_err();
        let is_expected = match refused {
            Error::StateLost { .. } => on_branch,
            Error::Refused(_) => !on_branch,
            _ => false,
        };
        assert!(is_expected && !copy.exists(), "{refused:?}");
    }
}

#[test]
fn damaged_blobs_and_those_to_be_deleted_are_not_copied() {
    let home = tempfile::tempdir().unwrap();
    let [source, copy] = ["source", "copy"].map(|name| home.path().join(name));
    let (repo, [damaged, whole]) = original(&source);
    let forgotten = repo.put_blob("text/plain", &mut &b"forgotten"[..]).unwrap().cid;
    let erasing = [Fact::Erasure(forgotten), Fact::Erasing].map(FactEdit::Set);
    set_facts(&repo, erasing);
    fs::write(BlobDirectory::new(source.join("blobs")).path(&damaged), "changed").unwrap();
    let (copied, report) = clone_repository(&copy, &source, &CopyOptions::default()).unwrap();
    assert_eq!((report.blobs.copied, report.blobs.damaged), (1, vec![damaged]));
    assert!(copied.blob(&whole).unwrap().is_some());
    assert!(copied.blob(&damaged).unwrap().is_none() && copied.blob(&forgotten).unwrap().is_none());
    for kind in [FactKind::Erasure, FactKind::Erasing] {
        assert_eq!(facts(&copied, kind), [], "they concern the files of the original");
    }
}

#[test]
fn a_copy_needs_an_empty_repository_and_the_right_key() {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    let refused = in_memory().transfer().copy_of(repo.transfer(), None).unwrap_err();
    assert!(refused.is_conflict() || matches!(refused, Error::Store(_)), "{refused:?}");
    let (copy, other) = (empty(), SigningKey::generate(Curve::P256).unwrap().public_key());
    let refused = copy.transfer().copy_of(repo.transfer(), Some(&other)).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    assert_eq!((copy.head().unwrap(), moves(&copy)), (None, Vec::new()));
    let key = repo.public_key().unwrap().unwrap();
    copy.transfer().copy_of(repo.transfer(), Some(&key)).unwrap();
    assert_eq!(copy.public_key().unwrap(), Some(key));
}

#[test]
fn the_report_of_a_copy_names_the_blobs_of_the_present_state() {
    let repo = in_memory();
    let blob = BlobRef {
        cid: Cid::of(Codec::Raw, b"x"),
        mime_type: "text/plain".to_owned(),
        size_bytes: Some(1),
    };
    repo.put_blob("text/plain", &mut &b"x"[..]).unwrap();
    repo.put(&path("com.example.note/a"), &pds::Value::from([("b", blob.to_value())])).unwrap();
    let copied = empty().transfer().copy_of(repo.transfer(), None).unwrap();
    assert_eq!(copied.present.blobs, [blob.cid]);
}

#[test]
fn an_import_from_a_repository_brings_its_new_states_and_blobs() {
    let home = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| home.path().join(name));
    let (here, _) = original(&one);
    let (there, _) = clone_repository(&two, &one, &CopyOptions::default().with_key(true)).unwrap();
    let blob = there.put_blob("text/plain", &mut &b"there"[..]).unwrap();
    let unused = there.put_blob("text/plain", &mut &b"unused"[..]).unwrap();
    let picture = path("com.example.file/there");
    there.put(&picture, &pds::Value::from([("file", blob.to_value())])).unwrap();
    there.delete(&picture).unwrap();
    for n in 0..20 {
        there.put(&path(&format!("com.example.note/{n}")), &note("there")).unwrap();
    }
    let imported = here.transfer().import_from(there.transfer(), None).unwrap();
    assert_eq!((imported.imported.earlier, imported.blobs.copied), (21, 1));
    assert!(here.blob(&blob.cid).unwrap().is_some(), "an earlier state has the record");
    assert!(here.blob(&unused.cid).unwrap().is_none(), "no record refers to it");
    let after = |repo: &Repo| -> Vec<_> {
        repo.history().log(usize::MAX).unwrap().iter().map(|row| row.after).collect()
    };
    assert_eq!(after(&here), after(&there), "the same states in the same order");
    assert!(here.verify().history(&Default::default(), &mut |_| {}).unwrap().is_ok());
    here.retain().gc(&Default::default(), &mut |_| {}).unwrap();
    assert!(here.verify().history(&Default::default(), &mut |_| {}).unwrap().is_complete());
    // A second import changes nothing.
    let before = super::version(&here);
    let again = here.transfer().import_from(there.transfer(), None).unwrap();
    assert_eq!((again.imported.earlier, again.blobs.copied), (0, 0));
    assert_eq!(super::version(&here), before);
    // A third one stores a record that is lost here.
    let record = here.snapshot().unwrap().records().next().unwrap().unwrap().cid;
    super::lose(&here, record);
    let again = here.transfer().import_from(there.transfer(), None).unwrap();
    assert_eq!(again.imported.new_blocks, 1, "{record}");
    assert!(here.verify().present(&Default::default(), &mut |_| {}).unwrap().is_ok());
    assert_eq!(here.head().unwrap(), there.head().unwrap());
    // Back again, with a write of the first machine.
    here.put(&path("com.example.note/here"), &note("here")).unwrap();
    let back = there.transfer().import_from(here.transfer(), None).unwrap();
    assert_eq!((back.imported.records, back.imported.earlier), (1, 0));
}

#[test]
fn an_import_brings_blobs_of_records_that_are_already_here() {
    let home = tempfile::tempdir().unwrap();
    let (repo, blobs) = original(&home.path().join("r"));
    let mut file = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
    let [imported, restored] = [empty(), empty()];
    for copy in [&imported, &restored] {
        let found = copy.transfer().import_file(std::io::Cursor::new(&file), None).unwrap();
        let missing: Vec<_> =
            found.blobs.iter().filter(|cid| copy.blob(cid).unwrap().is_none()).collect();
        assert_eq!(missing.len(), 2, "a CAR file has no blobs");
    }
    assert_eq!(imported.transfer().import_from(repo.transfer(), None).unwrap().blobs.copied, 2);
    let found = restored.transfer().restore_blobs(repo.blobs().as_ref()).unwrap();
    assert_eq!((found.copied, found.damaged), (2, Vec::new()));
    for copy in [imported, restored] {
        assert!(blobs.iter().all(|cid| copy.blob(cid).unwrap().is_some()));
    }
}

#[test]
fn a_copy_next_to_a_writer_and_a_collection_is_one_moment() {
    let home = tempfile::tempdir().unwrap();
    let (repo, _) = original(&home.path().join("r"));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&is_done);
        scope.spawn(|| {
            let keep = Keep::default().states(NonZeroUsize::new(3));
            for n in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
                repo.put(&path("com.example.note/n"), &note(&n.to_string())).unwrap();
                repo.retain().gc(&keep, &mut |_| {}).unwrap();
            }
        });
        for n in 0..12 {
            let dir = home.path().join(format!("copy-{n}"));
            match clone_repository(&dir, home.path().join("r"), &CopyOptions::default()) {
                Ok((copy, report)) => {
                    assert_eq!(report.lost, []);
                    let checked = copy.verify().history(&Default::default(), &mut |_| {}).unwrap();
                    assert!(checked.is_ok() && checked.is_complete());
                    let last =
                        moves(&copy).into_iter().rev().find(|row| row.name == RefName::head());
                    assert_eq!(last.unwrap().after, copy.head().unwrap());
                }
                Err(error) => assert!(error.is_busy() || error.is_conflict(), "{error:?}"),
            }
        }
    });
}
