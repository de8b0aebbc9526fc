//! Directories without permission to enter.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use crate::common::{Run, TestRepo};

/// The binary as a user who may not enter `alice`; `None` where there can be no such user.
fn as_another(repo: &TestRepo, args: &str) -> Option<Run> {
    let mode = |path: &str, mode| {
        set_permissions(repo.home.dir().join(path), Permissions::from_mode(mode))
    };
    if repo.home.sh("id -u").ok().trim() != "0" {
        mode("alice", 0o000).unwrap();
        return Some(repo.home.sh(&format!("pds {args}")));
    }
    mode("", 0o711).unwrap();
    mode("alice", 0o700).unwrap();
    let another = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    if repo.home.sh(&format!("{another} pds --version")).ended().code() != 0 {
        eprintln!("skipped: no other user can run the binary here");
        return None;
    }
    Some(repo.home.sh(&format!("{another} pds {args}")))
}

#[test]
fn a_repository_that_one_may_not_enter_is_not_said_to_be_none() {
    let repo = TestRepo::with_notes();
    let expected = "error: cannot access alice/pds.db: Permission denied (os error 13)\n";
    for args in [
        "-R alice ls",
        "-R alice info",
        "ls --at alice/",
        "verify --at alice/",
        "clone alice copy",
        "-R alice gc",
        "-R alice reset HEAD",
    ] {
        let Some(run) = as_another(&repo, args) else { return };
        assert_eq!(run.fails(1), expected, "{args}");
    }
    let Some(run) = as_another(&repo, "-R alice put com.example.note/a") else { return };
    let said = run.stdin("{}").fails(1);
    assert!(said.contains("alice/") && said.contains("Permission denied"), "{said}");
    set_permissions(repo.home.dir().join("alice"), Permissions::from_mode(0o755)).unwrap();
    repo.assert_whole();
}
