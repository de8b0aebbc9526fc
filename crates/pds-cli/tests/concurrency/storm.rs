//! Eight processes at a time on one repository. Half of the runs are killed at a random moment.
//!
//! Every write that a process has printed is recorded outside the repository. Each loop writes to its
//! ref `own-N` and to HEAD, and each record under a path of its own, so that nothing overwrites it. No
//! verb moves a ref back: at the end, every printed write is there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answers::{Ledger, error_of, gist, is_expected, start_of};
use super::at_once;
use super::checks::check_whole;
use super::eight::{duration, prepared, some_of_each_kind};
use super::loops::{KEPT, LOOPS, PATIENCE, written};
use crate::common::torture::{Random, row, seed};
use crate::common::{Ended, TestRepo, say};

/// The longest time until a kill.
const KILL_MILLIS: u64 = 60;

const KILL: i32 = 9;

/// One loop, and the writes that it knows of.
struct Loop<'a> {
    number: usize,
    repo: &'a TestRepo,
    ledger: &'a Mutex<Ledger>,
    random: Random,
    count: usize,
    /// The printed writes: the CID of each record, by ref and path.
    written: BTreeMap<(String, String), String>,
    /// Printed deletions.
    deleted: Vec<(String, String)>,
    killed: usize,
}

impl Loop<'_> {
    /// Runs a command, half of the time only until a kill. All but the expected answers are failures.
    fn run(&mut self, verb: &str, args: &[&str], stdin: &str) -> Ended {
        self.count += 1;
        let run = self.repo.pds(args.iter().copied().chain(["--json"])).stdin(stdin);
        let is_to_be_killed = self.random.below(2) == 0;
        let ended = match is_to_be_killed {
            true => run.killed_after(Duration::from_millis(self.random.below(KILL_MILLIS))),
            false => run.killed_after(PATIENCE),
        };
        if is_to_be_killed && ended.signal() == Some(KILL) {
            self.killed += 1;
            return ended;
        }
        let (code, error) = (ended.exit().unwrap_or(-1), error_of(&ended));
        let mut ledger = self.ledger.lock().unwrap();
        ledger.tally.add(verb, code, &error);
        if !is_expected(verb, code, &error) {
            let (number, count, args) = (self.number, self.count, args.join(" "));
            let (said, answer) = (start_of(&ended.stderr), gist(&ended.text()));
            let what = "unexpected answer: loop";
            ledger.failures.push(format!(
                "{what} {number}, command {count}: pds {args}: code {code}\n{said}\n{answer}\n"
            ));
        }
        ended
    }

    fn step(&mut self) {
        let own = format!("own-{}", self.number);
        let file = self.repo.home.path(&format!("export-{}.car", self.number));
        match self.random.below(20) {
            0..=3 => self.put("put --ref", &own),
            4..=7 => self.put("put", "HEAD"),
            8..=9 => self.apply(),
            10 => self.delete(),
            11 => drop(self.run("gc", &["gc", "--keep", &(KEPT * 4).to_string()], "")),
            12 if self.random.below(4) == 0 => drop(self.run("key rotate", &["key", "rotate"], "")),
            13 => drop(self.run("ls", &["ls", "--all"], "")),
            14 => drop(self.run("log", &["log", "--ref", &own], "")),
            15 | 16 => drop(self.run("verify --history", &["verify", "--history"], "")),
            17 => drop(self.run("export", &["export", "-o", &file, "--force"], "")),
            18 => drop(self.run(
                "import --ref",
                &["import", "other.car", "--ref", "incoming", "--allow-older", "--force"],
                "",
            )),
            _ => self.get(),
        }
    }

    fn path(&self) -> String {
        format!("com.example.storm/w{}-{}", self.number, self.count)
    }

    fn put(&mut self, verb: &str, to: &str) {
        let (path, record) =
            (self.path(), format!("{{\"text\":\"{} {}\"}}", self.number, self.count));
        let ended = self.run(verb, &["put", &path, "--ref", to], &record);
        self.note(to, &ended);
    }

    fn apply(&mut self) {
        let lines: String = (0..3)
            .map(|n| {
                let (number, count) = (self.number, self.count);
                format!(
                    "{{\"action\":\"create\",\"collection\":\"com.example.storm\",\"rkey\":\"b{number}-{count}-{n}\",\
                     \"value\":{{\"text\":\"{number} {count} {n}\"}}}}\n"
                )
            })
            .collect();
        let ended = self.run("apply", &["apply", "--batch", "1"], &lines);
        self.note("HEAD", &ended);
    }

    /// Records what a process has printed, which it does after the commit only.
    fn note(&mut self, to: &str, ended: &Ended) {
        for (path, cid, _) in written(ended) {
            self.written.insert((to.to_owned(), path), cid);
        }
    }

    fn delete(&mut self) {
        let Some(((to, path), _)) = self.written.pop_first() else { return };
        let ended = self.run("rm", &["rm", &path, "--ref", &to], "");
        let is_printed = ended.text().contains("\"delete\"");
        if is_printed || ended.exit() == Some(0) {
            self.deleted.push((to, path));
        }
    }

    fn get(&mut self) {
        let count = self.written.len() as u64;
        let which = usize::try_from(self.random.below(count.max(1))).unwrap();
        let Some(((to, path), cid)) = self.written.iter().nth(which) else { return };
        let (to, path, cid) = (to.clone(), path.clone(), cid.clone());
        let ended = self.run("get", &["get", &path, "--at", &to], "");
        if ended.exit() == Some(0) && !ended.text().contains(&cid) {
            let failure = format!("another record: {path} of {to} is not {cid}: {}", ended.text());
            self.ledger.lock().unwrap().failures.push(failure);
        }
    }

    /// Compares all printed writes with the records of the repository, now that nothing else runs.
    fn check(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut records: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for to in ["HEAD".to_owned(), format!("own-{}", self.number)] {
            let listed = self.repo.pds(["ls", "--all", "--at", &to]).ended().done();
            let fields = listed.lines().filter_map(|line| line.split_once('\t'));
            let of_ref = fields.map(|(path, cid)| (path.to_owned(), cid.to_owned())).collect();
            records.insert(to, of_ref);
        }
        for ((to, path), cid) in &self.written {
            if records[to].get(path) != Some(cid) {
                failures.push(format!("lost: {path} of {to}, which was {cid}"));
            }
        }
        for (to, path) in self.deleted.iter().filter(|(to, path)| records[to].contains_key(path)) {
            failures.push(format!("back again: {path} of {to}"));
        }
        failures
    }
}

/// The moves of each ref, which must lead from one commit to the next.
fn broken_moves(repo: &TestRepo) -> Vec<String> {
    let mut broken = Vec::new();
    for name in (0..LOOPS).map(|n| format!("own-{n}")).chain(["HEAD".to_owned()]) {
        let reflog = repo.pds(["reflog", &name, "--json"]).ended().done();
        let moves: Vec<Value> =
            reflog.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let pairs = moves.windows(2).filter(|pair| pair[0]["before"] != pair[1]["after"]);
        broken.extend(pairs.map(|pair| format!("{name}: {} comes after {}", pair[0], pair[1])));
        let target = repo.json(["info", "--at", &name])["commit"].clone();
        if moves.first().is_none_or(|last| last["after"] != target) {
            broken.push(format!("{name} points to {target}, and the log says {:?}", moves.first()));
        }
    }
    broken
}

#[test]
fn a_storm_of_kills_loses_no_printed_write() {
    let (seed, duration) = (seed(), duration());
    let run = format!("PDS_TORTURE_SEED={seed} PDS_TORTURE_SECONDS={}", duration.as_secs());
    say(&format!("storm: {run}"));
    let repo = prepared();
    let (ledger, started) = (Mutex::new(Ledger::default()), Instant::now());
    let loops = at_once(LOOPS, |number| {
        let random = Random::new(seed * LOOPS as u64 + number as u64);
        let (repo, ledger, count, killed) = (&repo, &ledger, 0, 0);
        let (written, deleted) = (BTreeMap::new(), Vec::new());
        let mut one = Loop { number, repo, ledger, random, count, written, deleted, killed };
        while started.elapsed() < duration {
            one.step();
        }
        one
    });
    // A process that was killed may leave files, which the next write removes.
    repo.put("last", "last");
    let mut failures: Vec<String> = loops.iter().flat_map(Loop::check).collect();
    let sum = |of: fn(&Loop<'_>) -> usize| loops.iter().map(of).sum::<usize>();
    let (runs, killed) = (sum(|one| one.count), sum(|one| one.killed));
    let (kept, deleted) = (sum(|one| one.written.len()), sum(|one| one.deleted.len()));
    drop(loops);
    let mut ledger = ledger.into_inner().unwrap();
    failures.extend(broken_moves(&repo));
    check_whole(&repo, &mut ledger);
    failures.append(&mut ledger.failures);
    let answers = ledger.tally.lines();
    let found = format!(
        "{killed} killed, {kept} printed writes and {deleted} deletions compared, {} failures, {run}",
        failures.len()
    );
    row("storm of kills", runs, &found);
    let shown = some_of_each_kind(&failures);
    assert!(failures.is_empty(), "{} failures, {run}\n{shown}\n{answers}", failures.len());
    assert!(killed > 0 && kept > 0 && ledger.tally.done("put") > 0, "{found}\n{answers}");
}
