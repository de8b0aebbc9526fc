//! A clock that was wrong: writes are refused, the state can be copied, and it can be mended.

use std::time::{SystemTime, UNIX_EPOCH};

use pds::Repo;
use pds::data::Value;

use crate::common::TestRepo;

const MINUTE: u64 = 60 * 1_000_000;
const YEAR: u64 = 365 * 24 * 60 * MINUTE;

/// Three notes, and a fourth one that was written with a clock that was ahead.
fn ahead_by(micros: u64) -> TestRepo {
    let repo = TestRepo::with_notes();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let then = u64::try_from(now).unwrap() + micros;
    let wrong = Repo::open(repo.home.path("alice")).unwrap().with_clock(move || then);
    let note = Value::from([("text", Value::from("late"))]);
    wrong.accepting_clock().put(&"com.example.note/late".parse().unwrap(), &note).unwrap();
    repo
}

const SIGNING: [(&[&str], &str); 7] = [
    (&["put", "com.example.note/x"], "{\"text\":\"x\"}"),
    (&["rm", "com.example.note/a"], ""),
    (&["apply"], "{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"a\"}\n"),
    (&["revert", "HEAD~1"], ""),
    (&["merge", "draft"], ""),
    (&["key", "rotate"], ""),
    (&["forget", "--yes", "com.example.note/a"], ""),
];

#[test]
fn every_verb_that_signs_names_both_times_and_the_way_out() {
    let repo = ahead_by(10 * YEAR);
    repo.pds(["ref", "set", "draft", "HEAD~2"]).ended().done();
    repo.pds(["put", "com.example.note/d", "--ref", "draft", "--accept-clock"])
        .stdin("{\"text\":\"d\"}")
        .ended()
        .done();
    let (head, rev) = repo.head();
    for (args, stdin) in SIGNING {
        let said = repo.pds(args.iter().copied()).stdin(stdin).fails(1);
        let year = &jiff::Timestamp::now().to_string()[..4];
        assert!(
            said.starts_with(&format!(
                "error: not signed: the clock of this machine shows {year}-"
            )),
            "{said}"
        );
        assert!(said.contains(" days before ") && said.contains("--accept-clock"), "{said}");
        assert!(said.contains("pds repair --redate"), "{said}");
        assert_eq!(repo.head(), (head.clone(), rev.clone()), "{args:?}");
        let json = repo.pds(args.iter().copied().chain(["--json"])).stdin(stdin).fails(1);
        assert!(json.contains("\"error\":\"clock\""), "{json}");

        let copy = TestRepo { home: repo.home.copied() };
        let accepted = args.iter().copied().chain(["--accept-clock"]);
        let ended = copy.pds(accepted).stdin(stdin).ended();
        assert_eq!(ended.code(), 0, "{args:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("warning: the clock of this machine shows"),
            "{}",
            ended.stderr
        );
        assert_ne!(copy.head().0, head, "{args:?}");
    }
    for reading in
        [&["ls"][..], &["get", "com.example.note/a"], &["log"], &["export", "-o", "x.car"]]
    {
        repo.pds(reading.iter().copied()).ended().done();
    }
}

#[test]
fn a_clock_that_is_minutes_behind_is_a_warning() {
    for (minutes, warns) in [(4, false), (6, true), (23 * 60, true)] {
        let repo = ahead_by(minutes * MINUTE);
        let ended =
            repo.pds(["put", "com.example.note/x", "--json"]).stdin("{\"text\":\"x\"}").ended();
        assert_eq!(ended.code(), 0, "{}", ended.stderr);
        assert_eq!(
            ended.stderr.contains("minutes before rev"),
            warns,
            "{minutes}: {}",
            ended.stderr
        );
        assert_eq!(ended.text().contains("\"warnings\":[\"the clock"), warns, "{}", ended.text());
    }
}

#[test]
fn a_state_from_the_future_is_signed_again() {
    let repo = ahead_by(10 * YEAR);
    let (head, rev) = repo.head();
    let verified = repo.pds(["verify"]).ended();
    assert_eq!(verified.code(), 1);
    let text = verified.text();
    assert!(text.contains(&format!("error rev-in-future {head}: rev {rev} is from ")), "{text}");
    assert!(text.contains("but the clock of this machine shows "), "{text}");
    assert!(verified.stderr.contains("pds repair --redate"), "{}", verified.stderr);
    let file = repo.pds(["verify", &repo.export("late.car")]).ended();
    assert!(file.stderr.contains("pds clone FILE --accept-clock"), "{}", file.stderr);

    let listed = repo.pds(["repair"]).ended();
    assert_eq!(listed.code(), 1, "{}", listed.stderr);
    assert!(
        listed.text().contains(&format!("future HEAD: rev {rev} is from ")),
        "{}",
        listed.text()
    );
    assert!(listed.text().contains("pds repair --redate signs the state with a rev of today"));
    assert_eq!(repo.head().0, head, "nothing was changed");
    let listed: serde_json::Value =
        serde_json::from_str(&repo.pds(["repair", "--json"]).ended().text()).unwrap();
    assert_eq!(listed["future"][0]["commit"]["rev"], rev);
    repo.pds(["repair", "--redate", "--dry-run"]).ended();
    assert_eq!(repo.head().0, head);

    let mended = repo.pds(["repair", "--redate"]).ended();
    assert_eq!(mended.code(), 0, "{}{}", mended.text(), mended.stderr);
    let (new, new_rev) = repo.head();
    let line = format!("redated HEAD: commit {new} rev {new_rev} replaces rev {rev}\n");
    assert!(mended.text().starts_with(&line), "{}", mended.text());
    repo.assert_whole();
    let history = repo.pds(["verify", "--history"]).ended();
    assert_eq!(history.code(), 0, "{}", history.text());
    assert!(history.text().contains("warning rev-in-future"), "{}", history.text());
    assert_eq!(repo.pds(["get", "com.example.note/late", "--at", &head]).ended().code(), 0);
    repo.put("x", "x");
    let export = repo.export("mended.car");
    repo.home.pds(["clone", &export, "copy"]).ok();
    let again = repo.pds(["repair", "--redate"]).ended().done();
    assert!(again.starts_with("ok: "), "{again}");
}

#[test]
fn a_repository_from_the_future_is_backed_up_and_mended() {
    let repo = ahead_by(10 * YEAR);
    let file = repo.export("late.car");
    let home = &repo.home;
    let key = repo.pds(["key", "show"]).ok();
    for source in [file.as_str(), "alice"] {
        let said = home.pds(["clone", source, "copy", "--key", key.trim()]).fails(1);
        assert!(said.contains("rev-in-future") && said.contains("--accept-clock"), "{said}");
        assert!(said.contains("set the clock of this machine if it is wrong"), "{said}");
        let args = ["clone", source, "copy", "--key", key.trim(), "--accept-clock"];
        let cloned = home.pds(args).ended();
        assert_eq!(cloned.code(), 0, "{}", cloned.stderr);
        assert!(cloned.stderr.contains("but the clock of this machine shows"), "{}", cloned.stderr);
        assert_eq!(home.pds(["-R", "copy", "ls", "--all"]).ok().lines().count(), 4);
        home.pds(["-R", "copy", "repair", "--redate"]).fails(1);
        home.pds(["-R", "copy", "key", "import", "alice/key"]).ended().done();
        home.pds(["-R", "copy", "repair", "--redate"]).ended().done();
        home.pds(["-R", "copy", "verify"]).ok();
        std::fs::remove_dir_all(home.path("copy")).unwrap();
    }
    home.pds(["init", "other", "--did", crate::common::DID]).ok();
    let import = ["-R", "other", "import", &file, "--key", key.trim()];
    home.pds(import).fails(1);
    let ended = home.pds(import.into_iter().chain(["--accept-clock", "--force"])).ended();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
}
