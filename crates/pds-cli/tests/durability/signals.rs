//! Signals end a command with exit code 128 + n and without leftovers; what SIGKILL leaves goes with the next run.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use super::{MOMENTS, large_car};
use crate::common::{Home, TestRepo, creations};

const SIGNALS: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

/// The beginnings of the names of unfinished work.
const UNFINISHED: [&str; 4] = [".pds-", ".incoming-", ".key.", ".tmp"];

/// The signals that this process does not ignore: its children would ignore them, too.
fn signals() -> impl Iterator<Item = (&'static str, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    SIGNALS.into_iter().filter(move |(_, n)| mask >> (n - 1) & 1 == 0)
}

fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
}

/// Unfinished work in a directory and below it.
fn unfinished(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if UNFINISHED.iter().any(|prefix| name.starts_with(prefix)) {
            found.push(name);
        } else if entry.path().is_dir() {
            found.extend(unfinished(&entry.path()));
        }
    }
    found
}

/// Waits until a command has begun a file or a directory. Returns false if it has ended.
fn has_begun(home: &Home, child: &mut Child) -> bool {
    let started = Instant::now();
    while unfinished(home.dir()).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing was begun");
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Checks that a command has ended: in time, by the signal, or with the exit code of the signal.
fn assert_ended(status: ExitStatus, n: i32, what: &str) {
    use std::os::unix::process::ExitStatusExt;
    // Before the first step of the program, the system ends it.
    let is_right = [Some(0), Some(128 + n)].contains(&status.code()) || status.signal() == Some(n);
    assert!(is_right, "{what}: {status}");
}

/// A home with a repository, a large file, and the commands that write next to them.
fn prepared() -> (Home, Vec<Vec<&'static str>>) {
    let home = Home::new();
    home.write("large.car", large_car().file());
    home.write("cut.car", {
        let mut bytes = large_car().file();
        bytes.truncate(bytes.len() - 100);
        bytes
    });
    let commands = vec![
        vec!["clone", "large.car", "copy"],
        vec!["-R", "large.car", "export", "-o", "out.car"],
        vec!["-R", "large.car", "unpack", "records"],
        vec!["recover", "cut.car", "rescued"],
    ];
    (home, commands)
}

#[test]
fn a_signal_ends_a_command_without_leftovers() {
    let (home, commands) = prepared();
    let names = home.list(".");
    for (signal, n) in signals() {
        for args in &commands {
            let what = format!("{signal}: {args:?}");
            let mut child = home.pds(args.iter().copied()).start();
            if has_begun(&home, &mut child) {
                send(&child, signal);
            }
            let status = child.wait().unwrap();
            assert_ended(status, n, &what);
            assert_eq!(unfinished(home.dir()), Vec::<String>::new(), "{what}");
            if status.code() != Some(0) {
                assert_eq!(status.code(), Some(128 + n), "{what}");
                assert_eq!(home.list("."), names, "{what}");
            }
            for new in ["copy", "out.car", "records", "rescued"] {
                let path = home.dir().join(new);
                let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
            }
        }
    }
}

/// `timeout` and terminals may send a signal twice, and the second one must not stop the removal of unfinished work.
#[test]
fn a_second_signal_does_not_stop_the_removal() {
    let (home, _) = prepared();
    for (signal, n) in signals() {
        let mut interrupted = 0;
        for pause in [0, 0, 0, 1, 5, 20] {
            let mut child = home.pds(["-R", "large.car", "unpack", "records"]).start();
            if has_begun(&home, &mut child) {
                send(&child, signal);
                thread::sleep(Duration::from_millis(pause));
                send(&child, signal);
            }
            let status = child.wait().unwrap();
            assert_ended(status, n, signal);
            interrupted += u32::from(status.code() == Some(128 + n));
            assert_eq!(unfinished(home.dir()), Vec::<String>::new(), "{signal}, {pause} ms");
            let _ = std::fs::remove_dir_all(home.dir().join("records"));
        }
        assert!(interrupted > 0, "{signal}: no run was interrupted");
    }
}

#[test]
fn a_signal_at_any_moment_leaves_the_store_whole() {
    let home = Home::new();
    home.write("large.car", large_car().at("3jzfcijpj3z2a").file());
    home.write(
        "small.car",
        super::Car::of([(b"com.example.note/a".to_vec(), super::note("a"))]).file(),
    );
    home.pds(["clone", "small.car", "copy"]).ok();
    let repo = TestRepo { home };
    repo.home.pds(["init", "alice", "--did", crate::common::DID]).ok();
    let lines = creations(0..3_000);
    for (signal, n) in signals() {
        for moment in MOMENTS {
            let what = format!("{signal} after {moment} ms");
            let mut import = repo.home.pds(["-R", "copy", "import", "large.car"]).start();
            let mut apply = repo.pds(["apply", "--batch", "10"]).start();
            let mut stdin = apply.stdin.take().unwrap();
            let lines = lines.replace("\"create\"", "\"put\"");
            let feeder = thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
            drop(apply.stdout.take());
            thread::sleep(Duration::from_millis(moment));
            send(&import, signal);
            send(&apply, signal);
            assert_ended(import.wait().unwrap(), n, &what);
            let ended = apply.wait().unwrap();
            // Without a reader of its answers, `apply` ends by itself.
            if ended.code() != Some(6) {
                assert_ended(ended, n, &what);
            }
            feeder.join().unwrap();
            assert_eq!(unfinished(repo.home.dir()), Vec::<String>::new(), "{what}");
            repo.home.pds(["-R", "copy", "verify"]).ok();
            repo.assert_whole();
            let reset = ["-R", "copy", "ref", "set", "HEAD", "@{0}"];
            repo.home.pds(reset).ended();
        }
    }
}

#[test]
fn the_upload_of_a_blob_is_removed() {
    for (signal, n) in signals() {
        let repo = TestRepo::new();
        let mut child = repo.pds(["blob", "put", "-"]).start();
        // The end of the input would complete the upload.
        let mut input = child.stdin.take().unwrap();
        input.write_all(&[7; 100_000]).unwrap();
        assert!(has_begun(&repo.home, &mut child));
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(128 + n), "{signal}");
        assert_eq!(repo.home.list("alice/blobs"), Vec::<String>::new());
    }
}

#[test]
fn the_next_run_removes_what_a_killed_run_has_left() {
    let (home, commands) = prepared();
    for args in &commands {
        let mut left = Vec::new();
        for _ in 0..20 {
            let mut child = home.pds(args.iter().copied()).start();
            let has_begun = has_begun(&home, &mut child);
            // What a living process holds is not removed.
            if has_begun && args[0] == "clone" {
                home.pds(["clone", "large.car", "other"]).ok();
                std::fs::remove_dir_all(home.path("other")).unwrap();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            left = unfinished(home.dir());
            if !left.is_empty() {
                break;
            }
            for new in ["copy", "out.car", "records", "rescued"] {
                let path = home.dir().join(new);
                let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
            }
        }
        assert_eq!(left.len(), 1, "no kill came in time: {args:?}");
        let ended = home.pds(args.iter().copied()).ended();
        let line = ended.stderr.lines().find(|line| line.ends_with(&left[0])).unwrap_or_default();
        let expected = "removed the unfinished work of an earlier run: ";
        assert!(line.starts_with(expected), "{args:?}: {}", ended.stderr);
        assert!([0, 6].contains(&ended.code()), "{args:?}: {}", ended.stderr);
        assert_eq!(unfinished(home.dir()), Vec::<String>::new(), "{args:?}");
    }
    let upload = home.write("copy/unknown_blobs", "");
    std::fs::remove_file(upload).unwrap();
    std::fs::create_dir_all(home.path("copy/blobs")).unwrap();
    home.write("copy/blobs/.incoming-killed", "half a blob");
    home.write("copy/.key.killed.tmp", "secret");
    home.write("copy/.key.own", "stays");
    let ended = home.pds(["-R", "copy", "ref", "set", "x", "HEAD"]).ended();
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    assert_eq!(unfinished(home.dir()), [".key.own"]);
}

#[test]
fn copies_and_keys_of_killed_runs_are_removed() {
    let repo = TestRepo::with_notes();
    let home = &repo.home;
    std::fs::copy(home.path("alice/pds.db"), home.path("other.db")).unwrap();
    // With a WAL, the database is copied before it is read.
    home.write("other.db-wal", "a WAL");
    std::fs::create_dir_all(home.path("tmp/.pds-copy-killed")).unwrap();
    home.write("tmp/.pds-copy-killed/copy.db", "a copy");
    let ended =
        home.pds(["recover", "other.db", "rescued"]).env("TMPDIR", home.path("tmp")).ended();
    let removed = "removed the unfinished work of an earlier run: ";
    let line = format!("{removed}{}\n", home.path("tmp/.pds-copy-killed"));
    assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    assert_eq!((ended.code(), home.list("tmp")), (0, Vec::new()), "{}", ended.stderr);
    home.write(".key.killed.tmp", "a secret");
    let ended = home.pds(["key", "new", "new.key"]).ended();
    assert_eq!(ended.stderr, format!("{removed}./.key.killed.tmp\n"));
    assert_eq!(unfinished(home.dir()), Vec::<String>::new());
}

#[test]
fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    for signal in ["INT", "HUP"] {
        let repo = TestRepo::new();
        let line = format!("trap '' {signal}; exec pds -R alice blob put -");
        let mut child = repo.home.sh(&line).start();
        child.stdin.as_mut().unwrap().write_all(&[7; 100_000]).unwrap();
        assert!(has_begun(&repo.home, &mut child));
        send(&child, signal);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(child.try_wait().unwrap(), None, "{signal}");
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn an_interrupt_at_a_terminal_ends_the_loop_of_the_shell() {
    let repo = TestRepo::new();
    let has_script =
        repo.home.command("script").arg("--version").output().is_ok_and(|it| it.status.success());
    // Shells start background jobs with this signal ignored, and so are the programs in them.
    if !has_script || signals().all(|(signal, _)| signal != "INT") {
        return;
    }
    let put = "pds -R alice put com.example.note/a";
    let once = format!("bash -c \"trap : INT; {put}; echo code=\\$?\"");
    let many = format!("bash -c \"for n in 1 2; do {put}; echo next \\$n; done\"");
    for (line, expected) in [(once, "code=130"), (many, "^C")] {
        // An interrupt that comes too early, before the program reads, is followed by others.
        let keys = "for n in $(seq 60); do sleep 1; printf '\\003'; done";
        let typed = format!("({keys}) 2>/dev/null | timeout 90 script -qec '{line}' /dev/null");
        let output = repo.home.command("sh").args(["-c", &typed]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains(expected) && !shown.contains("next"), "{line}: {shown:?}");
    }
}
