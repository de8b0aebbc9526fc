//! Slices and proofs: readable parts are shown, missing parts are named, and the exit code is 6.

use super::history::lose;
use crate::common::TestRepo;

#[test]
fn every_reading_verb_shows_what_a_part_has() {
    let repo = TestRepo::with_many_notes(300);
    repo.put("extra", "new");
    let home = &repo.home;
    repo.pds(["export", "--since", "HEAD~1", "-o", "slice.car"]).ended().done();
    repo.pds(["prove", "com.example.note/extra", "-o", "proof.car"]).ended().done();
    for file in ["slice.car", "proof.car"] {
        let pds = |args: &[&str]| home.pds(["-R", file].iter().chain(args).copied()).ended();
        for args in [
            &["ls"][..],
            &["ls", "--all"],
            &["info"],
            &["mst"],
            &["mst", "--json"],
            &["log"],
            &["log", "--json"],
            &["unpack", file.strip_suffix(".car").unwrap()],
            &["blob", "missing"],
        ] {
            let ended = pds(args);
            assert_eq!(ended.code(), 6, "{file} {args:?}: {}", ended.stderr);
            assert!(ended.stderr.contains(" is missing, with everything below it\n"), "{args:?}");
        }
        assert!(pds(&["mst"]).text().contains("- com.example.note/extra bafy"));
        assert!(pds(&["log"]).text().contains("\t+? ~? -?\t"));
        // The part names several records, but contains only one.
        let unpacked = pds(&["unpack", &format!("{file}.d")]);
        assert_eq!(unpacked.text(), "1\n");
        assert!(unpacked.stderr.contains("/n000"), "{}", unpacked.stderr);
    }
    // A part that is not read is no gap.
    let tops = home.pds(["-R", "slice.car", "mst", "--depth", "1"]).ok();
    assert!(tops.lines().count() > 1, "{tops}");
}

#[test]
fn a_difference_with_a_lost_record_is_shown_in_part() {
    let repo = TestRepo::new();
    for text in ["one", "two"] {
        repo.put("a", text);
    }
    let lost = repo.json_lines(["ls", "com.example.note"])[0]["cid"].as_str().unwrap().to_owned();
    lose(&repo, &lost);
    for form in [&["-p"][..], &["--stat"], &["-p", "--json"], &["--stat", "--json"]] {
        let ended = repo.pds(["diff"].into_iter().chain(form.iter().copied())).ended();
        assert_eq!(ended.code(), 6, "{form:?}: {}", ended.stderr);
        let said = &ended.stderr;
        assert!(said.contains("com.example.note/a") && said.contains(&lost), "{form:?}: {said}");
    }
    assert_eq!(repo.pds(["diff"]).ended().code(), 1);
}
