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
