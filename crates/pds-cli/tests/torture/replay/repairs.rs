//! Power cuts in repairs.

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
            home.pds(REPAIR).ended().done();
            let records = home.pds(["-R", "alice", "ls"]).ok();
            repository(home, "alice").map(|_| State::named(format!("damaged {records}")))
        },
        next: &|home| {
            if is_damaged(home) {
                home.pds(REPAIR).ended().done();
            }
            next_write(home, "alice");
        },
    };
    scenario.traced().replay(SAMPLE, FULL);
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
