//! Several writers of one repository.

use std::thread;

use pds::repo::Repo;
use pds::repo::verify::Expected;
use pds::syntax::Tid;

use super::{did, note, path};

#[test]
fn no_commit_is_lost_between_writers_with_connections_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    Repo::create(&dir, &did()).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let dir = &dir;
            scope.spawn(move || {
                // Each opens the repository for itself, as another process would.
                let repo = Repo::open(dir).unwrap();
                for n in 0..10 {
                    let path = path(&format!("com.example.note/{writer}-{n}"));
                    repo.put(&path, &note("x")).unwrap();
                }
            });
        }
    });
    let repo = Repo::open(&dir).unwrap();
    assert_eq!(repo.snapshot().unwrap().records().count(), 40);
    let log = repo.log(100).unwrap();
    assert_eq!(log.len(), 41);
    let revs: Vec<Option<Tid>> = log
        .iter()
        .map(|entry| repo.checkout(&entry.after.unwrap().into()).unwrap().commit().rev())
        .collect();
    assert!(revs.windows(2).all(|pair| pair[0] > pair[1]), "revs ascend");
    for entry in &log {
        let commit = repo.checkout(&entry.after.unwrap().into()).unwrap();
        assert_eq!(commit.commit().prev(), entry.before, "the chain is the log");
    }
    repo.verify(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn tids_of_two_handles_never_fall_behind_the_head() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let one = Repo::create(&dir, &did()).unwrap();
    let two = Repo::open(&dir).unwrap();
    let mut last = one.next_tid().unwrap();
    for n in 0..20 {
        let repo = if n % 2 == 0 { &one } else { &two };
        let rev =
            repo.put(&path("com.example.note/a"), &note(&n.to_string())).unwrap().commit.rev();
        assert!(rev.unwrap() > last);
        last = repo.next_tid().unwrap();
        assert!(last > rev.unwrap());
        // The next writer knows nothing of this TID, only of the commit.
        last = rev.unwrap();
    }
}
