//! Collecting while other processes write and read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pds::Expected;
use pds::verify::indexed::verify;

use super::{SetOnDrop, at_once};
use crate::common::{TestRepo, log_rows};

/// Every state that the log names can be read in full.
fn assert_all_states_whole(repo: &TestRepo) {
    let opened = pds::local::open::open_without_key(repo.home.path("alice")).unwrap();
    for entry in log_rows(&opened) {
        for commit in [entry.before, entry.after].into_iter().flatten() {
            let blocks = opened.store().clone();
            let mut panic = |finding| panic!("{commit}: {finding}");
            let report = verify(blocks.as_ref(), commit, &Expected::default(), &mut panic).unwrap();
            assert!(report.is_complete(), "{commit}");
        }
    }
}

#[test]
fn processes_that_write_and_collect_together_lose_nothing_that_can_be_reached() {
    let repo = TestRepo::with_many_notes(200);
    let done = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        // The other threads end even if this one panics.
        let end = SetOnDrop(&done);
        let collector = scope.spawn(|| {
            let mut blocks = 0;
            for round in 0.. {
                if done.load(Ordering::Relaxed) && round > 3 {
                    break;
                }
                let keep = (1 + round % 4).to_string();
                let ended = repo.pds(["gc", "--keep", &keep, "--json"]).ended();
                // If a reader is always active, the file may keep its size.
                assert!([0, 6].contains(&ended.code()), "{}", ended.stderr);
                let swept: serde_json::Value = serde_json::from_str(&ended.text()).unwrap();
                blocks += swept["blocks"].as_u64().unwrap();
            }
            blocks
        });
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // The state may be deleted while it is read, but that must never look like damage.
                let ended = repo.pds(["ls", "--all"]).ended();
                assert!([0, 1, 3, 6].contains(&ended.code()), "{}", ended.stderr);
            }
        });
        at_once(2, |writer| {
            let mut n = 0;
            while started.elapsed() < Duration::from_secs(4) || n < 6 {
                n += 1;
                let key = format!("w{writer}-{}", n % 5);
                let blob = repo.pds(["blob", "put", "-"]).stdin((n % 3).to_string()).ok();
                let record = format!("{{\"n\":{},\"file\":{blob}}}", n % 4);
                repo.pds(["put", &format!("com.example.note/{key}")]).stdin(record).ok();
                if n % 4 == 0 {
                    repo.pds(["rm", &format!("com.example.note/{key}")]).ok();
                }
            }
        });
        drop(end);
        reader.join().unwrap();
        assert!(collector.join().unwrap() > 0, "something was collected");
    });
    assert_all_states_whole(&repo);
    repo.assert_whole();
    assert!(repo.pds(["ls"]).ok().starts_with("com.example.note\t20"), "the 200 are there");
    repo.pds(["gc", "--keep", "1"]).ok();
    repo.assert_whole();
}

#[test]
fn of_two_that_forget_together_both_do() {
    let repo = TestRepo::with_many_notes(50);
    let ended = at_once(2, |n| {
        repo.pds(["forget", "--yes", &format!("com.example.note/n00000{n}")]).ended()
    });
    for one in &ended {
        // A process that waits too long for the files leaves the rest to a gc.
        assert!([0, 6].contains(&one.code()), "{}", one.stderr);
    }
    if ended.iter().any(|one| one.code() == 6) {
        repo.pds(["gc"]).ended().done();
    }
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t48\n");
    assert_all_states_whole(&repo);
    repo.assert_whole();
}

#[test]
fn a_state_that_leaves_under_a_reader_is_not_told_as_damage() {
    let repo = TestRepo::with_many_notes(2_000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // The other threads end even if this one panics.
        let end = SetOnDrop(&done);
        let collector = scope.spawn(|| {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                repo.put("again", &n.to_string());
                let ended = repo.pds(["gc", "--keep", "1"]).ended();
                assert!([0, 6].contains(&ended.code()), "{}", ended.stderr);
            }
        });
        let readers: [&[&str]; 4] = [
            &["verify"],
            &["verify", "--history"],
            &["repair", "--here"],
            &["export", "-o", "/dev/null", "--force"],
        ];
        let (started, mut whole) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(4) || whole == 0 {
            for verb in readers {
                let ended = repo.pds(verb.iter().copied()).ended();
                let said = format!("{verb:?}: {} {}", ended.text(), ended.stderr);
                assert!([0, 5].contains(&ended.code()), "{said}");
                whole += usize::from(ended.code() == 0);
            }
            assert!(started.elapsed() < Duration::from_secs(60), "nobody ever gets to the end");
        }
        drop(end);
        collector.join().unwrap();
    });
    repo.pds(["verify", "--history"]).ended().done();
}
