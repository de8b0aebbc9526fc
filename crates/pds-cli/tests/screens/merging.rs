//! The screens of merges and reverts with conflicts.

use super::{Screen, masked_screen};
use crate::common::{TestRepo, creations};

/// Two devices of one account. Both changed the profile in the same way, and one post in two ways.
fn devices() -> TestRepo {
    let repo = TestRepo::new();
    let put = |place: &str, path: &str, json: &str| {
        repo.home.pds(["-R", place, "put", path]).stdin(json).ok();
    };
    let post = "app.bsky.feed.post/3n3eee3rq3f2b";
    let text = |end: &str| {
        format!("{{\"text\":\"Reminder for tomorrow: the survey starts at the {end}.\"}}")
    };
    put("alice", post, &text("car park"));
    put("alice", "app.bsky.feed.post/3n3f1jw5xye2b", "{\"text\":\"old\"}");
    repo.home.pds(["clone", "alice", "phone", "--with-key"]).ok();
    for place in ["alice", "phone"] {
        put(place, "app.bsky.actor.profile/self", "{\"displayName\":\"Mara\"}");
    }
    put("alice", post, &text("slipway, not at the car park"));
    put("phone", post, &text("slipway at 14:30"));
    put("phone", "example.shoreline.survey.count/3n3euliiz4p2b", "{\"n\":3}");
    repo.home.pds(["-R", "phone", "rm", "app.bsky.feed.post/3n3f1jw5xye2b"]).ok();
    repo
}

#[test]
fn a_conflict_shows_both_sides_and_the_records_around_it() {
    let repo = devices();
    repo.home.pds(["-R", "phone", "export", "--chain", "-o", "phone.car"]).ended().done();
    let show = |columns: usize, line: &str| {
        let text = Screen::plain(columns).of(&repo.home, line)?;
        let fits = |line: &str| unicode_width::UnicodeWidthStr::width(line) <= columns;
        assert!(text.lines().all(fits), "{text}");
        Some(masked_screen(&text))
    };
    let before = repo.pds(["log"]).ok();
    let Some(shown) = show(80, "pds -R alice merge phone.car; echo code $?") else { return };
    let note = |path: &str, note: &str| {
        // A masked rev is a letter longer.
        let width = if path.contains("<rev") { 81 } else { 80 };
        format!("{path}{note:>0$}\n", width - path.chars().count())
    };
    let expected = [
        "base     <rev--------->  just now\n",
        "ours     <rev--------->  HEAD, 2 changes since\n",
        "theirs   <rev--------->  phone.car, 4 changes since\n\n",
        &note("- app.bsky.feed.post/<rev--------->", "from theirs"),
        &note("+ example.shoreline.survey.count/<rev--------->", "from theirs"),
        &note("= app.bsky.actor.profile/self", "same on both sides"),
        &note("‼ app.bsky.feed.post/<rev--------->", "conflict"),
        "    ours    <cid-->  \"… starts at the slipway, not at the car park.\"\n",
        "    theirs  <cid-->  \"… starts at the slipway at 14:30.\"\n\n",
        "✗ not merged: 1 conflict, nothing was changed\n",
        "hint: decide with --ours, --theirs, or --take theirs:PATH for each record\n",
        "code 1\n",
    ];
    assert_eq!(shown, expected.concat());
    assert_eq!(repo.pds(["log"]).ok(), before);
    let narrow = show(50, "pds -R alice merge phone.car").unwrap();
    assert!(narrow.contains("\n+ example.shoreline.survey.count/3n3…  from theirs\n"), "{narrow}");
    // A directory names the other side as a file does. Without a common state, each record has two sides.
    let empty = show(80, "pds -R alice merge phone --base empty").unwrap();
    assert!(empty.starts_with("base     no common state\n"), "{empty}");
}

#[test]
fn a_version_that_is_not_stored_is_named_without_its_text() {
    let repo = devices();
    let ours = repo.pds(["get", "app.bsky.feed.post/3n3eee3rq3f2b", "--json"]).ok();
    let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
    let cid = ours["cid"].as_str().unwrap().parse::<pds::data::Cid>().unwrap();
    let store = rusqlite::Connection::open(repo.home.path("alice/pds.db")).unwrap();
    store.execute("DELETE FROM blocks WHERE cid = ?1", [cid.as_bytes().as_slice()]).unwrap();
    drop(store);
    let screen = Screen::plain(80).of(&repo.home, "pds -R alice merge phone");
    let Some(text) = screen.map(|text| masked_screen(&text)) else { return };
    assert!(text.contains("\n    ours    <cid-->  not stored\n"), "{text}");
    assert!(text.contains("\n    theirs  <cid-->  \"Reminder for tomorrow: the survey"), "{text}");
}

#[test]
fn a_revert_that_later_changes_prevent_shows_them() {
    let repo = devices();
    let line = "pds -R alice revert HEAD~3; echo code $?";
    let Some(shown) = Screen::plain(80).of(&repo.home, line) else { return };
    let note = format!("{:>46}", "conflict");
    assert_eq!(
        masked_screen(&shown),
        format!(
            "‼ app.bsky.feed.post/<rev--------->{note}\n    \
             ours    <cid-->  \"Reminder for tomorrow: the survey starts at the slipway,…\n    \
             theirs  deleted\n\n\
             ✗ not reverted: 1 conflict, nothing was changed\n\
             hint: use pds put for records that changed since\n\
             code 1\n"
        )
    );
}

#[test]
fn a_merge_and_a_revert_list_their_first_records() {
    let repo = TestRepo::with_many_notes(5);
    repo.home.pds(["clone", "alice", "phone", "--with-key"]).ok();
    repo.home.write("more.ndjson", creations(100..1325));
    repo.home.pds(["-R", "phone", "apply", "more.ndjson"]).ok();
    let show = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(text) = show("pds -R alice merge phone") else { return };
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("+ ")).collect();
    assert_eq!(lines.len(), 20, "{text}");
    assert!(text.contains("\n… 1,205 more records\n\n✓ moved forward to "), "{text}");
    assert!(text.contains(" · +1,225"), "{text}");
    let text = show("pds -R alice revert HEAD").unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), 20, "{text}");
    assert!(text.contains("\n… 1,205 more records\n"), "{text}");
    // In a pipe, each record has its line.
    let repo = TestRepo::with_many_notes(5);
    repo.home.pds(["clone", "alice", "phone", "--with-key"]).ok();
    repo.home.write("more.ndjson", creations(100..130));
    repo.home.pds(["-R", "phone", "apply", "more.ndjson"]).ok();
    assert_eq!(repo.pds(["merge", &repo.home.path("phone")]).ok().lines().count(), 31);
}
