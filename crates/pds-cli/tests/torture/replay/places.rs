//! Power cuts in verbs that make a directory or a file.

use super::judge::{NOTHING, State, next_write, repository};
use super::scenario::Scenario;
use super::{FULL, SAMPLE, is_available, prepared};
use crate::common::{DID, Home};

#[test]
fn a_new_repository_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let home = Home::in_memory();
    let init = ["init", "alice", "--did", DID];
    let put = ["-R", "alice", "put", "com.example.note/x"];
    let scenario = Scenario {
        name: "init DIR (new), put",
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
    let scenario = Scenario {
        name: "clone DIR, put",
        home: &repo.home,
        commands: &[(&clone, ""), (&put, "{}")],
        states: 3,
        judge: &|home| {
            assert_eq!(repository(home, "alice"), original, "the original stays as it was");
            repository(home, "copy")
        },
        next: &|home| {
            if !home.dir().join("copy/pds.db").exists() {
                home.pds(clone).ended().done();
            }
            next_write(home, "copy");
        },
    };
    scenario.traced().replay(SAMPLE, FULL);
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
