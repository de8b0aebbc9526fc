//! Files of the old format, which contain every commit of an account.

use std::collections::BTreeMap;
use std::sync::Arc;

use pds::Expected;
use pds::data::Cid;
use pds::syntax::RecordPath;
use pds::transfer::export::export_since;
use pds::verify::indexed::verify;
use pds::{Repo, Revision, Snapshot};

use super::cars::whole_repositories;
use super::support::{blocks, empty_mirror, export, import, open, records};

/// Returns the states of each account whose whole history is known, oldest first.
fn histories() -> Option<Vec<(String, Vec<Snapshot>)>> {
    let mut histories = Vec::new();
    for (name, facts, bytes) in whole_repositories()? {
        let commits = facts.get("commits_in_file");
        if commits.is_none_or(|commits| commits["count"] == 1) {
            continue;
        }
        let file = Arc::new(open(&bytes).unwrap());
        let (mut states, mut next) = (Vec::new(), Some(file.roots()[0]));
        while let Some(commit) = next {
            let state = Snapshot::open(file.clone(), commit).unwrap();
            next = state.commit().prev();
            states.push(state);
        }
        states.reverse();
        assert_eq!(Some(states.len() as u64), commits.unwrap()["count"].as_u64(), "{name}");
        histories.push((name, states));
    }
    assert!(histories.len() >= 2);
    Some(histories)
}

fn listing(state: &Snapshot) -> BTreeMap<RecordPath, Cid> {
    let records = records(state).into_iter();
    records.map(|record| (record.path, record.cid)).collect()
}

fn step(repo: &Repo, to: &Snapshot) -> usize {
    let mut slice = Vec::new();
    export_since(to, &repo.snapshot().unwrap(), &mut slice, &mut |_| {}).unwrap();
    let imported = import(repo, &slice, None).unwrap();
    assert_eq!(imported.commit.cid(), to.commit().cid());
    blocks(&slice).len()
}

#[test]
fn every_state_verifies_and_differs_from_the_next_by_what_changed() {
    let Some(histories) = histories() else { return };
    for (name, states) in &histories {
        for state in states {
            let commit = state.commit().cid();
            let report = verify(state.blocks(), commit, &Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok() && report.is_complete(), "{name}: {commit}");
        }
        for pair in states.windows(2) {
            let mut records = listing(&pair[0]);
            let changes: Vec<_> = pair[0].diff(&pair[1]).map(Result::unwrap).collect();
            for change in &changes {
                let before = match change.after {
                    Some(after) => records.insert(change.path.clone(), after),
                    None => records.remove(&change.path),
                };
                assert_eq!(before, change.before, "{name}: {}", change.path);
                assert_ne!(before, change.after, "{name}: {}", change.path);
            }
            assert!(changes.is_sorted_by(|a, b| a.path < b.path), "{name}");
            assert_eq!(records, listing(&pair[1]), "{name}");
        }
    }
}

#[test]
fn a_mirror_that_follows_step_by_step_has_the_whole_history() {
    let Some(histories) = histories() else { return };
    for (name, states) in &histories {
        let repo = empty_mirror();
        import(&repo, &export(&states[0]), None).unwrap();
        let mut sent = 0;
        for state in &states[1..] {
            sent += step(&repo, state);
            assert!(export(&repo.snapshot().unwrap()) == export(state), "{name}");
        }
        assert_eq!(repo.history().log(usize::MAX).unwrap().len(), states.len(), "{name}");
        // Each state adds a commit and a few nodes: the files are slices, not copies.
        let all: usize = states.iter().map(|state| records(state).len()).sum();
        assert!(sent >= states.len() - 1 && sent < all / 4, "{name}: {sent} of {all}");

        for (back, state) in states.iter().rev().enumerate() {
            let revision: Revision = format!("HEAD~{back}").parse().unwrap();
            assert_eq!(repo.history().resolve(&revision).unwrap(), state.commit().cid(), "{name}");
        }
        let before_the_first = format!("HEAD~{}", states.len()).parse().unwrap();
        assert!(repo.history().resolve(&before_the_first).unwrap_err().is_not_found());
    }
}

#[test]
fn a_mirror_that_follows_in_leaps_has_the_same_states() {
    let Some(histories) = histories() else { return };
    for (name, states) in &histories {
        let repo = empty_mirror();
        import(&repo, &export(&states[0]), None).unwrap();
        // The steps go forwards and backwards through the history, over more and more commits at once.
        let mut at = 0;
        for leap in 1..states.len() {
            at = (at + leap * 7) % states.len();
            if repo.head().unwrap() == Some(states[at].commit().cid()) {
                continue;
            }
            step(&repo, &states[at]);
            let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok() && report.is_complete(), "{name}: {at}");
            assert_eq!(listing(&repo.snapshot().unwrap()), listing(&states[at]), "{name}: {at}");
        }
    }
}
