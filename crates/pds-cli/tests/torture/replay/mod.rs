//! Power cuts: the calls of a run are replayed on a model of a disk, and each cut leaves a directory that a disk
//! without the missing syncs could have.
//!
//! Every directory must verify with its history and its blobs. It has each acknowledged write, and otherwise the old
//! state or the new one. A control ignores every sync and must fail.

mod cut;
mod disk;
mod image;
mod judge;
mod places;
mod process;
mod repairs;
mod scenario;
mod trace;
mod verbs;

use self::judge::{next_write, repository};
use self::scenario::Scenario;
use super::calls::strace::is_available;
use crate::common::torture;
use crate::common::{DID, Home, TestRepo, creations};

/// A repository with some states, in memory.
fn prepared() -> TestRepo {
    let home = Home::in_memory();
    home.pds(["init", "alice", "--did", DID]).ok();
    let repo = TestRepo { home };
    repo.pds(["apply"]).stdin(creations(0..12)).ok();
    repo.put("a", "first");
    repo.put("b", "last");
    repo
}

#[test]
fn a_disk_that_ignores_syncs_loses_writes_and_damages_the_repository() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let put = ["-R", "alice", "put", "com.example.note/x"];
    let scenario = Scenario {
        name: "put",
        home: &repo.home,
        commands: &[(&put, "{\"text\":\"1\"}"), (&put, "{\"text\":\"2\"}")],
        states: 3,
        judge: &|home| repository(home, "alice"),
        next: &|home| next_write(home, "alice"),
    };
    let (traced, most) = (scenario.traced(), torture::amount(40, 240));
    let found = traced.cut(most, torture::seed(), true);
    let count = |part: &str| found.failures.iter().filter(|fault| fault.contains(part)).count();
    let (lost, damaged) = (count("was acknowledged"), count(": verify: "));
    let failed = found.failures.len();
    let text =
        format!("{failed} failed: {lost} lost an acknowledged write, {damaged} do not verify");
    torture::row("power cut: control, every sync ignored", found.judged, &text);
    assert!(lost > 0 && damaged > 0, "{text}");
    assert_eq!(traced.cut(most, torture::seed(), false).failures, Vec::<String>::new());
}

/// The number of directories in the gate.
const SAMPLE: usize = 20;

/// The number of directories in the full run.
const FULL: usize = 700;
