//! Power cuts in verbs that make a directory or a file.

use std::os::unix::fs::MetadataExt;

use super::judge::{NOTHING, State, next_write, repository};
use super::scenario::Scenario;
use super::{FULL, SAMPLE, is_available, prepared};
use crate::common::{DID, Home};

#[test]
fn a_new_repository_survives_power_cuts() {
    if !is_available() {
        return;
    }
    for exists in [false, true] {
        let home = Home::in_memory();
        if exists {
            std::fs::create_dir(home.path("alice")).unwrap();
        }
        let init = ["init", "alice", "--did", DID];
        let put = ["-R", "alice", "put", "com.example.note/x"];
        let scenario = Scenario {
            name: if exists { "init DIR (empty), put" } else { "init DIR (new), put" },
            home: &home,
            commands: &[(&init, ""), (&put, "{}")],
            states: 3,
            judge: &|home| repository(home, "alice"),
            next: &|home| {
                if !home.dir().join("alice/pds.db").exists() {
                    home.pds(init).ended().done();
                }
                next_write(home, "alice");
            },
        };
        scenario.traced().replay(SAMPLE, FULL);
    }
}

#[test]
fn a_clone_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    repo.pds(["blob", "put", "-"]).stdin("a blob").ok();
    let original = repository(&repo.home, "alice");
    let clone = ["clone", "alice", "copy", "--with-key"];
    let put = ["-R", "copy", "put", "com.example.note/x"];
    for exists in [false, true] {
        let home = repo.home.copied();
        if exists {
            std::fs::create_dir(home.path("copy")).unwrap();
        }
        let scenario = Scenario {
            name: if exists { "clone DIR (to an empty one), put" } else { "clone DIR, put" },
            home: &home,
            commands: &[(&clone, ""), (&put, "{}")],
            states: 3,
            judge: &|home| {
                assert_eq!(repository(home, "alice"), original, "the original stays as it was");
                repository(home, "copy")
            },
            next: &|home| {
                name_directories(home);
                if !home.dir().join("copy/pds.db").exists() {
                    home.pds(clone).ended().done();
                }
                next_write(home, "copy");
            },
        };
        scenario.traced().replay(SAMPLE, FULL);
    }
}

/// Writes the numbers of the present directories to the list of those that a clone has moved.
fn name_directories(home: &Home) {
    let Ok(entries) = std::fs::read_dir(home.dir().join("copy")) else { return };
    for staging in entries.map(|entry| entry.unwrap().path()) {
        let list = staging.join("moved");
        let is_written = std::fs::read(&list).is_ok_and(|list| list.ends_with(b"\n"));
        let places = [home.dir().join("copy/blobs"), staging.join("blobs")];
        let moved = places.iter().find_map(|place| place.metadata().ok());
        if let Some(moved) = moved.filter(|_| is_written) {
            std::fs::write(list, format!("{} {}\n", moved.dev(), moved.ino())).unwrap();
        }
    }
}

#[test]
fn an_export_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let export = ["-R", "alice", "export", "-o", "backup.car"];
    let put = ["-R", "alice", "put", "com.example.note/x"];
    let again = ["-R", "alice", "export", "-o", "backup.car", "--force"];
    let scenario = Scenario {
        name: "export, put, export --force",
        home: &repo.home,
        commands: &[(&export, ""), (&put, "{}"), (&again, "")],
        states: 4,
        judge: &|home| {
            let file = match home.dir().join("backup.car").exists() {
                true => home.pds(["verify", "backup.car"]).ended().done(),
                false => NOTHING.to_owned(),
            };
            Ok(State::named(format!("{} and {file}", repository(home, "alice")?.name)))
        },
        next: &|home| {
            home.pds(again).ended().done();
            next_write(home, "alice");
        },
    };
    scenario.traced().replay(SAMPLE, FULL);
}
