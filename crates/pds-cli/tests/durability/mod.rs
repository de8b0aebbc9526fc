//! After a kill at any moment, every acknowledged write is stored, and no write is stored
//! in part.

mod directories;
mod forget;
#[cfg(unix)]
mod signals;

use std::io::{BufRead, BufReader, Write};
use std::thread;
use std::time::Duration;

use crate::common::{Car, Home, Lines, TestRepo, creations, note};

/// Milliseconds until a process is killed, from before its first step to its end.
const MOMENTS: [u64; 12] = [0, 2, 4, 7, 12, 20, 35, 60, 100, 180, 320, 600];

#[test]
fn every_line_that_apply_has_printed_is_in_the_repository_after_a_kill() {
    let mut acknowledged_in_all = 0;
    for moment in MOMENTS {
        let repo = TestRepo::new();
        let mut child = repo.pds(["apply", "--batch", "1"]).start();
        let mut stdin = child.stdin.take().unwrap();
        // The feeder sees the kill as a closed pipe.
        let feeder = thread::spawn(move || drop(stdin.write_all(creations(0..5000).as_bytes())));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            // A line that is cut has not been acknowledged.
            let lines = stdout.split(b'\n').map(|line| String::from_utf8(line.unwrap()).unwrap());
            lines.collect::<Vec<String>>()
        });
        thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        let mut acknowledged = reader.join().unwrap();
        if acknowledged.last().is_some_and(|line| line.len() < 100) {
            acknowledged.pop();
        }
        let listed = repo.pds(["ls", "--all"]).ok();
        let found: Vec<&str> = listed.lines().collect();
        assert!(found.len() >= acknowledged.len(), "{moment} ms");
        for (line, found) in acknowledged.iter().zip(found) {
            assert_eq!(*line, format!("at://{}/{found}", crate::common::DID), "{moment} ms");
        }
        repo.assert_whole();
        repo.put("afterwards", "x");
        acknowledged_in_all += acknowledged.len();
    }
    // Acknowledgements come one by one, not all at the end.
    assert!(acknowledged_in_all > 0);
}

#[test]
fn each_batch_is_acknowledged_before_the_next_one_comes() {
    let repo = TestRepo::new();
    let mut child = repo.pds(["apply", "--batch", "2"]).start();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = Lines::of(&mut child);
    for n in 0..3 {
        stdin.write_all(creations(2 * n..2 * n + 2).as_bytes()).unwrap();
        for k in [2 * n, 2 * n + 1] {
            assert!(stdout.next().contains(&format!("/n{k:06}\t")));
        }
        assert_eq!(repo.pds(["ls"]).ok(), format!("com.example.note\t{}\n", 2 * n + 2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t6\n");
    repo.assert_whole();
}

#[test]
fn a_clone_that_is_killed_leaves_no_repository_or_a_whole_one() {
    let home = Home::new();
    let car = large_car();
    let commit = car.commit.cid().to_string();
    home.write("large.car", car.file());
    let mut outcomes = [0, 0];
    for (n, moment) in MOMENTS.into_iter().enumerate() {
        let dir = format!("copy-{n}");
        let exists = n % 2 == 1;
        if exists {
            std::fs::create_dir(home.path(&dir)).unwrap();
        }
        kill_after(&home, &["clone", "large.car", &dir], moment);
        let store = home.path(&format!("{dir}/pds.db"));
        let complete = std::path::Path::new(&store).exists();
        outcomes[usize::from(complete)] += 1;
        if !complete {
            assert_eq!(std::path::Path::new(&home.path(&dir)).exists(), exists, "{moment} ms");
            // The remains do not block the next run.
            home.pds(["clone", "large.car", &dir]).ended().done();
        }
        let info = home.pds(["-R", &dir, "info"]).ok();
        assert!(info.contains(&commit), "{moment} ms: {info}");
        home.pds(["-R", &dir, "verify"]).ok();
    }
    assert!(outcomes[0] > 0, "no kill came in time");
}

#[test]
fn an_import_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let home = Home::new();
    let small = Car::of([(b"com.example.note/a".to_vec(), note("a"))]);
    let large = large_car().at("3jzfcijpj3z2a");
    let commits = [&small, &large].map(|car| car.commit.cid().to_string());
    home.write("small.car", small.file());
    home.write("large.car", large.file());
    home.pds(["clone", "small.car", "copy"]).ok();
    let mut outcomes = [0, 0];
    for moment in MOMENTS {
        kill_after(&home, &["-R", "copy", "import", "large.car"], moment);
        home.pds(["-R", "copy", "verify"]).ok();
        let info = home.pds(["-R", "copy", "info", "--json"]).ok();
        let state = commits.iter().position(|commit| info.contains(commit)).unwrap();
        outcomes[state] += 1;
        if state == 1 {
            home.pds(["-R", "copy", "reset", "@{1}"]).ok();
        }
    }
    assert!(outcomes[0] > 0, "no kill came in time");
    home.pds(["-R", "copy", "import", "large.car"]).ok();
    home.pds(["-R", "copy", "verify"]).ok();
}

#[test]
fn a_rotation_that_is_killed_leaves_the_old_key_or_the_new_one() {
    let repo = TestRepo::with_notes();
    let mut outcomes = [0, 0];
    // It takes a few milliseconds in all, so the moments are close to each other. On a busy machine it takes longer.
    let close = (0..60).map(|n| Duration::from_micros(n * 400));
    let later = (0..8).map(|n| Duration::from_millis(50 << n));
    for (nth, moment) in close.chain(later).enumerate() {
        if nth >= 60 && outcomes[1] > 0 {
            break;
        }
        let before = repo.pds(["key", "show"]).ok();
        let mut child = repo.pds(["key", "rotate"]).start();
        thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        repo.pds(["verify", "--history"]).ok();
        let after = repo.pds(["key", "show"]).ok();
        outcomes[usize::from(after != before)] += 1;
        repo.put("afterwards", &format!("{moment:?}"));
        repo.pds(["verify", "--history"]).ok();
        assert!(!repo.home.list("alice").contains(&"key.next".to_owned()), "{moment:?}");
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_merge_of_a_file_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let repo = TestRepo::with_many_notes(2_000);
    repo.export("start.car");
    repo.home.pds(["clone", "start.car", "phone"]).ok();
    repo.home.pds(["-R", "phone", "key", "import", "alice/key"]).ok();
    repo.home.pds(["-R", "phone", "apply"]).stdin(creations(2_000..4_000)).ok();
    repo.home.pds(["-R", "phone", "export", "--chain", "-o", "phone.car"]).ended().done();
    repo.put("here", "x");
    let (before, _) = repo.head();
    let mut outcomes = [0, 0];
    for moment in MOMENTS {
        kill_after(&repo.home, &["-R", "alice", "merge", "phone.car"], moment);
        let (head, _) = repo.head();
        outcomes[usize::from(head != before)] += 1;
        let listed = repo.pds(["ls"]).ok();
        let count = if head == before { 2_001 } else { 4_001 };
        assert_eq!(listed, format!("com.example.note\t{count}\n"), "{moment} ms");
        repo.pds(["verify", "--history"]).ok();
        if head != before {
            repo.pds(["reset", &before]).ok();
        }
    }
    assert!(outcomes[0] > 0, "no kill came in time");
}

#[test]
fn an_export_that_is_killed_leaves_the_old_file_or_a_whole_one() {
    let home = Home::new();
    let car = large_car().file();
    home.write("large.car", &car);
    for moment in MOMENTS {
        home.write("backup.car", "what was there before");
        let args = ["-R", "large.car", "export", "-o", "backup.car", "--force"];
        kill_after(&home, &args, moment);
        let found = home.read("backup.car");
        assert!(found == b"what was there before" || found.len() == car.len(), "{moment} ms");
    }
}

fn kill_after(home: &Home, args: &[&str], moment: u64) {
    let mut child = home.pds(args.iter().map(|arg| (*arg).to_owned())).start();
    thread::sleep(Duration::from_millis(moment));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Large enough that an import takes a while.
fn large_car() -> Car {
    Car::of((0..6_000).map(|n| {
        let path = format!("com.example.note/n{n:06}");
        (path.into_bytes(), note(&format!("note number {n}")))
    }))
}
