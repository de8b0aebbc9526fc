//! The lists of violations that are still to be fixed. A list may only get shorter.
//!
//! `known/<rule>.txt` has one key on each line. A violation whose key is not in the list fails the test, and so
//! does a key without a violation. `PDS_STRUCTURE=record` writes the lists again, after files were moved for
//! example. It refuses to make a list longer; review that each new line is a moved one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A place in the sources that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The line in the list of known violations. Several violations may share it.
    pub(crate) key: String,
    /// The place with its line, and what is wrong there.
    pub(crate) detail: String,
}

/// Fails if the violations of a rule differ from its list.
pub(crate) fn hold(rule: &str, mut violations: Vec<Violation>) {
    violations.sort();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("known/{rule}.txt"));
    match std::env::var("PDS_STRUCTURE").as_deref() {
        Ok("report") => print(rule, &violations),
        Ok("record") => record(&path, &violations),
        _ => {
            let known = fs::read_to_string(path).unwrap_or_default();
            let differences = differences(&known, &violations);
            assert!(differences.is_empty(), "rule {rule}:\n{}", differences.join("\n"));
        }
    }
}

fn differences(known: &str, violations: &[Violation]) -> Vec<String> {
    let known: BTreeSet<&str> = known.lines().collect();
    let found: BTreeSet<&str> = violations.iter().map(|violation| violation.key.as_str()).collect();
    let new = violations.iter().filter(|violation| !known.contains(violation.key.as_str()));
    let fixed = known.difference(&found);
    let fixed = fixed.map(|key| format!("{key}: fixed, delete the line from the list"));
    new.map(|violation| violation.detail.clone()).chain(fixed).collect()
}

fn print(rule: &str, violations: &[Violation]) {
    let keys: BTreeSet<&str> = violations.iter().map(|violation| violation.key.as_str()).collect();
    let mut text = format!("== {rule}: {} violations, {} keys\n", violations.len(), keys.len());
    violations.iter().for_each(|violation| text += &format!("{}\n", violation.detail));
    println!("{text}");
}

fn record(path: &Path, violations: &[Violation]) {
    let before = fs::read_to_string(path).ok();
    let now = shorter(before.as_deref(), violations);
    fs::write(path, now.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap();
}

/// The new list, unless it is longer than the one before. A rule without a list may get one of any length.
fn shorter(before: Option<&str>, violations: &[Violation]) -> Result<String, String> {
    let mut keys: Vec<&str> = violations.iter().map(|violation| violation.key.as_str()).collect();
    keys.dedup();
    if let Some(before) = before.map(|list| list.lines().count())
        && keys.len() > before
    {
        let now = keys.len();
        return Err(format!("{before} known violations, now {now}: the list may only get shorter"));
    }
    Ok(keys.iter().map(|key| format!("{key}\n")).collect())
}

#[test]
fn a_list_may_only_get_shorter() {
    let violation = |key: &str| Violation { key: key.to_owned(), detail: format!("{key}: wrong") };
    let violations = [violation("a"), violation("a"), violation("b")];
    assert!(differences("a\nb\n", &violations).is_empty());
    assert_eq!(differences("a\n", &violations), ["b: wrong"]);
    assert_eq!(differences("a\nb\nc\n", &violations), ["c: fixed, delete the line from the list"]);
}

#[test]
fn a_list_that_would_get_longer_is_not_written() {
    let violation = |key: &str| Violation { key: key.to_owned(), detail: key.to_owned() };
    let violations = [violation("a"), violation("a"), violation("b")];
    assert_eq!(shorter(Some("a\nc\n"), &violations).unwrap(), "a\nb\n");
    assert_eq!(shorter(Some("a\nb\nc\n"), &violations).unwrap(), "a\nb\n");
    assert!(shorter(Some("a\n"), &violations).unwrap_err().contains("1 known violations, now 2"));
    assert_eq!(shorter(Some("a\n"), &[]).unwrap(), "");
    assert!(shorter(Some(""), &violations).is_err());
    assert_eq!(shorter(None, &violations).unwrap(), "a\nb\n");
}

/// A list that no rule reads would hide nothing and prove nothing.
#[test]
fn every_list_belongs_to_a_rule() {
    let rules = ["cycles", "imports", "layers", "lengths", "names", "pure", "repo", "words"];
    let lists = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("known"));
    for entry in lists.into_iter().flatten() {
        let path = entry.unwrap().path();
        let rule = path.file_stem().unwrap().to_str().unwrap();
        assert!(rules.contains(&rule), "no rule {rule}");
    }
}
