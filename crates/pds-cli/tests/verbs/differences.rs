//! The forms of `diff`, and `show` about a commit.

use crate::common::{TestRepo, masked};

/// Three notes. The last commit changes one, deletes one, and adds a record of another collection.
fn changed() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.put("c", "starts at the car park.");
    let lines = "\
        {\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"b\"}\n\
        {\"action\":\"update\",\"collection\":\"com.example.note\",\"rkey\":\"c\",\
         \"value\":{\"text\":\"starts at the slipway.\",\"langs\":[\"en\"]}}\n\
        {\"action\":\"create\",\"collection\":\"com.example.other\",\"rkey\":\"x\",\"value\":{\"n\":1}}\n";
    repo.pds(["apply"]).stdin(lines).ok();
    repo
}

/// The answer of a comparison that finds differences.
fn differs(repo: &TestRepo, args: &[&str]) -> String {
    let ended = repo.pds(["diff"].into_iter().chain(args.iter().copied())).ended();
    assert_eq!((ended.code(), &*ended.stderr), (1, ""), "{args:?}");
    ended.text()
}

#[test]
fn states_and_paths_have_many_forms() {
    let repo = changed();
    let whole = differs(&repo, &["HEAD~1", "HEAD"]);
    assert_eq!(whole.lines().count(), 3);
    for same in [&[][..], &["HEAD^"], &["HEAD^.."], &["HEAD^..HEAD"], &["HEAD~1", "@"]] {
        assert_eq!(differs(&repo, same), whole, "{same:?}");
    }
    let notes: String =
        whole.split_inclusive('\n').filter(|line| line.contains(".note/")).collect();
    for same in [
        &["com.example.note"][..],
        &["HEAD^", "com.example.note"],
        &["HEAD^..", "--", "com.example.note"],
        &["com.example.note/b", "com.example.note/c"],
    ] {
        assert_eq!(differs(&repo, same), notes, "{same:?}");
    }
    assert_eq!(repo.pds(["diff", "com.example.note/a"]).ok(), "");
    // A name that could be both is a state, if there is one; after --, it is a path.
    repo.pds(["ref", "set", "com.example.note", "HEAD"]).ok();
    assert_eq!(repo.pds(["diff", "com.example.note"]).ok(), "");
    assert_eq!(differs(&repo, &["--", "com.example.note"]), notes);
    let said = repo.pds(["diff", "HEAD", "HEAD~1", "HEAD~2"]).fails(2);
    assert!(said.starts_with("error: HEAD~2 is no path; "), "{said}");
    let said = TestRepo::new().pds(["diff"]).fails(1);
    assert!(said.contains("HEAD has no parent\nhint: name two states: "), "{said}");
}

#[test]
fn contents_are_compared_field_by_field() {
    let repo = changed();
    let said = masked(&differs(&repo, &["-p"]));
    assert_eq!(
        said,
        "- com.example.note/b <cid 1>\n\
         - text\n\
         -   \"b\"\n\
         - $type\n\
         -   \"com.example.note\"\n\
         ~ com.example.note/c <cid 2> <cid 3>\n  \
           text\n\
         -   \"starts at the [-car park-].\"\n\
         +   \"starts at the {+slipway+}.\"\n\
         + langs\n\
         +   [\n\
         +     \"en\"\n\
         +   ]\n\
         + com.example.other/x <cid 4>\n\
         + n\n\
         +   1\n\
         + $type\n\
         +   \"com.example.other\"\n"
    );
    let json = differs(&repo, &["-p", "--json", "com.example.other"]);
    assert_eq!(
        masked(&json),
        "{\"action\":\"create\",\"cid\":\"<cid 1>\",\"path\":\"com.example.other/x\",\"prev\":null,\
         \"prevValue\":null,\"value\":{\"n\":1,\"$type\":\"com.example.other\"}}\n"
    );
    assert_eq!(
        differs(&repo, &["--name-only"]),
        "com.example.note/b\ncom.example.note/c\ncom.example.other/x\n"
    );
    assert_eq!(
        differs(&repo, &["--stat"]),
        "com.example.note\t+0\t~1\t-1\t-22\ncom.example.other\t+1\t~0\t-0\t+28\n"
    );
    let stat = differs(&repo, &["--stat", "--json", "com.example.other"]);
    assert_eq!(
        stat,
        "{\"bytes\":28,\"collection\":\"com.example.other\",\"created\":1,\"deleted\":0,\"updated\":0}\n"
    );
    repo.pds(["diff", "-p", "--stat"]).fails(2);
}

#[test]
fn show_of_a_commit_is_its_line_and_its_changes() {
    let repo = changed();
    let line = repo.pds(["log", "-n", "1"]).ok();
    let changes = differs(&repo, &[]);
    let shown = repo.pds(["show", "HEAD"]).ok();
    assert_eq!(shown, format!("{line}{changes}"));
    for same in [repo.head().0, repo.head().1, "@".to_owned()] {
        assert_eq!(repo.pds(["show", &same]).ok(), shown, "{same}");
    }
    let json = repo.json_lines(["show", "HEAD"]);
    assert_eq!(json[0], repo.json_lines(["log", "-n", "1"])[0]);
    assert_eq!((json.len(), &json[1]["action"]), (4, &"delete".into()));
    assert_eq!(repo.pds(["show", "HEAD", "--name-only"]).ok(), differs(&repo, &["--name-only"]));
    let patch = repo.pds(["show", "HEAD", "-p"]).ok();
    assert_eq!(patch, format!("{line}{}", differs(&repo, &["-p"])));
    let log = repo.pds(["log", "-n", "1", "-p"]).ok();
    assert_eq!(patch, log);
    // The first commit has no parent.
    let first = repo.pds(["show", "HEAD~5"]).ok();
    assert!(first.ends_with("\t+0 ~0 -0\tinit\t\n") && first.lines().count() == 1, "{first}");
    let key = repo.pds(["key", "show"]).ok();
    let signed = repo.pds(["show", "HEAD", "--key", key.trim()]).ok();
    assert!(signed.lines().next().unwrap().ends_with(&format!("\t{}", key.trim())), "{signed}");
    let stranger = TestRepo::new().pds(["key", "show"]).ok();
    assert_eq!(repo.pds(["show", "HEAD", "--key", stranger.trim()]).ended().code(), 1);
}

#[test]
fn large_and_hostile_texts_are_compared_in_bounds() {
    let repo = TestRepo::new();
    for text in ["x y ".repeat(200_000), "z y ".repeat(200_000), "\\u202e\\u001b[2J".to_owned()] {
        repo.put("a", &text);
    }
    let said = differs(&repo, &["HEAD~2..HEAD~1", "-p"]);
    assert_eq!(said.lines().count(), 4, "the lines are shown whole");
    let said = differs(&repo, &["-p"]);
    assert!(said.contains("\"\\u202e\\u001b[2J\"") && !said.contains('\u{1b}'), "{}", said.len());
    let lines = |word: &str| (0..30_000).map(|n| format!("{word} {n}\\n")).collect::<String>();
    repo.put("b", &lines("one"));
    repo.put("b", &lines("two"));
    assert_eq!(differs(&repo, &["-p"]).lines().count(), 2 + 60_001);
}

#[test]
fn ranges_and_records_of_states_are_explained() {
    let repo = TestRepo::with_notes();
    for (args, expected) in [
        (
            &["show", "HEAD~1..HEAD"][..],
            "HEAD~1..HEAD is a range, which only pds diff and pds log read\n",
        ),
        (&["log", "HEAD^...HEAD"], "HEAD^...HEAD has three dots; write a range as A..B\n"),
        (&["diff", "HEAD^...HEAD"], "HEAD^...HEAD has three dots; write a range as A..B\n"),
        (&["diff", "..."], "... has three dots; write a range as A..B\n"),
        (&["diff", ".."], ".. has no state beside it; write a range as A..B\n"),
        (
            &["diff", "HEAD", "@..@"],
            "@..@ is a range; it is the first argument, without a state beside it\n",
        ),
        (
            &["diff", "HEAD^:com.example.note/a", "HEAD:com.example.note/a"],
            "HEAD^:com.example.note/a names a record of a state; write the path after the states\n\
             hint: pds diff A B PATH\n",
        ),
    ] {
        let said = repo.pds(args.iter().copied()).fails(2);
        assert!(said.starts_with(&format!("error: {expected}")), "{args:?}: {said}");
    }
    let said = repo.pds(["ls", "--at", "HEAD^^^^^^^^"]).fails(1);
    assert!(said.starts_with("error: unknown revision \"HEAD^^^^^^^^\": HEAD~"), "{said}");
}

#[test]
fn a_number_with_a_dash_limits_a_history() {
    let repo = TestRepo::with_notes();
    for verb in ["log", "reflog"] {
        assert_eq!(repo.pds([verb, "-1"]).ok(), repo.pds([verb, "-n", "1"]).ok());
    }
    assert_eq!(repo.pds(["log", "-12"]).ok(), repo.pds(["log"]).ok());
    let said = repo.pds(["log", "-1", "--nope"]).fails(2);
    assert!(said.starts_with("error: unexpected argument"), "{said}");
    repo.pds(["ls", "-1"]).fails(2);
}
