//! Tips for names with a slip of the finger.

use crate::common::{Home, TestRepo};

/// The tip for a command line that is not valid.
fn tip(home: &Home, args: &[&str]) -> Option<String> {
    let said = home.pds(args.iter().copied()).fails(2);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("error: "), "{said}");
    let hint = lines[1].strip_prefix("hint: ").unwrap();
    hint.strip_prefix("did you mean ").map(|tip| tip.trim_end_matches('?').to_owned())
}

#[test]
fn a_usage_error_is_one_line_and_a_hint() {
    let home = Home::new();
    for (args, expected) in [
        (
            &["get"][..],
            "error: the following required arguments were not provided: <PATH>\n\
             hint: the form is pds get [OPTIONS] <PATH>; see pds get --help\n",
        ),
        (
            &["export", "--format", "pdf"],
            "error: invalid value 'pdf' for '--format <FORMAT>' [possible values: car, ndjson, csv]\n\
             hint: the form is pds export [OPTIONS]; see pds export --help\n",
        ),
        (
            &["export", "--format", "cvs"],
            "error: invalid value 'cvs' for '--format <FORMAT>' [possible values: car, ndjson, csv]\n\
             hint: did you mean csv?\n",
        ),
        (&["burn"], "error: unrecognized subcommand 'burn'\nhint: pds --help lists the commands\n"),
        (
            &["blob", "burn"],
            "error: unrecognized subcommand 'burn'\nhint: pds blob --help lists the commands\n",
        ),
        (
            &["ls", "--limit", "x\ny"],
            "error: invalid value 'x y' for '--limit <N>': invalid digit found in string\n\
             hint: the form is pds ls [OPTIONS] [COLLECTION]; see pds ls --help\n",
        ),
    ] {
        assert_eq!(home.pds(args.iter().copied()).fails(2), expected, "{args:?}");
    }
    let said = home.pds(["get", "--json"]).fails(2);
    assert_eq!(
        said,
        "{\"error\":\"usage\",\"message\":\"the following required arguments were not provided: <PATH>\"}\n"
    );
}

#[test]
fn a_verb_or_a_flag_with_two_wrong_letters_has_a_tip() {
    let home = Home::new();
    for (typed, meant) in [
        (&["lgo"][..], "log"),
        (&["sl"], "ls"),
        (&["imprt"], "import"),
        (&["exprot", "-o", "x"], "export"),
        (&["blob", "missng"], "missing"),
        (&["-R", "alice", "key", "rotat"], "rotate"),
        (&["ls", "--limti", "3"], "--limit"),
        (&["-R", "alice", "ls", "--jsno"], "--json"),
        (&["merge", "x", "--thiers"], "--theirs"),
        (&["completions", "bahs"], "bash"),
    ] {
        assert_eq!(tip(&home, typed), Some(meant.to_owned()), "{typed:?}");
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
