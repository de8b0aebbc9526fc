//! Revisions and the commits of a history in which one commit is damaged.

use std::path::Path;

use pds::local::layout::STORE_FILE;
use pds::{Cid, Error, Repo, Revision};

use super::{did, note, path};

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
