//! Many processes on one repository at the same time.

mod answers;
mod checks;
mod eight;
mod gc;
mod loops;
#[cfg(unix)]
mod storm;

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{DID, Ended, Home, TestRepo, creation, note};

/// Runs a command several times at once and returns the results.
fn at_once<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    let run = |n| {
        barrier.wait();
        run(n)
    };
    let run = &run;
    thread::scope(|scope| {
        let running: Vec<_> = (0..count).map(|n| scope.spawn(move || run(n))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// Sets a flag when it is dropped, also by a panic.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Checks that every commit names the one before, down to the first, with revs that ascend.
fn assert_chain(repo: &TestRepo, commits: usize) {
    let opened = pds::local::open::open_without_key(repo.home.path("alice")).unwrap();
    let (mut at, mut after, mut count) = (opened.head().unwrap(), None, 0);
    while let Some(cid) = at {
        let snapshot = opened.checkout(&cid.into()).unwrap();
        let commit = snapshot.commit();
        assert!(after.is_none_or(|after| commit.rev() < after), "{cid}");
        (at, after, count) = (commit.prev(), Some(commit.rev()), count + 1);
    }
    assert_eq!(count, commits);
}

#[test]
fn four_writers_lose_nothing() {
    let repo = TestRepo::new();
    at_once(4, |writer| {
        for n in 0..25 {
            repo.put(&format!("w{writer}-{n}"), "x");
        }
    });
    let listed = repo.pds(["ls", "com.example.note"]).ok();
    let found: BTreeSet<&str> =
        listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    let expected: BTreeSet<String> =
        (0..4).flat_map(|w| (0..25).map(move |n| format!("w{w}-{n}"))).collect();
    assert!(found.iter().copied().eq(expected.iter().map(String::as_str)));
    let log = repo.json_lines(["log"]);
    let revs: Vec<&str> = log.iter().map(|line| line["rev"].as_str().unwrap()).collect();
    assert_eq!(revs.len(), 101);
    assert!(revs.is_sorted_by(|newer, older| newer > older), "{revs:?}");
    assert!(log[..100].iter().all(|line| line["created"] == 1 && line["deleted"] == 0));
    assert_chain(&repo, 101);
    repo.assert_whole();
}

#[test]
fn four_streams_of_batches_lose_nothing() {
    let repo = TestRepo::new();
    at_once(4, |writer| {
        let lines: String = (0..25).map(|n| creation(&format!("w{writer}-{n}"), "x")).collect();
        let said = repo.pds(["apply", "--batch", "1"]).stdin(lines).ok();
        assert_eq!(said.lines().count(), 25);
    });
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t100\n");
    assert_chain(&repo, 101);
    repo.assert_whole();
}

#[test]
fn fresh_keys_of_many_writers_never_meet() {
    let repo = TestRepo::new();
    let add = ["put", "com.example.note"];
    at_once(4, |_| (0..10).for_each(|_| drop(repo.pds(add).stdin("{}").ok())));
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t40\n");
}

#[test]
fn of_two_that_swap_exactly_one_wins() {
    let repo = TestRepo::new();
    let mut stands = repo.put("a", "start");
    for round in 0..8 {
        let ended = at_once(2, |writer| {
            let json = format!("{{\"text\":\"round {round} writer {writer}\"}}");
            repo.pds(["put", "com.example.note/a", "--swap", &stands]).stdin(json).ended()
        });
        let mut codes: Vec<i32> = ended.iter().map(Ended::code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1]);
        let winner = ended.iter().find(|one| one.code() == 0).unwrap().text();
        let loser = &ended.iter().find(|one| one.code() == 1).unwrap().stderr;
        winner.trim_end().split_once('\t').unwrap().1.clone_into(&mut stands);
        assert!(loser.contains(&format!("com.example.note/a is {stands}, expected ")), "{loser}");
        let now = repo.json(["get", "com.example.note/a"]);
        assert_eq!(now["cid"], *stands);
    }
}

#[test]
fn of_four_that_create_a_record_or_delete_it_exactly_one_wins() {
    let repo = TestRepo::new();
    let codes = |run: &(dyn Fn() -> Ended + Sync)| {
        let mut codes: Vec<i32> = at_once(4, |_| run().code());
        codes.sort_unstable();
        codes
    };
    for _ in 0..3 {
        let create = || repo.pds(["put", "com.example.note/a", "--create"]).stdin("{}").ended();
        assert_eq!(codes(&create), [0, 1, 1, 1]);
        assert_eq!(codes(&|| repo.pds(["rm", "com.example.note/a"]).ended()), [0, 1, 1, 1]);
    }
}

#[test]
fn of_four_that_make_a_repository_in_one_place_exactly_one_wins() {
    for exists in [false, true] {
        let home = Home::new();
        if exists {
            std::fs::create_dir(home.path("alice")).unwrap();
        }
        let ended = at_once(4, |_| home.pds(["init", "alice", "--did", DID]).ended());
        let won: Vec<&Ended> = ended.iter().filter(|one| one.code() == 0).collect();
        assert_eq!(won.len(), 1, "{ended:?}");
        for lost in ended.iter().filter(|one| one.code() != 0) {
            assert!(lost.stderr.contains("alice is not empty\n"), "{}", lost.stderr);
        }
        // The key is that of the commit, whichever process made it.
        home.pds(["-R", "alice", "verify"]).ok();
        home.pds(["-R", "alice", "put", "com.example.note/a"]).stdin("{}").ok();
        home.pds(["-R", "alice", "verify"]).ok();
        assert_eq!(home.list("."), ["alice"]);
        assert_eq!(home.list("alice"), ["key", "pds.db"]);
    }
}

#[test]
fn readers_see_a_whole_state_while_others_write() {
    let repo = TestRepo::with_many_notes(50);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // The reader ends even if a writer panics.
        let end = SetOnDrop(&done);
        let reader = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                repo.assert_whole();
                let car = repo.pds(["export"]).ended().stdout;
                repo.home.pds(["verify", "-"]).stdin(car).ok();
                repo.pds(["ls", "--all", "-l"]).ok();
                repo.pds(["log", "-n", "3"]).ok();
                rounds += 1;
            }
        });
        at_once(2, |writer| {
            for n in 0..20 {
                repo.put(&format!("w{writer}-{n}"), "x");
                repo.pds(["rm", &format!("com.example.note/w{writer}-{n}")]).ok();
            }
        });
        drop(end);
        reader.join().unwrap();
    });
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t50\n");
}

#[test]
fn one_blob_that_many_store_is_there_once() {
    let repo = TestRepo::new();
    let bytes = note("a blob").bytes().repeat(10_000);
    let said = at_once(4, |_| repo.pds(["blob", "put", "-"]).stdin(bytes.clone()).ok());
    assert!(said.iter().all(|one| *one == said[0]));
    assert_eq!(repo.pds(["blob", "ls"]).ok().lines().count(), 1);
    assert_eq!(repo.pds(["blob", "check"]).ok(), "1 intact, 0 damaged\n");
}

#[test]
fn writers_continue_during_rotations_with_the_key_of_the_moment() {
    let repo = TestRepo::new();
    let rotated = AtomicBool::new(false);
    let acknowledged: Vec<Vec<String>> = thread::scope(|scope| {
        // The writers end even if a rotation fails.
        let end = SetOnDrop(&rotated);
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (repo, rotated) = (&repo, &rotated);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    for n in 0.. {
                        if rotated.load(Ordering::Relaxed) && n > 5 {
                            break;
                        }
                        let path = format!("com.example.note/w{writer}-{n}");
                        let ended = repo.pds(["put", &path]).stdin("{}").ended();
                        // A process that read the old key before it was replaced reads the new one.
                        assert!(matches!(ended.code(), 0 | 5), "{}", ended.stderr);
                        if ended.code() == 0 {
                            written.push(path);
                        }
                    }
                    written
                })
            })
            .collect();
        for _ in 0..8 {
            repo.pds(["key", "rotate"]).ended().done();
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let listed = repo.pds(["ls", "--all"]).ok();
    let found: BTreeSet<&str> =
        listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    let acknowledged: BTreeSet<&str> = acknowledged.iter().flatten().map(String::as_str).collect();
    assert_eq!(found, acknowledged);
    let rotations = repo.pds(["log"]).ok().matches("\trotate ").count();
    assert_eq!(rotations, 8);
    repo.pds(["verify", "--history"]).ok();
    assert_chain(&repo, acknowledged.len() + rotations + 1);
}
