//! Power cuts in verbs that change a repository.

use super::judge::{next_write, repository};
use super::scenario::Scenario;
use super::{FULL, SAMPLE, is_available, prepared};
use crate::common::TestRepo;

const PUT: &[&str] = &["-R", "alice", "put", "com.example.note/x"];

/// Replays commands on `alice`.
fn replay(name: &'static str, repo: &TestRepo, commands: &[(&[&str], &str)], states: usize) {
    let scenario = Scenario {
        name,
        home: &repo.home,
        commands,
        states,
        judge: &|home| repository(home, "alice"),
        next: &|home| next_write(home, "alice"),
    };
    scenario.traced().replay(SAMPLE, FULL);
}

#[test]
fn records_survive_power_cuts() {
    if !is_available() {
        return;
    }
    let rm = ["-R", "alice", "rm", "com.example.note/b"];
    let commands: [(&[&str], &str); 3] =
        [(PUT, "{\"text\":\"1\"}"), (PUT, "{\"text\":\"2\"}"), (&rm, "")];
    replay("put, put, rm", &prepared(), &commands, 4);
}
