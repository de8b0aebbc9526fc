//! Power cuts in repairs.

use rusqlite::Connection;

use super::judge::{State, next_write, repository};
use super::scenario::Scenario;
use super::{FULL, SAMPLE, is_available, prepared};
use crate::common::Home;
use crate::damage::damage;

const REPAIR: [&str; 5] = ["-R", "alice", "repair", "--from", "good.car"];

/// Replays a repair of a damaged home, and a write after it.
fn replay(name: &'static str, home: &Home) {
    // A damage stays what it was, or the repair can be done again.
    let is_damaged = |home: &Home| home.pds(["-R", "alice", "verify"]).ended().code() != 0;
    assert!(is_damaged(home));
    let scenario = Scenario {
        name,
        home,
        commands: &[(&REPAIR, ""), (&["-R", "alice", "put", "com.example.note/x"], "{}")],
        states: 3,
        judge: &|home| {
            if !is_damaged(home) {
                return repository(home, "alice");
            }
            repaired(home);
            let records = home.pds(["-R", "alice", "ls"]).ok();
            repository(home, "alice").map(|_| State::named(format!("damaged {records}")))
        },
        next: &|home| {
            if is_damaged(home) {
                repaired(home);
            }
            next_write(home, "alice");
        },
    };
    scenario.traced().replay(SAMPLE, FULL);
}

/// A repair ends with 6 if part of a database could not be read.
fn repaired(home: &Home) {
    let ended = home.pds(REPAIR).ended();
    assert!([0, 6].contains(&ended.code()), "{}{}", ended.text(), ended.stderr);
}

#[test]
fn a_repair_of_a_record_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    repo.export("good.car");
    let block = repo.json(["get", "com.example.note/b"])["cid"].clone();
    damage(&repo, block.as_str().unwrap());
    replay("repair --from FILE (record), put", &repo.home);
}

#[test]
fn a_repair_of_a_database_survives_power_cuts() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    // Another reader keeps the WAL from being copied to the database.
    let reader = Connection::open(repo.home.path("alice/pds.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM refs;").unwrap();
    repo.put("in-the-wal", "x");
    repo.export("good.car");
    let whole = repo.home.copied();
    drop(reader);
    let mut file = whole.read("alice/pds.db");
    // The first page leads to all tables, so that nothing can copy the WAL either.
    file[..PAGE_BYTES].fill(0);
    whole.write("alice/pds.db", file);
    replay("repair --from FILE (database with a WAL), put", &whole);
}

const PAGE_BYTES: usize = 8192;
