//! Copies of repositories with their history and blobs.

use std::fs;

use serde_json::Value;

use crate::common::{DID, Home, TestRepo};

const PICTURE: &str = "a picture";

/// A repository with two branches, a log with all kinds of moves, and a record with a blob.
fn original() -> TestRepo {
    let repo = TestRepo::new();
    let blob = repo.pds(["blob", "put", "-"]).stdin(PICTURE).ok();
    repo.pds(["put", "com.example.note/picture"]).stdin(format!("{{\"file\":{blob}}}")).ok();
    repo.pds(["ref", "set", "draft", "HEAD"]).ok();
    repo.put("a", "one");
    repo.put("a", "two");
    repo.pds(["reset", "@{1}"]).ok();
    repo.pds(["put", "com.example.note/b", "--ref", "draft"]).stdin("{}").ok();
    repo.pds(["key", "rotate"]).ended().done();
    repo
}

/// The answers that a copy must give as well.
fn answers(home: &Home, dir: &str) -> Vec<String> {
    let verbs: [&[&str]; 6] = [
        &["log", "--json"],
        &["ls", "--all", "--at", "draft"],
        &["ref", "ls"],
        &["blob", "ls"],
        &["ls", "--all", "--at", "@{2}"],
        &["verify", "--history", "--blobs"],
    ];
    verbs.map(|verb| home.pds(["-R", dir].iter().chain(verb).copied()).ok()).to_vec()
}

#[test]
fn clone_copies_refs_log_history_and_blobs_of_a_directory() {
    let repo = original();
    let home = &repo.home;
    let ended = home.pds(["clone", "alice", "copy"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (0, ""));
    assert!(ended.done().contains("blobs    1\n"));
    assert_eq!(answers(home, "copy"), answers(home, "alice"));
    assert_eq!(home.list("copy"), ["blobs", "pds.db"], "no key: a mirror");
    let refused = home.pds(["-R", "copy", "put", "com.example.note/c"]).stdin("{}").fails(1);
    assert!(refused.contains("mirror"), "{refused}");
    // A hard link, or a copy: the original can be deleted.
    fs::remove_dir_all(home.path("alice")).unwrap();
    home.pds(["-R", "copy", "verify", "--history", "--blobs"]).ok();
}

#[test]
fn with_key_the_copy_can_write() {
    let repo = original();
    let home = &repo.home;
    for dir in ["copy", "there"] {
        if dir == "there" {
            fs::create_dir(home.path(dir)).unwrap();
        }
        home.pds(["clone", "alice", dir, "--with-key"]).ok();
        assert_eq!(home.list(dir), ["blobs", "key", "pds.db"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(home.path(&format!("{dir}/key"))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        home.pds(["-R", dir, "put", "com.example.note/c"]).stdin("{}").ok();
    }
    let refused = home.pds(["clone", "alice/pds.db", "x", "--with-key"]).fails(2);
    assert!(refused.contains("a file without a signing key"), "{refused}");
    home.pds(["clone", "copy", "mirror"]).ok();
    let refused = home.pds(["clone", "mirror", "y", "--with-key"]).fails(1);
    assert!(refused.contains("no signing key"), "{refused}");
    assert!(!home.list(".").contains(&"y".to_owned()), "a failed clone leaves no directory");
}

#[test]
fn a_damaged_blob_is_listed_and_not_copied() {
    let repo = original();
    let home = &repo.home;
    let listed = repo.pds(["blob", "ls"]).ok();
    let cid = listed.split('\t').next().unwrap();
    home.write(&format!("alice/blobs/ba/{cid}"), "another picture");
    let ended = home.pds(["clone", "alice", "copy"]).ended();
    let expected = format!(
        "warning: blob {cid} is damaged in the source and was not copied\n\
         warning: 1 blob is referred to but missing here; pds blob missing lists them\n"
    );
    assert_eq!((ended.code(), &*ended.stderr), (6, &*expected));
    assert_eq!(home.pds(["-R", "copy", "blob", "ls"]).ok(), "");
    home.pds(["-R", "copy", "verify", "--history"]).ok();
}

#[test]
fn a_clone_that_fails_leaves_no_directory() {
    let repo = original();
    let home = &repo.home;
    let key = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";
    home.pds(["clone", "alice", "copy", "--key", key]).fails(1);
    assert!(!home.list(".").contains(&"copy".to_owned()));
    fs::create_dir(home.path("there")).unwrap();
    home.pds(["clone", "alice", "there", "--key", key]).fails(1);
    assert_eq!(home.list("there"), [""; 0]);
}

#[test]
fn the_number_of_blobs_that_a_car_file_lacks_is_one_line() {
    let repo = original();
    let home = &repo.home;
    repo.export("all.car");
    let line = "warning: 1 blob is referred to but missing here; pds blob missing lists them\n";
    let ended = home.pds(["clone", "all.car", "copy"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (0, line));
    repo.pds(["rm", "com.example.note/picture"]).ok();
    repo.export("without.car");
    assert_eq!(home.pds(["-R", "copy", "import", "without.car"]).ended().stderr, "");
    // The repository itself has the blob.
    assert_eq!(repo.pds(["import", "all.car", "--allow-older"]).ended().stderr.lines().count(), 1);
    assert_eq!(home.pds(["init", "other", "--did", DID]).ended().stderr, "");
}

#[test]
fn a_repository_goes_to_another_machine_and_comes_back() {
    let repo = original();
    let home = &repo.home;
    // From machine A to a disk, and from the disk to machine B.
    home.pds(["clone", "alice", "disk/alice", "--with-key"]).ok();
    home.pds(["clone", "disk/alice", "b", "--with-key"]).ok();
    assert_eq!(answers(home, "b"), answers(home, "alice"));
    // Work on B, and back over the disk.
    let on_b = |args: &[&str]| home.pds(["-R", "b"].iter().chain(args).copied());
    let blob = on_b(&["blob", "put", "-"]).stdin("made on b").ok();
    on_b(&["put", "com.example.note/b"]).stdin(format!("{{\"file\":{blob}}}")).ok();
    on_b(&["put", "com.example.note/c"]).stdin("{}").ok();
    on_b(&["rm", "com.example.note/c"]).ok();
    fs::remove_dir_all(home.path("disk")).unwrap();
    home.pds(["clone", "b", "disk/alice"]).ok();
    let ended = repo.pds(["import", "disk/alice"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (0, "copied 1 blob\nstored 2 earlier states\n"));
    let commits = |dir: &str| -> Vec<String> {
        let log = home.pds(["-R", dir, "log"]).ok();
        log.lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(commits("alice"), commits("b"));
    repo.pds(["gc"]).ok();
    repo.pds(["verify", "--history", "--blobs"]).ok();
    assert_eq!(repo.pds(["ls", "--all", "--at", "HEAD~1"]).ok().lines().count(), 4);
    // Both have written: a merge, which brings the blobs as well.
    repo.put("here", "x");
    let blob = on_b(&["blob", "put", "-"]).stdin("more").ok();
    on_b(&["put", "com.example.note/d"]).stdin(format!("{{\"file\":{blob}}}")).ok();
    let ended = repo.pds(["merge", "../b"]).within(home.path("alice")).ended();
    let said = repo.pds(["merge", "b"]).ended();
    let first = if ended.code() == 0 { &ended } else { &said };
    assert_eq!((first.code(), &*first.stderr), (0, "copied 1 blob\n"), "{}", ended.stderr);
    repo.pds(["verify", "--history", "--blobs"]).ok();
    on_b(&["import", "alice"]).ended().done();
    on_b(&["verify", "--history", "--blobs"]).ok();
}

#[test]
fn repair_and_reset_bring_the_blobs_of_another_repository() {
    let repo = original();
    let home = &repo.home;
    repo.export("all.car");
    let listed = repo.pds(["blob", "ls"]).ok();
    for dir in ["one", "two", "three"] {
        home.pds(["clone", "all.car", dir]).ended().done();
        assert_eq!(home.pds(["-R", dir, "blob", "ls"]).ok(), "");
    }
    let on = |dir: &str, args: &[&str]| home.pds(["-R", dir].iter().chain(args).copied()).ended();
    for (dir, args) in [
        ("one", &["repair", "--from", "alice"][..]),
        ("two", &["reset", "alice/"]),
        ("three", &["ref", "set", "HEAD", "./alice"]),
    ] {
        let ended = on(dir, args);
        assert_eq!((ended.code(), &*ended.stderr), (0, "copied 1 blob\n"), "{args:?}");
        assert_eq!(home.pds(["-R", dir, "blob", "ls"]).ok(), listed);
        assert_eq!(on(dir, args).stderr, "", "a second time");
    }
    // A damaged blob is restored, too.
    let cid = listed.split('\t').next().unwrap();
    let place = format!("one/blobs/ba/{cid}");
    // The copy is a hard link, and the original stays as it is.
    fs::remove_file(home.path(&place)).unwrap();
    home.write(&place, "another picture");
    assert_eq!(on("one", &["repair", "--from", "alice"]).stderr, "copied 1 blob\n");
    home.pds(["-R", "one", "verify", "--blobs"]).ok();
}

#[test]
fn export_history_writes_every_state_and_a_clone_has_all_of_them() {
    let repo = original();
    let home = &repo.home;
    let ended = repo.pds(["export", "--history", "-o", "all.car"]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    let ended = home.pds(["clone", "all.car", "copy"]).ended();
    assert!(ended.stderr.contains("stored 5 "), "{}", ended.stderr);
    for (cid, dir) in [("alice", "copy"), ("copy", "alice")] {
        let log = home.pds(["-R", cid, "log"]).ok();
        for commit in log.lines().map(|line| line.split('\t').nth(1).unwrap()) {
            let [one, two] =
                [cid, dir].map(|dir| home.pds(["-R", dir, "ls", "--all", "--at", commit]).ok());
            assert_eq!(one, two, "{commit}");
        }
    }
    // The states can also be read in the file.
    let log = repo.pds(["log", "--json"]).ok();
    for row in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        for name in ["cid", "rev"].map(|name| row[name].as_str().unwrap()) {
            let [one, two] = ["alice", "all.car"]
                .map(|dir| home.pds(["-R", dir, "ls", "--all", "--at", name]).ok());
            assert_eq!(one, two, "{name}");
        }
    }
    let said = home.pds(["-R", "all.car", "ls", "--at", "3jzfcijpj2z2a"]).fails(1);
    assert!(said.contains("the file has no commit with rev"), "{said}");
    let said = home.pds(["verify", "all.car"]).ok();
    assert!(said.contains("note car-states: 5 other states, up to rev "), "{said}");
    home.pds(["-R", "copy", "gc"]).ok();
    home.pds(["-R", "copy", "verify", "--history"]).ok();
    home.pds(["-R", "all.car", "export", "--history"]).fails(2);
    repo.pds(["export", "--history", "--chain"]).fails(2);
    let bytes = repo.pds(["export", "--history"]).ended().stdout;
    assert_eq!(bytes, home.read("all.car"), "the same file on standard output");
}
