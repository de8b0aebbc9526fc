//! What the program offers to a shell: verbs, flags, and the values of a repository.

use std::time::{Duration, Instant};

use crate::common::{Home, Run, TestRepo, creations};

/// The words of a command line, the last one to be completed.
fn completing(home: &Home, words: &[&str]) -> Run {
    home.pds(["--"].iter().chain(words)).env("PDS_COMPLETE", "fish")
}

/// The values that are offered for the last word.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let lines = completing(home, words).ok();
    lines.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// A repository with notes, a profile, a branch, a blob and a CAR file next to it.
fn world() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.pds(["put", "app.bsky.actor.profile/self"]).stdin("{}").ok();
    repo.pds(["put", "com.example-2.note/x"]).stdin("{}").ok();
    repo.pds(["ref", "set", "draft", "HEAD~1"]).ok();
    repo.home.write("photo", "a photo");
    repo.pds(["blob", "put", "photo"]).ok();
    repo.export("backup.car");
    repo
}

#[test]
fn records_are_offered_by_collection_and_key() {
    let home = world().home;
    let get = |text: &str| offered(&home, &["pds", "-R", "alice", "get", text]);
    let collections = ["app.bsky.actor.profile/", "com.example.note/", "com.example-2.note/"];
    let mut found = get("");
    found.sort();
    let mut expected = collections.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(get("app."), ["app.bsky.actor.profile/"]);
    assert_eq!(
        get("com.example.note/"),
        ["com.example.note/a", "com.example.note/b", "com.example.note/c"]
    );
    assert_eq!(get("com.example.note/b"), ["com.example.note/b"]);
    assert_eq!(get("com.example.note/x"), [""; 0]);
    assert_eq!(get("at:"), ["at://did:web:alice.example.com/"]);
    let uri = "at://did:web:alice.example.com/com.example.note/";
    assert_eq!(get(&format!("{uri}a")), [format!("{uri}a")]);
    assert_eq!(get("at://did:web:bob"), [""; 0]);
    assert_eq!(get("draft:com.example-2"), [""; 0]);
    assert_eq!(get("HEAD:com.example-2"), ["HEAD:com.example-2.note/"]);
    for words in [
        &["pds", "rm", "--repo=alice", "com.example.note/a", "com.example.note/b"][..],
        &["pds", "-Ralice", "log", "com.example.note/b"],
        &["pds", "prove", "--repo", "alice", "com.example.note/b"],
    ] {
        assert_eq!(offered(&home, words), ["com.example.note/b"], "{words:?}");
    }
}

#[test]
fn states_are_refs_revisions_moves_and_files() {
    let repo = world();
    let (cid, rev) = repo.head();
    let at = |text: &str| offered(&repo.home, &["pds", "-R", "alice", "ls", "--at", text]);
    let all = at("");
    assert_eq!(all[..3], ["HEAD".to_owned(), "draft".to_owned(), rev.clone()]);
    assert_eq!(all.last().unwrap(), "backup.car");
    assert_eq!(at("dr"), ["draft"]);
    assert_eq!(at(&rev), std::slice::from_ref(&rev));
    assert_eq!(at("bafy")[0], cid);
    assert_eq!(at("@")[..2], ["@{0}", "@{1}"]);
    assert_eq!(at("back"), ["backup.car"]);
    assert_eq!(at("./al"), ["./alice/"]);
    let second = offered(&repo.home, &["pds", "-R", "alice", "diff", "HEAD", "dr"]);
    assert_eq!(second, ["draft"]);
    let refs = offered(&repo.home, &["pds", "-R", "alice", "put", "a.b.c", "--ref", ""]);
    assert_eq!(refs, ["HEAD", "draft"]);
    let refs = offered(&repo.home, &["pds", "-R", "alice", "rm", "a.b.c/d", "--ref", ""]);
    assert_eq!(refs, ["HEAD", "draft"]);
    // HEAD cannot be deleted.
    assert_eq!(offered(&repo.home, &["pds", "-R", "alice", "ref", "rm", ""]), ["draft"]);
    assert_eq!(offered(&repo.home, &["pds", "-R", "alice", "ref", "rm", "HE"]), [""; 0]);
}

#[test]
fn collections_blobs_verbs_flags_and_topics_are_offered() {
    let home = world().home;
    let collections = offered(&home, &["pds", "-R", "alice", "ls", "com."]);
    assert!(collections.contains(&"com.example.note".to_owned()), "{collections:?}");
    let blobs = offered(&home, &["pds", "-R", "alice", "blob", "get", ""]);
    assert!(blobs.len() == 1 && blobs[0].starts_with("bafkrei"), "{blobs:?}");
    assert_eq!(offered(&home, &["pds", "verify-"]), ["verify-proof"]);
    assert_eq!(offered(&home, &["pds", "blob", "mi"]), ["missing"]);
    assert_eq!(offered(&home, &["pds", "ls", "--rev"]), ["--reverse"]);
    assert_eq!(offered(&home, &["pds", "help", "rev"]), ["revisions", "revert"]);
    assert_eq!(offered(&home, &["pds", "completions", "z"]), ["zsh"]);
    let color = offered(&home, &["pds", "ls", "--color", ""]);
    assert_eq!(color, ["auto", "always", "never"]);
}

#[test]
fn the_repository_is_that_of_the_command_line() {
    let home = world().home;
    let words = ["pds", "get", "app."];
    assert_eq!(offered(&home, &words), [""; 0]);
    let of_variable = completing(&home, &words).env("PDS_REPO", "alice").ok();
    assert_eq!(of_variable, "app.bsky.actor.profile/\n");
    let nearest = completing(&home, &words).within(home.path("alice/blobs")).ok();
    assert_eq!(nearest, "app.bsky.actor.profile/\n");
    let file = ["pds", "-R", "backup.car", "get", "app."];
    assert_eq!(offered(&home, &file), ["app.bsky.actor.profile/"]);
    let other = ["pds", "get", "--at", "backup.car", "app."];
    assert_eq!(offered(&home, &other), [""; 0]);
    for first in [
        &["pds", "get", "backup.car", "app."][..],
        &["pds", "get", "alice", "app."],
        &["pds", "log", "alice", "app."],
    ] {
        assert_eq!(offered(&home, first), ["app.bsky.actor.profile/"], "{first:?}");
    }
    assert_eq!(offered(&home, &["pds", "ls", "backup.car", "app."]), ["app.bsky.actor.profile"]);
    assert_eq!(offered(&home, &["pds", "ls", "back"]), ["backup.car"]);
    assert_eq!(offered(&home, &["pds", "get", "./al"]), ["./alice/"]);
    let home_directory = ["pds", "-R", "~/alice", "get", "app."];
    assert_eq!(offered(&home, &home_directory), ["app.bsky.actor.profile/"]);
}

#[test]
fn what_cannot_be_read_offers_nothing_and_says_nothing() {
    let home = world().home;
    home.write("odd.car", "not a CAR");
    home.write("cut.car", &home.read("backup.car")[..300]);
    std::fs::create_dir(home.path("broken")).unwrap();
    home.write("broken/pds.db", "not a database");
    std::fs::create_dir(home.path("far")).unwrap();
    home.write("far/store", "postgres://localhost:1/none#did:web:alice.example.com\n");
    for repo in ["gone", "odd.car", "cut.car", "broken", "far", "/dev/null", "photo"] {
        for words in
            [&["get", "a"][..], &["ls", "--at", "x"], &["blob", "get", "b"], &["ref", "rm", "x"]]
        {
            let words: Vec<&str> = ["pds", "-R", repo].iter().chain(words).copied().collect();
            let ended = completing(&home, &words).ended();
            assert_eq!((ended.code(), &*ended.stderr, &*ended.text()), (0, "", ""), "{words:?}");
        }
    }
    for words in [&[][..], &["pds"], &["pds", "burn", "x"], &["pds", "get", "\u{1b}[2J"]] {
        assert_eq!(completing(&home, words).ended().stderr, "", "{words:?}");
    }
    let ended = home.pds(["--", "pds", "l"]).env("PDS_COMPLETE", "tcsh").ended();
    assert_eq!((ended.code(), &*ended.stderr, &*ended.text()), (0, "", ""));
    // A file name that controls a terminal is not offered.
    home.write("x\u{1b}[2J.car", "");
    home.write("x\u{202e}.car", "");
    assert_eq!(offered(&home, &["pds", "-R", "alice", "ls", "--at", "x"]), [""; 0]);
    // An empty variable is no request.
    assert!(home.pds(["--version"]).env("PDS_COMPLETE", "").ok().starts_with("pds "));
}

#[test]
fn completion_writes_nothing() {
    let home = world().home;
    let before = (home.list("alice"), home.read("alice/pds.db"), home.list("."));
    for words in [&["get", "com.example.note/"][..], &["ls", "--at", ""], &["blob", "get", ""]] {
        let words: Vec<&str> = ["pds", "-R", "alice"].iter().chain(words).copied().collect();
        assert!(!offered(&home, &words).is_empty());
    }
    assert_eq!(before, (home.list("alice"), home.read("alice/pds.db"), home.list(".")));
}

#[test]
fn many_records_are_offered_in_part_and_soon() {
    let repo = TestRepo::with_many_notes(20_000);
    repo.pds(["apply"]).stdin(creations(20_000..20_010).replace("com.", "org.")).ok();
    let started = Instant::now();
    let get = |text: &str| offered(&repo.home, &["pds", "-R", "alice", "get", text]);
    assert_eq!(get(""), ["com.example.note/", "org.example.note/"]);
    assert_eq!(get("com.example.note/").len(), 300);
    assert_eq!(get("com.example.note/n01999").len(), 10);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
