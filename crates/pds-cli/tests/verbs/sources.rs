//! Every form of the arguments for the repository, the record and the state.

use crate::common::{DID, FORMS, Home, TestRepo, masked, with_root, without};

#[test]
fn the_repository_is_found_from_any_directory_inside() {
    let repo = TestRepo::with_notes();
    let inside = repo.home.path("alice/deep/er");
    std::fs::create_dir_all(&inside).unwrap();
    for dir in [repo.home.path("alice"), inside] {
        assert_eq!(repo.home.pds(["ls"]).within(&dir).ok(), "com.example.note\t3\n");
        repo.home.pds(["put", "com.example.note/a"]).stdin("{}").within(&dir).ok();
    }
    let said = repo.home.pds(["ls"]).fails(3);
    assert!(said.starts_with("error: no repository in "), "{said}");
}

#[test]
fn the_environment_names_the_repository_and_the_command_line_wins() {
    let repo = TestRepo::with_notes();
    repo.home.pds(["init", "other", "--did", DID]).ok();
    let ls = || repo.home.pds(["ls"]).env("PDS_REPO", "alice");
    assert_eq!(ls().ok(), "com.example.note\t3\n");
    assert_eq!(repo.home.pds(["-R", "other", "ls"]).env("PDS_REPO", "alice").ok(), "");
    assert_eq!(ls().within(repo.home.path("other")).fails(3).lines().count(), 2);
    // An empty variable counts as unset.
    let empty = repo.home.pds(["ls"]).env("PDS_REPO", "").within(repo.home.path("alice"));
    assert_eq!(empty.ok(), "com.example.note\t3\n");
    assert_eq!(repo.home.pds(["tid", "3jzfcijpj2z2a"]).env("PDS_REPO", "").ended().code(), 0);
}

#[test]
fn every_reading_verb_works_on_a_car_file_and_on_standard_input() {
    let repo = TestRepo::with_notes();
    let bytes = std::fs::read(repo.export("backup.car")).unwrap();
    let commit = repo.head().0;
    let uri = format!("at://{DID}/com.example.note/a");
    let verbs: [&[&str]; 16] = [
        &["info"],
        &["info", "--json"],
        &["get", "com.example.note/a"],
        &["get", &uri, "--cbor"],
        &["ls"],
        &["ls", "com.example.note", "-l", "--reverse"],
        &["ls", "--all", "--json"],
        &["export"],
        &["verify"],
        &["log"],
        &["show", &commit, "--block"],
        &["mst"],
        &["ref", "ls"],
        &["blob", "ls"],
        &["blob", "missing"],
        &["blob", "check"],
    ];
    for verb in verbs {
        let on = |source: &str| {
            let args = ["-R", source].into_iter().chain(verb.iter().copied());
            let ended = repo.home.pds(args.map(str::to_owned)).stdin(bytes.clone()).ended();
            assert_eq!((ended.code(), &*ended.stderr), (0, ""), "{source} {verb:?}");
            ended.stdout
        };
        let file = on("backup.car");
        assert_eq!(file, on("-"), "{verb:?}");
        let same = !matches!(verb[0], "info" | "log" | "verify");
        assert!(!same || file == on("alice"), "{verb:?}");
    }
    repo.home.pds(["-R", "backup.car", "unpack", "out"]).ok();
    repo.home.pds(["-R", "-", "unpack", "out2"]).stdin(bytes).ok();
}

#[test]
fn no_writing_verb_touches_a_car_file() {
    let repo = TestRepo::with_notes();
    let before = std::fs::read(repo.export("backup.car")).unwrap();
    let verbs: [&[&str]; 9] = [
        &["put", "com.example.note/a"],
        &["rm", "com.example.note/a"],
        &["apply"],
        &["import", "backup.car"],
        &["ref", "set", "x", "HEAD"],
        &["ref", "rm", "x"],
        &["reset", "HEAD"],
        &["blob", "put", "-"],
        &["key", "import", "alice/key"],
    ];
    for verb in verbs {
        let args = ["-R", "backup.car"].into_iter().chain(verb.iter().copied());
        let said = repo.home.pds(args.map(str::to_owned)).stdin("{}").fails(1);
        assert_eq!(
            said,
            "error: backup.car is a CAR file and is read-only\n\
             hint: pds clone FILE creates a repository from it\n",
            "{verb:?}"
        );
    }
    assert_eq!(repo.home.read("backup.car"), before);
    assert_eq!(repo.home.list("."), ["alice", "backup.car"]);
}

#[test]
fn a_state_can_be_named_in_every_form() {
    let repo = TestRepo::with_notes();
    repo.pds(["reset", "HEAD~1"]).ok();
    let (commit, rev) = repo.head();
    repo.pds(["ref", "set", "two/notes", "HEAD"]).ok();
    let file = repo.export("two.car");
    repo.pds(["reset", "@{1}"]).ok();
    let states = [
        commit.as_str(),
        &rev,
        "HEAD~1",
        "HEAD~",
        "@{1}",
        "HEAD@{1}",
        "@{0}~1",
        "two/notes",
        &file,
    ];
    for state in states {
        let list = repo.pds(["ls", "--at", state]).ended();
        assert_eq!((list.code(), list.text().as_str()), (0, "com.example.note\t2\n"), "{state}");
        repo.pds(["get", "com.example.note/c", "--at", state]).fails(1);
        assert_eq!(repo.pds(["diff", state, "two/notes"]).ok(), "", "{state}");
        let diff = repo.pds(["diff", state, "HEAD"]).ended();
        assert_eq!(masked(&diff.text()), "+ com.example.note/c <cid 1>\n", "{state}");
        let exported = repo.pds(["export", "--at", state]).ended().stdout;
        assert_eq!(exported, repo.home.read("two.car"), "{state}");
        let slice = repo.pds(["export", "--since", state]).ended();
        assert!(slice.code() == 0 && slice.stdout.len() < exported.len(), "{state}");
    }
    let record = repo.put("a", "a record is no state");
    for state in [&record, "@{4000000000}", "HEAD~4000000000", "nope"] {
        let said = repo.pds(["ls", "--at", state]).fails(1);
        assert!(said.starts_with("error: unknown revision "), "{said}");
    }
}

#[test]
fn a_car_file_as_a_state_needs_no_repository() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let elsewhere = Home::new();
    let listed = elsewhere.pds(["ls", "--at", &file]).ok();
    assert_eq!(listed, "com.example.note\t3\n");
    let bytes = repo.home.read("backup.car");
    assert_eq!(elsewhere.pds(["ls", "--at", "-"]).stdin(bytes).ok(), listed);
    assert_eq!(elsewhere.pds(["ls", "--at", "gone.car"]).fails(3), "error: no file gone.car\n");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_as_good_as_a_file() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    assert!(repo.home.command("mkfifo").arg("pipe").status().unwrap().success());
    for (args, answer) in [
        ("verify pipe", "ok: "),
        ("-R pipe ls", "com.example.note\t3\n"),
        ("ls --at ./pipe", "com.example.note\t3\n"),
        ("-R alice diff HEAD ./pipe", ""),
        ("clone pipe", "did      "),
        ("-R alice import pipe", "0\t"),
    ] {
        let line = format!("{{ cat {file} > pipe; }} > cat.log 2>&1 & pds {args} && wait");
        let said = repo.home.sh(&line).ok();
        assert!(said.starts_with(answer), "{args}: {said}");
    }
}

#[test]
fn a_file_has_one_state_under_its_names() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let (commit, rev) = repo.head();
    for state in ["HEAD", &commit, &rev, &file] {
        repo.home.pds(["-R", &file, "ls", "--at", state]).ok();
    }
    for (state, reason) in [
        ("HEAD~1", "the file has no parent of HEAD"),
        ("@{1}", "a CAR file has no log"),
        ("other", "a CAR file has no refs"),
        ("2222222222222", "the file has no commit with rev 2222222222222"),
        (NO_COMMIT, "the file has no such commit"),
    ] {
        let said = repo.home.pds(["-R", &file, "ls", "--at", state]).fails(1);
        assert_eq!(said, format!("error: unknown revision \"{state}\": {reason}\n{FORMS}"));
    }
}

#[test]
fn every_state_of_a_file_can_be_read() {
    let repo = TestRepo::with_notes();
    let file = repo.home.path("history.car");
    repo.pds(["export", "--history", "-o", &file]).ended().done();
    let log = repo.json_lines(["log"]);
    for (back, row) in log.iter().enumerate() {
        let records =
            |at: &str| repo.home.pds(["-R", &file, "ls", "--all", "--at", at]).ok().lines().count();
        let (cid, rev) = (row["cid"].as_str().unwrap(), row["rev"].as_str().unwrap());
        for at in [cid, rev, &format!("HEAD~{back}")] {
            assert_eq!(records(at), log.len() - 1 - back, "{at}");
        }
    }
    let (old, new) = (log[2]["rev"].as_str().unwrap(), log[0]["rev"].as_str().unwrap());
    let changes = repo.home.pds(["-R", &file, "diff", old, new]).ended().text();
    assert_eq!(changes, repo.pds(["diff", old, new]).ended().text());

    // Each state is checked by itself: a lost record belongs to the later ones.
    let record = repo.put("b", "b");
    let cut = repo.home.write("cut.car", without(&repo.home.read("history.car"), &record));
    for (at, code) in [("HEAD", 1), ("HEAD~1", 1), ("HEAD~2", 0), ("HEAD~3", 0)] {
        let ended = repo.home.pds(["-R", &cut, "verify", "--at", at]).ended();
        assert_eq!(ended.code(), code, "{at}: {}", ended.text());
        assert_eq!(ended.text().contains("record-missing com.example.note/b"), code == 1);
        assert!(ended.text().contains(
            log[at[4..].trim_start_matches('~').parse().unwrap_or(0)]["rev"].as_str().unwrap()
        ));
    }

    // The header may name any of them.
    let bytes = with_root(&repo.home.read("history.car"), log[3]["cid"].as_str().unwrap());
    let old = repo.home.write("old.car", bytes);
    let said = repo.home.pds(["verify", &old]).ok();
    let newer = format!("note car-states: 3 other states, up to rev {new}, newer than the root");
    assert!(said.contains(&newer), "{said}");
    assert_eq!(repo.home.pds(["-R", &old, "ls", "--at", new]).ok(), repo.pds(["ls"]).ok());
}

#[test]
fn a_place_that_is_not_there_is_named() {
    let home = Home::new();
    for place in ["gone", "gone.car", "gone/deep"] {
        let said = home.pds(["-R", place, "info"]).fails(3);
        assert!(said.starts_with(&format!("error: no repository in {place}\n")), "{said}");
    }
    home.write("other.db", "not SQLite");
    std::fs::create_dir(home.path("other")).unwrap();
    home.write("other/pds.db", "not SQLite at all, but long enough to have a header: ".repeat(9));
    let said = home.pds(["-R", "other", "info"]).fails(3);
    assert!(said.starts_with("error: not a store: "), "{said}");
    home.pds(["-R", "other", "put", "com.example.note/a"]).stdin("{}").fails(3);
}

const NO_COMMIT: &str = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm";
