//! Small repositories with one fault or one property each, and the expected result for each.

use std::collections::BTreeMap;

use pds::crypto::PublicKey;
use pds::syntax::Did;
use pds::transfer::import::Imported;
use pds::{Error, Repo};
use pds::{Expected, Finding, Report, Severity, SignatureState, Stage};
use serde_json::Value as Json;

use super::support::{cases, cid, empty_mirror, export, import, number, open, text, verify};

/// Codes of errors and warnings.
type Answer = &'static [(&'static str, Stage, Severity)];

/// Cases for which the specifications are silent or differ, or that are valid but unusual, with the errors and warnings
/// of `verify`. A case without an error is accepted.
const OUR_ANSWERS: [(&str, &str, Answer); 8] = [
    // The varint format requires the shortest form.
    ("car-varint-nonminimal.car", "uncertain", &[("car-header", Stage::Car, Severity::Error)]),
    // The field is kept, and the signature covers it.
    (
        "commit-extra-field.car",
        "uncertain",
        &[("commit-unknown-field", Stage::Commit, Severity::Warning)],
    ),
    // Only mined keys reach this.
    ("mst-wide-node-3000.car", "limit", &[("node-invalid", Stage::Mst, Severity::Error)]),
    // The syntax is valid, and the type of the record shows the intended collection.
    (
        "path-nsid-upper-authority.car",
        "uncertain",
        &[
            ("path-not-normalized", Stage::Path, Severity::Warning),
            ("record-type-mismatch", Stage::Record, Severity::Warning),
        ],
    ),
    (
        "record-blob-ref-dag-cbor.car",
        "uncertain",
        &[("record-model", Stage::Record, Severity::Error)],
    ),
    // Other kinds of links cannot be represented. The record is kept byte for byte.
    (
        "record-cid-sha512.car",
        "uncertain",
        &[("record-undecodable", Stage::Record, Severity::Error)],
    ),
    (
        "record-empty-map.car",
        "uncertain",
        &[("record-type-missing", Stage::Record, Severity::Warning)],
    ),
    (
        "record-int-2e53-plus-1.car",
        "accept-warn",
        &[
            ("record-type-missing", Stage::Record, Severity::Warning),
            ("record-unsafe-integer", Stage::Record, Severity::Warning),
        ],
    ),
];

/// Cases whose fault is detected by another layer than the named one.
const OTHER_STAGES: [(&str, Stage); 1] = [
    // The tree has its own limit on keys, which applies before the key is parsed as a path.
    ("path-key-over-1024.car", Stage::Mst),
];

/// A file with its expected result, and the account and key that it is checked against.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    facts: Json,
    did: Did,
    key: Option<PublicKey>,
}

impl Case {
    pub(crate) fn verify(&self) -> (Report, Vec<Finding>) {
        let expected = Expected::default().did(Some(&self.did)).key(self.key());
        verify(&self.bytes, &expected)
    }

    pub(crate) fn import(&self, repo: &Repo) -> Result<Imported, Error> {
        import(repo, &self.bytes, self.key())
    }

    pub(crate) fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// Returns the same case with other bytes.
    pub(crate) fn with_bytes(&self, name: String, bytes: Vec<u8>) -> Self {
        Self {
            name,
            bytes,
            facts: self.facts.clone(),
            did: self.did.clone(),
            key: self.key.clone(),
        }
    }

    fn expect(&self) -> &str {
        text(&self.facts, "expect")
    }
}

pub(crate) fn all() -> Option<Vec<Case>> {
    let case = |(name, facts, bytes): (String, Json, Vec<u8>)| Case {
        did: text(&facts, "expected_did").parse().unwrap(),
        key: facts["signing_key"].as_str().map(|key| key.parse().unwrap()),
        name,
        facts,
        bytes,
    };
    Some(cases("repo-cases", ".car")?.into_iter().map(case).collect())
}

pub(crate) fn one(name: &str) -> Option<Case> {
    all()?.into_iter().find(|case| case.name == name)
}

fn stage(name: &str) -> Stage {
    let stages = [
        Stage::Car,
        Stage::Cid,
        Stage::Hash,
        Stage::Cbor,
        Stage::Repo,
        Stage::Commit,
        Stage::Signature,
        Stage::Mst,
        Stage::Path,
        Stage::Record,
        Stage::Completeness,
    ];
    let found = stages.into_iter().find(|stage| stage.as_str() == name);
    found.unwrap_or_else(|| panic!("no stage {name}"))
}

fn is_error(finding: &&Finding) -> bool {
    finding.severity() == Severity::Error
}

#[test]
fn accepted_cases_verify_and_can_be_cloned() {
    let Some(cases) = all() else { return };
    let mut accepted = 0;
    for case in cases.iter().filter(|case| case.expect() == "accept") {
        let name = &case.name;
        let (report, findings) = case.verify();
        assert!(report.is_ok() && report.is_complete(), "{name}: {findings:#?}");
        assert_eq!(report.signature, SignatureState::Valid, "{name}");
        assert_eq!(report.warnings, 0, "{name}: {findings:#?}");
        facts_agree(case, &report);

        let dir = tempfile::tempdir().unwrap();
        let car = open(&case.bytes).unwrap();
        let (repo, imported) =
            pds::local::directory::clone_car(dir.path().join("clone"), &car, case.key.as_ref())
                .unwrap();
        assert!(imported.findings.iter().all(|found| !is_error(&found)), "{name}");
        let again = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
        assert!(again.is_ok() && again.is_complete(), "{name}");
        assert_eq!(again.signature, SignatureState::Valid, "{name}: the key is remembered");
        facts_agree(case, &again);
        accepted += 1;
    }
    assert!(accepted >= 8);

    // These files differ only in the order of their blocks, and one of the orders is ours.
    let [ours, shuffled, two_roots] =
        ["ok-preorder.car", "ok-shuffled.car", "ok-two-roots.car"].map(|name| one(name).unwrap());
    for case in [&ours, &shuffled, &two_roots] {
        let repo = empty_mirror();
        case.import(&repo).unwrap();
        assert!(export(&repo.snapshot().unwrap()) == ours.bytes, "{}", case.name);
    }
}

fn facts_agree(case: &Case, report: &Report) {
    let (name, facts) = (&case.name, &case.facts["facts"]);
    let commit = report.commit.as_ref().unwrap();
    assert_eq!(report.records, number(facts, "records"), "{name}");
    assert_eq!(commit.cid(), cid(facts, "commit"), "{name}");
    assert_eq!(commit.data(), cid(facts, "data"), "{name}");
    assert_eq!(commit.rev().unwrap().to_string(), text(facts, "rev"), "{name}");
    assert_eq!(u64::from(commit.version()), number(facts, "version"), "{name}");
}

#[test]
fn faults_are_noticed_by_the_layer_that_is_named() {
    let Some(cases) = all() else { return };
    let mut rejected = 0;
    for case in cases.iter().filter(|case| case.expect() == "reject") {
        let name = &case.name;
        let (report, findings) = case.verify();
        assert!(!report.is_ok(), "{name}");
        let first = findings.iter().find(is_error).unwrap();
        let named = stage(text(&case.facts, "stage"));
        let other = OTHER_STAGES.iter().find(|(known, _)| known == name);
        let expected = other.map_or(named, |(_, other)| *other);
        assert_eq!(first.stage(), expected, "{name}: {first}");
        assert!(other.is_none() || named != expected, "{name} is in the table for nothing");

        // A tree that cannot be read to its end is not complete.
        let unread = [Stage::Hash, Stage::Cbor, Stage::Mst, Stage::Completeness];
        if unread.contains(&first.stage()) {
            assert!(!report.is_complete(), "{name}");
        }
        // Each case has one fault. Only missing blocks may follow from it, and no layer reports it twice.
        for finding in findings.iter().filter(is_error).skip(1) {
            assert_eq!(finding.stage(), Stage::Completeness, "{name}: {finding}");
        }
        rejected += 1;
    }
    assert!(rejected >= 60);
}

#[test]
fn odd_cases_are_answered_as_we_have_decided() {
    let Some(cases) = all() else { return };
    let decided: BTreeMap<&str, _> =
        OUR_ANSWERS.iter().map(|(name, expect, answer)| (*name, (*expect, *answer))).collect();
    let mut odd = 0;
    for case in &cases {
        if matches!(case.expect(), "accept" | "reject") {
            continue;
        }
        let name = case.name.as_str();
        let (expect, answer) = decided.get(name).unwrap_or_else(|| panic!("{name} is not decided"));
        assert_eq!(case.expect(), *expect, "{name}");
        let (report, findings) = case.verify();
        let found: Vec<_> = findings
            .iter()
            .filter(|found| found.severity() != Severity::Note)
            .map(|found| (found.code().as_str(), found.stage(), found.severity()))
            .collect();
        let mut sorted = found.clone();
        sorted.sort_unstable_by_key(|(code, ..)| *code);
        assert_eq!(sorted, *answer, "{name}: {findings:#?}");
        let ok = answer.iter().all(|(.., severity)| *severity != Severity::Error);
        assert_eq!(report.is_ok(), ok, "{name}");
        assert!(ok || !expect.starts_with("accept"), "{name}");
        if ok {
            facts_agree(case, &report);
        }
        odd += 1;
    }
    assert_eq!(odd, decided.len());
}
