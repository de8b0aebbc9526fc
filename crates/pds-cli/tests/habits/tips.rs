//! Tips for names with a slip of the finger.

use crate::common::{Home, TestRepo};

/// The tip for a command line that is not valid.
fn tip(home: &Home, args: &[&str]) -> Option<String> {
    let said = home.pds(args.iter().copied()).fails(2);
    let tips: Vec<&str> = said.lines().filter(|line| line.contains("tip:")).collect();
    assert!(tips.len() < 2, "{said}");
    tips.first().map(|tip| tip.trim().to_owned())
}

#[test]
fn a_verb_or_a_flag_with_two_wrong_letters_has_a_tip() {
    let home = Home::new();
    for (typed, meant) in [
        (&["lgo"][..], "a similar subcommand exists: 'log'"),
        (&["sl"], "a similar subcommand exists: 'ls'"),
        (&["imprt"], "a similar subcommand exists: 'import'"),
        (&["exprot", "-o", "x"], "a similar subcommand exists: 'export'"),
        (&["blob", "missng"], "a similar subcommand exists: 'missing'"),
        (&["-R", "alice", "key", "rotat"], "a similar subcommand exists: 'rotate'"),
        (&["ls", "--limti", "3"], "a similar argument exists: '--limit'"),
        (&["-R", "alice", "ls", "--jsno"], "a similar argument exists: '--json'"),
        (&["merge", "x", "--thiers"], "a similar argument exists: '--theirs'"),
        (&["completions", "bahs"], "a similar value exists: 'bash'"),
    ] {
        assert_eq!(tip(&home, typed), Some(format!("tip: {meant}")), "{typed:?}");
    }
}

#[test]
fn a_name_that_is_not_near_has_no_tip() {
    let home = Home::new();
    for typed in [
        &["burn"][..],
        &["q"],
        &["xy"],
        &["exporters"],
        &["infomation"],
        &["ls", "--recursive"],
        &["ls", "--al-l-l"],
        &["ls", "-x"],
        &["get", "a.b.c/d", "--output", "x"],
        &["get", "a.b.c/d", "extra"],
        &["init", "--with-key"],
        &["completions", "nushell"],
        // These arguments exist.
        &["ls", "--limit"],
        &["log", "--since", "soon"],
        &["diff", "-p", "--stat"],
        &["log", "--oneline", "--oneline"],
    ] {
        assert_eq!(tip(&home, typed), None, "{typed:?}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(tip(&home, &[&long]), None);
}

#[test]
fn no_tip_is_about_two_dashes() {
    let repo = TestRepo::new();
    for args in [&["ls", "--x"][..], &["get", "--x"], &["--x"], &["rm", "a.b.c/d", "--verbose"]] {
        let said = repo.pds(args.iter().copied()).fails(2);
        assert!(said.starts_with("error: unexpected argument '--"), "{said}");
        assert!(!said.contains("-- --") && !said.contains("as a value"), "{said}");
    }
}
