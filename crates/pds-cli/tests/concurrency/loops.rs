//! One of the eight loops: the verbs it picks, and what it knows of its own records.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answers::{Ledger, error_of, gist, is_expected, start_of};
use crate::common::torture::Random;
use crate::common::{DID, Ended, TestRepo};

pub(super) const LOOPS: usize = 8;
/// `gc` keeps at least so many states of each ref.
pub(super) const KEPT: usize = 5;
/// How many notes the first commit has; no verb changes them.
pub(super) const NOTES: usize = 200;
/// The longest time of a run. A `gc` and a `forget` start again after each write of another process,
/// up to a hundred times.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
const ALWAYS: &str = "com.example.note/n000000";

/// One loop, and what it knows of its own records.
pub(super) struct Loop<'a> {
    pub(super) number: usize,
    repo: &'a TestRepo,
    pub(super) ledger: &'a Mutex<Ledger>,
    resets_until: Instant,
    random: Random,
    count: usize,
    /// The CIDs of records in `own-N`, by path.
    own: BTreeMap<String, String>,
    /// The commits of `own-N`, in their order.
    pub(super) commits: Vec<String>,
    /// The CIDs of records in HEAD, and when each write began, by path.
    pub(super) head: BTreeMap<String, (String, Instant)>,
    /// Paths and texts of records to forget, and when each write began; none once a `forget` has failed.
    secrets: Vec<(String, String, Option<Instant>)>,
}

impl<'a> Loop<'a> {
    /// A loop that has written nothing yet; its ref points to the first commit.
    pub(super) fn new(
        (number, seed): (usize, u64),
        (repo, start): (&'a TestRepo, &str),
        ledger: &'a Mutex<Ledger>,
        resets_until: Instant,
    ) -> Self {
        Self {
            number,
            repo,
            ledger,
            resets_until,
            random: Random::new(seed * LOOPS as u64 + number as u64),
            count: 0,
            own: BTreeMap::new(),
            commits: vec![start.to_owned()],
            head: BTreeMap::new(),
            secrets: Vec::new(),
        }
    }

    /// Runs one command and counts its answer; all but the expected ones are failures.
    pub(super) fn run(&mut self, verb: &str, args: &[&str], stdin: &str) -> Ended {
        self.count += 1;
        let all = args.iter().copied().chain(["--json"]);
        let ended = self.repo.pds(all).stdin(stdin).killed_after(PATIENCE);
        let (code, error) = (ended.exit().unwrap_or(-1), error_of(&ended));
        self.ledger.lock().unwrap().tally.add(verb, code, &error);
        if !is_expected(verb, code, &error) {
            self.fail(args, &ended, "unexpected answer");
        }
        ended
    }

    pub(super) fn fail(&self, args: &[&str], ended: &Ended, what: &str) {
        let (loop_number, count, code) = (self.number, self.count, ended.exit());
        let line = format!(
            "{what}: loop {loop_number}, command {count}: pds {}: code {code:?}\n{}\n{}\n",
            args.join(" "),
            start_of(&ended.stderr),
            gist(&ended.text())
        );
        self.ledger.lock().unwrap().failures.push(line);
    }

    pub(super) fn step(&mut self) {
        match self.random.below(32) {
            0..=5 => self.put_own(),
            6..=9 => self.put_head(),
            10..=11 => self.apply(),
            12 => self.import(),
            13..=14 => self.collect(),
            15 => self.plant(),
            16 => self.forget(),
            17 => self.reset(),
            18 => self.merge(),
            19 if self.random.below(3) == 0 => drop(self.run("key rotate", &["key", "rotate"], "")),
            20..=21 => self.get_own(),
            22..=24 => self.get_always(),
            25 => self.get_head(),
            26 => self.list(),
            27..=28 => self.log(),
            29..=30 => drop(self.run("verify --history", &["verify", "--history"], "")),
            _ => self.export(),
        }
    }

    pub(super) fn put_own(&mut self) {
        let (own, path) = (format!("own-{}", self.number), self.path("own"));
        let record = self.record();
        let ended = self.run("put --ref", &["put", &path, "--ref", &own], &record);
        for (path, cid, commit) in written(&ended) {
            self.own.insert(path, cid);
            self.commits.push(commit);
        }
    }

    pub(super) fn put_head(&mut self) {
        let (path, record, started) = (self.path("head"), self.record(), Instant::now());
        let ended = self.run("put", &["put", &path], &record);
        self.note_head(&ended, started);
    }

    fn apply(&mut self) {
        let mut lines = String::new();
        for k in 0..3 {
            let (number, record) = (self.number, self.record());
            lines.push_str(&format!(
                "{{\"action\":\"put\",\"collection\":\"com.example.head\",\"rkey\":\"w{number}-{k}\",\
                 \"value\":{record}}}\n"
            ));
        }
        let started = Instant::now();
        let ended = self.run("apply", &["apply", "--batch", "2"], &lines);
        self.note_head(&ended, started);
    }

    fn note_head(&mut self, ended: &Ended, started: Instant) {
        for (path, cid, _) in written(ended) {
            self.head.insert(path, (cid, started));
        }
    }

    fn import(&mut self) {
        if self.random.below(2) == 0 && Instant::now() < self.resets_until {
            self.run_reset("import", &["import", "start.car", "--allow-older", "--force"]);
        } else {
            let name = format!("incoming-{}", self.random.below(2));
            self.run(
                "import --ref",
                &["import", "other.car", "--ref", &name, "--allow-older", "--force"],
                "",
            );
        }
    }

    fn reset(&mut self) {
        if Instant::now() < self.resets_until {
            let which = usize::try_from(self.random.below(4)).unwrap();
            self.run_reset("reset", &["reset", ["HEAD~1", "HEAD~2", "@{1}", "@{2}"][which]]);
        }
    }

    /// Runs a command that may take HEAD back, whatever it answers.
    fn run_reset(&mut self, verb: &str, args: &[&str]) {
        self.ledger.lock().unwrap().resetting += 1;
        self.run(verb, args, "");
        let mut ledger = self.ledger.lock().unwrap();
        ledger.resetting -= 1;
        ledger.reset = Some(Instant::now());
    }

    fn collect(&mut self) {
        let keep = (KEPT + 10 * usize::try_from(self.random.below(4)).unwrap()).to_string();
        self.run("gc", &["gc", "--keep", &keep], "");
    }

    /// Writes a record that is forgotten later.
    fn plant(&mut self) {
        let path = format!("com.example.secret/w{}-{}", self.number, self.count);
        let text = format!("secret-of-{}-{}-end", self.number, self.count);
        let started = Instant::now();
        let ended = self.run("put", &["put", &path], &format!("{{\"text\":\"{text}\"}}"));
        if ended.exit() == Some(0) {
            self.secrets.push((path, text, Some(started)));
        }
    }

    fn forget(&mut self) {
        if self.secrets.is_empty() {
            self.plant();
        }
        let Some((path, text, started)) = self.secrets.pop() else { return };
        let args = ["forget", "--yes", &path];
        let ended = self.run("forget", &args, "");
        match (ended.exit(), &*error_of(&ended)) {
            (Some(0 | 6), "") => self.ledger.lock().unwrap().forgotten.push(text),
            // Part of it may be done.
            (Some(5), _) | (_, "partly-done") => self.secrets.push((path, text, None)),
            (Some(1), "not-found") => {
                if let Some(started) = started {
                    self.may_be_lost(&args, &ended, started);
                }
            }
            _ => {}
        }
    }

    /// Fails, unless HEAD may have gone back since the record was written.
    fn may_be_lost(&self, args: &[&str], ended: &Ended, started: Instant) {
        let may_be_reset = self.ledger.lock().unwrap().may_be_reset_since(started);
        if !may_be_reset {
            self.fail(args, ended, "an acknowledged record is lost");
        }
    }

    fn merge(&mut self) {
        let own = format!("own-{}", self.random.below(LOOPS as u64));
        let args = ["merge", &own, "--base", "start", "--theirs"];
        let count = if self.random.below(2) == 0 { 2 } else { args.len() };
        self.run("merge", &args[..count], "");
    }

    pub(super) fn get_own(&mut self) {
        let own = format!("own-{}", self.number);
        let records: Vec<(String, String)> =
            self.own.iter().map(|(path, cid)| (path.clone(), cid.clone())).collect();
        for (path, cid) in records {
            self.expect_record(&["get", &path, "--at", &own], &cid);
        }
    }

    /// Reads a record that every state has.
    fn get_always(&mut self) {
        self.expect_record(&["get", ALWAYS], "");
    }

    pub(super) fn expect_record(&mut self, args: &[&str], cid: &str) {
        let ended = self.run("get", args, "");
        if ended.exit() == Some(0) && !ended.text().contains(cid) {
            self.fail(args, &ended, &format!("not the acknowledged record: {cid}"));
        }
    }

    /// Reads a record that HEAD has, unless HEAD went back meanwhile.
    fn get_head(&mut self) {
        let which = usize::try_from(self.random.below(3)).unwrap();
        let Some((path, (cid, started))) = self.head.clone().into_iter().nth(which) else {
            return self.put_head();
        };
        let args = ["get", &path];
        let ended = self.run("get (own of HEAD)", &args, "");
        let is_wrong = ended.exit() == Some(0) && !ended.text().contains(&cid);
        if is_wrong || ended.exit() == Some(1) {
            self.may_be_lost(&args, &ended, started);
        }
    }

    /// Lists the records: all of the first commit are in every state.
    fn list(&mut self) {
        let args = ["ls", "--all"];
        let ended = self.run("ls", &args, "");
        let text = ended.text();
        let count = text.lines().filter(|line| line.contains("com.example.note/n")).count();
        if ended.exit() == Some(0) && count != NOTES {
            self.fail(&args, &ended, &format!("{count} of {NOTES} notes are listed"));
        }
    }

    fn log(&mut self) {
        let own = format!("own-{}", self.number);
        let args = ["log", "--ref", &own];
        let count = if self.random.below(2) == 0 { 1 } else { 3 };
        self.run("log", &args[..count], "");
    }

    fn export(&mut self) {
        let file = self.repo.home.path(&format!("export-{}.car", self.number));
        let ended = self.run("export", &["export", "-o", &file, "--force"], "");
        if ended.exit() == Some(0) {
            self.run("verify FILE", &["verify", &file], "");
        }
    }

    /// The path of one of a few records, which only this loop writes.
    fn path(&mut self, collection: &str) -> String {
        format!("com.example.{collection}/w{}-{}", self.number, self.random.below(3))
    }

    /// A record that differs from all others.
    fn record(&mut self) -> String {
        self.count += 1;
        format!("{{\"text\":\"loop {} number {}\"}}", self.number, self.count)
    }
}

/// The path, the CID and the commit of each write that was acknowledged.
pub(super) fn written(ended: &Ended) -> Vec<(String, String, String)> {
    let text = ended.text();
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let field = |value: &Value| value.as_str().unwrap().to_owned();
        let path = field(&line["uri"]).replace(&format!("at://{DID}/"), "");
        (path, field(&line["cid"]), field(&line["commit"]["cid"]))
    });
    lines.collect()
}
