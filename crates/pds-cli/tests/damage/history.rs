//! Past states that cannot be read: they are said, and hide no other.

use rusqlite::Connection;
use serde_json::Value;

use pds::data::Cid;

use crate::common::{TestRepo, masked};

pub(super) fn lose(repo: &TestRepo, cid: &str) {
    let sql = Connection::open(repo.home.dir().join("alice/pds.db")).unwrap();
    let name = cid.parse::<Cid>().unwrap().as_bytes().to_vec();
    assert_eq!(sql.execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap(), 1);
}

/// The note `a` in four versions, each by a commit, and these commits, the oldest first.
fn versions() -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    for text in ["one", "two", "three", "four"] {
        repo.put("a", text);
        repo.put("other", text);
    }
    let lines = repo.json_lines(["log", "com.example.note/a"]);
    let commits = lines.iter().rev().map(|line| line["commit"]["cid"].as_str().unwrap().to_owned());
    let commits: Vec<String> = commits.collect();
    assert_eq!(commits.len(), 4);
    (repo, commits)
}

#[test]
fn a_version_whose_commit_or_tree_is_lost_is_said_and_the_ones_before_are_told() {
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
        assert!(
            log.stderr.starts_with(&format!("commit {third} cannot be read, nor what it did "))
        );
        assert!(log.stderr.contains(&gone) && log.stderr.lines().count() == 1, "{}", log.stderr);
        let text = log.text();
        let told: Vec<&str> = text.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
        // What the lost one made of it stood in the commit after it first.
        assert_eq!((told.len(), told[0], told[2], told[3]), (4, &**fourth, &**second, &**first));
        assert!(!commits.contains(&told[1].to_owned()), "{text}");

        let log = repo.pds(["log", "com.example.note/a", "--json"]).ended();
        assert_eq!(log.code(), 6);
        let lines = log.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let gaps: Vec<Value> = lines.filter(|line| line["action"] == "unknown").collect();
        assert_eq!((gaps.len(), &gaps[0]["commit"]["cid"]), (1, &Value::from(third.as_str())));
        // Those before the first that is wanted are not looked for.
        let log = repo.pds(["log", "com.example.note/a", "-n", "1"]).ok();
        assert_eq!(log.lines().count(), 1);
        // Of a record that never was nothing is known either.
        let log = repo.pds(["log", "com.example.note/never"]).ended();
        assert_eq!((log.code(), log.text()), (6, String::new()));
    }
}

#[test]
fn what_was_let_go_on_purpose_is_no_gap() {
    let (repo, commits) = versions();
    repo.pds(["forget", "--before", &commits[2]]).ok();
    let log = repo.pds(["log", "com.example.note/a"]).ok();
    assert_eq!(log.lines().count(), 2, "{}", masked(&log));
}
