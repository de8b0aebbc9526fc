//! Revisions and walks where a commit is damaged, or is purged meanwhile.

use std::path::Path;

use pds::data::ReadError;
use pds::history::commits::PastCommit;
use pds::local::layout::STORE_FILE;
use pds::retain::forget::Forget;
use pds::{Cid, Error, Repo, Revision};

use super::{did, in_memory, note, path};

/// Overwrites a block of a store.
pub(super) fn damage(dir: &Path, cid: Cid) {
    let sql = rusqlite::Connection::open(dir.join(STORE_FILE)).unwrap();
    let name = cid.as_bytes().as_slice();
    let done =
        sql.execute("UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE cid = ?1", [name]);
    assert_eq!(done.unwrap(), 1);
}

/// A repository with an empty commit and three more, the oldest first. The second one is damaged.
fn damaged(dir: &Path) -> (Repo, Vec<Cid>) {
    let repo = Repo::create(dir, &did()).unwrap();
    let mut commits = vec![repo.head().unwrap().unwrap()];
    for n in 1..=3 {
        let written = repo.put(&path(&format!("com.example.note/{n}")), &note("x")).unwrap();
        commits.push(written.commit.cid());
    }
    drop(repo);
    damage(dir, commits[1]);
    (Repo::open(dir).unwrap(), commits)
}

/// Resolves a text, which is also a time, if one is given.
fn resolve(repo: &Repo, text: &str, time: Option<u64>) -> pds::Result<Cid> {
    repo.history().resolve(&Revision::parse_with_times(text, &|_| time)?)
}

#[test]
fn a_damaged_commit_hides_no_reading_of_a_word() {
    let home = tempfile::tempdir().unwrap();
    let (repo, commits) = damaged(home.path());
    let letters = |at: usize, count: usize| commits[at].to_string()[7..7 + count].to_owned();
    for at in [0, 2, 3] {
        let rev = repo.checkout(&commits[at].into()).unwrap().commit().rev().unwrap().to_string();
        for text in [rev, letters(at, 8), letters(at, 14), format!("bafyrei{}", letters(at, 8))] {
            assert_eq!(resolve(&repo, &text, None).unwrap(), commits[at], "{text}");
        }
    }
    // The word may be a rev, a CID and a time.
    assert_eq!(resolve(&repo, "aaaaaa", Some(u64::MAX)).unwrap(), commits[3]);
    let name: pds::store::RefName = "aaaaaa".parse().unwrap();
    repo.history().set_ref(&name, commits[0], pds::store::Expect::Absent, "").unwrap();
    assert_eq!(resolve(&repo, "aaaaaa", None).unwrap(), commits[0]);
}

#[test]
fn a_damaged_commit_is_reported_if_a_word_may_name_it() {
    let home = tempfile::tempdir().unwrap();
    let (repo, commits) = damaged(home.path());
    let own = commits[1].to_string();
    for text in [&own, &own[7..15], &own[..15]] {
        let error = resolve(&repo, text, Some(0)).unwrap_err();
        assert!(matches!(error, Error::Read(_)) && error.is_corrupt(), "{text}: {error}");
    }
    // The damaged commit may have this rev, or the time of this rev.
    for time in [None, Some(0)] {
        let error = resolve(&repo, "aaaaaa", time).unwrap_err();
        assert!(matches!(error, Error::RevisionHidden { .. }) && error.is_corrupt(), "{error}");
    }
    // The CID of the damaged commit is known to be another one.
    let error = resolve(&repo, "bafyreiaaaaaaaa", None).unwrap_err();
    assert!(matches!(error, Error::Revision(_)), "{error}");
}

#[test]
fn a_walk_ends_with_an_error_where_its_commits_are_purged_meanwhile() {
    let (repo, commits) = {
        let repo = in_memory();
        let mut commits = vec![repo.head().unwrap().unwrap()];
        for n in 1..=4 {
            let written = repo.put(&path(&format!("com.example.note/{n}")), &note("x")).unwrap();
            commits.push(written.commit.cid());
        }
        (repo, commits)
    };
    let mut from_head = repo.history().commits(None).unwrap();
    let mut from_third = repo.history().commits(Some(&commits[3].into())).unwrap();
    assert_eq!(from_head.next().unwrap().unwrap().cid, commits[4]);
    assert_eq!(from_third.next().unwrap().unwrap().cid, commits[3]);
    let is_swept = |next: Option<pds::Result<PastCommit>>, cid: Cid| matches!(next, Some(Err(Error::Read(ReadError::Swept { cid: swept }))) if swept == cid);
    repo.retain().forget(&Forget::BeforeState(commits[3].into()), &mut |_| {}).unwrap();
    // This commit is stored, and the one before it is not.
    assert!(is_swept(from_head.next(), commits[3]));
    // This commit is not stored.
    assert!(is_swept(from_third.next(), commits[2]));
    assert!(from_head.next().is_none() && from_third.next().is_none());
    // A walk that begins later ends with the states that are left.
    let left: Vec<_> = repo.history().commits(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(left.iter().map(|past| past.cid).collect::<Vec<_>>(), [commits[4], commits[3]]);
    assert!(left[1].is_cut && left[1].parent.is_none());
}
