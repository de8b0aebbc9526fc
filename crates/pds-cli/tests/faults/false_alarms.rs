//! Readers and writers next to `gc` and `forget` of other processes: no exit code says damage.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::said;
use crate::common::{Ended, TestRepo};

const READERS: [&[&str]; 9] = [
    &["get", "com.example.note/fixed"],
    &["get", "com.example.note/again"],
    &["ls", "--all", "-l"],
    &["log"],
    &["log", "com.example.note/again"],
    &["verify"],
    &["verify", "--history"],
    &["export", "-o", "/dev/null", "--force"],
    &["info"],
];

const WRITERS: [&[&str]; 3] = [
    &["revert", "HEAD"],
    &["forget", "--yes", "com.example.note/forgotten"],
    &["rm", "com.example.note/x"],
];

const TIME: Duration = Duration::from_secs(8);

/// Runs verbs one after the other until the time is over, and returns those that say damage.
fn run_for(repo: &TestRepo, verbs: &[&[&str]], runs: &AtomicUsize) -> Vec<String> {
    let started = Instant::now();
    let mut alarms = Vec::new();
    for (n, verb) in verbs.iter().cycle().enumerate() {
        if started.elapsed() > TIME {
            break;
        }
        let json = format!("{{\"text\":\"{n}\"}}");
        let ended = repo.pds(verb.iter().copied()).stdin(json).ended();
        runs.fetch_add(1, Ordering::Relaxed);
        if !is_no_alarm(&ended) {
            alarms.push(format!("{verb:?}: {}", said(&ended)));
        }
    }
    alarms
}

/// The work is done, the answer is no, another process was in the way, or a part is done.
fn is_no_alarm(ended: &Ended) -> bool {
    ended.signal().is_none() && matches!(ended.code(), 0 | 1 | 5 | 6)
}

/// Writes, collects and forgets in loops of two processes while verbs run next to them; no run says
/// damage.
fn assert_no_alarm(verbs: &[&[&str]]) {
    let repo = TestRepo::with_many_notes(200);
    for name in ["fixed", "again", "forgotten", "x"] {
        repo.put(name, name);
    }
    let runs = AtomicUsize::new(0);
    let loops: [&[&[&str]]; 4] = [
        verbs,
        verbs,
        &[&["put", "com.example.note/again"], &["gc", "--keep", "1"]],
        &[
            &["put", "com.example.note/forgotten"],
            &["rm", "com.example.note/again"],
            &["forget", "--yes", "com.example.note/forgotten"],
        ],
    ];
    let alarms: Vec<String> = thread::scope(|scope| {
        let running = loops.map(|verbs| scope.spawn(|| run_for(&repo, verbs, &runs)));
        running.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    let runs = runs.into_inner();
    assert!(runs > 10 * verbs.len(), "{runs} runs only");
    let (count, shown) = (alarms.len(), alarms.join("\n"));
    assert!(alarms.is_empty(), "{count} of {runs} runs say damage:\n{shown}");
    repo.pds(["verify", "--history", "--blobs"]).ended().done();
}

#[test]
fn readers_next_to_gc_and_forget_see_no_damage() {
    assert_no_alarm(&READERS);
}

#[test]
fn writers_next_to_gc_and_forget_see_no_damage() {
    assert_no_alarm(&WRITERS);
}
