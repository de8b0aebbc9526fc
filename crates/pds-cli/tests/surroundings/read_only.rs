//! A repository that is read-only.

use super::with_mounts;
use crate::common::{Lines, TestRepo, creations};

const READING: [&[&str]; 17] = [
    &["info"],
    &["get", "com.example.note/a"],
    &["ls"],
    &["ls", "--all", "-l"],
    &["export"],
    &["verify", "--blobs"],
    &["verify", "--history"],
    &["log"],
    &["log", "com.example.note/a"],
    &["show", "HEAD"],
    &["diff", "HEAD", "HEAD"],
    &["mst"],
    &["ref", "ls"],
    &["blob", "ls"],
    &["blob", "missing"],
    &["blob", "check"],
    &["key", "show"],
];

const WRITING: [&[&str]; 14] = [
    &["forget", "--yes", "com.example.note/a"],
    &["gc", "--keep", "1"],
    &["put", "com.example.note/z"],
    &["rm", "com.example.note/a"],
    &["apply", "../lines"],
    &["import", "../newer.car"],
    &["ref", "set", "x", "HEAD"],
    &["ref", "rm", "x"],
    &["reset", "HEAD~1"],
    &["revert", "HEAD"],
    &["key", "rotate"],
    &["blob", "put", "../lines"],
    &["key", "import", "../lines"],
    &["init", "inner", "--did", "did:web:bob.example.com"],
];

/// Runs a line of shell in the repository, which cannot be written meanwhile.
fn where_nothing_can_be_written(repo: &TestRepo, line: &str) -> Option<String> {
    // Root ignores the mode of a directory, so the disk is mounted read-only.
    let is_root = repo.home.sh("id -u").ok().trim() == "0";
    if is_root {
        let line = format!(
            "mount --bind alice alice && mount -o remount,bind,ro alice && cd alice && {line}"
        );
        return Some(with_mounts(&repo.home, &line)?.ended().done());
    }
    repo.home.sh("chmod -R a-w alice").ok();
    let ended = repo.home.sh(&format!("cd alice && {line}")).ended();
    repo.home.sh("chmod -R u+w alice").ok();
    Some(ended.done())
}

fn quoted(args: &[&str]) -> String {
    args.iter().map(|arg| format!("'{arg}' ")).collect()
}

/// What every reading verb answers, with its exit code.
fn answers(repo: &TestRepo, read_only: bool) -> Option<String> {
    let line: String = READING
        .iter()
        .map(|args| format!("pds {} | sed 's/^/ /'; ", quoted(args)))
        .chain(["pds export | pds -R - info".to_owned()])
        .collect();
    let line = format!("exec 2>&1; {line}").replace("| sed", "| cat -v | sed");
    match read_only {
        true => where_nothing_can_be_written(repo, &line),
        false => Some(repo.home.sh(&format!("cd alice && {line}")).ok()),
    }
}

#[test]
fn reading_verbs_answer_the_same_where_nothing_can_be_written() {
    let repo = TestRepo::with_notes();
    repo.pds(["blob", "put", "-"]).stdin("hello").ok();
    let expected = answers(&repo, false).unwrap();
    let Some(found) = answers(&repo, true) else { return };
    assert_eq!(found, expected);
}

#[test]
fn reading_verbs_work_where_nothing_can_be_written_after_a_crash() {
    let repo = TestRepo::with_notes();
    let mut child = repo.pds(["apply", "--batch", "1"]).start();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, creations(0..3).as_bytes()).unwrap();
    let stdout = Lines::of(&mut child);
    (0..3).for_each(|_| drop(stdout.next()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::fs::metadata(repo.home.path("alice/pds.db-wal")).unwrap().len() > 0);
    let line = "pds ls && pds verify >&2 && pds get com.example.note/n000002 >&2";
    let Some(said) = where_nothing_can_be_written(&repo, line) else { return };
    assert_eq!(said, "com.example.note\t6\n");
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t6\n");
}

#[test]
fn writing_verbs_fail_with_a_reason_and_change_nothing() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "x", "HEAD~1"]).ok();
    repo.home.write("lines", creations(0..2));
    repo.put("d", "d");
    repo.export("newer.car");
    repo.pds(["reset", "HEAD~1"]).ok();
    let before = repo.pds(["log"]).ok() + &repo.pds(["ref", "ls"]).ok();
    let files = repo.home.list("alice");
    let each: String = WRITING
        .iter()
        .map(|args| format!("echo '{{}}' | pds {} 2>&1; echo $?; ", quoted(args)))
        .collect();
    let Some(said) = where_nothing_can_be_written(&repo, &each) else { return };
    let mut said = said.lines();
    for args in WRITING {
        let error = said.next().unwrap();
        assert!(error.starts_with("error: "), "{args:?}: {error}");
        let mut code = said.next().unwrap();
        if code.starts_with("hint: ") {
            code = said.next().unwrap();
        }
        let (expected, reason) = match args[0] {
            "key" if args[1] == "rotate" => ("1", "ead-only file"),
            "key" => ("3", "not a signing key"),
            "blob" | "init" => ("1", "ead-only file"),
            _ => ("1", "the store is read-only"),
        };
        assert_eq!(code, expected, "{args:?}: {error}");
        let denied = error.contains("ermission denied");
        assert!(error.contains(reason) || denied, "{args:?}: {error}");
    }
    assert_eq!(said.next(), None);
    assert_eq!(repo.pds(["log"]).ok() + &repo.pds(["ref", "ls"]).ok(), before);
    assert_eq!(repo.home.list("alice"), files);
    repo.assert_whole();
}
