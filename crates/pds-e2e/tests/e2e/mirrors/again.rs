//! The next step after a clone: of one that is complete, failed, was interrupted, or runs elsewhere.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pds_e2e::home::ended;
use pds_e2e::{Lie, Rule};

use super::Mirror;

#[test]
fn a_complete_clone_is_named_as_a_mirror() {
    let Some(mirror) = Mirror::new("5", "1") else { return };
    mirror.clone().with(0);
    let again = mirror.clone();
    again.with(1);
    let said = format!(
        "error: copy is a mirror of {} already\nhint: fetch what is new with pds -R DIR pull\n",
        mirror.account.did
    );
    assert_eq!(again.stderr, said);
}

#[test]
fn a_clone_that_fails_or_is_interrupted_says_how_to_continue() {
    let Some(mut mirror) = Mirror::new("300", "1") else { return };
    // The next step of the failure itself comes before that of the clone.
    let max_repo = std::mem::replace(&mut mirror.max_repo, "2kB");
    let failed = mirror.clone();
    failed.with(4);
    let hint = "hint: --max-repo permits larger repositories\n";
    assert!(failed.stderr.ends_with(hint), "{}", failed.stderr);
    mirror.max_repo = max_repo;

    mirror.liar.add(Rule::every("getRepo", Lie::error(400, "BadLuck")));
    let failed = mirror.clone();
    failed.with(4);
    assert!(failed.stderr.contains("BadLuck"), "{}", failed.stderr);
    assert!(failed.stderr.ends_with("continues with what has arrived\n"), "{}", failed.stderr);

    mirror.liar.reset();
    mirror.liar.stall_after(20_000);
    let mut command = mirror.clone_command();
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while !mirror.liar.is_stalled() {
        thread::sleep(Duration::from_millis(10));
    }
    let busy = mirror.clone();
    busy.with(5);
    assert!(busy.stderr.ends_with("hint: try again when it has ended\n"), "{}", busy.stderr);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(said.ends_with("interrupted; the same command continues\n"), "{said}");

    mirror.liar.reset();
    mirror.clone().with(0);
    mirror.assert_equal();
}

#[test]
fn a_copy_of_a_mirror_follows_the_same_host() {
    let Some(mirror) = Mirror::new("5", "2") else { return };
    mirror.clone().with(0);
    let host = mirror.info()["host"].clone();
    assert_eq!(host, mirror.liar.url());
    mirror.home.pds(["clone", "./copy", "second"]).with(0);
    let second = mirror.home.pds(["-R", "second", "info", "--json"]).json();
    assert_eq!(second["host"], host);
    mirror.account.act("bulk", &["3"]);
    ended(&mut mirror.command(&["-R", "second", "pull"]), b"").with(0);
    let second = mirror.home.pds(["-R", "second", "info", "--json"]).json();
    assert_eq!(second["commit"], mirror.account.head().0);
}
