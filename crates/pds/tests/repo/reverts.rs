//! Reverts of commits, and the history of one record.

use pds::data::Cid;
use pds::retain::forget::Forget;
use pds::store::Event;
use pds::{Error, Repo, Write};

use super::merges::{conflicts, content, delete, put};
use super::unreadable::damage;
use super::{did, in_memory, note, path};

#[test]
fn a_revert_undoes_one_commit_and_keeps_what_came_after() {
    let repo = in_memory();
    put(&repo, "a", "1");
    put(&repo, "b", "1");
    let writes = [
        Write::put(path("com.example.note/a"), note("wrong")),
        Write::delete(path("com.example.note/b")),
        Write::create(path("com.example.note/c"), note("wrong")),
    ];
    let wrong = repo.write(&writes).unwrap().commit.cid();
    let head = put(&repo, "d", "later");
    let undone = repo.merge().revert(wrong).unwrap();
    assert_eq!(content(&repo), ["a=1", "b=1", "d=later"]);
    assert_eq!((undone.commit.prev(), undone.changes.len()), (Some(head), 3));
    assert_eq!(repo.history().log(1).unwrap()[0].event, Event::Revert { commit: wrong });
    // A second revert has nothing to revert, and makes no commit.
    let again = repo.merge().revert(wrong).unwrap();
    assert_eq!((again.commit.cid(), again.changes.len()), (undone.commit.cid(), 0));
    // A revert can be reverted.
    repo.merge().revert(undone.commit.cid()).unwrap();
    assert_eq!(content(&repo), ["a=wrong", "c=wrong", "d=later"]);
}

#[test]
fn a_revert_of_what_was_changed_since_is_a_conflict() {
    let repo = in_memory();
    put(&repo, "a", "1");
    let second = put(&repo, "a", "2");
    let third = put(&repo, "a", "3");
    let found = conflicts(repo.merge().revert(second).unwrap_err());
    let at = |commit: Cid| {
        let a = path("com.example.note/a");
        repo.checkout(&commit.into()).unwrap().find_cid(&a).unwrap()
    };
    let before = repo.history().resolve(&format!("{second}~1").parse().unwrap()).unwrap();
    let record = &found[0];
    assert_eq!([record.base, record.ours, record.theirs], [second, third, before].map(at));
    assert_eq!(repo.head().unwrap(), Some(third));
    let first = repo.history().resolve(&"HEAD~3".parse().unwrap()).unwrap();
    assert!(matches!(repo.merge().revert(first), Err(Error::NothingBefore(_))));
}

#[test]
fn a_commit_after_purged_states_is_not_reverted_with_their_changes() {
    let repo = in_memory();
    put(&repo, "a", "1");
    put(&repo, "x", "secret");
    put(&repo, "b", "1");
    let removed = delete(&repo, "x");
    put(&repo, "c", "1");
    let purged = Forget::Records(vec![path("com.example.note/x")]);
    assert_eq!(repo.retain().forget(&purged, &mut |_| {}).unwrap().swept.states, 2);
    let refused = repo.merge().revert(removed).unwrap_err();
    assert!(matches!(refused, Error::NothingBefore(commit) if commit == removed), "{refused}");
    assert_eq!(content(&repo), ["a=1", "b=1", "c=1"]);
}

#[test]
fn a_commit_after_a_lost_one_is_not_reverted_with_its_changes() {
    let home = tempfile::tempdir().unwrap();
    let repo = Repo::create(home.path(), &did()).unwrap();
    put(&repo, "a", "1");
    let lost = put(&repo, "b", "1");
    let wrong = put(&repo, "c", "1");
    damage(home.path(), lost);
    let repo = Repo::open(home.path()).unwrap();
    assert!(repo.merge().revert(wrong).unwrap_err().is_corrupt());
    assert_eq!(content(&repo), ["a=1", "b=1", "c=1"]);
}

#[test]
fn the_history_of_a_record_is_the_commits_that_changed_it() {
    let repo = in_memory();
    put(&repo, "other", "x");
    let created = put(&repo, "a", "1");
    put(&repo, "other", "y");
    let updated = put(&repo, "a", "2");
    let deleted = delete(&repo, "a");
    put(&repo, "other", "z");
    let again = put(&repo, "a", "3");
    let a = path("com.example.note/a");
    let versions: Vec<_> =
        repo.history().record_history(&a).unwrap().collect::<Result<_, _>>().unwrap();
    let commits: Vec<Cid> = versions.iter().map(|version| version.commit.cid()).collect();
    assert_eq!(commits, [again, deleted, updated, created]);
    for version in &versions {
        let after = repo.checkout(&version.commit.cid().into()).unwrap().find_cid(&a).unwrap();
        assert_eq!(version.after, after);
    }
    assert!(versions.windows(2).all(|pair| pair[0].before == pair[1].after));
    assert_eq!(versions[3].before, None);
}
