//! The pager: only for answers that are longer than the screen.

use super::Screen;
use crate::common::TestRepo;

fn of(repo: &TestRepo, settings: &'static str, line: &str) -> Option<String> {
    Screen { columns: 80, settings }.of(&repo.home, line)
}

#[test]
fn long_answers_go_through_the_pager_and_short_ones_do_not() {
    let repo = TestRepo::with_many_notes(100);
    let long = "pds -R alice ls com.example.note";
    let short = "pds -R alice ls com.example.note --limit 5";
    let paged = |text: &str| text.lines().filter(|line| line.starts_with("paged:")).count();
    for settings in ["PDS_PAGER='sed s/^/paged:/'", "PAGER='sed s/^/paged:/'"] {
        let Some(text) = of(&repo, settings, long) else { return };
        assert_eq!((paged(&text), text.lines().count()), (100, 100), "{text}");
        let text = of(&repo, settings, short).unwrap();
        assert_eq!((paged(&text), text.lines().count()), (0, 5), "{text}");
        let text = of(&repo, settings, &format!("{long} --no-pager")).unwrap();
        assert_eq!((paged(&text), text.lines().count()), (0, 100), "{text}");
        let text = of(&repo, settings, &format!("{long} | cat")).unwrap();
        assert_eq!(paged(&text), 0, "{text}");
    }
    for settings in ["PDS_PAGER=cat PAGER='sed s/^/paged:/'", "PDS_PAGER= PAGER='sed s/^/paged:/'"]
    {
        let text = of(&repo, settings, long).unwrap();
        assert_eq!((paged(&text), text.lines().count()), (0, 100), "{text}");
    }
}

#[test]
fn a_pager_that_ends_early_ends_the_command_quietly() {
    let repo = TestRepo::with_many_notes(5000);
    let line = "pds -R alice ls com.example.note; echo code $?";
    let Some(text) = of(&repo, "PDS_PAGER='head -n 2'", line) else { return };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[2]), (3, "code 0"), "{text}");
}

#[test]
fn a_long_list_of_blobs_goes_through_the_pager_and_ends_with_it() {
    let repo = TestRepo::with_notes();
    let files = "mkdir files; for n in $(seq 60); do echo $n > files/$n; done";
    repo.home.sh(files).ended().done();
    repo.pds(["blob", "put", "files"]).ok();
    let line = "pds -R alice blob ls; echo code $?";
    let Some(text) = of(&repo, "PDS_PAGER='head -n 2'", line) else { return };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[2]), (3, "code 0"), "{text}");
}

#[test]
fn without_its_pager_the_answer_is_still_printed() {
    let repo = TestRepo::with_many_notes(100);
    let line = "pds -R alice ls com.example.note 2>&1; echo code $?";
    let Some(text) = of(&repo, "PAGER='no-such-pager -R' NO_COLOR=1", line) else { return };
    assert_eq!(text.lines().count(), 102, "{text}");
    assert!(
        text.starts_with("warning: the pager \"no-such-pager -R\" is not installed\n"),
        "{text}"
    );
    assert!(text.ends_with("code 0\n"), "{text}");
}

#[test]
fn a_dumb_terminal_has_a_pager_only_if_one_is_named() {
    let repo = TestRepo::with_many_notes(100);
    repo.home.write("less", "#!/bin/sh\nsed s/^/paged:/\n");
    let line = "chmod +x less; PATH=.:$PATH; pds -R alice ls com.example.note";
    for (settings, expected) in [
        ("TERM=xterm", 100),
        ("TERM=dumb", 0),
        ("TERM=dumb PAGER='sed s/^/paged:/'", 100),
        ("TERM=dumb PDS_PAGER='sed s/^/paged:/'", 100),
    ] {
        let Some(text) = of(&repo, settings, line) else { return };
        let paged = text.lines().filter(|line| line.starts_with("paged:")).count();
        assert_eq!((paged, text.lines().count()), (expected, 100), "{settings}: {text}");
    }
}
