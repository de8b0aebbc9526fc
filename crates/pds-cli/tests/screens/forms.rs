//! A terminal shows screens, and everything else gets lines or JSON. Colours and symbols follow the settings.

use super::Screen;
use crate::common::TestRepo;

#[test]
fn pipes_and_json_have_the_lines_of_scripts() {
    let repo = TestRepo::with_notes();
    for verb in
        ["ls", "ls --all -l", "info", "verify", "ref ls", "mst", "gc", "get com.example.note/a"]
    {
        let line = format!("pds -R alice {verb}");
        let piped = repo.home.sh(&line).ok();
        let Some(text) = Screen::plain(80).of(&repo.home, &format!("{line} | cat")) else { return };
        assert_eq!(text, piped, "{verb}");
        let json = repo.home.sh(&format!("{line} --json")).ok();
        let text = Screen::plain(80).of(&repo.home, &format!("{line} --json")).unwrap();
        assert_eq!(text, json, "{verb}");
        // A setting that asks for colours does not change the lines of a pipe.
        let forced = repo.home.sh(&format!("CLICOLOR_FORCE=1 {line}")).ok();
        assert_eq!(forced, piped, "{verb}");
    }
}

#[test]
fn colours_follow_the_flag_and_the_settings() {
    let repo = TestRepo::with_notes();
    let has_colour = |settings: &'static str, flag: &str| {
        let line = format!("pds {flag} -R alice verify");
        Screen { columns: 80, settings }.of(&repo.home, &line).map(|text| text.contains('\x1b'))
    };
    for (settings, flag, expected) in [
        ("PAGER=cat", "", true),
        ("PAGER=cat", "--color never", false),
        ("NO_COLOR=1", "", false),
        ("NO_COLOR=", "", true),
        ("NO_COLOR=1", "--color always", true),
        ("NO_COLOR=1 CLICOLOR_FORCE=1", "", false),
        ("TERM=dumb", "", false),
        ("TERM=dumb CLICOLOR_FORCE=1", "", true),
        ("CLICOLOR=0", "", false),
    ] {
        let Some(found) = has_colour(settings, flag) else { return };
        assert_eq!(found, expected, "{settings} {flag}");
    }
    // Messages have colours if standard error is a terminal, or if the user asks for them.
    let failing = "pds -R alice get com.example.note/nowhere";
    let said = repo.home.sh(&format!("{failing} --color always 2>&1 | od -c | head -1")).ok();
    assert!(said.contains("033"), "{said}");
}
