//! CAR files and other repositories as states.

use serde_json::Value;

use crate::common::{DID, Home, TestRepo};

/// Two devices with the same key that have the same notes.
fn devices() -> TestRepo {
    let laptop = TestRepo::with_notes();
    laptop.export("start.car");
    laptop.home.pds(["clone", "start.car", "phone"]).ok();
    laptop.home.pds(["-R", "phone", "key", "import", "alice/key"]).ok();
    laptop
}

fn put_on(home: &Home, repo: &str, name: &str, text: &str) {
    let json = format!("{{\"text\":\"{text}\"}}");
    home.pds(["-R", repo, "put", &format!("com.example.note/{name}")]).stdin(json).ok();
}

fn json_of(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&home.pds(args.iter().copied().chain(["--json"])).ok()).unwrap()
}

#[test]
fn reset_to_a_file_takes_it_in_and_is_undone_like_any_other() {
    let repo = TestRepo::with_notes();
    let (early, rev) = repo.head();
    repo.export("early.car");
    repo.put("d", "d");
    let (late, _) = repo.head();
    // With all of its blocks stored, and with none.
    repo.home.pds(["clone", repo.export("late.car").as_str(), "other"]).ok();
    for dir in ["alice", "other"] {
        let answer = repo.home.pds(["-R", dir, "reset", "early.car"]).ok();
        assert_eq!(answer, format!("{early}\t{rev}\n"));
        assert_eq!(json_of(&repo.home, &["-R", dir, "info"])["commit"], early.as_str());
        assert_eq!(repo.home.pds(["-R", dir, "ls"]).ok(), "com.example.note\t3\n");
        repo.home.pds(["-R", dir, "verify", "--history"]).ended().done();
        let back = json_of(&repo.home, &["-R", dir, "reset", "@{1}"]);
        assert_eq!(back["cid"], late.as_str());
    }
    // Already stored: HEAD does not move, so @{1} is unchanged.
    let moves = repo.pds(["reflog"]).ok().lines().count();
    repo.pds(["reset", "late.car"]).ok();
    assert_eq!(repo.pds(["reflog"]).ok().lines().count(), moves);
}

#[test]
fn a_file_of_another_key_account_or_form_moves_nothing() {
    let repo = TestRepo::with_notes();
    let head = repo.head();
    let home = &repo.home;
    home.pds(["init", "stranger", "--did", DID]).ok();
    home.pds(["-R", "stranger", "export", "-o", "stranger.car"]).ended().done();
    home.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    home.pds(["-R", "bob", "export", "-o", "bob.car"]).ended().done();
    home.write("none.car", "no CAR file at all");
    for verb in [&["reset"][..], &["ref", "set", "side"]] {
        let pds = |file| repo.pds(verb.iter().copied().chain([file]));
        let said = pds("stranger.car").fails(1);
        assert!(said.contains("signature-invalid"), "{said}");
        assert!(said.contains("--key DID_KEY (pds import, pds merge)"), "{said}");
        let said = pds("bob.car").fails(1);
        assert!(said.contains("did:web:bob.example.com"), "{said}");
        pds("none.car").fails(3);
        pds("gone.car").fails(3);
    }
    assert_eq!(repo.head(), head);
    assert_eq!(repo.pds(["ref", "ls"]).ok().lines().count(), 1);
}

#[test]
fn a_ref_is_set_to_a_file() {
    let laptop = devices();
    put_on(&laptop.home, "phone", "d", "phone");
    laptop.home.pds(["-R", "phone", "export", "-o", "phone.car"]).ended().done();
    let theirs = json_of(&laptop.home, &["-R", "phone", "info"])["commit"].clone();
    let answer = laptop.pds(["ref", "set", "phone", "phone.car"]).ok();
    assert_eq!(answer, format!("phone\t{}\n", theirs.as_str().unwrap()));
    assert_eq!(laptop.pds(["ls", "--at", "phone"]).ok(), "com.example.note\t4\n");
    laptop.pds(["diff", "phone", "phone.car"]).ok();
    laptop.pds(["merge", "phone"]).ok();
    laptop.pds(["verify", "--history"]).ok();
}

#[test]
fn where_a_commit_must_be_here_a_file_names_it_if_it_is() {
    let repo = TestRepo::with_notes();
    repo.export("c.car");
    repo.put("d", "d");
    // The commit of the file was made here: it can be undone, and be the common state.
    repo.pds(["revert", "c.car"]).ok();
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 3);
    repo.pds(["merge", "HEAD~1", "--base", "c.car"]).ok();
    let laptop = devices();
    put_on(&laptop.home, "phone", "d", "phone");
    laptop.home.pds(["-R", "phone", "export", "-o", "phone.car"]).ended().done();
    for args in [&["revert", "phone.car"][..], &["forget", "--yes", "--before", "phone.car"]] {
        let said = laptop.pds(args.iter().copied()).fails(1);
        assert!(said.starts_with("error: commit bafyrei"), "{said}");
        assert!(
            said.contains(
                "of phone.car is not stored\nhint: import it with pds import FILE --ref NAME"
            ),
            "{said}"
        );
    }
    laptop.pds(["import", "phone.car", "--ref", "phone"]).ok();
    laptop.pds(["forget", "--yes", "--before", "phone.car"]).ok();
}

#[test]
fn another_repository_is_merged_like_its_file() {
    let laptop = devices();
    laptop.put("a", "laptop");
    put_on(&laptop.home, "phone", "b", "phone");
    let said = laptop.pds(["diff", "HEAD", "./phone"]).ended();
    assert_eq!((said.code(), said.text().lines().count()), (1, 2));
    laptop.pds(["merge", "./phone"]).ok();
    assert_eq!(
        laptop.pds(["merge", "phone/"]).ended().stderr,
        "nothing to merge: already up to date\n"
    );
    laptop.home.pds(["-R", "phone", "merge", "alice"]).ok();
    laptop.pds(["diff", "HEAD", "./phone"]).ok();
    for dir in ["alice", "phone"] {
        let report = laptop.home.pds(["-R", dir, "verify", "--history"]).ended();
        report.done();
    }
    let said = laptop.pds(["merge", "./phone", "--ref", "merged"]).fails(2);
    assert!(said.starts_with("error: ref merged is reserved for merged files"), "{said}");
    // A ref of that name comes first.
    laptop.pds(["ref", "set", "phone", "HEAD~1"]).ok();
    laptop.home.pds(["-R", "phone", "rm", "com.example.note/c"]).ok();
    let said = laptop.pds(["merge", "phone"]).ended();
    assert_eq!(said.stderr, "nothing to merge: already up to date\n");
    let said = laptop.pds(["merge", "./nowhere"]).fails(3);
    assert!(said.starts_with("error: no file ./nowhere"), "{said}");
    std::fs::create_dir(laptop.home.path("empty")).unwrap();
    let said = laptop.pds(["merge", "./empty"]).fails(3);
    assert!(said.contains("./empty"), "{said}");
}

#[test]
fn a_device_with_an_older_key_is_brought_together_both_ways() {
    let laptop = devices();
    let home = &laptop.home;
    let old = home.pds(["-R", "phone", "key", "show"]).ok();
    let new = laptop.pds(["key", "rotate"]).ended().done();
    let (old, new) = (old.trim(), new.trim());
    laptop.put("a", "laptop");
    put_on(home, "phone", "b", "phone");
    let said = home.pds(["-R", "phone", "merge", "./alice"]).fails(1);
    assert!(said.contains("signature-invalid") && said.contains("--key"), "{said}");
    home.pds(["-R", "phone", "merge", "./alice", "--key", old]).fails(1);
    home.pds(["-R", "phone", "merge", "./alice", "--key", new]).ok();
    laptop.pds(["merge", "./phone"]).fails(1);
    laptop.pds(["merge", "./phone", "--key", old]).ok();
    for dir in ["alice", "phone"] {
        let pds = |args: &[&str]| home.pds(["-R", dir].into_iter().chain(args.iter().copied()));
        assert!(pds(&["verify", "--history"]).ended().done().contains("signature valid, 0 errors"));
        pds(&["forget", "--yes", "--before", "HEAD"]).ok();
        assert!(pds(&["verify", "--history"]).ended().done().contains("signature valid, 0 errors"));
        pds(&["gc", "--keep", "1"]).ok();
        assert!(pds(&["verify", "--history"]).ended().done().contains("signature valid, 0 errors"));
    }
}

#[test]
fn a_file_from_before_a_rotation_needs_no_key() {
    let repo = TestRepo::with_notes();
    repo.export("early.car");
    repo.pds(["key", "rotate"]).ended().done();
    repo.put("a", "later");
    repo.pds(["import", "early.car", "--ref", "early"]).ok();
    repo.pds(["import", "early.car", "--allow-older"]).ended().done();
    repo.pds(["reset", "@{1}"]).ok();
    repo.pds(["verify", "--history"]).ok();
}
