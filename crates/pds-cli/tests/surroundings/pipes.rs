//! Pipes that close before everything is said.

use crate::common::{TestRepo, creations, note};

/// Runs the binary into a reader that goes away after its first line; returns exit code and
/// standard error.
fn into_head(repo: &TestRepo, args: &str) -> (String, String) {
    let line = format!("{{ pds {args}; echo $? > code; }} 2> said | head -c 1 > first");
    assert_eq!(repo.home.sh(&line).ended().code(), 0);
    let text = |name| String::from_utf8(repo.home.read(name)).unwrap();
    assert_eq!(repo.home.read("first").len(), 1, "{args}");
    (text("code").trim().to_owned(), text("said"))
}

#[test]
fn a_pipe_that_closes_ends_everything_quietly() {
    // Much more than fits into a pipe.
    let repo = TestRepo::with_many_notes(3000);
    repo.home.write("blob", note("x").bytes().repeat(20_000));
    let blob = repo.pds(["blob", "put", "-"]).stdin(repo.home.read("blob")).ok();
    let blob = blob.split('"').find(|word| word.starts_with("baf")).unwrap().to_owned();
    repo.export("backup.car");
    for args in [
        "-R alice ls --all",
        "-R alice ls --all --json",
        "-R alice mst",
        "-R alice export",
        "-R backup.car ls com.example.note -l",
        &format!("-R alice blob get {blob}"),
        "completions bash",
    ] {
        assert_eq!(into_head(&repo, args), ("0".to_owned(), String::new()), "{args}");
    }
    // The answer is no, whether or not all of it is read.
    let (code, said) = into_head(&repo, "-R alice diff HEAD~1 HEAD --json");
    assert!(matches!(&*code, "0" | "1") && said.is_empty(), "{code} {said}");
    let (code, said) = into_head(&repo, "-R alice verify --did did:web:bob.example.com");
    assert!(matches!(&*code, "0" | "1") && said.is_empty(), "{code} {said}");
}

#[test]
fn standard_output_that_is_closed_from_the_start_is_no_panic() {
    let repo = TestRepo::with_notes();
    for args in ["-R alice ls", "-R alice export", "--help", "-R alice get com.example.note/a"] {
        let ended = repo.home.sh(&format!("exec pds {args} >&-")).ended();
        assert!(matches!(ended.code(), 0 | 1), "{args}: {}", ended.stderr);
        let ended = repo.home.sh(&format!("exec pds {args} 2>&- < /dev/null")).ended();
        assert_eq!(ended.code(), 0, "{args}");
    }
    let ended = repo.home.sh("exec pds -R alice get com.example.note/x 2>&-").ended();
    assert_eq!(ended.code(), 1);
}

#[test]
fn apply_stops_when_nobody_reads_its_acknowledgements_and_says_so_by_its_code() {
    let repo = TestRepo::new();
    repo.home.write("lines", creations(0..20_000));
    let (code, said) = into_head(&repo, "-R alice apply lines --batch 50");
    assert_eq!((&*code, &*said), ("6", ""));
    let count = repo.pds(["ls", "--all"]).ok().lines().count();
    assert!((50..20_000).contains(&count) && count.is_multiple_of(50), "{count}");
    repo.assert_whole();
    // One commit for all is either made or not; here it is, and there is nothing left to do.
    repo.home.write("more", creations(50_000..53_000));
    assert_eq!(into_head(&repo, "-R alice apply more"), ("0".to_owned(), String::new()));
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), count + 3000);
}
