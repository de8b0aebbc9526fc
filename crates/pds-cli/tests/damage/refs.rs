//! Refs that are missing or do not point to a commit, and their repair.

use pds::data::{Block, Cid, Codec};
use serde_json::Value;

use super::history::lose;
use super::rows::{run, run_sealed, set_ref};
use crate::common::{TestRepo, masked};

/// The message about the newest row of the log of HEAD.
fn last_note(repo: &TestRepo) -> String {
    // Its change is unknown if the state before it is lost.
    let line = repo.pds(["reflog", "-n", "1"]).ended().text();
    line.trim_end().rsplit('\t').next().unwrap().to_owned()
}

/// The commits of HEAD, the newest first.
pub(super) fn commits(repo: &TestRepo) -> Vec<String> {
    let lines = repo.json_lines(["log"]);
    lines.iter().map(|line| line["cid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn head_that_is_gone_is_said_by_every_verb_and_set_again() {
    for is_counted in [true, false] {
        head_is_gone(is_counted);
    }
}

/// Deletes HEAD, and the store has counted it, or not.
fn head_is_gone(is_counted: bool) {
    let repo = TestRepo::with_notes();
    let (head, rev) = repo.head();
    let delete = "DELETE FROM refs WHERE name = 'HEAD'";
    let (mut found, mut noted) = (String::new(), String::new());
    if is_counted {
        run(&repo, delete);
        found = format!("error store-damaged: the database is damaged: {COUNT}\n");
        noted = format!("database: {COUNT}\n");
    } else {
        run_sealed(&repo, delete);
    }
    for args in [
        &["ls"][..],
        &["info"],
        &["get", "com.example.note/a"],
        &["ls", "--at", "HEAD"],
        &["diff", "HEAD", "HEAD"],
        &["log", "com.example.note/a"],
        &["export", "-o", "out.car"],
        &["prove", "com.example.note/a"],
        &["put", "com.example.note/x"],
        &["merge", "HEAD"],
    ] {
        let said = repo.pds(args.iter().copied()).stdin("{}").fails(3);
        assert_eq!(
            said,
            format!(
                "error: ref HEAD is missing: according to the log it points to {head}\n\
                 hint: pds repair lists the damage and what can be repaired\n"
            ),
            "{args:?}"
        );
    }
    let verify = repo.pds(["verify"]).ended();
    assert_eq!(verify.code(), 3);
    assert_eq!(verify.stderr, "pds repair lists the damage and what can be repaired\n");
    assert_eq!(
        verify.text(),
        format!(
            "{found}error ref-missing {head}: ref HEAD is missing: according to the log it points to {head}\n\
             FAILED: no readable repository\n"
        )
    );
    let survey = repo.pds(["repair"]).ended();
    assert_eq!(survey.code(), 1, "{}", survey.stderr);
    assert_eq!(
        survey.text(),
        format!(
            "{noted}ref HEAD is missing; in the log it points to {head}\n\
             FAILED: 13 blocks, 0 damaged, 0 found, 0 lost, 1 broken ref\n"
        )
    );
    assert!(survey.stderr.contains("--here repairs"), "{}", survey.stderr);
    let planned = repo.pds(["repair", "--here", "--dry-run"]).ended();
    assert_eq!((planned.code(), planned.text()), (1, survey.text()));
    let mended = repo.pds(["repair", "--here"]).ok();
    assert!(mended.ends_with("0 quarantined, 1 ref set\n"), "{mended}");
    // In a rebuilt database, HEAD points to the commit that a complete log names.
    let note = if is_counted { "put" } else { "repair" };
    assert_eq!((repo.head(), last_note(&repo)), ((head, rev), note.to_owned()));
    repo.assert_whole();
    repo.pds(["verify", "--history"]).ok();
    assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
}

#[test]
fn where_the_newest_commit_is_lost_too_head_goes_to_the_one_before_or_its_tree_is_signed() {
    for (is_counted, rebuild) in [(false, false), (false, true), (true, false), (true, true)] {
        let what = format!("counted: {is_counted}, rebuild: {rebuild}");
        let repo = TestRepo::with_notes();
        let (head, good) = (repo.head().0, repo.export("good.car"));
        let before = commits(&repo)[1].clone();
        lose(&repo, &head);
        // In a rebuilt database, HEAD points to the commit that a complete log names.
        let delete = "DELETE FROM refs WHERE name = 'HEAD'";
        let (noted, target) = if is_counted {
            run(&repo, delete);
            (format!("database: {COUNT}\n"), &head)
        } else {
            run_sealed(&repo, delete);
            (String::new(), &before)
        };
        let how = if rebuild { "--rebuild" } else { "--here" };
        let ended = repo.pds(["repair", how]).ended();
        let text = ended.text();
        let broken = format!("{noted}ref HEAD is missing; in the log it points to {target}\n");
        assert!(text.starts_with(&broken), "{what}: {text}");
        if rebuild {
            assert_eq!(ended.code(), 0, "{what}: {text}");
            assert!(text.contains(&format!("lost the commit of past states: {head}\n")), "{text}");
            repo.pds(["get", "com.example.note/c"]).ok();
        } else {
            assert_eq!(ended.code(), 6, "{what}: {text}");
            assert!(text.contains(&format!("lost the commit of HEAD: {head}\n")), "{text}");
        }
        if is_counted && !rebuild {
            assert!(ended.stderr.contains("--from CAR|DIR takes them"), "{}", ended.stderr);
            repo.pds(["repair", "--from", &good]).ok();
            assert_eq!(repo.head().0, head, "{what}");
        } else if !rebuild {
            assert_eq!(repo.head().0, before, "{what}");
        }
        repo.assert_whole();
        assert!(repo.pds(["repair"]).ok().contains("ok: "));
    }
}

#[test]
fn a_ref_that_names_no_commit_is_a_finding_and_set_again() {
    let elsewhere = Cid::of(Codec::Cbor, b"elsewhere");
    for name in ["HEAD", "side"] {
        let repo = TestRepo::with_notes();
        repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
        let target = repo.json_lines(["ref", "ls"]);
        let record = repo.json(["get", "com.example.note/b"])["cid"].as_str().unwrap().to_owned();
        for shown in [record, elsewhere.to_string()] {
            set_ref(&repo, name, &shown);
            let verify = repo.pds(["verify"]).ended();
            let text = verify.text();
            assert_eq!(verify.code(), if name == "HEAD" { 3 } else { 1 }, "{text}");
            assert!(text.contains(&shown), "{text}");
            if name == "HEAD" {
                assert!(verify.stderr.contains("pds repair"), "{}", verify.stderr);
                let said = repo.pds(["ls"]).fails(3);
                assert!(said.contains(&shown) && said.contains("pds repair"), "{said}");
            } else {
                assert!(text.contains("error ref-without-commit "), "{text}");
                repo.pds(["get", "com.example.note/a"]).ok();
            }
            let survey = repo.pds(["repair"]).ended();
            let said = format!(
                "ref {name} points to {shown}, which is not a commit; in the log it points to"
            );
            assert!(survey.code() == 1 && survey.text().starts_with(&said), "{}", survey.text());
            repo.pds(["repair", "--here"]).ok();
            assert_eq!(repo.json_lines(["ref", "ls"]), target);
            repo.assert_whole();
        }
    }
}

#[test]
fn without_a_log_head_is_the_newest_commit_if_there_is_but_one_line() {
    let repo = TestRepo::with_notes();
    let ((head, _), good) = (repo.head(), repo.export("good.car"));
    run(&repo, "DELETE FROM refs; DELETE FROM log");
    let said = repo.pds(["ls"]).fails(3);
    assert!(said.contains("ref HEAD is missing: the store has blocks, but the log "), "{said}");
    let verify = repo.pds(["verify"]).ended();
    assert!(verify.code() == 3 && verify.text().contains("error ref-missing: "), "{verify:?}");
    let said = repo.pds(["import", &good]).fails(3);
    assert!(said.contains("ref HEAD is missing") && said.contains("pds repair"), "{said}");
    let mended = repo.pds(["repair", "--here"]).ok();
    let line =
        format!("database: {COUNT}\nref HEAD is missing; the newest stored commit is {head}\n");
    assert!(mended.starts_with(&line), "{mended}");
    assert_eq!((repo.head().0, last_note(&repo)), (head.clone(), "repair".to_owned()));
    repo.assert_whole();

    // Two lines of commits: it is unknown to which of them HEAD pointed.
    repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
    repo.pds(["put", "com.example.note/s", "--ref", "side"]).stdin("{}").ok();
    run(&repo, "DELETE FROM refs; DELETE FROM log");
    for (how, code) in [("--here", 6), ("--rebuild", 1)] {
        let ended = repo.pds(["repair", how]).ended();
        assert_eq!(ended.code(), code, "{}", ended.stderr);
        assert!(ended.stderr.contains("pds ref set NAME COMMIT"), "{}", ended.stderr);
        // The first one has made the database again.
        let text = masked(&ended.text());
        assert_eq!(text.starts_with("database: refs: 0 rows instead of 2"), code == 6, "{text}");
        let lines = text.lines().filter(|line| !line.starts_with("database: "));
        assert_eq!(
            lines.take(3).collect::<Vec<_>>(),
            [
                "ref HEAD is missing; its target is unknown",
                "candidate <cid 1> rev <tid 1>",
                "candidate <cid 2> rev <tid 2>",
            ]
        );
    }
    repo.pds(["ref", "set", "HEAD", &head]).ok();
    repo.assert_whole();
}

#[test]
fn a_lost_commit_whose_tree_is_not_known_is_followed_by_the_state_before() {
    let repo = TestRepo::with_many_notes(80);
    repo.put("late", "late");
    let (head, root) = (repo.head().0, repo.json(["info"])["data"].as_str().unwrap().to_owned());
    let before = commits(&repo)[1].clone();
    for cid in [&head, &root] {
        lose(&repo, cid);
    }
    let ended = repo.pds(["repair", "--rebuild", "--json"]).ended();
    let answer: Value = serde_json::from_str(&ended.text()).unwrap();
    assert_eq!((ended.code(), &answer["commit"]), (6, &Value::Null), "{answer}");
    assert_eq!(answer["lost"][0]["cid"], head.as_str(), "{answer}");
    assert_eq!(answer["lost"].as_array().unwrap().len(), 1, "{answer}");
    // The remains are named.
    let late = answer["earlier"].as_array().unwrap().iter();
    let late = late.filter(|earlier| earlier["path"] == "com.example.note/late");
    assert_eq!(late.count() + answer["withoutPath"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!((repo.head().0, last_note(&repo)), (before, "repair".to_owned()));
    repo.assert_whole();
}

#[test]
fn a_ref_that_was_removed_or_never_was_is_not_lost() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    repo.pds(["ref", "rm", "side"]).ok();
    repo.assert_whole();
    assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
    let said = repo.pds(["ls", "--at", "side"]).fails(1);
    assert!(said.contains("no ref named side"), "{said}");
    let block = Block::new(Codec::Cbor, *b"\xa0").cid();
    repo.pds(["ref", "set", "odd", "HEAD"]).ok();
    set_ref(&repo, "odd", &block.to_string());
    let log = "UPDATE log SET after = '{cid}', start = {start} WHERE ref = 'odd'";
    let start = i64::from_be_bytes(*block.digest().first_chunk().unwrap());
    let log = log.replace("{cid}", &block.to_string()).replace("{start}", &start.to_string());
    run_sealed(&repo, &log);
    // Its former target is unknown.
    let survey = repo.pds(["repair", "--here"]).ended();
    assert_eq!(survey.code(), 1, "{}", survey.text());
    assert!(survey.text().starts_with(&format!("lost the commit of odd: {block}")), "{survey:?}");
    repo.pds(["ref", "rm", "odd"]).ok();
    repo.assert_whole();
    // The log records its removal, and so its target.
    assert!(repo.pds(["gc"]).fails(3).contains("`pds repair --here` accepts the loss"));
    let noted = repo.pds(["repair", "--here"]).ok();
    assert!(
        noted.starts_with(&format!("lost the commit of past states: {block}\nok: ")),
        "{noted}"
    );
    repo.pds(["gc"]).ok();
    repo.assert_whole();
}

#[test]
fn a_commit_that_only_a_removed_ref_had_is_taken_note_of_and_brought_back() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD"]).ok();
    repo.pds(["put", "com.example.note/side", "--ref", "side"]).stdin("{}").ok();
    let refs = repo.json_lines(["ref", "ls"]);
    let side = refs.iter().find(|row| row["name"] == "side").unwrap();
    let side = side["cid"].as_str().unwrap().to_owned();
    repo.pds(["export", "--at", "side", "-o", &repo.home.path("side.car")]).ended().done();
    repo.pds(["ref", "rm", "side"]).ok();
    lose(&repo, &side);
    repo.pds(["gc"]).fails(3);
    let noted = repo.pds(["repair", "--here"]).ok();
    assert!(noted.starts_with(&format!("lost the commit of past states: {side}\nok: ")), "{noted}");
    repo.pds(["gc"]).ok();
    let found = repo.pds(["repair", "--from", &repo.home.path("side.car")]).ok();
    assert!(found.contains(&format!("found {side} in ")), "{found}");
    assert!(repo.pds(["repair"]).ok().starts_with("ok: "));
    repo.pds(["gc"]).ok();
    repo.assert_whole();
}

#[test]
fn another_ref_whose_commit_is_lost_is_left_to_its_owner() {
    let repo = TestRepo::with_notes();
    let lost = commits(&repo)[1].clone();
    repo.pds(["ref", "set", "side", &lost]).ok();
    lose(&repo, &lost);
    for how in ["--here", "--rebuild"] {
        let ended = repo.pds(["repair", how]).ended();
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(ended.text().contains(&format!("lost the commit of side: {lost}\n")), "{ended:?}");
        assert!(ended.stderr.contains("pds ref rm NAME"), "{ended:?}");
    }
    repo.pds(["ref", "rm", "side"]).ok();
    repo.assert_whole();
    assert!(repo.pds(["repair", "--here"]).ok().starts_with("lost the commit of past states: "));
}

const COUNT: &str = "refs: 0 rows instead of 1";

#[test]
fn a_lost_ref_is_reported_once() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
    // As after a repair that has counted the refs again.
    run_sealed(&repo, "DELETE FROM refs WHERE name = 'side'");
    let verify = repo.pds(["verify", "--history"]).ended();
    let text = verify.text();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("ref side is missing")).collect();
    assert!(matches!(lines[..], [line] if line.starts_with("error ref-missing ")), "{text}");
    assert_eq!(verify.code(), 1, "{text}");
}
