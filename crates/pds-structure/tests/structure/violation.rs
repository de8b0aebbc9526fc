//! A place in the sources that breaks a rule.

/// A place in the sources that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The place and the broken rule, without a line number.
    pub(crate) key: String,
    /// The place with its line, and what is wrong there.
    pub(crate) detail: String,
}

/// Fails if a rule has violations, and lists all of them.
pub(crate) fn hold(rule: &str, mut violations: Vec<Violation>) {
    violations.sort();
    let details: Vec<String> = violations.into_iter().map(|violation| violation.detail).collect();
    assert!(details.is_empty(), "rule {rule}:\n{}", details.join("\n"));
}

#[test]
#[should_panic(expected = "rule short:\na.rs:1: too long")]
fn a_violation_fails_with_its_place() {
    let (key, detail) = ("a.rs".to_owned(), "a.rs:1: too long".to_owned());
    hold("short", vec![Violation { key, detail }]);
}
