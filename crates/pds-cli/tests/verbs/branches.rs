//! `merge`, `revert`, `log PATH` and `--ref`.

use serde_json::Value;

use crate::common::{FORMS, Home, TestRepo, masked};

/// Writes a note to a branch.
fn put_on(repo: &TestRepo, branch: &str, name: &str, text: &str) {
    let path = format!("com.example.note/{name}");
    let json = format!("{{\"text\":\"{text}\"}}");
    repo.pds(["put", &path, "--ref", branch]).stdin(json).ok();
}

/// A repository with the notes `a` to `c`, a branch that has changed `a` and `b`, and a HEAD that has
/// changed `b` and `c`.
fn diverged() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    put_on(&repo, "side", "a", "side");
    put_on(&repo, "side", "b", "side");
    repo.put("b", "here");
    repo.put("c", "here");
    repo
}

fn text_of(repo: &TestRepo, name: &str) -> String {
    let record = repo.json(["get", &format!("com.example.note/{name}")]);
    record["value"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_branch_is_written_to_and_merged() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    put_on(&repo, "side", "d", "side");
    repo.pds(["rm", "com.example.note/a", "--ref", "side"]).ok();
    let line =
        "{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"e\",\"value\":{}}\n";
    repo.pds(["apply", "--ref", "side"]).stdin(line).ok();
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t3\n");
    repo.put("b", "here");
    let (head, _) = repo.head();

    let said = repo.pds(["merge", "side"]).ok();
    assert_eq!(
        masked(&said),
        "<cid 1>\t<tid 1>\n\
         - com.example.note/a <cid 2>\n\
         + com.example.note/d <cid 3>\n\
         + com.example.note/e <cid 4>\n"
    );
    let commit = repo.json(["show", &repo.head().0, "--block"]);
    assert_eq!(commit["prev"]["$link"], head.as_str());
    repo.assert_whole();
    let ended = repo.pds(["merge", "side"]).ended();
    let (head, rev) = repo.head();
    assert_eq!(ended.done(), format!("{head}\t{rev}\n"));
    assert_eq!(ended.stderr, "nothing to merge: already up to date\n");
}

#[test]
fn merge_answers_in_json() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    put_on(&repo, "side", "d", "side");
    let said = repo.pds(["merge", "side", "--json"]).ok();
    assert_eq!(
        masked(&said),
        "{\"blocks\":0,\"changes\":[{\"action\":\"create\",\"cid\":\"<cid 1>\",\"prev\":null,\
         \"uri\":\"at://did:web:alice.example.com/com.example.note/d\"}],\
         \"commit\":{\"cid\":\"<cid 2>\",\"rev\":\"<tid 1>\"},\"how\":\"fast-forward\"}\n"
    );
}

#[test]
fn a_conflict_is_listed_and_decided() {
    let repo = diverged();
    let before = repo.pds(["log"]).ok();
    let ended = repo.pds(["merge", "side"]).ended();
    assert_eq!(ended.code(), 1);
    assert_eq!(masked(&ended.text()), "! com.example.note/b <cid 1> <cid 2> <cid 3>\n");
    assert_eq!(
        ended.stderr,
        "error: 1 record was changed on both sides\n\
         hint: nothing was written; resolve with --ours, --theirs or --take\n"
    );
    let ended = repo.pds(["merge", "side", "--json"]).ended();
    let conflict: Value = serde_json::from_str(&ended.text()).unwrap();
    let cid_at = |rev: &str| {
        let record = repo.json(["get", "com.example.note/b", "--at", rev]);
        record["cid"].clone()
    };
    assert_eq!(conflict["path"], "com.example.note/b");
    assert_eq!(conflict["base"], cid_at("HEAD~2"));
    assert_eq!((&conflict["ours"], &conflict["theirs"]), (&cid_at("HEAD"), &cid_at("side")));
    assert_eq!(repo.pds(["log"]).ok(), before);

    for (args, expected) in [
        (&["--ours"][..], ["side", "here", "here"]),
        (&["--theirs"], ["side", "side", "here"]),
        (&["--take", "theirs:com.example.note/b"], ["side", "side", "here"]),
        (&["--theirs", "--take", "ours:com.example.note/b"], ["side", "here", "here"]),
    ] {
        repo.pds(["merge", "side"].into_iter().chain(args.iter().copied())).ok();
        assert_eq!(["a", "b", "c"].map(|name| text_of(&repo, name)), expected, "{args:?}");
        repo.pds(["reset", "@{1}"]).ok();
    }
}

#[test]
fn a_failed_merge_is_explained() {
    let repo = diverged();
    let said = repo.pds(["merge", "nowhere"]).fails(1);
    assert_eq!(said, format!("error: unknown revision \"nowhere\": no ref named nowhere\n{FORMS}"));
    repo.pds(["merge", "side", "--ours", "--theirs"]).fails(2);
    repo.pds(["merge", "side", "--take", "com.example.note/b"]).fails(2);
    let said = repo.pds(["merge", "side", "--ours", "--take", "ours:com.example.note/a"]).fails(1);
    assert_eq!(said, "error: record com.example.note/a is not in conflict\n");
    let [ours, theirs] = ["ours:com.example.note/b", "theirs:com.example.note/b"];
    repo.pds(["merge", "side", "--take", ours, "--take", theirs]).fails(2);
    repo.pds(["merge", "gone.car"]).fails(3);
    let said = repo.pds(["put", "com.example.note/x", "--ref", "new"]).stdin("{}").fails(1);
    assert_eq!(said, "error: no ref new\nhint: create a branch with pds ref set NAME HEAD\n");
}

#[test]
fn two_devices_that_edited_offline_are_brought_together() {
    let laptop = TestRepo::with_notes();
    let home: &Home = &laptop.home;
    laptop.export("start.car");
    home.pds(["clone", "start.car", "phone"]).ok();
    home.pds(["-R", "phone", "key", "import", "alice/key"]).ok();
    let on_phone =
        |args: &[&str]| home.pds(["-R", "phone"].iter().chain(args).map(|arg| (*arg).to_owned()));
    for text in ["1", "2"] {
        laptop.put("a", &format!("laptop {text}"));
        let json = format!("{{\"text\":\"phone {text}\"}}");
        on_phone(&["put", "com.example.note/b"]).stdin(json).ok();
    }
    on_phone(&["rm", "com.example.note/c"]).ok();

    on_phone(&["export", "-o", "alone.car"]).ended().done();
    let said = laptop.pds(["merge", "alone.car"]).fails(1);
    assert!(said.starts_with("error: no common ancestor of "), "{said}");
    assert!(said.ends_with(
        "hint: export the file with --chain, or name the common state: --base REV (--base empty if there is no such state)\n"
    ));
    // Named by hand: the laptop has made two commits since.
    laptop.pds(["merge", "alone.car", "--base", "HEAD~2"]).ok();
    laptop.pds(["reset", "@{1}"]).ok();

    on_phone(&["export", "--chain", "-o", "phone.car"]).ended().done();
    let said = home.pds(["verify", "phone.car"]).ok();
    let before = "note car-chain: 3 earlier commits\nok: ";
    assert!(said.starts_with(before), "{said}");
    let ended = laptop.pds(["import", "phone.car", "--ref", "phone"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (0, "2 other commits without a tree: not stored\n"));
    laptop.pds(["diff", "phone", "phone.car"]).ok();
    laptop.pds(["ref", "rm", "phone"]).ok();
    laptop.pds(["merge", "phone.car"]).ok();
    assert_eq!(["a", "b"].map(|name| text_of(&laptop, name)), ["laptop 2", "phone 2"]);
    assert_eq!(laptop.pds(["ls"]).ok(), "com.example.note\t2\n");
    laptop.assert_whole();

    laptop.pds(["export", "--since", "HEAD~3", "--chain", "-o", "laptop.car"]).ended().done();
    on_phone(&["merge", "laptop.car"]).ok();
    assert_eq!(home.pds(["diff", "phone.car", "phone.car"]).ok(), "");
    let info: Value = serde_json::from_str(&on_phone(&["info", "--json"]).ok()).unwrap();
    assert_eq!(info["commit"], laptop.head().0.as_str());
    on_phone(&["verify"]).ok();
}

#[test]
fn revert_undoes_a_commit_by_a_new_one() {
    let repo = TestRepo::with_notes();
    repo.put("a", "wrong");
    repo.put("d", "later");
    let said = repo.pds(["revert", "HEAD~1"]).ok();
    let (head, rev) = repo.head();
    assert_eq!(said, format!("{head}\t{rev}\n"));
    assert_eq!((text_of(&repo, "a"), text_of(&repo, "d")), ("a".to_owned(), "later".to_owned()));
    let ended = repo.pds(["revert", "HEAD~2", "--json"]).ended();
    assert_eq!(ended.done(), format!("{{\"cid\":\"{head}\",\"rev\":\"{rev}\"}}\n"));
    assert_eq!(ended.stderr, "nothing to undo: the records are as they were before that commit\n");
    repo.pds(["revert", "HEAD"]).ok();
    assert_eq!(text_of(&repo, "a"), "wrong");
    let first = repo.pds(["revert", "HEAD~7"]).fails(1);
    assert!(first.contains("no parent of commit") && first.contains("is stored"), "{first}");
}

#[test]
fn revert_of_what_was_changed_since_is_no() {
    let repo = TestRepo::with_notes();
    repo.put("a", "second");
    repo.put("a", "third");
    let (head, _) = repo.head();
    let ended = repo.pds(["revert", "HEAD~1"]).ended();
    assert_eq!(ended.code(), 1);
    assert_eq!(masked(&ended.text()), "! com.example.note/a <cid 1> <cid 2> <cid 3>\n");
    assert!(ended.stderr.starts_with("error: 1 record was changed on both sides\nhint: "));
    assert_eq!(repo.head().0, head);
}

#[test]
fn log_of_a_record_lists_its_versions() {
    let repo = TestRepo::with_notes();
    let second = repo.put("a", "second");
    repo.put("b", "other");
    repo.pds(["rm", "com.example.note/a"]).ok();
    let said = repo.pds(["log", "com.example.note/a"]).ok();
    let parts: Vec<Vec<&str>> = said.lines().map(|line| line.split('\t').collect()).collect();
    let signs: Vec<&str> = parts.iter().map(|parts| parts[3]).collect();
    assert_eq!(signs, ["-", "~", "+"]);
    assert_eq!((parts[0][4], parts[1][4]), ("-", second.as_str()));
    assert_eq!(parts[0][1], repo.head().0);
    assert_eq!(repo.pds(["log", "com.example.note/a", "-n", "1"]).ok().lines().count(), 1);
    let versions = repo.json_lines(["log", "com.example.note/a"]);
    assert_eq!(versions[0]["action"], "delete");
    assert_eq!((&versions[0]["cid"], &versions[0]["prev"]), (&Value::Null, &versions[1]["cid"]));
    assert_eq!(versions[0]["commit"]["cid"], repo.head().0.as_str());
    let file = repo.export("backup.car");
    let said = repo.home.pds(["-R", &file, "log", "com.example.note/b"]).ok();
    assert!(said.contains(&repo.head().0) && said.contains("\t+\t"), "{said}");
    repo.home.pds(["-R", &file, "log", "com.example.note/a"]).fails(1);
    let said = repo.pds(["log", "com.example.note/never"]).fails(1);
    assert_eq!(said, "error: no version of com.example.note/never was found\n");
}

#[test]
fn every_reading_verb_takes_a_state() {
    let repo = TestRepo::with_notes();
    let info = repo.json(["info", "--at", "HEAD~2"]);
    assert_eq!(info["records"], 1);
    let file = repo.export("backup.car");
    repo.put("d", "d");
    let info = repo.json(["info", "--at", &file]);
    assert_eq!(info["records"], 3);
    repo.pds(["blob", "missing", "--at", "HEAD~1"]).ok();
    repo.pds(["verify", "--at", "HEAD~2"]).ok();
    let verified = repo.json(["verify", "--at", "HEAD~2"]);
    assert_eq!(verified["records"], 2);
    let shown = repo.json(["show", "HEAD", "--block"]);
    assert_eq!(shown["did"], crate::common::DID);
}

#[test]
fn verify_checks_the_whole_history() {
    let repo = diverged();
    let said = repo.pds(["verify", "--history"]).ok();
    assert!(said.contains(", 8 commits, 3 records, "), "{said}");
    assert_eq!(repo.json(["verify", "--history"])["commits"], 8);
    assert_eq!(repo.json(["verify"]).get("commits"), None);
    let file = repo.export("backup.car");
    repo.pds(["verify", &file, "--history"]).fails(2);
    repo.home.pds(["clone", "backup.car", "copy"]).ok();
    let said = repo.home.pds(["-R", "copy", "verify", "--history"]).ok();
    assert!(said.starts_with("note history-begins bafyrei"), "{said}");
    assert!(said.contains("\nok: ") && said.contains(", 1 commit, "), "{said}");
}

#[test]
fn a_key_is_rotated_and_the_old_one_stays_in_the_log() {
    let repo = TestRepo::with_notes();
    let old = repo.pds(["key", "show"]).ok();
    let (old_file, tree) = (repo.home.read("alice/key"), repo.json(["info"])["data"].clone());
    let ended = repo.pds(["key", "rotate", "--curve", "p256"]).ended();
    let new = ended.done();
    assert!(new.starts_with("did:key:zDn") && new != old, "{new}");
    assert_eq!(
        ended.stderr,
        "note: others accept new commits only after the DID document names the new key\n"
    );
    assert_eq!(repo.pds(["key", "show"]).ok(), new);
    assert_ne!(repo.home.read("alice/key"), old_file);
    let info = repo.json(["info"]);
    assert_eq!((&info["data"], &info["signingKey"]), (&tree, &Value::from(new.trim_end())));
    let row = &repo.json_lines(["log", "-n", "1"])[0];
    assert_eq!((&row["event"], &row["cid"]), (&"rotate".into(), &info["commit"]));
    let keys = [&row["oldKey"], &row["newKey"]];
    assert_eq!(keys, [old.trim_end(), new.trim_end()]);
    repo.put("d", "after");
    repo.assert_whole();
    repo.pds(["verify", "--history"]).ok();
    repo.pds(["verify", "--at", "HEAD~2"]).ok();
    let by_new = repo.pds(["verify", "--at", "HEAD~2", "--key", new.trim_end()]).ended();
    assert!(by_new.code() == 1 && by_new.text().contains("signature-invalid"));

    let said = repo.pds(["key", "rotate", "--json"]).ended().done();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["commit"]["cid"], repo.head().0.as_str());
    repo.export("backup.car");
    repo.home.pds(["clone", "backup.car", "copy"]).ok();
    let said = repo.home.pds(["-R", "copy", "key", "rotate"]).fails(1);
    assert!(said.starts_with("error: no signing key"), "{said}");
}
