//! Every CAR file of the test data, imported into mirrors of other files of the same account.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pds::commit::Commit;
use pds::data::Blocks;

use super::super::repo::slice_checks::{assert_complete, imported_as_checked};
use super::firehose::commits;
use super::support::{Car, empty_mirror, import, open};

/// Returns the CAR files in a directory and below it.
fn car_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.extend(car_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "car") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// Returns the readable files with a commit as their root, grouped by account.
fn by_account() -> Option<BTreeMap<String, Vec<(PathBuf, Car)>>> {
    let mut accounts: BTreeMap<String, Vec<(PathBuf, Car)>> = BTreeMap::new();
    for path in car_files(&crate::fixtures()?) {
        let Ok(car) = open(&fs::read(&path).unwrap()) else { continue };
        let root = car.roots().first().and_then(|root| car.get(root).ok().flatten());
        let Some(Ok(commit)) = root.map(|root| Commit::decode(&root)) else { continue };
        accounts.entry(commit.did().to_string()).or_default().push((path, car));
    }
    Some(accounts)
}

#[test]
fn each_file_is_answered_over_each_other_state_of_its_account_as_by_a_full_check() {
    let Some(accounts) = by_account() else { return };
    let (mut accepted, mut refused) = (0, 0);
    for files in accounts.values() {
        let mut bases = 0;
        for (_, base) in files {
            // Some accounts have many files with the same few states.
            if bases == MAX_BASES || empty_mirror().transfer().import(base, None).is_err() {
                continue;
            }
            bases += 1;
            let mut mirror = empty_mirror();
            mirror.transfer().import(base, None).unwrap();
            for (_, file) in files {
                match imported_as_checked(&mirror, file) {
                    false => refused += 1,
                    true => {
                        accepted += 1;
                        assert_complete(&mirror);
                        mirror = empty_mirror();
                        mirror.transfer().import(base, None).unwrap();
                    }
                }
            }
        }
    }
    assert!(accepted > 300 && refused > 100, "{accepted} accepted, {refused} refused");
}

/// The number of files of one account that become the base of others.
const MAX_BASES: usize = 4;

#[test]
fn each_commit_event_is_answered_by_an_empty_mirror_as_by_a_full_check() {
    let Some(commits) = commits() else { return };
    let mut refused = 0;
    for (_, event, _) in &commits {
        refused += u32::from(!imported_as_checked(&empty_mirror(), &event.slice));
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn the_answers_since_a_rev_lead_from_one_state_to_the_next() {
    let Some(dir) = crate::fixtures() else { return };
    for names in [
        ["real-streamplace.full", "real-streamplace.since1", "real-streamplace.since2"].as_slice(),
        &["import-event-slice.base", "import-event-slice.event"],
    ] {
        let file = |name: &&str| fs::read(dir.join("reports").join(format!("{name}.car"))).unwrap();
        let mirror = empty_mirror();
        for name in names {
            if !imported_as_checked(&mirror, &open(&file(name)).unwrap()) {
                panic!("{name} is refused");
            }
            assert_complete(&mirror);
        }
        let last = file(names.last().unwrap());
        assert_eq!(import(&mirror, &last, None).unwrap().new_blocks, 0, "the second time");
    }
}
