//! Commits that no ref leads to: the log names them. And the history of a ref by its own log.

use pds::data::{Block, Cid};
use pds::store::{Event, LogEntry, RefName};
use pds::syntax::Tid;
use pds::{Error, Repo, Revision};

use super::revisions::{commit, head, repo_of, row, twins};

fn at(micros: u64) -> Tid {
    Tid::new(1_700_000_000_000_000 + (micros << 20), 1).unwrap()
}

fn resolve(repo: &Repo, text: &str) -> pds::Result<Cid> {
    repo.history().resolve(&text.parse()?)
}

fn short(block: &Block) -> String {
    block.cid().to_string()[7..15].to_owned()
}

#[test]
fn a_commit_that_only_the_log_names_is_found_by_its_rev_and_its_cid() {
    let before = commit(at(1), None, 1);
    let left = commit(at(2), Some(before.cid()), 2);
    let kept = commit(at(3), None, 3);
    let log =
        [row(1, &head(), None, left.cid(), 1), row(2, &head(), Some(left.cid()), kept.cid(), 2)];
    let repo = repo_of(&[before.clone(), left.clone(), kept], &log);
    for (block, micros) in [(&left, 2), (&before, 1)] {
        assert_eq!(resolve(&repo, &short(block)).unwrap(), block.cid());
        assert_eq!(resolve(&repo, &at(micros).to_string()[..9]).unwrap(), block.cid());
    }
}

#[test]
fn the_other_side_of_a_merge_is_found_with_the_commits_before_it() {
    let before = commit(at(1), None, 1);
    let other = commit(at(2), Some(before.cid()), 2);
    let merged = commit(at(3), None, 3);
    let event = Event::Merge { other: other.cid(), key: None };
    let log = [LogEntry { event, ..row(1, &head(), None, merged.cid(), 1) }];
    let repo = repo_of(&[before.clone(), other.clone(), merged], &log);
    for (block, micros) in [(&other, 2), (&before, 1)] {
        assert_eq!(resolve(&repo, &short(block)).unwrap(), block.cid());
        assert_eq!(resolve(&repo, &at(micros).to_string()[..9]).unwrap(), block.cid());
    }
}

#[test]
fn a_lost_commit_counts_only_if_no_stored_one_fits() {
    let [one, other] = twins();
    let letters = &one.cid().to_string()[7..13];
    let last = commit(at(9), None, 9);
    let log = [
        row(1, &head(), None, one.cid(), 1),
        row(2, &head(), Some(one.cid()), other.cid(), 2),
        row(3, &head(), Some(other.cid()), last.cid(), 3),
    ];
    let with = |stored: &[&Block]| {
        let blocks: Vec<Block> = stored.iter().map(|block| (*block).clone()).collect();
        resolve(&repo_of(&blocks, &log), letters)
    };
    assert_eq!(with(&[&last, &other]).unwrap(), other.cid());
    assert_eq!(with(&[&last, &one]).unwrap(), one.cid());
    let Error::Revision(error) = with(&[&last]).unwrap_err() else { panic!("both are lost") };
    assert_eq!(error.candidates.len(), 2, "{error}");
    let repo = repo_of(std::slice::from_ref(&last), &log);
    let Error::Revision(error) = resolve(&repo, &short(&one)).unwrap_err() else { panic!("lost") };
    assert_eq!(error.reason, "the commit is not stored");
}

#[test]
fn the_history_of_another_ref_follows_the_log_of_that_ref() {
    let commits: Vec<Block> = (1..5).map(|n| commit(at(n), None, n)).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|n: usize| commits[n].cid());
    let side: RefName = "side".parse().unwrap();
    // HEAD has the same commit, and came to it from another one.
    let log = [
        row(1, &side, None, a, 1),
        row(2, &head(), None, b, 2),
        row(3, &side, Some(a), c, 3),
        row(4, &head(), Some(b), c, 4),
        row(5, &head(), Some(c), d, 5),
    ];
    let repo = repo_of(&commits, &log);
    let walked = |from: &str| -> Vec<Cid> {
        let from: Revision = from.parse().unwrap();
        let walk = repo.history().commits(Some(&from)).unwrap();
        walk.map(|past| past.unwrap().cid).collect()
    };
    assert_eq!(walked("side"), [c, a]);
    assert_eq!(walked("side~1"), [a]);
    assert_eq!(walked("side@{1}"), [a]);
    assert_eq!(walked("HEAD~1"), [c, b]);
    assert_eq!(walked(&short(&commits[2])), [c, b]);
}
