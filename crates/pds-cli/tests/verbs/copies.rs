//! Copies of repositories with their history and blobs.

use std::fs;

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
    assert!(refused.contains("no directory with a key"), "{refused}");
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
        "blob {cid} is damaged in the source and was not copied\n\
         1 blob is referred to but missing here; pds blob missing lists them\n"
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
    let line = "1 blob is referred to but missing here; pds blob missing lists them\n";
    let ended = home.pds(["clone", "all.car", "copy"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (0, line));
    repo.pds(["rm", "com.example.note/picture"]).ok();
    repo.export("without.car");
    assert_eq!(home.pds(["-R", "copy", "import", "without.car"]).ended().stderr, "");
    // The repository itself has the blob.
    assert_eq!(repo.pds(["import", "all.car", "--allow-older"]).ended().stderr.lines().count(), 1);
    assert_eq!(home.pds(["init", "other", "--did", DID]).ended().stderr, "");
}
