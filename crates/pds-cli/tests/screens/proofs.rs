//! The screens of proofs, and of verbs that read a proof as a repository.

use super::Screen;
use crate::common::TestRepo;

#[test]
fn a_proof_of_absence_says_what_it_proves() {
    let repo = TestRepo::with_notes();
    let show = |line: &str| Screen::plain(80).of(&repo.home, line);
    let Some(text) = show("pds -R alice prove com.example.note/aa -o absent.car; echo code $?")
    else {
        return;
    };
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("✓ com.example.note/aa is absent"), "{text}");
    let fact = lines.next().unwrap();
    assert!(fact.starts_with("  no such record at 3"), "{text}");
    assert!(fact.ends_with("; the proof shows that it does not exist"), "{text}");
    assert!(text.ends_with("\ncode 0\n"), "{text}");
    let present = show("pds -R alice prove com.example.note/a -o present.car").unwrap();
    assert!(!present.contains("no such record"), "{present}");
}

#[test]
fn a_proof_that_is_read_as_a_repository_has_a_hint() {
    let repo = TestRepo::with_many_notes(100);
    repo.put("a", "a");
    repo.pds(["prove", "com.example.note/a", "-o", "proof.car"]).ended().done();
    let show = |line: &str| Screen::plain(140).of(&repo.home, line);
    let Some(text) = show("pds verify proof.car") else { return };
    assert!(text.contains("\nhint: the file is a part of a repository; "), "{text}");
    assert!(text.contains("pds verify-proof proof.car PATH checks a proof"), "{text}");
    for line in ["pds ls proof.car", "pds ls com.example.note -R proof.car"] {
        let text = show(line).unwrap();
        assert!(text.contains("\nhint: the file is only a part of a repository; "), "{text}");
    }
    let whole = show("pds -R alice ls").unwrap();
    assert!(!whole.contains("hint:"), "{whole}");
}
