//! Helpers for tests on whole repositories: test data, findings and states.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::{CarError, CarFile};
use pds::crypto::PublicKey;
use pds::data::{Block, Cid};
use pds::store::{Fact, FactKind, LogEntry, MemoryStore, Refs};
use pds::transfer::export::export_car;
use pds::transfer::import::Imported;
use pds::verify::car::verify_car;
use pds::{Error, RecordEntry, Repo, Snapshot};
use pds::{Expected, Finding, Report, Severity};
use serde_json::Value as Json;

use super::super::repo::{block_count, facts, refs};

/// Returns a CAR file in memory, indexed.
pub(crate) type Car = CarFile<Cursor<Vec<u8>>>;

/// Reads a JSON file of the fixtures, or returns `None` without fixtures.
pub(crate) fn json(path: &str) -> Option<Json> {
    Some(serde_json::from_slice(&bytes(path)?).unwrap())
}

/// Reads a file of the fixtures, or returns `None` without fixtures.
pub(crate) fn bytes(path: &str) -> Option<Vec<u8>> {
    let path = crate::fixtures()?.join(path);
    Some(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Returns the cases of a folder: the entry of `expected.json` for each file, and the bytes of the file.
///
/// The test fails if a file is not in `expected.json`, or an entry has no file. So every file in the folder is checked.
pub(crate) fn cases(folder: &str, suffix: &str) -> Option<Vec<(String, Json, Vec<u8>)>> {
    let dir = crate::fixtures()?.join(folder);
    let expected = json(&format!("{folder}/expected.json"))?;
    let expected = expected.as_object().unwrap();
    let there: BTreeSet<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(suffix))
        .collect();
    let named: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(there, named, "files in {folder} and cases in expected.json");
    let case = |(name, facts): (&String, &Json)| {
        let bytes = fs::read(dir.join(name)).unwrap();
        (name.clone(), facts.clone(), bytes)
    };
    Some(expected.iter().map(case).collect())
}

pub(crate) fn text<'v>(object: &'v Json, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_else(|| panic!("{field} is not text in {object}"))
}

pub(crate) fn number(object: &Json, field: &str) -> u64 {
    object[field].as_u64().unwrap_or_else(|| panic!("{field} is not a number in {object}"))
}

pub(crate) fn flag(object: &Json, field: &str) -> bool {
    object[field].as_bool().unwrap_or_else(|| panic!("{field} is not true or false in {object}"))
}

pub(crate) fn cid(object: &Json, field: &str) -> Cid {
    text(object, field).parse().unwrap()
}

pub(crate) fn open(bytes: &[u8]) -> Result<Car, CarError> {
    CarFile::open(Cursor::new(bytes.to_vec()))
}

/// Verifies a CAR file and returns the findings.
pub(crate) fn verify(bytes: &[u8], expected: &Expected<'_>) -> (Report, Vec<Finding>) {
    let mut findings = Vec::new();
    let report = verify_car(Cursor::new(bytes), expected, &mut |finding| {
        findings.push(finding);
    })
    .unwrap();
    let count = |severity| {
        let of_it = findings.iter().filter(|found| found.severity() == severity);
        of_it.count() as u64
    };
    assert_eq!(report.errors, count(Severity::Error), "{findings:#?}");
    assert_eq!(report.warnings, count(Severity::Warning), "{findings:#?}");
    (report, findings)
}

/// Returns the codes of findings, sorted and without duplicates.
pub(crate) fn codes(findings: &[Finding]) -> Vec<&'static str> {
    let codes: BTreeSet<&str> = findings.iter().map(|found| found.code().as_str()).collect();
    codes.into_iter().collect()
}

/// Returns a repository in memory, without a commit and without a key.
pub(crate) fn empty_mirror() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// Opens a CAR file and imports it.
pub(crate) fn import(
    repo: &Repo,
    bytes: &[u8],
    key: Option<&PublicKey>,
) -> Result<Imported, Error> {
    repo.transfer().allow_older(true).import(&open(bytes)?, key)
}

/// Returns all parts of a repository that a refused import must leave unchanged.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    refs: Refs,
    blocks: u64,
    log: Vec<LogEntry>,
    account: Vec<Fact>,
    key: Vec<Fact>,
}

pub(crate) fn state(repo: &Repo) -> State {
    State {
        refs: refs(repo),
        blocks: block_count(repo),
        log: repo.history().log(usize::MAX).unwrap(),
        account: facts(repo, FactKind::Account),
        key: facts(repo, FactKind::Key),
    }
}

/// Returns the records of a snapshot, in key order.
pub(crate) fn records(snapshot: &Snapshot) -> Vec<RecordEntry> {
    snapshot.records().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn export(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    let exported = export_car(snapshot, &mut file, &mut |_| {}).unwrap();
    assert_eq!(exported.bytes, file.len() as u64);
    file
}

/// Returns every block of a CAR file, in the order of the file.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<Block> {
    pds::car::CarReader::new(bytes).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Returns the names in a directory, or none if it does not exist.
pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    entries.map(|entry| name(entry).unwrap()).collect()
}
