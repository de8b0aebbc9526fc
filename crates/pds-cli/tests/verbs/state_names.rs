//! Valid and invalid names of states.

use crate::common::TestRepo;

#[test]
fn an_impossible_name_of_a_state_is_a_usage_error() {
    let repo = TestRepo::with_notes();
    for (state, reason) in [
        ("HEAD~x", "x in the steps back; write ^ or ~N"),
        ("@{nope}", "nope is neither a number of moves nor a time; write @{2} or @{2026-11-27}"),
        ("@{1", "a } is missing at the end"),
        ("@{-1}", "-1 is neither a number of moves nor a time; write @{2} or @{2026-11-27}"),
        ("HEAD^2", "a commit has one parent; write ^ or ~N"),
        ("^", "no name before ^; write HEAD^"),
        ("a b", "neither a ref, a commit CID, a rev nor a time"),
        ("", "the text is empty; write HEAD for the present state"),
    ] {
        for args in [
            &["ls", "--at", state][..],
            &["diff", "HEAD", state],
            &["reset", state],
            &["revert", state],
            &["ref", "set", "x", state],
            &["merge", state],
            &["merge", "HEAD", "--base", state],
            &["export", "--since", state],
            &["forget", "--yes", "--before", state],
            &["blob", "missing", "--at", state],
            &["verify", "--at", state],
            &["show", state],
        ] {
            let said = repo.pds(args.iter().copied()).fails(2);
            assert!(said.contains(&format!(": {reason}\n")), "{args:?}: {said}");
        }
    }
    let long = "x".repeat(999);
    repo.pds(["ls", "--at", &long]).fails(2);
    let said = repo.pds(["reset", "HEAD^2", "--json"]).fails(2);
    assert!(said.starts_with("{\"error\":\"usage\",\"message\":\""), "{said}");
    // Also from inside a repository.
    repo.home.pds(["merge", ""]).within(repo.home.dir().join("alice")).fails(2);
}

#[test]
fn standard_input_is_one_of_two_states_only() {
    let repo = TestRepo::with_notes();
    repo.export("a.car");
    let car = repo.home.read("a.car");
    let said = "error: standard input can be read only once; give - for one argument only\n";
    for args in [&["diff", "-", "-"][..], &["export", "--at", "-", "--since", "-"]] {
        assert_eq!(repo.pds(args.iter().copied()).stdin(car.clone()).fails(2), said);
    }
    repo.pds(["diff", "HEAD", "-"]).stdin(car).ok();
}

#[cfg(unix)]
#[test]
fn a_file_whose_name_is_not_utf_8_is_a_state_like_any_other() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;

    let repo = TestRepo::with_notes();
    repo.export("a.car");
    let name = OsStr::from_bytes(b"n\xff.car");
    std::fs::copy(repo.home.path("a.car"), repo.home.dir().join(name)).unwrap();
    let pds = |args: &[&str]| {
        let args = ["-R", "alice"].into_iter().chain(args.iter().copied()).map(OsString::from);
        repo.home.pds(args.chain([name.to_owned()])).ended()
    };
    for args in [
        &["diff", "HEAD"][..],
        &["ls", "--at"],
        &["reset"],
        &["merge"],
        &["merge", "HEAD", "--base"],
        &["ref", "set", "x"],
        &["revert"],
        &["show"],
        &["verify", "--at"],
        &["export", "--since"],
        &["forget", "--yes", "--before"],
    ] {
        let ended = pds(args);
        assert_eq!(ended.code(), 0, "{args:?}: {}", ended.stderr);
    }
}
