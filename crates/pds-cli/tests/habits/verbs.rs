//! Verbs of git and goat that have another name here.

use std::collections::BTreeSet;

use crate::common::{Home, TestRepo};

#[test]
fn a_verb_of_another_program_is_answered_with_the_commands_of_this_one() {
    let home = Home::new();
    assert_eq!(
        home.pds(["checkout"]).fails(2),
        "error: pds has no checkout: records are read at any state without one\n\
         hint: pds ls --at REV, pds get PATH --at REV; to move HEAD, pds reset REV\n"
    );
    assert_eq!(
        home.pds(["checkout", "--json"]).fails(2),
        "{\"error\":\"usage\",\"message\":\"pds has no checkout: records are read at any state without one\"}\n"
    );
}

#[test]
fn every_verb_of_git_and_goat_with_another_name_has_an_answer() {
    let home = Home::new();
    for line in GIT.into_iter().chain(GOAT) {
        let said = home.pds(line.split(' ')).fails(2);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{line}: {said}");
        assert!(lines[0].starts_with("error: pds has no "), "{line}: {said}");
        assert!(lines[1].starts_with("hint: ") && lines[1].contains("pds "), "{line}: {said}");
    }
}

#[test]
fn the_topic_git_has_every_verb_with_another_name() {
    let home = Home::new();
    let text = home.pds(["help", "git"]).ok();
    let words = |text: &str| text.split([' ', ',', '\n', '.']).map(str::to_owned).collect();
    let words: BTreeSet<String> = words(&text);
    for verb in GIT.into_iter().chain(GOAT) {
        let verb = verb.split(' ').next().unwrap();
        assert!(words.contains(verb), "{verb}: {text}");
    }
    assert!(
        text.contains("\n  blame, annotate           pds log PATH, pds get PATH --at REV\n"),
        "{text}"
    );
    let same = text.split_once("here: ").unwrap().1.split_once('.').unwrap().0;
    for verb in same.split(',').map(str::trim) {
        home.pds([verb, "--help"]).ok();
    }
    let said = home.pds(["sql", "select 1"]).fails(2);
    assert!(said.contains("\nhint: pds export --format ndjson | jq "), "{said}");
}

#[test]
fn the_longest_habit_counts_wherever_the_options_are() {
    let home = Home::new();
    for (line, message) in [
        ("repo ls x.car", "pds has no repo ls: "),
        ("repo", "pds has no repo: "),
        ("repo frobnicate", "pds has no repo: "),
        ("-R alice status", "pds has no status: "),
        ("--repo alice --json=x status", "pds has no status: "),
        ("--repo=alice status -s", "pds has no status: "),
        ("status --help", "pds has no status: "),
        ("help status", "pds has no status: "),
        ("reset --hard HEAD~1", "pds has no reset --hard: "),
        ("reset HEAD~1 --hard", "pds has no reset --hard: "),
        ("rm -rf com.example.note/a", "pds has no rm -r: "),
        ("restore com.example.note/a", "pds has no restore: there is no working directory"),
        ("restore --to new.example.com", "pds has no restore --to: moving an account"),
        ("key inspect x", "pds has no key inspect: "),
    ] {
        let ended = home.pds(line.split(' ')).ended();
        if line.contains("--json=x") {
            assert_eq!(ended.code(), 2);
            continue;
        }
        assert_eq!(ended.code(), 2, "{line}");
        assert!(ended.stderr.starts_with(&format!("error: {message}")), "{line}: {}", ended.stderr);
    }
    // Only the words of a verb count, not its arguments.
    let said = home.pds(["ls", "status", "--x"]).fails(2);
    assert!(said.starts_with("error: unexpected argument '--x' found"), "{said}");
    let said = home.pds(["burn", "status"]).fails(2);
    assert!(said.starts_with("error: unrecognized subcommand 'burn'"), "{said}");
}

#[test]
fn the_hint_has_the_record_and_the_file_that_were_typed() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    repo.export("backup.car");
    let hint = |line: &str| {
        let said = home.pds(line.split(' ')).fails(2);
        said.split_once("hint: ").unwrap().1.trim_end().to_owned()
    };
    assert!(hint("cat com.example.note/a").starts_with("pds get com.example.note/a;"));
    let uri = "at://did:web:alice.example.com/com.example.note/a";
    assert_eq!(hint(&format!("record get {uri}")), format!("pds get {uri}"));
    assert_eq!(
        hint("mv com.example.note/a com.example.note/b"),
        "pds get com.example.note/a | pds put com.example.note/b, pds rm com.example.note/a"
    );
    assert_eq!(hint("repo ls backup.car"), "pds -R backup.car ls --all");
    assert_eq!(hint("repo ls gone.car"), "pds -R FILE ls --all");
    // A word that a shell would change stays out.
    assert_eq!(hint("record get com.example.note/$(id)"), "pds get PATH");
    // The hint works.
    let line = hint("mv com.example.note/a com.example.note/z").replace(", ", " && ");
    home.sh(&line).env("PDS_REPO", "alice").ended().done();
    let keys = repo.pds(["ls", "com.example.note"]).ok();
    let keys: Vec<&str> = keys.lines().map(|line| &line[..1]).collect();
    assert_eq!(keys, ["b", "c", "z"]);
}

#[test]
fn a_secret_key_behind_a_habit_is_not_repeated() {
    let home = Home::new();
    let secret = "0123456789abcdef".repeat(4);
    let said = home.pds(["record", "get", &format!("com.example.key/{secret}")]).fails(2);
    assert!(!said.contains(&secret), "{said}");
}

#[test]
fn the_answers_name_every_word_once() {
    let all: BTreeSet<&str> = GIT.into_iter().chain(GOAT).collect();
    assert_eq!(all.len(), GIT.len() + GOAT.len());
}

/// The verbs of git that this program lacks.
#[rustfmt::skip]
const GIT: [&str; 63] = [
    "add", "am", "annotate", "archive", "bisect", "blame", "branch", "bundle", "cat-file", "checkout",
    "cherry-pick", "clean", "commit", "config", "count-objects", "daemon", "describe", "diff --cached",
    "diff --staged", "fast-export", "fast-import", "fetch", "filter-branch", "for-each-ref",
    "format-patch", "grep", "hash-object", "ls-files", "ls-tree", "mv", "name-rev", "pack-refs", "prune",
    "push", "rebase", "remote", "repack", "reset --hard", "reset --soft", "restore x", "rev-list",
    "rev-parse", "rm -r x", "rm --cached x", "shortlog", "show-ref", "stage", "stash", "status",
    "submodule", "switch", "symbolic-ref", "tag", "undo", "unpack-objects", "update-ref", "whatchanged",
    "worktree", "cat", "cp", "filter-repo", "list", "rename",
];

/// The verbs of goat that have another name here.
#[rustfmt::skip]
const GOAT: [&str; 49] = [
    "account login", "account logout", "account activate", "account status x", "account missing-blobs",
    "account migrate", "account plc current", "account create", "blob compute x", "blob download x y",
    "blob list", "blob upload x", "bsky post hello", "bsky prefs export", "firehose", "key inspect x",
    "lex validate x", "lex pull x", "lex resolve x", "ls -c x", "ls --collections x", "pds describe x",
    "plc history x", "plc data x", "plc dump", "record create x", "record update x", "record delete -c x",
    "record get x", "record list x", "record ls x", "relay host list", "repo export x", "repo import x",
    "repo inspect x", "repo ls x", "repo mst x", "repo unpack x", "repo list x", "resolve x", "rkey",
    "syntax tid generate", "syntax tid now", "syntax tid check x", "syntax tid inspect x",
    "syntax did check x", "syntax handle check x", "syntax at-uri check x", "xrpc query x",
];
