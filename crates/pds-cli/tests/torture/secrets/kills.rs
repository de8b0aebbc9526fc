//! What killed runs leave behind: a secret only in files that only their owner can read.

use super::{DID, GIVEN, Search, prepare};
use crate::common::Home;
use crate::common::torture::{amount, row};
use crate::torture::calls::strace::is_available;

/// Runs that write secrets, each killed at many system calls.
const LINES: [&str; 6] = [
    "init new --did did:web:new.example.com --key secret.txt",
    "key new fresh.key",
    "clone alice copy --with-key",
    "-R alice key rotate",
    "-R alice key rotate --discard-old",
    "-R bare key import secret.hex",
];

/// Calls at which a file gets its name, its mode or its content.
const CALLS: [&str; 12] = [
    "openat",
    "write",
    "pwrite64",
    "fchmod",
    "fsync",
    "fdatasync",
    "close",
    "rename",
    "link",
    "linkat",
    "unlink",
    "mkdir",
];

fn home() -> Home {
    let home = Home::in_memory();
    prepare(&home);
    for line in [
        format!("pds init alice --did {DID} --key secret.txt"),
        format!("pds init bare --did {DID} && rm bare/key"),
    ] {
        home.sh(&line).ended().done();
    }
    home
}

#[test]
fn a_killed_run_leaves_a_secret_only_in_private_files() {
    if !is_available() {
        return;
    }
    let prepared = home();
    let (mut killed, mut with_secret) = (0, 0);
    for (of, line) in LINES.iter().enumerate() {
        for (nth, call) in CALLS.iter().enumerate() {
            // A sample kills at one call of each name, every run at another one.
            let step = amount(7, 1);
            for n in (1 + (of + nth) % step..).step_by(step) {
                let home = prepared.copied();
                let shell = format!(
                    "umask 0; exec strace -f -qq -o /dev/null -e trace=?{call} \
                     -e inject=?{call}:signal=KILL:when={n} pds {line}"
                );
                let ended = home.sh(&shell).ended();
                let mut search = Search::new();
                search.files(&home, &GIVEN, &shell);
                assert!(!search.is_in(&ended.stdout), "{shell}");
                assert!(!search.is_in(ended.stderr.as_bytes()), "{shell}");
                match ended.exit() {
                    Some(0) => break,
                    Some(code) => panic!("{shell}: exit code {code}: {}", ended.stderr),
                    None => {}
                }
                with_secret += usize::from(search.known.len() > 1);
                killed += 1;
                if step > 1 && n > 3 * step {
                    break;
                }
            }
        }
    }
    assert!(killed > 50 && with_secret > 0, "{killed} {with_secret}");
    row("secrets: leftovers of killed runs", killed, "in files of mode 0600 alone");
}
