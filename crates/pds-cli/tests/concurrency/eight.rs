//! Eight processes at a time on one repository: writers, readers, and verbs that delete states.
//!
//! Each of eight loops picks its verbs by a seeded generator. Only a loop itself writes its ref
//! `own-N`, which no other verb moves, and its records `com.example.head/wN-K` in HEAD. So it knows
//! what they are at any time:
//!
//! - `own-N` holds every acknowledged write; its log is the last part of the acknowledged commits.
//! - HEAD holds the last write of each record, unless a reset, or an import to HEAD, ended after the
//!   write began. Those pause in the last quarter of the run, and every loop ends with a write.
//! - A record is forgotten under a path and with a text that are used once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::answers::Ledger;
use super::at_once;
use super::checks::{check_loop, check_whole};
use super::loops::{LOOPS, Loop, NOTES};
use crate::common::torture::{amount, row, seed};
use crate::common::{DID, Home, TestRepo, creations, say};

/// How long the loops run: `PDS_TORTURE_SECONDS`, or 8 seconds in the gate and ten minutes in the full run.
pub(super) fn duration() -> Duration {
    let given = std::env::var("PDS_TORTURE_SECONDS").ok();
    let given = given.map(|given| given.parse().unwrap());
    Duration::from_secs(given.unwrap_or_else(|| amount(8, 600) as u64))
}

#[test]
fn eight_loops_of_writers_and_readers_give_no_false_alarm_and_lose_no_write() {
    let (seed, duration) = (seed(), duration());
    let run = format!("PDS_TORTURE_SEED={seed} PDS_TORTURE_SECONDS={}", duration.as_secs());
    say(&format!("eight: {run}"));
    let repo = prepared();
    let start = repo.head().0;
    let (ledger, started) = (Mutex::new(Ledger::default()), Instant::now());
    let loops = at_once(LOOPS, |number| {
        let resets_until = started + duration * 3 / 4;
        let mut one = Loop::new((number, seed), (&repo, &start), &ledger, resets_until);
        while started.elapsed() < duration {
            one.step();
        }
        one.put_own();
        one.put_head();
        one
    });
    let ran = started.elapsed();
    let mut found = 0;
    for mut one in loops {
        found += check_loop(&mut one);
    }
    let mut ledger = ledger.into_inner().unwrap();
    check_whole(&repo, &mut ledger);
    if found == 0 {
        ledger.failures.push("no write to HEAD came after the last reset".to_owned());
    }
    let answers = ledger.tally.lines();
    say(&format!(
        "eight: {run}: {:.1} s, {found} records of HEAD compared\n{answers}",
        ran.as_secs_f32()
    ));
    let failures = ledger.failures;
    row("eight processes", ledger.tally.all(), &format!("{} failures, {run}", failures.len()));
    let shown = some_of_each_kind(&failures);
    assert!(failures.is_empty(), "{} failures, {run}\n{shown}\n{answers}", failures.len());
    for verb in ["put", "put --ref", "get", "verify --history"] {
        assert!(ledger.tally.done(verb) > 0, "{verb} never succeeded, {run}\n{answers}");
    }
}

/// The first two failures of each kind, which is the text up to the first colon and the verb.
pub(super) fn some_of_each_kind(failures: &[String]) -> String {
    let mut kinds: BTreeMap<Vec<&str>, u32> = BTreeMap::new();
    let mut shown = String::new();
    for failure in failures {
        let what = failure.split(':').next().unwrap_or_default();
        let verb = failure.split("pds ").nth(1).and_then(|rest| rest.split([' ', ':']).next());
        let count = kinds.entry(vec![what, verb.unwrap_or_default()]).or_default();
        *count += 1;
        if *count <= 2 {
            shown.push_str(failure);
            shown.push('\n');
        }
    }
    format!("{shown}how many of each: {kinds:?}\n")
}

/// A repository with a ref for each loop, a file of its first state, and a file of another device.
pub(super) fn prepared() -> TestRepo {
    let repo = TestRepo { home: Home::in_memory() };
    repo.home.pds(["init", "alice", "--did", DID]).ok();
    repo.pds(["apply"]).stdin(creations(0..NOTES)).ok();
    // No reset can go back to the first commit, which has no notes.
    repo.pds(["gc", "--keep", "1"]).ok();
    repo.export("start.car");
    let other = TestRepo { home: repo.home.copied() };
    other.pds(["apply"]).stdin(creations(NOTES..NOTES + 20)).ok();
    other.export("other.car");
    repo.home.write("other.car", other.home.read("other.car"));
    repo.pds(["ref", "set", "start", "HEAD"]).ok();
    for number in 0..LOOPS {
        repo.pds(["ref", "set", &format!("own-{number}"), "HEAD"]).ok();
    }
    repo
}
