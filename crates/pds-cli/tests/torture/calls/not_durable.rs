//! A repair that has replaced the database, and then fails, says that the change is made.

use super::fault::Fault;
use super::prepared::damaged_database;
use super::scenario::on;
use super::strace::{Point, is_available, points, traced};

#[test]
fn a_repair_that_fails_after_its_change_says_so() {
    if !is_available() {
        return;
    }
    let scenario = on(damaged_database, "repair --here");
    let completed = damaged_database().copied();
    assert_eq!(traced(&scenario, &completed, &[]).ended().code(), 6, "a part is lost");
    let points = points(&completed);
    let named = |point: &Point| point.call.starts_with("rename") && point.file == "alice/pds.db";
    let replaced = points.iter().position(named).expect("the database is replaced");
    let later = |call: &str, file: &str| {
        let found = points[replaced..].iter().find(|it| it.call == call && it.file == file);
        found.unwrap_or_else(|| panic!("no {call} of {file}"))
    };
    for (point, said) in [
        (later("fsync", "alice"), "error: the database was repaired, but a power failure may undo"),
        (later("ftruncate", "alice/pds.db-shm"), "error: changes were made before the command"),
    ] {
        let home = damaged_database().copied();
        let injection = Fault::Eio.injection(point);
        let ended = traced(&scenario, &home, &["-e", &injection]).ended();
        assert_eq!(ended.code(), 6, "{injection}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(said), "{injection}: {}", ended.stderr);
        home.pds(["-R", "alice", "verify", "--history"]).ok();
    }
}
