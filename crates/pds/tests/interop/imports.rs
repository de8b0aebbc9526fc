//! The files that an import accepts, and those that it refuses.

use std::collections::BTreeMap;

use pds::data::{Block, Cid};
use pds::mst::{Step, walk};
use pds::{Error, Repo};
use pds::{Finding, Severity, Stage};

use super::repo_cases::{Case, all};
use super::support::{blocks, empty_mirror, records, state};

fn is_error(finding: &&Finding) -> bool {
    finding.severity() == Severity::Error
}

#[test]
fn everything_but_a_bad_record_is_refused() {
    let Some(cases) = all() else { return };
    let (mut taken, mut refused) = (0, 0);
    for case in &cases {
        let name = &case.name;
        let (_, findings) = case.verify();
        let fatal = |found: &&Finding| is_error(found) && found.stage() != Stage::Record;
        let repo = empty_mirror();
        let before = state(&repo);
        match (case.import(&repo), findings.iter().find(fatal)) {
            (Ok(imported), None) => {
                assert_eq!(imported.findings, relevant(&findings), "{name}");
                every_byte_is_kept(case, &repo);
                taken += 1;
            }
            (Err(error), Some(fatal)) => {
                if let Error::Refused(finding) = &error {
                    assert_eq!(**finding, *fatal, "{name}");
                }
                assert!(error.is_corrupt(), "{name}: {error}");
                assert_eq!(state(&repo), before, "{name}");
                refused += 1;
            }
            (answer, fatal) => panic!("{name}: {answer:?}, although {fatal:?}"),
        }
    }
    assert!(taken >= 25 && refused >= 50, "{taken} {refused}");
}

/// Selects the findings that an import also reports: all but the notes on the file.
fn relevant(findings: &[Finding]) -> Vec<Finding> {
    let not_of_the_file = |found: &&Finding| found.stage() != Stage::Car;
    findings.iter().filter(not_of_the_file).cloned().collect()
}

fn every_byte_is_kept(case: &Case, repo: &Repo) {
    let there: BTreeMap<Cid, Block> =
        blocks(&case.bytes).into_iter().map(|block| (block.cid(), block)).collect();
    let snapshot = repo.snapshot().unwrap();
    let entries = records(&snapshot);
    for entry in &entries {
        let record = repo.find(&entry.path).unwrap().unwrap();
        assert_eq!(record.block, there[&entry.cid], "{}: {}", case.name, entry.path);
    }
    let walked = walk(snapshot.blocks(), snapshot.commit().data());
    let named = walked.filter(|step| matches!(step, Ok(Step::Entry { .. })));
    assert_eq!(named.count(), entries.len(), "{}", case.name);
    assert_eq!(*snapshot.commit().block(), there[&repo.head().unwrap().unwrap()]);
}
