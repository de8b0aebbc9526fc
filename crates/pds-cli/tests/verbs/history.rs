//! `log`, `diff`, `ref` and `reset`.

use pds::Repo;
use pds::data::Cid;
use pds::store::{Expect, RefName};
use serde_json::Value;

use crate::common::{FORMS, TestRepo, log_rows, masked};

/// The lines of an answer, each split into its columns.
fn columns(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn log_walks_parents_newest_first() {
    let repo = TestRepo::new();
    repo.put("a", "1");
    repo.put("a", "2");
    repo.pds(["rm", "com.example.note/a"]).ok();
    let rows = columns(&masked(&repo.pds(["log"]).ok()));
    let of = |n: usize| [0, 1, 3, 4, 5].map(|column| rows[n][column].as_str());
    assert_eq!(of(0), ["<tid 1>", "<cid 1>", "+0 ~0 -1", "write", "rm"]);
    assert_eq!(of(1), ["<tid 2>", "<cid 2>", "+0 ~1 -0", "write", "put"]);
    assert_eq!(of(2), ["<tid 3>", "<cid 3>", "+1 ~0 -0", "write", "put"]);
    assert_eq!(of(3), ["<tid 4>", "<cid 4>", "+0 ~0 -0", "init", ""]);
    assert!(rows.iter().all(|row| row.len() == 6 && row[2].starts_with("<time ")));
    assert_eq!(repo.pds(["log", "-n", "2"]).ok().lines().count(), 2);
    // A move back changes the walk; the moves are in the reflog.
    let all = repo.pds(["log"]).ok();
    repo.pds(["reset", "HEAD~2"]).ok();
    let two = repo.pds(["log"]).ok();
    assert_eq!(two.lines().collect::<Vec<_>>(), all.lines().skip(2).collect::<Vec<_>>());
    assert_eq!(repo.pds(["log", "@{1}"]).ok(), all);
    let moves = repo.json_lines(["reflog"]);
    assert_eq!((moves.len(), &moves[0]["event"]), (5, &"reset".into()));
    assert_eq!(
        repo.pds(["log", "@{1}~1", "-n", "1"]).ok(),
        all.split_inclusive('\n').nth(1).unwrap()
    );
}

#[test]
fn a_range_leaves_out_the_history_of_its_first_state() {
    let repo = TestRepo::with_notes();
    let all = repo.pds(["log"]).ok();
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    let log = |args: &[&str]| repo.pds(["log"].into_iter().chain(args.iter().copied())).ok();
    assert_eq!(log(&["HEAD~2..HEAD"]), lines[..2].concat());
    assert_eq!(log(&["HEAD~2..HEAD~1"]), lines[1]);
    assert_eq!(log(&["HEAD~2..", "-n", "1"]), lines[0]);
    assert_eq!(log(&["HEAD..HEAD"]), "");
    assert_eq!(log(&["HEAD..HEAD~1"]), "");
    // Of two branches, the common history is left out.
    repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
    repo.pds(["put", "com.example.note/s", "--ref", "side"]).stdin("{}").ok();
    let side = log(&["side", "-n", "1"]);
    assert_eq!(log(&["HEAD..side"]), side);
    assert_eq!(log(&["side..HEAD"]), lines[0]);
    assert_eq!(log(&["HEAD~1..side", "com.example.note"]), side);
    // A file has the same commits.
    repo.export("now.car");
    repo.put("a", "changed");
    assert_eq!(log(&["now.car..HEAD"]), log(&["-n", "1"]));
    // The versions of a record.
    let versions = log(&["com.example.note/a"]);
    let newest = versions.split_inclusive('\n').next().unwrap();
    assert_eq!(log(&["HEAD~1..", "com.example.note/a"]), newest);
    assert_eq!(log(&["HEAD~2..HEAD~1", "com.example.note/a"]), "");
}

/// The answer of `log` with a path, and the messages next to it.
fn log_and_messages(repo: &TestRepo, path: &str) -> String {
    let ended = repo.pds(["log", path]).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    ended.text() + &ended.stderr
}

#[test]
fn log_is_limited_by_paths_and_times() {
    let repo = TestRepo::with_notes();
    let lines = "{\"action\":\"create\",\"collection\":\"com.example.other\",\"rkey\":\"x\",\"value\":{}}\n\
                 {\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"a\"}\n";
    repo.pds(["apply"]).stdin(lines).ok();
    let counts = |args: &[&str]| -> Vec<String> {
        let log = repo.pds(["log"].into_iter().chain(args.iter().copied())).ok();
        columns(&log).iter().map(|row| row[3].clone()).collect()
    };
    assert_eq!(counts(&["com.example.other"]), ["+1 ~0 -0"]);
    let notes = ["+0 ~0 -1", "+1 ~0 -0", "+1 ~0 -0", "+1 ~0 -0"];
    assert_eq!(counts(&["com.example.note"]), notes);
    assert_eq!(counts(&["HEAD~1", "com.example.note"]), notes[1..]);
    assert_eq!(counts(&["-n", "2", "--", "com.example.note"]), notes[..2]);
    assert_eq!(repo.pds(["log", "--since", "1 hour ago"]).ok(), repo.pds(["log"]).ok());
    assert_eq!(repo.pds(["log", "--until", "yesterday"]).ok(), "");
    assert_eq!(repo.pds(["reflog", "--since", "2200-01-01"]).ok(), "");
    assert_eq!(repo.pds(["reflog", "--until", "2200-01-01T12:00"]).ok().lines().count(), 5);
    assert_eq!(repo.pds(["reflog", "com.example.other"]).ok().lines().count(), 1);
    let said = repo.pds(["log", "--since", "soon"]).fails(2);
    assert!(said.contains("write a time as 2026-11-27, "), "{said}");
    assert_eq!(log_and_messages(&repo, "com.example.never"), "");
    let said = repo.pds(["log", "HEAD", "HEAD"]).fails(2);
    assert!(said.starts_with("error: HEAD is no path; "), "{said}");
}

#[test]
fn a_reflog_of_many_moves_is_shown_whole() {
    let test = TestRepo::new();
    test.put("a", "1");
    let repo = Repo::open(test.home.path("alice")).unwrap();
    let states = log_rows(&repo).into_iter().filter_map(|row| row.after);
    let states: Vec<Cid> = states.collect();
    for (number, state) in (2..600).zip(states.iter().cycle()) {
        repo.history()
            .set_ref(&RefName::head(), *state, Expect::Any, &format!("move {number}"))
            .unwrap();
    }
    drop(repo);
    let all = test.json_lines(["reflog"]);
    assert_eq!(all.len(), 600);
    assert!(all.windows(2).all(|rows| rows[0]["before"] == rows[1]["after"]));
    for (row, number) in all.iter().zip((2..600).rev()) {
        assert_eq!(row["message"], format!("move {number}"));
    }
    assert!(all.iter().zip(0..).all(|(row, n)| row["n"] == n));
    for few in [0, 1, 255, 256, 257, 512, 599, 600, 601] {
        let shown = test.json_lines(["reflog", "-n", &few.to_string()]);
        assert_eq!(shown, all[..few.min(600)], "-n {few}");
    }
    for back in [1, 7, 300] {
        let name = format!("@{{{back}}}");
        assert_eq!(test.json_lines(["log", &name, "-n", "1"])[0]["cid"], all[back]["after"]);
    }
}

#[test]
fn log_and_reflog_answer_in_json() {
    let repo = TestRepo::new();
    assert_eq!(
        masked(&repo.pds(["log", "--json"]).ok()),
        "{\"cid\":\"<cid 1>\",\"created\":0,\"deleted\":0,\"event\":\"init\",\
         \"message\":\"\",\"rev\":\"<tid 1>\",\"time\":\"<time 1>\",\"updated\":0}\n"
    );
    assert_eq!(
        masked(&repo.pds(["reflog", "--json"]).ok()),
        "{\"after\":\"<cid 1>\",\"before\":null,\"event\":\"init\",\"message\":\"\",\"n\":0,\
         \"ref\":\"HEAD\",\"rev\":\"<tid 1>\",\"time\":\"<time 1>\"}\n"
    );
    assert_eq!(
        masked(&repo.pds(["reflog"]).ok()),
        "@{0}\t<tid 1>\t<cid 1>\t<time 1>\t+0 ~0 -0\tinit\t\n"
    );
    let short = masked(&repo.pds(["log", "--oneline"]).ok());
    assert_eq!(short, "<cid 1> +0 ~0 -0 init\n");
}

#[test]
fn log_of_a_ref_that_never_was_is_no() {
    let repo = TestRepo::new();
    for args in [&["log", "--ref", "nope"][..], &["reflog", "nope"]] {
        assert_eq!(
            repo.pds(args.iter().copied()).fails(1),
            "error: no ref named nope\nhint: pds ref ls lists the refs\n"
        );
    }
    let said = repo.pds(["log", "--ref", "nope", "--json"]).fails(1);
    assert_eq!(said, "{\"error\":\"not-found\",\"message\":\"no ref named nope\"}\n");
    repo.pds(["ref", "set", "was", "HEAD"]).ok();
    repo.pds(["ref", "rm", "was"]).ok();
    let moves = repo.json_lines(["reflog", "was"]);
    assert_eq!((moves.len(), &moves[0]["after"]), (2, &Value::Null));
    repo.pds(["log", "--ref", "was"]).fails(1);
}

#[test]
fn log_of_a_file_has_its_commits() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let log = |args: &[&str]| {
        let args = ["-R", &file, "log"].into_iter().chain(args.iter().copied());
        repo.home.pds(args.map(str::to_owned))
    };
    let said = masked(&log(&[]).ok());
    assert_eq!(said, "<tid 1>\t<cid 1>\t<time 1>\t+3 ~0 -0\t-\t\n");
    assert_eq!(log(&["-n", "0"]).ok(), "");
    log(&["--ref", "other"]).fails(1);
    let chain = repo.home.path("chain.car");
    repo.pds(["export", "--chain", "-o", &chain]).ended().done();
    let history = repo.home.path("history.car");
    repo.pds(["export", "--history", "-o", &history]).ended().done();
    let whole = columns(&repo.pds(["log"]).ok());
    for (file, counts) in
        [(&chain, ["+? ~? -?"; 4]), (&history, ["+1 ~0 -0", "+1 ~0 -0", "+1 ~0 -0", "+0 ~0 -0"])]
    {
        let rows = columns(&repo.home.pds(["log", file]).ok());
        assert_eq!(rows.len(), 4, "{file}");
        for ((row, known), counts) in rows.iter().zip(&whole).zip(counts) {
            assert_eq!((&row[..3], row[3].as_str()), (&known[..3], counts), "{file}");
        }
    }
    let versions = repo.home.pds(["-R", &history, "log", "com.example.note/a"]).ok();
    assert_eq!(versions, repo.pds(["log", "com.example.note/a"]).ok());
    repo.home.pds(["-R", &history, "reflog"]).fails(1);
}

#[test]
fn log_of_a_slice_does_not_guess() {
    let repo = TestRepo::with_many_notes(50);
    repo.put("new", "new");
    let slice = repo.pds(["export", "--since", "HEAD~1"]).ended().stdout;
    let log = repo.home.pds(["-R", "-", "log"]).stdin(slice).ended();
    assert_eq!((log.code(), log.text().lines().count()), (6, 1), "{}", log.stderr);
    assert!(log.text().contains("\t+? ~? -?\t"), "{}", log.text());
}

#[test]
fn show_shows_head_and_ls_takes_the_limit_as_log_does() {
    let repo = TestRepo::with_many_notes(3);
    assert_eq!(repo.pds(["show"]).ok(), repo.pds(["show", "HEAD"]).ok());
    let listed = repo.pds(["ls", "com.example.note", "-n", "2"]).ok();
    assert_eq!(listed, repo.pds(["ls", "com.example.note", "--limit", "2"]).ok());
    assert_eq!(listed.lines().count(), 2);
}

#[test]
fn diff_lists_what_was_created_updated_and_deleted_in_key_order() {
    let repo = TestRepo::with_notes();
    let lines = "\
        {\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"b\"}\n\
        {\"action\":\"update\",\"collection\":\"com.example.note\",\"rkey\":\"c\",\"value\":{}}\n\
        {\"action\":\"create\",\"collection\":\"com.example.note\",\"rkey\":\"Z\",\"value\":{\"n\":1}}\n";
    repo.pds(["apply"]).stdin(lines).ok();
    let ended = repo.pds(["diff", "HEAD~1", "HEAD"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (1, ""));
    assert_eq!(
        masked(&ended.text()),
        "+ com.example.note/Z <cid 1>\n\
         - com.example.note/b <cid 2>\n\
         ~ com.example.note/c <cid 3> <cid 4>\n"
    );
    let ended = repo.pds(["diff", "HEAD~1", "HEAD", "--json"]).ended();
    assert_eq!(
        masked(&ended.text()),
        "{\"action\":\"create\",\"cid\":\"<cid 1>\",\"path\":\"com.example.note/Z\",\"prev\":null}\n\
         {\"action\":\"delete\",\"cid\":null,\"path\":\"com.example.note/b\",\"prev\":\"<cid 2>\"}\n\
         {\"action\":\"update\",\"cid\":\"<cid 3>\",\"path\":\"com.example.note/c\",\"prev\":\"<cid 4>\"}\n"
    );
}

#[test]
fn diff_of_equal_states_is_empty_and_yes() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    assert_eq!(repo.pds(["diff", "HEAD", &file]).ok(), "");
    assert_eq!(repo.home.pds(["diff", &file, &file]).ok(), "");
}

#[test]
fn diff_with_a_state_that_does_not_exist_is_no() {
    let repo = TestRepo::with_notes();
    let said = repo.pds(["diff", "HEAD", "nope"]).fails(1);
    assert_eq!(said, format!("error: unknown revision \"nope\": no ref named nope\n{FORMS}"));
    let said = repo.pds(["diff", "HEAD", "nope", "--json"]).fails(1);
    assert_eq!(
        said,
        "{\"error\":\"not-found\",\"message\":\"unknown revision \\\"nope\\\": no ref named nope\"}\n"
    );
    assert_eq!(repo.pds(["diff", "HEAD", "gone.car"]).fails(3), "error: no file gone.car\n");
}

#[test]
fn refs_are_made_listed_moved_and_removed() {
    let repo = TestRepo::with_notes();
    let (head, _) = repo.head();
    assert_eq!(repo.pds(["ref", "ls"]).ok(), format!("HEAD\t{head}\n"));
    let set = repo.pds(["ref", "set", "v1", "HEAD~1"]).ok();
    assert_eq!(masked(&set), "v1\t<cid 1>\n");
    let list = repo.pds(["ref", "ls", "--json"]).ok();
    assert_eq!(
        masked(&list),
        "{\"cid\":\"<cid 1>\",\"name\":\"HEAD\"}\n{\"cid\":\"<cid 2>\",\"name\":\"v1\"}\n"
    );
    assert_eq!(repo.pds(["ref", "set", "v1", "HEAD"]).ok(), format!("v1\t{head}\n"));
    assert_eq!(repo.pds(["ref", "rm", "v1"]).ok(), format!("v1\t{head}\n"));
    assert_eq!(
        repo.pds(["ref", "rm", "v1"]).fails(1),
        "error: no ref named v1\nhint: pds ref ls lists the refs\n"
    );
    let said = repo.pds(["ref", "set", "v1", "nope", "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"not-found\","), "{said}");
    assert_eq!(repo.pds(["ref", "rm", "HEAD"]).fails(2), "error: HEAD cannot be deleted\n");
    repo.pds(["ref", "set", "@{1}", "HEAD"]).fails(2);
}

#[test]
fn reset_moves_head_and_can_be_undone() {
    let repo = TestRepo::with_notes();
    let (head, rev) = repo.head();
    let said = repo.pds(["reset", "HEAD~2"]).ok();
    assert_eq!(masked(&said), "<cid 1>\t<tid 1>\n");
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t1\n");
    assert_eq!(repo.pds(["reset", "@{1}"]).ok(), format!("{head}\t{rev}\n"));
    let said = repo.pds(["reset", "HEAD", "--json"]).ok();
    assert_eq!(said, format!("{{\"cid\":\"{head}\",\"rev\":\"{rev}\"}}\n"));
    assert_eq!(
        repo.pds(["reset", "HEAD~7"]).fails(1),
        format!("error: unknown revision \"HEAD~7\": HEAD~3 has no parent\n{FORMS}")
    );
    let said = repo.pds(["reset", "HEAD~7", "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"not-found\","), "{said}");
}

#[test]
fn the_history_begins_where_earlier_states_were_purged() {
    for purge in [&["gc", "--keep", "2"][..], &["forget", "--yes", "--before", "HEAD~1"]] {
        let repo = TestRepo::with_notes();
        let full = repo.pds(["log"]).ok();
        repo.pds(purge.iter().copied()).ended().done();
        let log = repo.pds(["log"]).ok();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, full.lines().next().unwrap()), "{purge:?}");
        let begins = full.lines().nth(1).unwrap().replace("+1 ~0 -0", "history begins here");
        assert_eq!(lines[1], begins);
        let row = &repo.json_lines(["log"])[1];
        for count in ["created", "updated", "deleted"] {
            assert!(row[count].is_null(), "{row}");
        }
        // The first record was written in a commit that is gone; the last one was not.
        let version = repo.pds(["log", "com.example.note/a"]).ok();
        assert_eq!(version.lines().count(), 1);
        assert!(version.contains("\t?\t") && version.ends_with("\thistory begins here\n"));
        let version = &repo.json_lines(["log", "com.example.note/a"])[0];
        let known = (&version["action"], &version["prev"], &version["message"]);
        assert_eq!(known, (&"unknown".into(), &Value::Null, &"history begins here".into()));
        assert_eq!(repo.json_lines(["log", "com.example.note/c"])[0]["action"], "create");
    }
}

#[test]
fn changes_are_not_known_next_to_a_forgotten_state() {
    let repo = TestRepo::with_notes();
    repo.put("secret", "x");
    repo.put("a", "later");
    repo.pds(["forget", "--yes", "com.example.note/secret"]).ended().done();
    let log = repo.json_lines(["log"]);
    assert_eq!((&log[0]["event"], &log[0]["created"]), (&"forget".into(), &Value::Null));
    assert_eq!((&log[1]["event"], &log[1]["created"]), (&"write".into(), &1.into()));
    let version = &repo.json_lines(["log", "com.example.note/a"])[0];
    assert_eq!(version["action"], "unknown", "the commit that wrote it is gone: {version}");
}
