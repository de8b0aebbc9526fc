//! Screens of commands that write.

use super::Screen;
use crate::common::TestRepo;

#[test]
fn a_write_that_changes_nothing_claims_no_commit() {
    let repo = TestRepo::with_notes();
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    repo.home.write("same.json", repo.pds(["get", "com.example.note/a"]).ok());
    repo.home.write("all.ndjson", repo.pds(["export", "--format", "ndjson"]).ok());
    let before = repo.pds(["log"]).ok();
    let Some(said) = screen("pds -R alice put com.example.note/a same.json") else { return };
    assert_eq!(said, "nothing changed: the record is as it was\n");
    let said = screen("pds -R alice apply all.ndjson").unwrap();
    assert_eq!(said, "nothing changed: 3 records are as they were\n");
    assert_eq!(repo.pds(["log"]).ok(), before);
    // Of several records, a terminal shows those that changed.
    let put = |key: &str, text: &str| {
        format!(
            "{{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"{key}\",\
             \"value\":{{\"$type\":\"com.example.note\",\"text\":\"{text}\"}}}}\n"
        )
    };
    repo.home.write("some.ndjson", put("a", "a") + &put("b", "new"));
    let said = screen("pds -R alice apply some.ndjson").unwrap();
    assert!(said.starts_with("~ com.example.note/b  "), "{said}");
    assert!(said.contains("\n✓ ~1 in the new commit "), "{said}");
    // In a pipe, each record has its line.
    assert_eq!(repo.pds(["apply", &repo.home.path("some.ndjson")]).ok().lines().count(), 2);
}

#[test]
fn a_deletion_and_an_import_name_the_way_back() {
    let repo = TestRepo::with_notes();
    repo.home.pds(["clone", "alice", "copy"]).ok();
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(said) = screen("pds -R alice rm com.example.note/a") else { return };
    assert!(said.ends_with("\nhint: pds revert HEAD restores them\n"), "{said}");
    let said = screen("pds -R copy import alice").unwrap();
    let hints = "\nhint: see what changed with pds diff '@{1}'\nhint: pds reset '@{1}' undoes it\n";
    assert!(said.ends_with(hints), "{said}");
    screen("pds -R copy reset '@{1}'").unwrap();
    assert!(repo.home.pds(["-R", "copy", "ls", "--all"]).ok().contains("com.example.note/a"));
    screen("pds -R alice revert HEAD").unwrap();
    assert!(repo.pds(["ls", "--all"]).ok().contains("com.example.note/a"));
}

/// A repository with a post of two versions, which have a blob, and a post with a blob that is not stored.
fn pictures() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.home.write("picture", [7_u8; 88_000]);
    let blob = repo.pds(["blob", "put", "picture", "--mime", "image/png"]).ok();
    for text in ["one", "two"] {
        let record = format!("{{\"text\":\"{text}\",\"image\":{blob}}}");
        repo.pds(["put", "app.bsky.feed.post/3n333whbupk2b"]).stdin(record).ok();
    }
    let record = "{\"image\":{\"$type\":\"blob\",\"mimeType\":\"image/png\",\"ref\":{\"$link\":\
        \"bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka\"},\"size\":9}}";
    let put = ["put", "com.example.note/image", "--allow-missing-blobs"];
    repo.pds(put).stdin(record).ended().done();
    repo
}

#[test]
fn sizes_and_states_of_a_repository_are_in_columns() {
    let repo = pictures();
    let Some(info) = Screen::plain(80).of(&repo.home, "pds -R alice info") else { return };
    let (_, sizes) = info.split_once("\n\n").unwrap();
    let lines: Vec<&str> = sizes.lines().collect();
    let blocks: u64 = repo.json(["info"])["blocks"].as_u64().unwrap();
    let rows = repo.json_lines(["ls", "--all", "-l"]);
    let bytes: u64 = rows.iter().map(|row| row["size"].as_u64().unwrap()).sum();
    assert_eq!(lines[0], format!("records     5 in 2 collections      {bytes} B"), "{info}");
    assert_eq!(lines[1], format!("blocks      {blocks}, 3 of them nodes"), "{info}");
    assert_eq!(lines[2], "blobs       1 stored, 1 missing   88.0 kB", "{info}");
    assert_eq!(lines[3], "history     7 states since today", "{info}");
    assert!(lines[4].starts_with("on disk     ") && lines.len() == 5, "{info}");
    // A file has no blobs and no history.
    repo.export("whole.car");
    let file = Screen::plain(80).of(&repo.home, "pds -R whole.car info").unwrap();
    let records = format!("\nrecords     5 in 2 collections  {bytes} B\n");
    assert!(file.contains(&records), "{file}");
    assert!(!file.contains("\nblobs") && !file.contains("\nhistory"), "{file}");
}

#[test]
fn a_collection_names_what_remains() {
    let repo = pictures();
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    let blocks: u64 = repo.json(["info"])["blocks"].as_u64().unwrap();
    let Some(shown) = screen("pds -R alice gc") else { return };
    let kept = format!("kept 7 states, {blocks} blocks, 1 blob");
    let first = "✓ freed 0 B: 0 blocks and 0 blobs that nothing refers to\n  ";
    assert_eq!(shown, format!("{first}{kept}\n"));
    let planned = screen("pds -R alice gc --keep 1 --dry-run").unwrap();
    let swept = screen("pds -R alice gc --keep 1 --yes").unwrap();
    let kept = |text: &str, label: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(label)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(kept(&planned, "  would keep "), kept(&swept, "  kept "));
    let blocks: u64 = repo.json(["info"])["blocks"].as_u64().unwrap();
    assert_eq!(kept(&swept, "  kept "), format!("1 state, {blocks} blocks, 1 blob"));
    assert!(swept.contains("\n  6 states dropped"), "{swept}");
}

#[test]
fn the_question_of_forget_names_versions_blobs_and_days() {
    let repo = pictures();
    let line = "pds -R alice forget app.bsky.feed.post/3n333whbupk2b";
    let Some(asked) = Screen::plain(80).of(&repo.home, line) else { return };
    let row = "\n  app.bsky.feed.post/3n333whbupk2b  2 versions, 1 blob (88.0 kB)\n";
    assert!(asked.contains(row), "{asked}");
    let states = asked.lines().find(|line| line.contains(" of 7 states, ")).unwrap();
    assert!(states.starts_with("  3 of 7 states, "), "{asked}");
    assert!(states.ends_with("  HEAD becomes a new commit without it"), "{asked}");
    let day = states.split(", stored ").nth(1).unwrap().split("  ").next().unwrap();
    let month = day.split(' ').nth(1).unwrap();
    assert!(day.len() <= 12 && month.len() == 3, "{day}");
    let narrow = Screen::plain(50).of(&repo.home, line).unwrap();
    assert!(narrow.contains("\n    2 versions, 1 blob (88.0 kB)\n"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
    let done = Screen::plain(80).of(&repo.home, &format!("{line} --yes")).unwrap();
    let lines: Vec<&str> = done.lines().collect();
    assert!(lines[0].starts_with("✓ forgotten: 2 versions, 3 states, 1 blob · "), "{done}");
    assert!(lines[0].ends_with(" kB freed"), "{done}");
    let end = " · no file of this repository holds the purged data";
    assert!(lines[1].starts_with("  HEAD is 3") && lines[1].ends_with(end), "{done}");
    assert_eq!(lines.len(), 2, "{done}");
}

#[test]
fn questions_end_their_lines_at_words() {
    let repo = pictures();
    for name in ["branch-of-the-morning", "branch-of-the-evening"] {
        repo.pds(["ref", "set", name, "HEAD"]).ok();
    }
    for (verb, whole) in [
        ("gc --keep 1", " kB).\nIt cannot be undone.\nGo on? [y/N] \n"),
        (
            "forget app.bsky.feed.post/3n333whbupk2b",
            "\n    HEAD, branch-of-the-evening, branch-of-the-morning\n    become new commits without it\n",
        ),
        (
            "rm 'com.example.note/*' 'app.bsky.feed.post/*' 'com.example.note/*'",
            "app.bsky.feed.post/*\ncom.example.note/*)? [y/N] \n",
        ),
    ] {
        let Some(text) = Screen::plain(60).of(&repo.home, &format!("pds -R alice {verb}")) else {
            return;
        };
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{verb}: {text}");
        assert!(text.contains(whole), "{verb}: {text}");
    }
}

#[test]
fn a_planned_deletion_counts_its_records() {
    let repo = TestRepo::with_notes();
    let line = "pds -R alice rm com.example.note --dry-run";
    let Some(said) = Screen::plain(80).of(&repo.home, line) else { return };
    let list = "- com.example.note/a\n- com.example.note/b\n- com.example.note/c\n";
    assert_eq!(said, format!("{list}\n3 records would be deleted\n"));
    // A plan fails where the deletion would.
    for flag in ["--yes", "--dry-run"] {
        let paths = ["rm", "com.example.note/a", "com.example.note/nope", flag];
        let said = repo.pds(paths).fails(1);
        assert_eq!(said, "error: record com.example.note/nope does not exist\n");
    }
}
