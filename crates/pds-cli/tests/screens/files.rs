//! Screens of commands that write files.

use super::Screen;
use crate::common::TestRepo;

#[test]
fn an_export_names_its_sizes_and_the_place() {
    let repo = TestRepo::with_notes();
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(said) = screen("pds -R alice export -o all.car") else { return };
    let sizes = repo.json(["export", "-o", &repo.home.path("again.car")]);
    let (blocks, bytes) = (&sizes["blocks"], &sizes["bytes"]);
    assert_eq!(said, format!("✓ exported {blocks} blocks, {bytes} B, to all.car\n"));
    let said = screen("pds -R alice export --history -o states.car").unwrap();
    assert!(said.starts_with("✓ exported ") && said.ends_with(" kB, to states.car\n"), "{said}");
    let said = screen("pds -R alice export --format ndjson -o notes.ndjson").unwrap();
    assert_eq!(said, "✓ exported 3 records to notes.ndjson\n");
    let said = screen("pds -R alice export --format csv -o tables").unwrap();
    assert_eq!(said, "✓ exported 3 records to 1 file in tables\n");
    let said = screen("pds -R alice unpack out").unwrap();
    assert_eq!(said, "✓ unpacked 3 records into out/did:web:alice.example.com\n");
    // In a pipe, the number stands alone.
    assert_eq!(repo.pds(["unpack", &repo.home.path("other")]).ok(), "3\n");
}

#[test]
fn an_export_of_blobs_names_what_it_lacks() {
    let repo = TestRepo::new();
    repo.home.write("picture", [7_u8; 88_000]);
    let blob = repo.pds(["blob", "put", &repo.home.path("picture")]).ok();
    repo.pds(["put", "com.example.note/a"]).stdin(format!("{{\"image\":{blob}}}")).ok();
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(said) = screen("pds -R alice blob export out") else { return };
    assert_eq!(said, "✓ wrote 1 blob, 88.0 kB, into out/did:web:alice.example.com_blobs\n");
    let said = screen("pds -R alice blob export out").unwrap();
    let again = "✓ wrote 0 blobs, 0 B, into out/did:web:alice.example.com_blobs; 1 blob there\n  \
        already\n";
    assert_eq!(said, again);
    repo.home.sh("pds -R alice export -o a.car; pds clone a.car bare").ended().done();
    let said = screen("pds -R bare blob export other").unwrap();
    let first =
        "\n! wrote 0 blobs, 0 B, into other/did:web:alice.example.com_blobs; 1 blob missing\n";
    assert!(said.ends_with(first), "{said}");
}

#[test]
fn stored_and_checked_blobs_are_named() {
    let repo = TestRepo::new();
    std::fs::create_dir(repo.home.path("pictures")).unwrap();
    repo.home.write("pictures/one.png", [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 3_000]].concat());
    repo.home.write("two.txt", "hello");
    let screen = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(said) = screen("pds -R alice blob put pictures two.txt") else { return };
    let short = &said["pictures/one.png  ".len()..][..8];
    let expected = format!(
        "pictures/one.png  {short}  3.01 kB  image/png\n\
         two.txt           bm6jg3ux      5 B  text/plain\n"
    );
    assert_eq!(said, expected);
    // The reference to one file is for a record, and so are the lines in a pipe.
    assert!(screen("pds -R alice blob put two.txt").unwrap().starts_with("{\"ref\":"));
    let piped = repo.home.sh("pds -R alice blob put pictures two.txt").ok();
    assert_eq!(piped.matches("{\"ref\":").count(), 2);

    assert_eq!(screen("pds -R alice blob check").unwrap(), "✓ 2 blobs intact\n");
    let cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    repo.home.write(&format!("alice/blobs/ba/{cid}"), "other");
    let said = screen("pds -R alice blob check").unwrap();
    assert_eq!(said, format!("✗ 1 of 2 blobs is damaged\n  {cid} is damaged\n"));
}
