//! A database that another process truncates and restores during a run: an error, never a signal.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Failures, said};
use crate::common::{TestRepo, creations};

const VERBS: [&[&str]; 11] = [
    &["ls", "--all", "-l"],
    &["get", "com.example.note/n005999"],
    &["verify"],
    &["verify", "--history"],
    &["export", "-o", "out.car", "--force"],
    &["blob", "missing"],
    &["mst"],
    &["gc"],
    &["repair"],
    &["info"],
    &["log", "com.example.note/n000007"],
];

/// Points of a run at which the file shrinks, from the start of the run to its end.
const ROUNDS: u32 = 10;

/// Cuts a file to a part of its length and puts the rest back, without replacing the file.
fn shrink(path: &Path, whole: &[u8], kept_per_cent: usize, pause: Duration) {
    let mut file: File = OpenOptions::new().write(true).open(path).unwrap();
    let kept = whole.len() * kept_per_cent / 100;
    file.set_len(kept as u64).unwrap();
    thread::sleep(pause);
    file.seek(SeekFrom::Start(kept as u64)).unwrap();
    file.write_all(&whole[kept..]).unwrap();
}

/// Puts the database back as it was before a run.
fn restore(repo: &TestRepo, whole: &[u8]) {
    for name in ["alice/pds.db-wal", "alice/pds.db-shm"] {
        drop(std::fs::remove_file(repo.home.dir().join(name)));
    }
    repo.home.write("alice/pds.db", whole);
}

#[test]
fn no_verb_dies_where_the_database_shrinks_under_it() {
    let repo = TestRepo::with_many_notes(6_000);
    // History, so that `gc` and `verify --history` have something to read.
    let updates = creations((0..6_000).step_by(10)).replace("create", "update");
    let updates = updates.replace("note ", "other ");
    repo.pds(["apply"]).stdin(updates).ok();
    let (path, whole) = (repo.home.dir().join("alice/pds.db"), repo.home.read("alice/pds.db"));
    let mut failures = Failures::default();
    for verb in VERBS {
        let started = Instant::now();
        repo.pds(verb.iter().copied()).ended().done();
        let time = started.elapsed();
        for round in 0..ROUNDS {
            restore(&repo, &whole);
            let done = AtomicBool::new(false);
            let ended = thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(time * round / ROUNDS);
                    for part in [0, 5, 40, 80].into_iter().cycle() {
                        shrink(&path, &whole, part, Duration::from_millis(2));
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                });
                let ended = repo.pds(verb.iter().copied()).ended();
                done.store(true, Ordering::Relaxed);
                ended
            });
            let is_alive = ended.signal().is_none();
            failures.check(is_alive, || format!("{verb:?}, round {round}: {}", said(&ended)));
        }
    }
    failures.assert_none();
}
