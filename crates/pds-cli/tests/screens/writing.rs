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
