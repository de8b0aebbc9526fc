//! Directories without permission to enter.

use std::fs::{Permissions, create_dir, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use crate::common::{Run, TestRepo};

/// The binary as a user who may not enter `alice`; `None` where there can be no such user.
fn as_another(repo: &TestRepo, args: &str) -> Option<Run> {
    let is_root = is_root(repo);
    let mode = if is_root { 0o700 } else { 0o000 };
    set_permissions(repo.home.dir().join("alice"), Permissions::from_mode(mode)).unwrap();
    if is_root { as_unprivileged(repo, args) } else { Some(repo.home.sh(&format!("pds {args}"))) }
}

fn is_root(repo: &TestRepo) -> bool {
    repo.home.sh("id -u").ok().trim() == "0"
}

/// The binary as the user [`UNPRIVILEGED`], run by root; `None` if this user cannot run it.
fn as_unprivileged(repo: &TestRepo, args: &str) -> Option<Run> {
    set_permissions(repo.home.dir(), Permissions::from_mode(0o711)).unwrap();
    let another = format!("setpriv --reuid={UNPRIVILEGED} --regid={UNPRIVILEGED} --clear-groups");
    if repo.home.sh(&format!("{another} pds --version")).ended().code() != 0 {
        eprintln!("skipped: no other user can run the binary here");
        return None;
    }
    Some(repo.home.sh(&format!("{another} pds {args}")))
}

const UNPRIVILEGED: u32 = 65534;

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

#[test]
fn forget_names_the_copy_that_it_cannot_remove() {
    let repo = TestRepo::with_notes();
    let dir = repo.home.dir().join("alice");
    let (copy, other) = (dir.join(".pds-repair-abc"), dir.join(".pds-repair-own"));
    create_dir(&copy).unwrap();
    repo.home.write("alice/.pds-repair-abc/pds.db", "a copy of the records");
    let run = |args: &str| {
        if !is_root(&repo) {
            set_permissions(&copy, Permissions::from_mode(0o000)).unwrap();
            return Some(repo.home.sh(&format!("pds {args}")));
        }
        set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
        let owned = ["", "key", "pds.db", ".pds-repair-own"].map(|name| dir.join(name));
        owned.iter().for_each(|path| chown(path, Some(UNPRIVILEGED), None).unwrap());
        as_unprivileged(&repo, args)
    };
    create_dir(&other).unwrap();
    let Some(run_once) = run("-R alice ref set x HEAD") else { return };
    let said = run_once.ended().stderr;
    assert_eq!(said.matches("alice/.pds-repair-abc: Permission denied").count(), 1, "{said}");
    assert!(said.contains("removed the unfinished work of an earlier run: ") && !other.exists());
    create_dir(&other).unwrap();
    let said = run("-R alice forget com.example.note/a --yes").unwrap().fails(6);
    let error = "error: changes were made before the command failed: a copy of the purged data may be left: ";
    assert!(said.contains(error), "{said}");
    assert_eq!(said.matches("alice/.pds-repair-abc: Permission denied").count(), 2, "{said}");
    set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    assert!(copy.join("pds.db").is_file() && !other.exists());
}

#[test]
fn a_directory_that_one_may_not_write_to_is_named_without_temporary_files() {
    let repo = TestRepo::with_notes();
    repo.export("a.car");
    let locked = repo.home.dir().join("locked");
    create_dir(&locked).unwrap();
    set_permissions(repo.home.dir().join("a.car"), Permissions::from_mode(0o644)).unwrap();
    set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    for args in [
        "init locked/new --did did:web:alice.example.com",
        "clone a.car locked/new",
        "-R a.car unpack locked/new",
        "-R a.car export --format csv -o locked/new",
        "recover a.car -o locked/new.car",
    ] {
        let run = if is_root(&repo) {
            let Some(run) = as_unprivileged(&repo, args) else { return };
            run
        } else {
            repo.home.sh(&format!("pds {args}"))
        };
        let said = run.ended().stderr;
        assert!(said.to_lowercase().contains("permission denied"), "{args}: {said}");
        assert!(said.contains("locked") && !said.contains(".pds-"), "{args}: {said}");
    }
}
