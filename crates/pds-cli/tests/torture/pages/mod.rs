//! Damage of all kinds in the files of a repository, each on a fresh copy, and what must hold then.
//!
//! The damage of a case depends on `PDS_TORTURE_SEED` and its number only: `PDS_TORTURE_CASE` runs
//! one case again. `PDS_TORTURE_KEEP` names a directory for the damaged repositories with a fault.

mod base;
mod files;
mod harm;
mod judge;
mod readable;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use self::base::{Base, DATABASE, Files, WAL, write_to};
use self::harm::{below, damage};
use self::judge::Judge;
use crate::common::say;
use crate::common::torture::{Random, amount, row, seed};

/// How many records of each case are read by a process of their own.
const GETS: usize = 1;

/// Damages a repository many times, and fails if a case shows a fault.
fn torture(
    part: &str,
    base: &Base,
    cases: usize,
    harm: &dyn Fn(&mut Files, &mut Random) -> (String, bool),
) {
    let seed = seed();
    let only = std::env::var("PDS_TORTURE_CASE").ok().map(|case| case.parse().unwrap());
    let chosen: Vec<usize> = only.map_or_else(|| (0..cases).collect(), |case| vec![case]);
    let (mut faults, mut answers) = (Vec::new(), BTreeMap::<String, usize>::new());
    for (n, case) in chosen.iter().enumerate() {
        if n > 0 && n % 500 == 0 {
            say(&format!("{part}: {n} of {} cases, {} with a fault", chosen.len(), faults.len()));
        }
        let mut random = Random::new(seed * 1_000_003 + *case as u64);
        let mut files = base.files.clone();
        let (what, is_earlier) = harm(&mut files, &mut random);
        let mut judge = Judge::of(base, &files, is_earlier);
        let records: Vec<&String> = base.states[&base.head()].keys().collect();
        let paths = (0..GETS).map(|_| records[below(&mut random, records.len())].clone());
        let paths: Vec<String> = paths.collect();
        let judged = catch_unwind(AssertUnwindSafe(|| judge.judge(&paths, case % 2 == 0)));
        if let Err(panic) = judged {
            let said = panic.downcast_ref::<String>().cloned();
            judge.faults.push(format!("panic: {}", said.unwrap_or_default()));
        }
        for answer in judge.answers {
            *answers.entry(answer).or_default() += 1;
        }
        if judge.faults.is_empty() {
            continue;
        }
        if let Some(keep) = std::env::var_os("PDS_TORTURE_KEEP") {
            write_to(&files, &Path::new(&keep).join(format!("{}-{case}", part.replace(' ', "-"))));
        }
        let list = judge.faults.join("\n    ");
        faults.push(format!("PDS_TORTURE_SEED={seed} PDS_TORTURE_CASE={case}: {what}\n    {list}"));
    }
    let answers: Vec<String> =
        answers.iter().map(|(answer, count)| format!("{answer} ×{count}")).collect();
    let found = format!("{} with a fault, seed {seed}; {}", faults.len(), answers.join(", "));
    row(part, chosen.len(), &found);
    let (count, shown) = (faults.len(), &faults[..faults.len().min(40)]);
    assert!(faults.is_empty(), "{count} cases with a fault:\n{}", shown.join("\n"));
}

fn torture_file(part: &str, base: &Base, file: &str, cases: usize) {
    torture(part, base, cases, &|files, random| damage(base, files, file, random));
}

#[test]
fn pages_of_a_small_database() {
    torture_file("damage: small database", &Base::small(), DATABASE, amount(20, 3_000));
}

#[test]
fn pages_of_a_larger_database() {
    torture_file("damage: larger database", &Base::medium(), DATABASE, amount(6, 1_200));
}

#[test]
fn pages_of_a_database_with_an_index() {
    torture_file("damage: database with an index", &Base::indexed(), DATABASE, amount(1, 200));
}

#[test]
fn pages_of_a_write_ahead_log() {
    torture_file("damage: write-ahead log", &Base::with_wal(), WAL, amount(8, 700));
}

#[test]
fn other_files_of_a_repository() {
    let base = Base::small();
    torture("damage: blobs, keys and other files", &base, amount(10, 800), &|files, random| {
        files::damage_other(&base, files, random)
    });
}
