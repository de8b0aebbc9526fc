//! What must hold of a damaged repository, whatever the damage is.

use std::collections::BTreeMap;
use std::time::Duration;

use pds::data::{Cid, Codec};
use serde_json::Value;

use super::base::{Base, Files, write};
use super::readable::Readable;
use crate::common::{Ended, TestRepo};

const TIME: Duration = Duration::from_secs(30);

const MEMORY_KIB: u64 = 200 << 10;

/// One damaged repository, and the faults that its damage has shown.
pub(super) struct Judge<'a> {
    base: &'a Base,
    files: &'a Files,
    /// An earlier state may be what is left, without a trace of the later one.
    is_earlier: bool,
    pub(super) faults: Vec<String>,
    /// The answers of the main verbs.
    pub(super) answers: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn of(base: &'a Base, files: &'a Files, is_earlier: bool) -> Self {
        Self { base, files, is_earlier, faults: Vec::new(), answers: Vec::new() }
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(what());
        }
    }

    /// Runs a verb within the limits on time and memory; it must end with one of some codes.
    fn run(&mut self, repo: &TestRepo, args: &[&str], codes: &[i32]) -> Option<Ended> {
        let run = repo.pds(args.iter().copied()).stdin("{\"text\":\"new\"}");
        let Some(ended) = run.ended_within(TIME) else {
            self.faults.push(format!("{args:?} runs for more than {TIME:?}"));
            return None;
        };
        let is_expected = ended.exit().is_some_and(|code| codes.contains(&code));
        let said = || format!("{args:?}: {:?}: {}", ended.exit(), said(&ended));
        self.check(is_expected, said);
        let is_bounded = ended.peak_kib <= MEMORY_KIB;
        self.check(is_bounded, || format!("{args:?} takes {} MiB", ended.peak_kib >> 10));
        // An error says something.
        let is_said =
            ended.exit() == Some(0) || !ended.stderr.is_empty() || !ended.stdout.is_empty();
        self.check(is_said, || format!("{args:?} fails without a word"));
        Some(ended)
    }

    /// Checks all verbs; `is_file` tells the kind of the sound source.
    pub(super) fn judge(&mut self, paths: &[String], is_file: bool) {
        let repo = write(self.files);
        let verify = self.run(&repo, &["verify", "--json"], &[0, 1, 3]);
        let before = Readable::of(&repo, self.base, None);
        let Some(verify) = verify else { return };
        self.check(before.wrong.is_empty(), || format!("wrong answers: {:?}", before.wrong));
        self.check_verify(&verify, &before);
        let whole = self.run(&repo, &["verify", "--history", "--blobs"], &[0, 1, 3]);
        self.check_blobs(&repo, whole.as_ref());
        self.check_reading(&repo, &before, paths);
        let survey = self.run(&repo, &["repair"], &[0, 1, 3]);
        if let Some(survey) = survey {
            let agree = survey.exit() != Some(0) || verify.exit() == Some(0);
            self.check(agree, || format!("repair says ok, and verify: {}", said(&verify)));
            let now = Readable::of(&repo, self.base, None);
            self.check(now == before, || format!("the survey changed {before:?} to {now:?}"));
        }
        self.check_put(&before, verify.exit() == Some(0));
        self.check_repair(&["repair", "--here"], &before);
        let source = self.base.source(is_file);
        self.check_repair(&["repair", "--from", &source], &before);
    }

    /// The check is never ok where a record cannot be read, and names no record that can be read.
    fn check_verify(&mut self, verify: &Ended, before: &Readable) {
        let (code, report) = (verify.exit(), json(verify));
        self.answers.push(format!("verify {code:?}"));
        let base = self.base;
        if code == Some(0) {
            self.check(before.is_whole(base), || {
                format!("verify says ok, and there is {before:?}")
            });
            let findings = report["findings"].to_string();
            let is_latest = before.head == Some(base.head()) || findings.contains("ref-unlogged");
            let is_latest = is_latest || self.is_earlier;
            self.check(is_latest, || "verify says ok, and the last state is lost".to_owned());
        }
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        for finding in findings.iter().filter(|it| it["code"] == "record-missing") {
            let path = finding["path"].as_str().unwrap_or_default();
            let is_lost = !before.records.contains_key(path);
            self.check(is_lost, || format!("verify misses {path}, and it can be read"));
        }
    }

    /// A blob that is returned is the right one, and the check is not ok if one is not returned.
    fn check_blobs(&mut self, repo: &TestRepo, verify: Option<&Ended>) {
        let base = self.base;
        for (cid, bytes) in &base.blobs {
            let Some(ended) = self.run(repo, &["blob", "get", &cid.to_string()], &[0, 1, 3]) else {
                continue;
            };
            let is_read = ended.exit() == Some(0);
            let is_right = !is_read || ended.stdout == *bytes;
            self.check(is_right, || format!("blob {cid} has other bytes"));
            let agree = is_read || verify.is_none_or(|verify| verify.exit() != Some(0));
            self.check(agree, || format!("verify --blobs says ok, and blob get: {}", said(&ended)));
        }
    }

    /// The other readers agree with what can be read.
    fn check_reading(&mut self, repo: &TestRepo, before: &Readable, paths: &[String]) {
        let base = self.base;
        for path in paths {
            let get = self.run(repo, &["get", path, "--cbor"], &[0, 1, 3]);
            let found = get.filter(|get| get.exit() == Some(0));
            let found = found.map(|get| Cid::of(Codec::Cbor, &get.stdout));
            let agree = found.as_ref() == before.records.get(path);
            self.check(agree, || format!("get {path} is {found:?}, and there is {before:?}"));
        }
        if let Some(ended) = self.run(repo, &["ls", "--all"], &[0, 3, 6]) {
            let text = String::from_utf8_lossy(&ended.stdout).into_owned();
            let fields = text.lines().filter_map(|line| line.split_once('\t'));
            let listed: BTreeMap<&str, &str> = fields.collect();
            let expected = before.head.and_then(|head| base.states.get(&head));
            let expected: BTreeMap<&str, String> =
                expected.into_iter().flatten().map(text_of).collect();
            let is_part =
                listed.iter().all(|(path, cid)| expected.get(path).is_some_and(|it| it == cid));
            let is_all = ended.exit() != Some(0) || listed.len() == expected.len();
            self.check(is_part && is_all, || format!("ls is wrong: {text}"));
        }
        if let Some(ended) = self.run(repo, &["log", "--json"], &[0, 3, 6]) {
            let text = String::from_utf8_lossy(&ended.stdout).into_owned();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let cids = lines.filter_map(|line| line["cid"].as_str()?.parse::<Cid>().ok());
            let unknown: Vec<Cid> = cids.filter(|cid| !base.states.contains_key(cid)).collect();
            self.check(unknown.is_empty(), || format!("log has unknown commits: {unknown:?}"));
        }
        self.check_export(repo, before);
    }

    /// A file that is written is whole.
    fn check_export(&mut self, repo: &TestRepo, before: &Readable) {
        let Some(ended) = self.run(repo, &["export", "-o", "out.car"], &[0, 3, 6]) else { return };
        let path = repo.home.dir().join("out.car");
        if ended.exit() != Some(0) {
            return self.check(!path.exists(), || format!("a file is left: {}", said(&ended)));
        }
        let verify = self.run(repo, &["verify", "out.car"], &[0]);
        self.check(verify.is_some() && before.is_whole(self.base), || {
            format!("export is done, and there is {before:?}")
        });
        let is_same =
            before.head != Some(self.base.head()) || repo.home.read("out.car") == self.base.car();
        self.check(is_same, || "the exported file is another one".to_owned());
    }

    /// A write hides nothing; one that is done can be read.
    fn check_put(&mut self, before: &Readable, is_sound: bool) {
        let repo = write(self.files);
        let put = self.run(&repo, &["put", "com.example.note/new"], &[0, 1, 3]);
        let Some(put) = put else { return };
        self.answers.push(format!("put {:?}", put.exit()));
        let after = Readable::of(&repo, self.base, before.head);
        let lost = after.lost_since(before, self.base);
        self.check(lost.is_none(), || format!("put hides {lost:?}: {}", said(&put)));
        if put.exit() == Some(0) {
            self.run(&repo, &["get", "com.example.note/new"], &[0]);
            if is_sound {
                self.run(&repo, &["verify"], &[0]);
            }
        }
    }

    /// A repair invents nothing and hides nothing, and says ok only if nothing is lost.
    fn check_repair(&mut self, args: &[&str], before: &Readable) {
        let (base, repo) = (self.base, write(self.files));
        let Some(repair) = self.run(&repo, args, &[0, 1, 3, 6]) else { return };
        let (code, verb) = (repair.exit(), args[..2].join(" "));
        self.answers.push(format!("{verb} {code:?}"));
        let after = Readable::of(&repo, base, before.head);
        let said = || format!("{verb} {code:?} {}", said(&repair));
        self.check(after.wrong.is_empty(), || format!("{}: wrong: {:?}", said(), after.wrong));
        let lost = after.lost_since(before, base);
        self.check(lost.is_none(), || format!("{} hides {lost:?}", said()));
        let refs = after.refs.clone().unwrap_or_default();
        let is_known = |(name, cid): (&String, &Cid)| {
            base.refs.contains_key(name) && base.states.contains_key(cid)
        };
        // Refs that a damaged row invents are gone after a repair only.
        let is_invented = matches!(code, Some(0 | 6)) && !refs.iter().all(is_known);
        self.check(!is_invented, || format!("{} invents refs: {refs:?}", said()));
        if code == Some(0) {
            let is_all = after.is_whole(base) && (self.is_earlier || refs == base.refs);
            self.check(is_all, || format!("{}, and there is {after:?}", said()));
            self.run(&repo, &["verify"], &[0]);
        }
        if matches!(code, Some(0 | 6)) {
            let verify = self.run(&repo, &["verify", "--history"], &[0, 1, 3]);
            let text = verify.map(|verify| verify.stdout).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let is_mended = !text.contains("store-damaged");
            self.check(is_mended, || format!("{}, then {text}", said()));
            let is_source = args.contains(&"--from");
            // The source has the present state only.
            let is_present = is_source && after.head == Some(base.head());
            let is_restored = !is_present || after.is_whole(base);
            self.check(is_restored, || format!("{}, and there is {after:?}", said()));
        }
    }
}

fn text_of<'a>((path, cid): (&'a String, &Cid)) -> (&'a str, String) {
    (path, cid.to_string())
}

fn json(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap_or_default()
}

/// The start of all that a run has said, on one line.
fn said(ended: &Ended) -> String {
    let text = String::from_utf8_lossy(&ended.stdout).into_owned() + &ended.stderr;
    text.replace('\n', " | ").chars().take(600).collect()
}
