//! `--at` with a file or another repository, inside and outside of a repository.

use crate::common::{Home, TestRepo};

/// A repository at `alice`, and a larger one at `bob`.
fn two() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.home.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    repo.home.write("bob/more", vec![0; 500_000]);
    repo
}

#[test]
fn info_tells_of_the_repository_that_was_named() {
    let repo = two();
    let own = repo.pds(["info"]).ok();
    let elsewhere = Home::new();
    let alice = repo.home.path("alice");
    for told in [
        repo.home.pds(["-R", "bob", "info", "--at", "./alice"]).ok(),
        elsewhere.pds(["info", "--at", &alice]).ok(),
    ] {
        assert_eq!(told, own);
    }
    // A mirror is a repository, too, from any directory.
    repo.home.pds(["clone", repo.export("backup.car").as_str(), "mirror"]).ok();
    let own = repo.home.pds(["-R", "mirror", "info"]).ok();
    assert_eq!(repo.pds(["info", "--at", "./mirror"]).ok(), own);
}

#[test]
fn a_file_or_a_directory_is_read_without_a_repository_around() {
    let repo = two();
    let file = repo.export("backup.car");
    let exported = repo.home.read("backup.car");
    let (dir, elsewhere) = (repo.home.path("alice"), Home::new());
    for at in [file.as_str(), &dir] {
        let export = elsewhere.pds(["export", "--at", at]).ended();
        assert_eq!((export.code(), export.stdout), (0, exported.clone()), "{at}");
        let slice = elsewhere.pds(["export", "--at", at, "--since", at]).ended();
        assert!(slice.code() == 0 && slice.stdout.len() < exported.len(), "{at}");
        elsewhere.pds(["blob", "missing", "--at", at]).ok();
        let verified = elsewhere.pds(["verify", "--at", at]).ok();
        assert!(verified.starts_with("ok: did:web:alice.example.com "), "{at}: {verified}");
        elsewhere.pds(["unpack", at.rsplit('/').next().unwrap(), "--at", at]).ok();
    }
    let said = elsewhere.pds(["verify", "--at", "./nowhere"]).fails(3);
    assert_eq!(said, "error: no file ./nowhere\n");
}

#[test]
fn blobs_that_a_file_needs_are_looked_for_where_one_is() {
    let repo = two();
    let blob = repo.home.write("blob", "hello");
    let reference = repo.pds(["blob", "put", &blob]).ok();
    let record = format!("{{\"attached\":{reference}}}");
    repo.pds(["put", "com.example.note/d"]).stdin(record).ok();
    let file = repo.export("backup.car");
    for (args, code) in [
        (&["-R", "alice", "blob", "missing", "--at", &file][..], 0),
        (&["-R", "bob", "blob", "missing", "--at", "./alice"], 0),
        (&["blob", "missing", "--at", "./alice"], 0),
        (&["-R", "bob", "blob", "missing", "--at", &file], 1),
        (&["blob", "missing", "--at", &file], 1),
    ] {
        let ended = repo.home.pds(args.iter().copied()).ended();
        assert_eq!(ended.code(), code, "{args:?}: {}", ended.stderr);
    }
}
