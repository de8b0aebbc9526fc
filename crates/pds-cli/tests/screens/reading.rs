//! The screens of verbs that read.

use super::{Screen, masked_screen};
use crate::common::TestRepo;

/// A repository with two posts; one has a hostile text.
fn posts() -> TestRepo {
    let repo = TestRepo::new();
    for (rkey, record) in [
        (
            "3jzfcijpj2z2a",
            "{\"text\":\"Low water at 15:30, and the ledge below the light was bare for the first time\",\
              \"createdAt\":\"2024-03-02T09:12:40Z\"}",
        ),
        (
            "3k2aexample2b",
            "{\"text\":\"潮だまりの写真\\nをありがとう \\u202egpj.tsoc\\u001b[2J\",\"createdAt\":\"2023-11-24T16:47:00Z\",\
              \"langs\":[\"ja\",\"en\"]}",
        ),
    ] {
        repo.pds(["put", &format!("app.bsky.feed.post/{rkey}")]).stdin(record).ok();
    }
    repo.pds(["put", "app.bsky.actor.profile/self"]).stdin("{\"displayName\":\"Mara\"}").ok();
    repo
}

#[test]
fn lists_have_aligned_columns_and_their_texts_are_cut() {
    let repo = posts();
    let show = |columns: usize, line: &str| Screen::plain(columns).of(&repo.home, line);
    let Some(collections) = show(80, "pds -R alice ls") else { return };
    assert_eq!(
        collections,
        "app.bsky.actor.profile  1\napp.bsky.feed.post      2\n\n3 records in 2 collections\n"
    );
    let line = "pds -R alice ls app.bsky.feed.post";
    assert_eq!(
        masked_screen(&show(80, line).unwrap()),
        "3jzfcijpj2z2a  <cid-->  2 Mar 2024        Low water at 15:30, and the ledge be…\n\
         3k2aexample2b  <cid-->  24 Nov 2023       潮だまりの写真⏎をありがとう <U+202E>…\n"
    );
    // A narrow terminal leaves out the time, and then the CID.
    assert_eq!(
        masked_screen(&show(50, line).unwrap()),
        "3jzfcijpj2z2a  <cid-->  Low water at 15:30, and …\n\
         3k2aexample2b  <cid-->  潮だまりの写真⏎をありが…\n"
    );
    assert_eq!(
        show(30, line).unwrap(),
        "3jzfcijpj2z2a  Low water at 1…\n3k2aexample2b  潮だまりの写真…\n"
    );
    let utc = show(120, &format!("{line} --utc --limit 1")).unwrap();
    assert!(utc.contains("  2024-03-02T09:12:40Z  Low water"), "{utc}");
}

#[test]
fn a_record_is_json_and_nothing_else() {
    let repo = posts();
    let line = "pds -R alice get app.bsky.feed.post/3k2aexample2b";
    let Some(text) = Screen::plain(80).of(&repo.home, line) else { return };
    assert_eq!(
        text,
        "{\n  \"$type\": \"app.bsky.feed.post\",\n  \"createdAt\": \"2023-11-24T16:47:00Z\",\n  \
         \"langs\": [\"ja\", \"en\"],\n  \
         \"text\": \"潮だまりの写真\\nをありがとう \\u202egpj.tsoc\\u001b[2J\"\n}\n"
    );
    let coloured = Screen { columns: 80, settings: "PDS_PAGER=cat" }.of(&repo.home, line).unwrap();
    assert!(coloured.contains("\x1b[2m\"langs\"\x1b[0m: [\"ja\", \"en\"]"), "{coloured:?}");
}

#[test]
fn a_check_says_what_is_valid_and_what_is_not() {
    let repo = posts();
    repo.export("whole.car");
    let bytes = repo.home.read("whole.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 40]);
    let show = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(valid) = show("pds -R alice verify") else { return };
    let lines: Vec<&str> = valid.lines().collect();
    assert!(lines[0].starts_with("✓ valid   did:web:alice.example.com at 3"), "{valid}");
    assert!(lines[1].starts_with("  3 records, ") && lines[1].ends_with(" s"), "{valid}");
    assert!(lines[2].starts_with("  signature valid, did:key:z"), "{valid}");
    let cut = masked_screen(&show("pds verify cut.car").unwrap());
    assert!(cut.starts_with("✗ error    car-"), "{cut}");
    assert!(cut.contains("\n✗ not valid   did:web:alice.example.com at <rev--------->\n"), "{cut}");
    assert!(!cut.contains("bafyrei"), "{cut}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let repo = posts();
    repo.put("b", "b");
    repo.export("whole.car");
    let bytes = repo.home.read("whole.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 40]);
    for columns in [80, 120] {
        for line in [
            "pds -R alice ls --all",
            "pds -R alice ls -l app.bsky.feed.post",
            "pds -R alice info",
            "pds -R alice mst",
            "pds -R alice ref ls",
            "pds -R alice gc",
            "pds -R alice repair",
            "pds -R alice merge HEAD~1",
            "pds -R alice revert HEAD",
            "pds -R alice reset HEAD~1",
            "pds verify cut.car",
            "pds recover cut.car",
            "pds -R alice import cut.car",
            "pds -R alice import whole.car --force",
            "pds -R nowhere ls",
            "pds -R alice get com.example.note/nowhere",
        ] {
            let Some(text) = Screen::plain(columns).of(&repo.home, line) else { return };
            assert!(!text.trim().is_empty(), "{line}");
            for shown in text.lines() {
                let width = unicode_width::UnicodeWidthStr::width(shown);
                assert!(width <= columns, "{line} at {columns}: {shown:?}");
                assert_eq!(shown.trim_end(), shown, "{line}");
            }
        }
    }
}
