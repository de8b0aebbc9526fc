//! `forget`: afterwards no file of the repository contains the purged data.

use crate::common::{DID, TestRepo, contains, creations, masked};

const MARKER: &str = "a-marker-that-must-go";

/// The files of the repository that hold the marker.
fn files_with(repo: &TestRepo, marker: &str) -> Vec<String> {
    repo.home.files_with("alice", marker)
}

#[test]
fn no_file_holds_what_was_written_updated_exported_and_deleted() {
    let repo = TestRepo::with_many_notes(2_000);
    let blob = repo.pds(["blob", "put", "-"]).stdin(format!("blob {MARKER}")).ok();
    for n in 0..3 {
        let text = format!("{MARKER} {n} ").repeat(1 + 2_000 * n);
        let record = format!("{{\"text\":\"{text}\",\"file\":{blob}}}");
        repo.pds(["put", &format!("com.example.note/{MARKER}")]).stdin(record).ok();
        repo.put("between", &n.to_string());
    }
    let car = repo.pds(["export"]).ended().stdout;
    assert!(contains(&car, MARKER));
    repo.pds(["import", "-"]).stdin(car).ended().done();
    repo.pds(["rm", &format!("com.example.note/{MARKER}")]).ok();
    repo.put("afterwards", "x");
    assert!(files_with(&repo, MARKER).len() >= 2, "it is there before");
    let head = repo.head();

    // A process that has the repository open and is stuck, because its output is not read.
    let mut reader = repo.pds(["export"]).start();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(reader.try_wait().unwrap().is_none(), "it waits for us");
    let said = repo.json(["forget", "--yes", &format!("com.example.note/{MARKER}")]);
    assert_eq!((&said["erased"], said["blobs"].as_u64()), (&true.into(), Some(1)));
    assert_eq!(files_with(&repo, MARKER), Vec::<String>::new());
    assert_eq!(repo.head(), head, "only the past was forgotten");

    let exported = reader.wait_with_output().unwrap();
    assert!(exported.status.success());
    repo.home.pds(["verify", "-"]).stdin(exported.stdout).ok();
    assert_eq!(files_with(&repo, MARKER), Vec::<String>::new());
    repo.assert_whole();
    assert!(!repo.pds(["log"]).ok().is_empty());
    repo.pds(["gc"]).ok();
    assert_eq!(files_with(&repo, MARKER), Vec::<String>::new());
}

#[test]
fn forget_tells_what_it_did() {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
    let uri = format!("at://{DID}/com.example.note/b");
    let before = repo.pds(["log"]).ok();
    let weighed = repo.pds(["forget", "--yes", &uri, "--dry-run"]).ok();
    let lines: Vec<&str> = weighed.lines().collect();
    let refs = repo.pds(["ref", "ls"]).ok();
    assert_eq!(lines[..2], refs.lines().collect::<Vec<_>>(), "where they stand");
    assert_eq!(repo.pds(["log"]).ok(), before, "nothing has happened");

    let said = repo.pds(["forget", "--yes", &uri]).ok();
    assert_eq!(said.lines().collect::<Vec<_>>()[2..], lines[2..]);
    let masked = masked(&said);
    let refs = masked.lines().take(2).collect::<Vec<_>>();
    assert_eq!(refs, ["HEAD\t<cid 1>", "side\t<cid 2>"]);
    assert!(said.contains("\nstates   2\nmoves    3\nblocks   "), "{said}");
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 2);
    let log = repo.json_lines(["log"]);
    let events: Vec<&str> = log.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["forget", "write", "init"]);
    repo.assert_whole();

    let again = repo.pds(["forget", "--yes", &uri]).fails(1);
    assert_eq!(again, "error: no stored state has com.example.note/b\n");
    let json = repo.json(["forget", "--yes", "com.example.note/a", "--dry-run"]);
    assert_eq!((json["dryRun"].as_bool(), json["erased"].as_bool()), (Some(true), Some(false)));
    assert_eq!(json["refs"][0]["name"], "HEAD");
}

#[test]
fn forget_before_keeps_what_came_later() {
    let repo = TestRepo::with_notes();
    let kept = repo.pds(["get", "com.example.note/a", "--at", "HEAD~1"]).ok();
    let said = repo.json(["forget", "--yes", "--before", "HEAD~1"]);
    assert_eq!((said["states"].as_u64(), said["moves"].as_u64()), (Some(2), Some(2)));
    assert_eq!(repo.pds(["get", "com.example.note/a", "--at", "@{1}"]).ok(), kept);
    assert_eq!(repo.json_lines(["log"]).len(), 2);
    repo.pds(["get", "com.example.note/a", "--at", "HEAD~2"]).fails(1);
    let past = repo.json(["forget", "--yes", "--before", "2020-02-29"]);
    assert_eq!(past["states"], 0);
    let all = repo.json(["forget", "--yes", "--before", "2200-01-01T00:00:00Z"]);
    assert_eq!(all["states"], 1);
    assert_eq!(repo.json_lines(["log"]).len(), 1);
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 3);
    // A ref may have the name of a day.
    repo.put("d", "d");
    repo.pds(["ref", "set", "2200-01-01", "HEAD~1"]).ok();
    assert_eq!(repo.json(["forget", "--yes", "--before", "2200-01-01"])["states"], 0);
    repo.assert_whole();
}

#[test]
fn a_mirror_forgets_the_past_only() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    repo.home.pds(["clone", &file, "mirror"]).ok();
    let forget =
        |path: &str| repo.home.pds(["-R", "mirror", "forget", "--yes", path].map(str::to_owned));
    let said = forget("com.example.note/a").fails(1);
    assert_eq!(
        said,
        "error: no signing key: cannot delete the record from HEAD\n\
         hint: nothing was purged; run pds key import FILE, or move or delete these refs\n"
    );
    repo.pds(["rm", "com.example.note/a"]).ok();
    let newer = repo.export("newer.car");
    repo.home.pds(["-R", "mirror", "import", &newer]).ok();
    let said = forget("com.example.note/a").ok();
    assert!(said.starts_with("states   1\n"), "{said}");
    repo.home.pds(["-R", "mirror", "verify"]).ok();
}

#[test]
fn a_car_file_in_the_directory_is_named() {
    let repo = TestRepo::with_notes();
    repo.export("alice/mine.car");
    std::fs::create_dir_all(repo.home.dir().join("alice/blobs")).unwrap();
    repo.home.write("alice/blobs/.incoming-x", "half a blob");
    let ended = repo.pds(["forget", "--yes", "com.example.note/a"]).ended();
    assert_eq!(ended.code(), 0);
    let said: Vec<&str> = ended.stderr.lines().collect();
    let upload = "removed the unfinished work of an earlier run: alice/blobs/.incoming-x";
    assert_eq!(said[0], upload);
    assert_eq!(said[1], "alice/mine.car was not searched and may still contain the purged data");
    assert_eq!(said.len(), 2);
}

#[test]
fn leftovers_of_an_interrupted_clone_or_repair_are_deleted_too() {
    let repo = TestRepo::with_notes();
    for left in [".pds-new-x", ".pds-repair-x", "quarantine"] {
        std::fs::create_dir(repo.home.path(&format!("alice/{left}"))).unwrap();
        repo.home.write(&format!("alice/{left}/pds.db"), MARKER);
    }
    let ended = repo.pds(["forget", "--yes", "com.example.note/a"]).ended();
    assert_eq!((ended.code(), ended.stderr.lines().count()), (0, 2), "{}", ended.stderr);
    assert_eq!(files_with(&repo, MARKER), Vec::<String>::new());
    assert_eq!(repo.home.list("alice"), ["key", "pds.db"]);
}

#[test]
fn a_day_begins_in_the_zone_of_the_machine() {
    let repo = TestRepo::with_notes();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let tomorrow = tomorrow.strftime("%Y-%m-%d").to_string();
    let purged = |zone: &str, before: &str| {
        let forget = repo.pds(["forget", "--dry-run", "--json", "--before", before]);
        let said: serde_json::Value = serde_json::from_str(&forget.env("TZ", zone).ok()).unwrap();
        said["states"].as_u64().unwrap()
    };
    // A day ahead of UTC, the day of tomorrow began before the states were made.
    assert!(purged("UTC", &tomorrow) > 0);
    assert_eq!(purged("AHEAD-24", &tomorrow), 0);
    assert!(purged("UTC", "now") > 0);
    assert_eq!(purged("UTC", "2.days.ago"), 0);
}

const FORMS: &str = "give --before a state, a day like 2026-01-31, or a time like 2026-01-31T12:00 or \"2 days ago\"";

#[test]
fn forget_wants_to_know_what() {
    let repo = TestRepo::with_notes();
    for args in [
        &["forget"][..],
        &["forget", "--yes", "com.example.note"],
        &["forget", "--yes", "com.example.note/a", "--before", "HEAD"],
    ] {
        repo.pds(args.iter().copied()).fails(2);
    }
    let said = repo.pds(["forget"]).fails(2);
    assert!(said.contains("<PATHS|--before <REV|DATE>>"), "{said}");
    let said = repo.pds(["forget", "--yes", "--before", "nowhere"]).fails(1);
    assert_eq!(
        said,
        format!("error: unknown revision \"nowhere\": no ref named nowhere\nhint: {FORMS}\n")
    );
    for wrong in ["2026-13-45", "2026-1-1", "2026-01-31T12", "31.01.2026"] {
        let said = repo.pds(["forget", "--yes", "--before", wrong]).fails(2);
        assert_eq!(said, format!("error: {wrong} is neither a day nor a time\nhint: {FORMS}\n"));
    }
    repo.pds(["forget", "--yes", "at://did:web:bob.example.com/com.example.note/a"]).fails(1);
    let file = repo.export("backup.car");
    repo.home.pds(["-R", &file, "forget", "--yes", "com.example.note/a"]).fails(1);
    repo.pds(["apply"]).stdin(creations(0..2)).ok();
}

#[test]
fn forget_removes_what_killed_commands_have_left() {
    let repo = TestRepo::with_notes();
    for name in [".pds-export-abc", "alice/.pds-export-def", "alice/old.car.gz"] {
        repo.home.write(name, "may have the record");
    }
    std::fs::create_dir(repo.home.path(".pds-new-xyz")).unwrap();
    // A command that runs has locked its file.
    let running = std::fs::File::create(repo.home.path(".pds-export-running")).unwrap();
    running.lock().unwrap();
    let ended = repo.pds(["forget", "--yes", "com.example.note/a"]).ended();
    let said = |name: &str| {
        let line = ended.stderr.lines().find(|line| line.contains(name));
        line.unwrap_or_else(|| panic!("{}", ended.stderr))
    };
    for name in [".pds-export-abc", ".pds-export-def", ".pds-new-xyz"] {
        assert!(said(name).starts_with("removed the unfinished work of an earlier run: "));
    }
    assert!(said(".pds-export-running").contains("delete it if no process writes it"));
    assert!(said("old.car.gz").contains("was not searched"));
    assert_eq!(repo.home.list("."), [".pds-export-running", "alice"]);
}

#[test]
fn an_import_does_not_bring_back_what_was_forgotten() {
    let repo = TestRepo::with_notes();
    let text = format!("{{\"text\":\"{MARKER}\"}}");
    repo.pds(["put", "com.example.note/secret"]).stdin(text).ok();
    repo.pds(["rm", "com.example.note/secret"]).ok();
    repo.put("after", "after");
    for (copy, forget) in [
        ("one", &["forget", "--yes", "com.example.note/secret"][..]),
        ("two", &["forget", "--yes", "--before", "HEAD"]),
        ("three", &["gc", "--keep", "1"]),
    ] {
        repo.home.pds(["clone", "alice", copy]).ok();
        repo.home.pds(["-R", copy].iter().chain(forget).copied()).ok();
    }
    repo.put("new", "new");
    repo.pds(["export", "--history", "-o", "all.car"]).ended().done();
    let copied = |name: &str| {
        let copied = std::fs::read(repo.home.path(&format!("{name}/pds.db"))).unwrap();
        contains(&copied, MARKER)
    };
    for (copy, from, count) in
        [("one", "all.car", "1 state"), ("two", "all.car", "6 states"), ("one", "alice", "")]
    {
        let ended = repo.home.pds(["-R", copy, "import", from]).ended();
        ended.done();
        let said =
            format!("{count} not stored: pds forget has deleted states up to a later rev here\n");
        assert_eq!(ended.stderr.contains(&said), !count.is_empty(), "{}", ended.stderr);
        assert!(!copied(copy), "{copy} {from}");
        repo.home.pds(["-R", copy, "log", "com.example.note/secret"]).ended();
        repo.home.pds(["-R", copy, "verify", "--history"]).ok();
    }
    // gc saves space. A file with the history brings it back.
    assert!(!copied("three"));
    repo.home.pds(["-R", "three", "import", "all.car"]).ended().done();
    assert!(copied("three"));
}
