//! The checks after the eight loops: each loop's writes, then the repository as a whole.

use serde_json::Value;

use super::answers::Ledger;
use super::loops::{KEPT, LOOPS, Loop};
use crate::common::{Ended, TestRepo};

/// Compares the records of one loop with those of the repository; returns how many of HEAD it could.
pub(super) fn check_loop(one: &mut Loop<'_>) -> usize {
    one.get_own();
    let own = format!("own-{}", one.number);
    let args = ["reflog", &own];
    let ended = one.run("log", &args, "");
    let mut log = commits_of(&ended);
    log.reverse();
    if !one.commits.ends_with(&log) || log.len() < one.commits.len().min(KEPT) {
        let what = format!("the log lacks acknowledged commits: {:?}, it has {log:?}", one.commits);
        one.fail(&args, &ended, &what);
    }
    let mut found = 0;
    for (path, (cid, started)) in one.head.clone() {
        let may_be_reset = one.ledger.lock().unwrap().may_be_reset_since(started);
        if !may_be_reset {
            one.expect_record(&["get", &path], &cid);
            found += 1;
        }
    }
    found
}

/// Checks the repository as a whole, now that nothing else runs.
pub(super) fn check_whole(repo: &TestRepo, ledger: &mut Ledger) {
    let whole = ["verify", "--history", "--blobs"];
    done(repo, ledger, &whole);
    for name in (0..LOOPS).map(|n| format!("own-{n}")).chain(["HEAD".to_owned()]) {
        done(repo, ledger, &["verify", "--at", &name]);
        let log = done(repo, ledger, &["log", "--ref", &name, "--json"]);
        for broken in broken_links(repo, &log) {
            ledger.failures.push(format!("the log of {name} is no chain: {broken}"));
        }
    }
    done(repo, ledger, &["gc", "--keep", &KEPT.to_string()]);
    done(repo, ledger, &whole);
    let files = repo.home.list("alice");
    for file in files.iter().filter(|file| repo.home.dir().join("alice").join(file).is_file()) {
        let bytes = repo.home.read(&format!("alice/{file}"));
        let text = String::from_utf8_lossy(&bytes);
        for secret in ledger.forgotten.iter().filter(|secret| text.contains(&***secret)) {
            ledger.failures.push(format!("a file has a forgotten record: {file} has {secret}"));
        }
    }
}

/// Runs a command that must succeed.
fn done(repo: &TestRepo, ledger: &mut Ledger, args: &[&str]) -> Ended {
    let ended = repo.pds(args.iter().copied()).ended();
    if ended.exit() != Some(0) {
        let said = format!("{}{}", ended.stderr, ended.text());
        ledger.failures.push(format!("at the end: pds {}: {said}", args.join(" ")));
    }
    ended
}

/// The commits that a ref pointed to, newest first.
fn commits_of(log: &Ended) -> Vec<String> {
    let text = log.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["after"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The entries of a log whose counts are not those of the difference to the next one. They are null if states between
/// them were deleted.
fn broken_links(repo: &TestRepo, log: &Ended) -> Vec<String> {
    let text = log.text();
    let entries: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut broken = Vec::new();
    for pair in entries.windows(2) {
        let [after, before] = pair else { continue };
        let [from, to] = [before, after].map(|entry| entry["cid"].as_str().unwrap_or_default());
        let diff = repo.pds(["diff", from, to, "--json"]).ended().text();
        let count = |action: &str| {
            let actions = diff.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            actions.filter(|line| line["action"] == action).count()
        };
        let counts = [("created", "create"), ("updated", "update"), ("deleted", "delete")];
        let differs =
            |field: &str, action: &str| !after[field].is_null() && after[field] != count(action);
        if counts.iter().any(|(field, action)| differs(field, action)) {
            broken.push(format!("{after} after {before}, with the difference {diff}"));
        }
    }
    broken
}
