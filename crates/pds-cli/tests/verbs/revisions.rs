//! The names of states: parents, prefixes, times, and the records of a state.

use std::thread::sleep;
use std::time::Duration;

use pds::store::Expect;

use crate::common::{FORMS, TestRepo};

/// The revs and CIDs of the commits, the newest first.
fn commits(repo: &TestRepo) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let rows = repo.json_lines(["log"]);
    rows.iter().map(|row| (text(&row["rev"]), text(&row["cid"]))).collect()
}

fn commit_at(repo: &TestRepo, state: &str) -> String {
    repo.json(["info", "--at", state])["commit"].as_str().unwrap().to_owned()
}

#[test]
fn parents_and_prefixes_name_commits_in_every_verb() {
    let repo = TestRepo::with_notes();
    let commits = commits(&repo);
    let (rev, cid) = &commits[1];
    for state in [
        "HEAD^",
        "@^",
        "@~",
        "@~1",
        "@{1}",
        rev,
        &rev[..12],
        cid,
        &cid[7..15],
        &cid[7..13],
        &cid[..13],
    ] {
        assert_eq!(commit_at(&repo, state), *cid, "{state}");
        assert_eq!(repo.pds(["ls", "--at", state]).ok(), "com.example.note\t2\n", "{state}");
        repo.pds(["diff", state, "HEAD"]).ended();
        repo.pds(["export", "--since", state, "-o", "part.car", "--force"]).ended().done();
    }
    assert_eq!(commit_at(&repo, "@^^"), commits[2].1);
    assert_eq!(commit_at(&repo, &format!("{}^~1", &cid[7..15])), commits[3].1);
    assert_eq!(repo.pds(["reset", &cid[7..15]]).ok(), format!("{cid}\t{rev}\n"));
    assert_eq!(repo.pds(["ref", "set", "side", "@^"]).ok(), format!("side\t{}\n", commits[2].1));
    repo.pds(["revert", "@"]).ok();
    let file = repo.export("all.car");
    repo.home.pds(["-R", &file, "ls", "--at", &repo.head().1[..6]]).ok();
}

#[test]
fn a_prefix_that_fits_several_commits_lists_them() {
    let repo = TestRepo::with_notes();
    let commits = commits(&repo);
    // The revs of one second begin with the same letters, unless their beginning changes just then.
    let letters = &commits[0].0[..6];
    let fitting = commits.iter().filter(|(rev, _)| rev.starts_with(letters)).count();
    if fitting == 1 {
        return;
    }
    let said = repo.pds(["ls", "--at", letters]).fails(1);
    let begin = format!("error: unknown revision \"{letters}\": {fitting} commits begin with it: ");
    assert!(said.starts_with(&begin), "{said}");
    for (rev, cid) in commits.iter().take(fitting) {
        assert!(said.contains(&format!("{} (rev {rev})", &cid[7..15])), "{said}");
    }
    assert!(said.ends_with("\nhint: use more letters, or see pds help revisions\n"), "{said}");
    let said = repo.pds(["ls", "--at", letters, "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"not-found\",\"message\":\"unknown revision"), "{said}");
}

#[test]
fn a_ref_wins_over_a_prefix_and_a_prefix_over_a_file() {
    let repo = TestRepo::with_notes();
    let commits = commits(&repo);
    let letters = &commits[1].1[7..15];
    repo.home.pds(["-R", "alice", "export", "--at", "HEAD~2", "-o", "x.car"]).ended().done();
    for name in [letters, "plain"] {
        repo.home.pds(["clone", "x.car", name]).ok();
    }
    // The directory has one record, HEAD^ two, and the ref three.
    let count = |state: &str| repo.pds(["ls", "--at", state]).ok();
    assert_eq!(count("plain"), "com.example.note\t1\n");
    assert_eq!(count(&format!("./{letters}")), "com.example.note\t1\n");
    assert_eq!(count(letters), "com.example.note\t2\n");
    repo.pds(["ref", "set", letters, "HEAD"]).ok();
    assert_eq!(count(letters), "com.example.note\t3\n");
    assert_eq!(count("x.car"), "com.example.note\t1\n");
    let library = pds::Repo::open(repo.home.dir().join("alice")).unwrap();
    let head = library.head().unwrap().unwrap();
    library.history().set_ref(&"x.car".parse().unwrap(), head, Expect::Absent, "").unwrap();
    assert_eq!(count("x.car"), "com.example.note\t3\n");
    assert_eq!(count("./x.car"), "com.example.note\t1\n");
}

#[test]
fn a_time_names_the_state_of_that_time() {
    let repo = TestRepo::new();
    repo.put("a", "a");
    sleep(Duration::from_millis(1_100));
    repo.put("b", "b");
    let rows = repo.json_lines(["log"]);
    let time = rows[1]["time"].as_str().unwrap();
    let count = |state: &str| repo.pds(["ls", "--at", state]).ok();
    for state in [time.to_owned(), format!("@{{{time}}}"), format!("HEAD@{{{time}}}")] {
        assert_eq!(count(&state), "com.example.note\t1\n", "{state}");
    }
    for state in
        ["today", "@{now}", "now", "@{today}", "@{0 seconds ago}", "0.seconds.ago", "2999-12-31"]
    {
        assert_eq!(count(state), "com.example.note\t2\n", "{state}");
    }
    assert_eq!(count("now^"), "com.example.note\t1\n");
    for zone in ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Zurich"] {
        let listed = repo.pds(["ls", "--at", "today"]).env("TZ", zone).ok();
        assert_eq!(listed, "com.example.note\t2\n", "{zone}");
    }
    for state in ["yesterday", "@{3 days ago}", "2020-02-29", "2020-01-01T00:00Z", "1950-01-01"] {
        let said = repo.pds(["ls", "--at", state]).fails(1);
        let begin = format!(
            "error: unknown revision \"{state}\": HEAD has no state until then, and its log begins later, at 20"
        );
        assert!(said.starts_with(&begin) && said.ends_with(FORMS), "{said}");
    }
    repo.pds(["ls", "--at", "@{soon}"]).fails(2);
    repo.pds(["ls", "--at", "2026-02-30"]).fails(1);
}

#[test]
fn a_record_is_named_with_its_state() {
    let repo = TestRepo::with_notes();
    repo.put("a", "second");
    let read = |what: &str| repo.json(["get", what])["value"]["text"].as_str().unwrap().to_owned();
    let [_, (rev, cid), ..] = &commits(&repo)[..] else { panic!("four commits") };
    for state in ["HEAD^", "@{1}", rev, &cid[7..15], cid] {
        assert_eq!(read(&format!("{state}:com.example.note/a")), "a", "{state}");
    }
    assert_eq!(read("now:com.example.note/a"), "second");
    assert_eq!(read("@^:at://did:web:alice.example.com/com.example.note/a"), "a");
    let shown = repo.json(["show", "HEAD^:com.example.note/a"]);
    assert_eq!(shown["text"], "a");
    let said = repo.pds(["get", "HEAD~4:com.example.note/a"]).fails(1);
    assert!(said.starts_with("error: no record com.example.note/a"), "{said}");
    let said = repo.pds(["get", "nowhere:com.example.note/a"]).fails(1);
    assert!(said.starts_with("error: unknown revision \"nowhere\""), "{said}");
    let said = repo.pds(["get", "@:com.example.note/a", "--at", "HEAD"]).fails(2);
    assert!(said.contains("named twice"), "{said}");
    let file = repo.export("b.car");
    assert_eq!(read(&format!("{file}:com.example.note/a")), "second");
    repo.pds(["show", "@:com.example.note/x"]).fails(1);
}

#[test]
fn a_block_and_a_blob_are_named_by_six_letters() {
    let repo = TestRepo::new();
    let cid = repo.put("a", "a");
    let blob: serde_json::Value =
        serde_json::from_str(&repo.pds(["blob", "put", "-"]).stdin("bytes").ok()).unwrap();
    let blob = blob["ref"]["$link"].as_str().unwrap();
    let file = repo.export("b.car");
    for name in [&cid[7..15], &cid[7..13], &cid[..13], &cid] {
        assert_eq!(repo.json(["show", name])["text"], "a", "{name}");
        repo.home.pds(["-R", &file, "show", name]).ok();
    }
    for name in [&blob[7..15], &blob[7..13], &blob[..13], blob] {
        assert_eq!(repo.pds(["blob", "get", name]).ok(), "bytes", "{name}");
    }
    let said = repo.pds(["blob", "get", "aaaaaa"]).fails(1);
    assert_eq!(said, "error: blob aaaaaa is not stored\n");
    let said = repo.pds(["blob", "get", "aaa"]).fails(2);
    assert!(said.contains("a short CID has six letters or more after its head"), "{said}");
    let said = repo.pds(["show", "aaaaaa"]).fails(1);
    assert!(said.starts_with("error: unknown revision \"aaaaaa\": "), "{said}");
}
