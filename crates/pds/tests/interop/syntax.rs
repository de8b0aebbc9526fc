//! The protocol's lists of valid and invalid identifiers, every line of every list.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pds::syntax::{
    AtIdentifier, AtUri, CidText, Datetime, Did, Handle, Language, Nsid, RecordKey, RecordPath,
    Tid, Uri,
};

#[test]
fn official_lists() {
    let Some(fixtures) = crate::fixtures() else {
        return;
    };
    let lines = check_folder(&fixtures.join("atproto-interop/syntax"));
    assert!(lines > 500, "only {lines} lines");
}

#[test]
fn lists_of_the_typescript_implementation() {
    let Some(fixtures) = crate::fixtures() else {
        return;
    };
    let lines = check_folder(&fixtures.join("syntax-extra"));
    assert!(lines > 100, "only {lines} lines");
}

#[test]
fn tid_values() {
    let Some(fixtures) = crate::fixtures() else {
        return;
    };
    let text = fs::read_to_string(fixtures.join("tid/tid-values.json")).unwrap();
    let values: serde_json::Value = serde_json::from_str(&text).unwrap();

    let tids = values["tids"].as_array().unwrap();
    assert!(!tids.is_empty());
    for case in tids {
        let text = case["tid"].as_str().unwrap();
        let tid: Tid = text.parse().unwrap();
        let integer: u64 = case["integer"].as_str().unwrap().parse().unwrap();
        assert_eq!(tid.as_u64(), integer, "{text}");
        assert_eq!(Some(tid.micros()), case["micros"].as_u64(), "{text}");
        assert_eq!(Some(u64::from(tid.clock_id())), case["clock_id"].as_u64(), "{text}");
        assert_eq!(tid.as_u64() >> 63 == 1, case["bit_63_set"].as_bool().unwrap(), "{text}");
        assert_eq!(Tid::from_u64(integer).to_string(), text);
        let made = Tid::new(tid.micros(), tid.clock_id());
        assert_eq!(made.is_none(), case["bit_63_set"].as_bool().unwrap(), "{text}");
        assert!(made.is_none_or(|made| made == tid), "{text}");
    }

    let invalid = values["invalid"].as_array().unwrap();
    assert!(!invalid.is_empty());
    for case in invalid {
        let text = case.as_str().unwrap();
        assert!(text.parse::<Tid>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn addresses_of_records_hold_their_paths() {
    let Some(fixtures) = crate::fixtures() else {
        return;
    };
    let uris = fixtures.join("atproto-interop/syntax/aturi_syntax_valid.txt");
    let mut seen = 0;
    for line in cases(&uris) {
        let uri: AtUri = line.parse().unwrap();
        let Some(path) = uri.record_path() else {
            continue;
        };
        let text = path.to_string();
        assert!(line.ends_with(&text), "{line}");
        assert_eq!(RecordPath::from_bytes(text.as_bytes()), Ok(path));
        seen += 1;
    }
    assert!(seen > 10, "only {seen} paths");
}

/// Checks every list in a folder, and returns the number of cases.
fn check_folder(folder: &Path) -> usize {
    let mut lists: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    lists.sort();
    assert!(!lists.is_empty(), "no lists in {}", folder.display());

    let mut wrong = Vec::new();
    let mut seen = 0;
    for list in &lists {
        let name = list.file_stem().unwrap().to_str().unwrap();
        let (parses, valid) = expectation(name);
        let cases = cases(list);
        assert!(!cases.is_empty(), "{name} has no cases");
        seen += cases.len();
        for case in cases {
            if parses(&case) != valid {
                wrong.push(format!("{name}: {case:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "labelled otherwise:\n{}", wrong.join("\n"));
    seen
}

/// Returns a parser for the lines of a list and whether they are valid, both according to its name.
fn expectation(name: &str) -> (fn(&str) -> bool, bool) {
    let plain = name.strip_prefix("ts-").unwrap_or(name);
    let (kind, label) = plain.split_once('_').unwrap_or((plain, ""));
    let parses = match kind {
        "atidentifier" => keeps::<AtIdentifier>,
        "aturi" => keeps::<AtUri>,
        "cid" => keeps::<CidText>,
        "datetime" => keeps::<Datetime>,
        "did" => keeps::<Did>,
        "handle" => keeps::<Handle>,
        "language" => keeps::<Language>,
        "nsid" => keeps::<Nsid>,
        "recordkey" => keeps::<RecordKey>,
        "tid" => keeps::<Tid>,
        "uri" => keeps::<Uri>,
        _ => panic!("no type for the list {name}"),
    };
    let valid = match label {
        "syntax_valid" => true,
        "syntax_invalid" | "parse_invalid" => false,
        _ => panic!("no expectation for the list {name}"),
    };
    (parses, valid)
}

/// Parses the text as a `T`, and checks that its text form is unchanged.
fn keeps<T: FromStr + ToString>(text: &str) -> bool {
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string(), text);
            true
        }
        Err(_) => false,
    }
}

/// Reads a list. Each line is a case, except blank lines and comments.
fn cases(list: &Path) -> Vec<String> {
    let text = fs::read_to_string(list).unwrap();
    text.split('\n')
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
