//! Several writers of one repository.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;

use pds::Expected;
use pds::data::Cid;
use pds::retain::gc::Keep;
use pds::store::{Expect, RefName};
use pds::syntax::Tid;
use pds::{Error, Repo};

use super::watched::{self, Watch, Watched};
use super::{did, note, path};

/// A store in which another handle acts right after the n-th read.
#[derive(Default)]
struct Overtaken(Mutex<Option<(usize, Other)>>);

type Other = Box<dyn FnOnce() + Send>;

impl Overtaken {
    /// Sets the number of reads after which the other handle acts.
    fn after(&self, reads: usize, other: Other) {
        *self.0.lock().unwrap() = Some((reads, other));
    }

    /// Returns whether the other handle has acted.
    fn has_been(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

impl Watch for Overtaken {
    fn view(&self) {
        self.answered();
    }

    fn blocks(&self, _: &[Cid]) {
        self.answered();
    }

    fn refs(&self) {
        self.answered();
    }

    fn log(&self) {
        self.answered();
    }

    fn facts(&self) {
        self.answered();
    }
}

impl Overtaken {
    fn answered(&self) {
        let mut other = self.0.lock().unwrap();
        match other.take() {
            Some((0, act)) => act(),
            Some((reads, act)) => *other = Some((reads - 1, act)),
            None => {}
        }
    }
}

/// Returns two handles to one repository with three commits. The second handle is never overtaken.
fn overtaken() -> (Arc<Watched<Overtaken>>, Repo, Repo) {
    let (store, repo, other) = watched::handles::<Overtaken>();
    for text in ["one", "two"] {
        other.put(&path("com.example.note/a"), &note(text)).unwrap();
    }
    (store, repo, other)
}

#[test]
fn concurrent_changes_of_refs_and_log_are_no_finding() {
    let commit = |repo: &Repo| drop(repo.put(&path("com.example.note/b"), &note("b")).unwrap());
    let branch = |repo: &Repo| {
        let (side, head) = ("side".parse().unwrap(), repo.head().unwrap().unwrap());
        repo.history().set_ref(&side, head, Expect::Absent, "branch").unwrap();
    };
    let collect = |repo: &Repo| {
        let keep = Keep::default().states(NonZeroUsize::new(1));
        assert!(
            repo.retain().gc(&keep, &mut |_| {}).unwrap().moves > 0,
            "rows of the log were deleted"
        );
    };
    for act in [commit as fn(&Repo), branch, collect] {
        // The other handle acts after each possible read.
        for reads in 0.. {
            let (store, repo, other) = overtaken();
            store.watch.after(reads, Box::new(move || act(&other)));
            repo.verify()
                .present(&Expected::default(), &mut |finding| panic!("{finding}"))
                .unwrap();
            match pds_rescue::Rescue::of(&repo).survey(&[]) {
                Ok(survey) => assert_eq!(survey.refs, [], "none is astray"),
                // A state was deleted while the survey read it.
                Err(error) => assert!(error.is_busy(), "{error}"),
            }
            if !store.watch.has_been() {
                assert!(reads > 2, "each of the two reads the refs and more");
                break;
            }
        }
    }
}

#[test]
fn a_ref_that_is_made_while_somebody_asks_for_it_is_not_lost() {
    for reads in 0.. {
        let (store, repo, other) = overtaken();
        let side: RefName = "side".parse().unwrap();
        let head = other.head().unwrap().unwrap();
        let (here, made) = (repo.on(side.clone()), side.clone());
        let act = move || other.history().set_ref(&made, head, Expect::Absent, "").unwrap();
        store.watch.after(reads, Box::new(act));
        // The view shows the moment before.
        assert!(matches!(here.snapshot(), Err(Error::NoCommit(name)) if name == side));
        if !store.watch.has_been() {
            assert!(reads > 1, "the refs are read, and the log");
            break;
        }
        assert!(here.snapshot().is_ok());
    }
}

#[test]
fn no_commit_is_lost_between_writers_with_connections_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    Repo::create(&dir, &did()).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let dir = &dir;
            scope.spawn(move || {
                // Each thread opens the repository separately, as another process does.
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
    let log = repo.history().log(100).unwrap();
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
    repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn tids_of_two_handles_never_fall_behind_the_head() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    let one = Repo::create(&dir, &did()).unwrap();
    let two = Repo::open(&dir).unwrap();
    let mut last = one.history().next_tid().unwrap();
    for n in 0..20 {
        let repo = if n % 2 == 0 { &one } else { &two };
        let rev =
            repo.put(&path("com.example.note/a"), &note(&n.to_string())).unwrap().commit.rev();
        assert!(rev.unwrap() > last);
        last = repo.history().next_tid().unwrap();
        assert!(last > rev.unwrap());
        // The next writer does not know this TID, but only the commit.
        last = rev.unwrap();
    }
}
