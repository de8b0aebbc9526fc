//! Past states that cannot be read are reported, and do not hide the others.

use serde_json::Value;

use pds::data::Cid;

use super::rows::{run, run_sealed, sql};
use crate::common::{TestRepo, masked};

pub(super) fn lose(repo: &TestRepo, cid: &str) {
    let name = cid.parse::<Cid>().unwrap().as_bytes().to_vec();
    assert_eq!(sql(repo).execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap(), 1);
}

/// The note `a` in four versions, each by a commit, and these commits, the oldest first.
fn versions() -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    for text in ["one", "two", "three", "four"] {
        repo.put("a", text);
        repo.put("other", &format!("other {text}"));
    }
    let lines = repo.json_lines(["log", "com.example.note/a"]);
    let commits = lines.iter().rev().map(|line| line["commit"]["cid"].as_str().unwrap().to_owned());
    let commits: Vec<String> = commits.collect();
    assert_eq!(commits.len(), 4);
    (repo, commits)
}

#[test]
fn a_version_whose_commit_or_tree_is_lost_is_said_and_the_ones_before_are_listed() {
    for what in ["commit", "root"] {
        let (repo, commits) = versions();
        let [first, second, third, fourth] = commits.as_slice() else { panic!("{commits:?}") };
        let gone = match what {
            "commit" => third.clone(),
            _ => repo.json(["info", "--at", third])["data"].as_str().unwrap().to_owned(),
        };
        lose(&repo, &gone);
        let log = repo.pds(["log", "com.example.note/a"]).ended();
        assert_eq!(log.code(), 6, "{}", log.stderr);
        assert!(log.stderr.starts_with(&format!(
            "commit {third} cannot be read, so its change to the record is unknown: "
        )));
        assert!(log.stderr.contains(&gone) && log.stderr.lines().count() == 1, "{}", log.stderr);
        let text = log.text();
        let listed: Vec<&str> = text.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
        // The change of the lost commit first shows in the commit after it.
        assert_eq!(
            (listed.len(), listed[0], listed[2], listed[3]),
            (4, &**fourth, &**second, &**first)
        );
        assert!(!commits.contains(&listed[1].to_owned()), "{text}");

        let log = repo.pds(["log", "com.example.note/a", "--json"]).ended();
        assert_eq!(log.code(), 6);
        let lines = log.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let gaps: Vec<Value> = lines.filter(|line| line["action"] == "unknown").collect();
        assert_eq!((gaps.len(), &gaps[0]["commit"]["cid"]), (1, &Value::from(third.as_str())));
        // Versions before the first one that was asked for are not searched.
        let log = repo.pds(["log", "com.example.note/a", "-n", "1"]).ok();
        assert_eq!(log.lines().count(), 1);
        // A record that never existed has unknown versions, too.
        let log = repo.pds(["log", "com.example.note/never"]).ended();
        assert_eq!((log.code(), log.text()), (6, String::new()));
    }
}

#[test]
fn states_that_were_deleted_on_purpose_are_no_gap() {
    let (repo, commits) = versions();
    repo.pds(["forget", "--yes", "--before", &commits[2]]).ok();
    let log = repo.pds(["log", "com.example.note/a"]).ok();
    assert_eq!(log.lines().count(), 2, "{}", masked(&log));
}

#[test]
fn gc_refuses_holes_in_the_past_until_a_repair_has_noted_them() {
    for kind in ["commit", "root", "record"] {
        let (repo, commits) = versions();
        let at = ["--at", commits[2].as_str()];
        let gone = match kind {
            "commit" => commits[2].clone(),
            "root" => repo.json(["info", at[0], at[1]])["data"].as_str().unwrap().to_owned(),
            _ => {
                let record = repo.json(["get", "com.example.note/a", at[0], at[1]]);
                record["cid"].as_str().unwrap().to_owned()
            }
        };
        lose(&repo, &gone);
        // A loss of a past state is no fault of the present state.
        repo.assert_whole();
        if kind != "record" {
            let said = repo.pds(["gc"]).fails(3);
            assert!(said.contains(&format!("the state at commit {} cannot", commits[2])), "{said}");
            assert!(said.contains("hint: nothing was deleted. `pds repair` lists"), "{said}");
        }
        // A survey does not accept the loss, and changes nothing.
        let survey = repo.pds(["repair"]).ended();
        assert!(survey.code() == 0 && survey.text().contains(&format!(": {gone}\n")), "{survey:?}");
        let listed = survey.text().contains("1 lost from past states");
        assert!(listed, "{}", survey.text());
        if kind != "record" {
            repo.pds(["gc"]).fails(3);
        }
        repo.pds(["repair", "--here"]).ok();
        repo.pds(["gc"]).ok();
        // The loss is listed until the state is deleted. A loss of another state is not accepted.
        assert!(repo.pds(["repair"]).ok().contains("1 lost from past states"));
        lose(&repo, &commits[1]);
        let said = repo.pds(["gc"]).fails(3);
        assert!(said.contains(&commits[1]), "{said}");
        repo.pds(["gc", "--keep", "1"]).ok();
        repo.pds(["gc"]).ok();
        repo.assert_whole();
        assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
    }
}

#[test]
fn gc_never_passes_over_what_the_present_has_lost() {
    let (repo, commits) = versions();
    let root = repo.json(["info", "--at", &commits[2]])["data"].as_str().unwrap().to_owned();
    repo.pds(["ref", "set", "side", &commits[2]]).ok();
    lose(&repo, &root);
    assert_eq!(repo.pds(["repair", "--here"]).ended().code(), 1);
    let blocks = repo.json(["info"])["blocks"].clone();
    for args in [&["gc"][..], &["gc", "--keep", "1"]] {
        let said = repo.pds(args.iter().copied()).fails(3);
        assert!(said.contains(&root), "{said}");
    }
    // The loss was accepted for a past state, which then became the present state again.
    repo.pds(["ref", "rm", "side"]).ok();
    repo.pds(["repair", "--here"]).ok();
    repo.pds(["gc"]).ok();
    repo.pds(["ref", "set", "side", &commits[2]]).ok();
    assert!(repo.pds(["gc"]).fails(3).contains(&root));
    assert_eq!(repo.json(["info"])["blocks"], blocks);
}

#[test]
fn gc_deletes_nothing_where_head_is_lost() {
    let (repo, _) = versions();
    let blocks = repo.json(["info"])["blocks"].clone();
    run(&repo, "DELETE FROM refs; DELETE FROM log");
    for args in
        [&["gc"][..], &["gc", "--keep", "1"], &["forget", "--yes", "--before", "2100-01-01"]]
    {
        let said = repo.pds(args.iter().copied()).fails(3);
        assert!(said.contains("ref HEAD is missing"), "{said}");
    }
    repo.pds(["repair", "--here"]).ok();
    assert_eq!(repo.json(["info"])["blocks"], blocks);
}

#[test]
fn a_commit_that_was_rebuilt_is_listed_as_lost_and_stops_no_gc() {
    let (repo, _) = versions();
    let head = repo.head().0;
    lose(&repo, &head);
    let rebuilt = repo.pds(["repair", "--rebuild"]).ok();
    assert!(rebuilt.contains(&format!("lost the commit of past states: {head}\n")), "{rebuilt}");
    assert!(rebuilt.contains(", 0 lost, 1 lost from past states; "), "{rebuilt}");
    repo.pds(["gc"]).ok();
    repo.assert_whole();
    assert!(repo.pds(["repair"]).ok().contains("1 lost from past states"));
}

/// A repository that has changed its key, the old key, and three commits: before, the change, and after.
fn rotated() -> (TestRepo, String, [String; 3]) {
    let repo = TestRepo::new();
    let head = |repo: &TestRepo| repo.head().0;
    repo.put("a", "one");
    let before = head(&repo);
    let old = repo.pds(["key", "show"]).ok().trim_end().to_owned();
    repo.pds(["ref", "set", "mark", "HEAD"]).ok();
    repo.pds(["key", "rotate"]).ended().done();
    let change = head(&repo);
    repo.put("b", "two");
    let after = head(&repo);
    (repo, old, [before, change, after])
}

#[test]
fn a_lost_change_of_the_key_takes_no_key_from_the_commits_before_it() {
    let (repo, _, [before, change, after]) = rotated();
    lose(&repo, &change);
    for commit in [&before, &after] {
        repo.pds(["verify", "--at", commit]).ended().done();
    }
    let history = repo.pds(["verify", "--history"]).ended();
    let said = format!("{}{}", history.text(), history.stderr);
    assert!(said.contains(&change) && !said.contains("signature-invalid"), "{said}");
}

#[test]
fn a_key_that_is_named_for_a_commit_that_is_here_counts() {
    let (repo, old, _) = rotated();
    run_sealed(
        &repo,
        "DELETE FROM facts WHERE kind = 'ended-key'; DELETE FROM log WHERE event = 'rotate'",
    );
    let mark = repo.home.path("mark.car");
    repo.pds(["export", "--at", "mark", "-o", &mark]).ended().done();
    assert_eq!(repo.pds(["verify", "--at", "mark"]).ended().code(), 1);
    repo.pds(["import", &mark, "--key", &old, "--ref", "mark"]).ok();
    repo.pds(["verify", "--at", "mark"]).ended().done();
}

#[test]
fn the_way_back_goes_past_a_commit_that_is_lost() {
    let repo = TestRepo::with_notes();
    let at = |rev: &str| repo.json(["info", "--at", rev])["commit"].as_str().unwrap().to_owned();
    let (last, before_last) = (at("HEAD~1"), at("HEAD~2"));
    lose(&repo, &last);
    assert_eq!(at("HEAD~2"), before_last);
    let said = repo.pds(["info", "--at", "HEAD~1"]).ended();
    assert!(said.code() != 0 && said.stderr.contains(&last), "{}", said.stderr);
}

#[test]
fn a_damaged_past_commit_hides_no_state_file_or_block() {
    let repo = TestRepo::new();
    let [a, ..] = ["a", "b", "c"].map(|name| repo.put(name, name));
    let rows = repo.json_lines(["log"]);
    let commits: Vec<&str> = rows.iter().map(|row| row["cid"].as_str().unwrap()).collect();
    repo.export("one.car");
    repo.home.pds(["clone", "one.car", "facade"]).ok();
    let name = commits[2].parse::<Cid>().unwrap().as_bytes().to_vec();
    let flip = "UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE cid = ?1";
    assert_eq!(sql(&repo).execute(flip, [name]).unwrap(), 1);
    let count = |state: &str| repo.pds(["ls", "--at", state]).ok();
    assert_eq!(count(&commits[0][7..15]), "com.example.note\t3\n");
    assert_eq!(count(&commits[1][7..15]), "com.example.note\t2\n");
    assert_eq!(count("facade"), "com.example.note\t3\n");
    assert_eq!(repo.json(["show", &a[7..15]])["text"], "a");
    // The damaged commit may have such a rev.
    let said = repo.pds(["ls", "--at", "faded2"]).fails(3);
    assert!(
        said.starts_with("error: no readable commit is \"faded2\", and another one cannot be read")
    );
    assert!(said.contains(&format!("block {} is damaged", commits[2])), "{said}");
}
