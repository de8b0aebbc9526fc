//! `tid`, `cid`, `completions`, `man`, and the help of every verb.

use crate::common::{Home, TestRepo, masked};
use crate::verbs::help_examples::verbs_in;

#[test]
fn tid_makes_one_or_takes_one_apart() {
    let home = Home::new();
    assert_eq!(masked(&home.pds(["tid"]).ok()), "<tid 1>\n");
    let apart = "tid      3jzfcijpj2z2a\n\
                 integer  1728652679052295174\n\
                 time     2023-06-30T15:03:01Z\n\
                 micros   1688137381887007\n\
                 clock    6\n";
    assert_eq!(home.pds(["tid", "3jzfcijpj2z2a"]).ok(), apart);
    assert_eq!(home.pds(["tid", "3jzf-cij-pj2z-2a"]).ok(), apart);
    assert_eq!(
        home.pds(["tid", "3jzfcijpj2z2a", "--json"]).ok(),
        "{\"clockId\":6,\"integer\":1728652679052295174,\"micros\":1688137381887007,\
         \"tid\":\"3jzfcijpj2z2a\",\"time\":\"2023-06-30T15:03:01Z\"}\n"
    );
    let said = home.pds(["tid", "zzzzzzzzzzzzz"]).fails(2);
    assert!(said.contains(": not a TID: \"zzzzzzzzzzzzz\": "), "{said}");
    let said = home.pds(["tid", "x", "--json"]).fails(2);
    assert!(said.starts_with("{\"error\":\"usage\",\"message\":\""), "{said}");
}

#[test]
fn a_day_after_the_last_tid_is_a_time_all_the_same() {
    let home = Home::new();
    for day in ["2256-01-02", "3000-01-01", "9999-12-31", "9999-12-31T23:59:59Z"] {
        let said = home.pds(["tid", "--time", day]).fails(2);
        let expected = format!("error: no TID has the time {day}: TIDs are from 1970 to 2255\n");
        assert_eq!(said, expected);
    }
    let said = home.pds(["tid", "--time", "2026-02-30"]).fails(2);
    assert!(said.starts_with("error: \"2026-02-30\" is no time\n"), "{said}");
}

#[test]
fn a_year_or_seconds_are_not_taken_for_microseconds() {
    let home = Home::new();
    for slip in ["1", "2024", "20260131", "1700000000", "1700000000000"] {
        let said = home.pds(["tid", "--time", slip]).fails(2);
        let expected = format!("error: {slip} microseconds are a time in early 1970\n");
        assert!(said.starts_with(&expected), "{said}");
    }
    assert_eq!(home.pds(["tid", "--time", "0"]).ok(), "2222222222222\n");
    assert_eq!(home.pds(["tid", "--time", "1688137381887007"]).ok(), "3jzfcijpj2z22\n");
}

#[test]
fn a_command_line_without_a_verb_prints_the_help() {
    let repo = TestRepo::new();
    let without = repo.home.pds::<&str>([]).fails(2);
    assert!(without.contains("repair"), "{without}");
    assert_eq!(repo.home.pds::<&str>([]).env("PDS_REPO", "alice").fails(2), without);
    assert_eq!(repo.pds([]).fails(2), without);
    let keys = repo.home.pds(["key"]).env("PDS_REPO", "alice").fails(2);
    assert!(keys.contains("pds key"), "{keys}");
}

#[test]
fn an_account_is_not_taken_for_a_file() {
    let home = Home::new();
    // The directory of accounts is a private address here, so that nothing is asked.
    for account in [
        "did:plc:44ybard66vv44zksje25o7dz",
        "at://did:plc:44ybard66vv44zksje25o7dz",
        "https://bsky.app/profile/did:plc:44ybard66vv44zksje25o7dz",
    ] {
        let said = home.pds(["clone", account, "--plc", "http://127.0.0.1:9"]).fails(4);
        assert!(said.contains("http://127.0.0.1:9 was not contacted"), "{said}");
        assert_eq!(home.list("."), Vec::<String>::new());
    }
    assert!(home.pds(["clone", "https://pds.example.com"]).fails(2).contains("all accounts of"));
    assert!(!home.pds(["clone", "none.car"]).fails(3).contains("account"));
}

#[test]
fn cid_names_the_bytes_of_a_file_and_says_what_it_has_hashed() {
    let home = Home::new();
    let raw = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    home.write("hello", "hello");
    for args in [["cid", "hello"], ["cid", "-"]] {
        let ended = home.pds(args).stdin("hello").ended();
        assert_eq!(ended.done(), format!("{raw}\n"));
        assert_eq!(ended.stderr, "raw bytes, as a blob: 5 bytes\n");
    }
    let json = home.pds(["cid", "hello", "--json"]).ok();
    assert_eq!(json, format!("{{\"bytes\":5,\"cid\":\"{raw}\",\"codec\":\"raw\"}}\n"));
    let block = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm\n";
    let cbor = home.pds(["cid", "-", "--cbor"]).stdin(*b"\xa2ae\x80al\xf6").ended();
    assert_eq!((cbor.done(), &*cbor.stderr), (block.to_owned(), "DAG-CBOR block: 7 bytes\n"));
    let record = home.pds(["cid", "-", "--record"]).stdin("{\"l\": null, \"e\": []}").ended();
    assert_eq!(
        (record.done(), &*record.stderr),
        (block.to_owned(), "record in DAG-CBOR: 7 bytes\n")
    );
    assert_eq!(home.pds(["cid", "gone"]).fails(3), "error: no file gone\n");
    let said = home.pds(["cid", "gone", "--json"]).fails(3);
    assert_eq!(said, "{\"error\":\"bad-input\",\"message\":\"no file gone\"}\n");
}

#[test]
fn cid_hashes_only_what_the_flag_names() {
    let home = Home::new();
    for cbor in
        [&b"\xa1a1\x18\x01"[..], b"\xa2a1\x01a1\x02", b"\x9f\xff", b"\xfa\x3f\x80\0\0", b"", b"{}"]
    {
        let said = home.pds(["cid", "-", "--cbor"]).stdin(cbor).fails(3);
        assert!(said.starts_with("error: not a canonical DAG-CBOR block: byte "), "{said}");
    }
    for json in ["{", "{\"a\":1.5}", "\"text\" x"] {
        home.pds(["cid", "-", "--record"]).stdin(json).fails(3);
    }
    home.pds(["cid", "-", "--record", "--cbor"]).fails(2);
}

#[test]
fn completions_know_the_verbs() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.pds(["completions", shell]).ok();
        assert!(script.contains("PDS_COMPLETE") && script.contains("pds"), "{shell}");
        let run = home
            .pds(["--", "pds", "unp"])
            .env("PDS_COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", "1");
        assert!(run.ok().contains("unpack"), "{shell}");
    }
    home.pds(["completions", "tcsh"]).fails(2);
}

#[test]
fn man_prints_a_page_or_writes_one_for_each_verb() {
    let home = Home::new();
    let page = home.pds(["man"]).ok();
    assert!(page.contains(".TH pds 1"), "{page}");
    assert_eq!(home.pds(["man", "--dir", "man1"]).ok(), "");
    let pages = home.list("man1");
    for verb in VERBS {
        assert!(pages.contains(&format!("pds-{verb}.1")), "{verb}: {pages:?}");
    }
    home.write("file", "");
    let said = home.pds(["man", "--dir", "file"]).fails(1);
    assert!(said.starts_with("error: cannot write to file: "), "{said}");
}

#[test]
fn the_help_of_every_verb_has_an_example_of_that_verb() {
    let home = Home::new();
    for verb in VERBS.into_iter().chain(INNER_VERBS) {
        let words = || verb.split(' ');
        for flag in ["--help", "-h"] {
            let help = home.pds(words().chain([flag])).ok();
            let example = help.split_once("\nExample").map(|(_, examples)| examples);
            assert!(
                example.is_some_and(|text| text.contains(&format!(" {verb}"))),
                "{verb}\n{help}"
            );
        }
    }
    let listed = verbs_in(&home.pds(["--help"]).ok());
    for verb in VERBS {
        assert!(listed.iter().any(|name| name == verb), "{verb}: {listed:?}");
    }
}

#[test]
fn an_unknown_verb_is_a_usage_error_in_json_too() {
    let home = Home::new();
    let said = home.pds(["burn"]).fails(2);
    assert!(said.starts_with("error: unrecognized subcommand 'burn'\n"), "{said}");
    for args in [&["burn", "--json"][..], &["--json", "get"], &["--json", "get", "x"], &["--json"]]
    {
        let said = home.pds(args.iter().copied()).fails(2);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let fields: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            (fields, &said["error"]),
            (vec!["error", "message"], &"usage".into()),
            "{args:?}"
        );
        assert!(!said["message"].as_str().unwrap().contains('\n'), "{said}");
    }
    assert!(home.pds(["--version", "--json"]).ok().starts_with("pds "));
}

const VERBS: [&str; 33] = [
    "forget",
    "gc",
    "init",
    "clone",
    "info",
    "put",
    "edit",
    "get",
    "rm",
    "ls",
    "apply",
    "blob",
    "import",
    "export",
    "unpack",
    "verify",
    "prove",
    "verify-proof",
    "log",
    "reflog",
    "diff",
    "show",
    "stats",
    "mst",
    "ref",
    "reset",
    "revert",
    "merge",
    "key",
    "tid",
    "cid",
    "completions",
    "man",
];

const INNER_VERBS: [&str; 13] = [
    "blob put",
    "blob get",
    "blob export",
    "blob ls",
    "blob missing",
    "blob check",
    "ref ls",
    "ref set",
    "ref rm",
    "key show",
    "key new",
    "key import",
    "key rotate",
];
