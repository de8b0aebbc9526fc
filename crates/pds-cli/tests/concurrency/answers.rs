//! The answers that each verb may give next to other processes, and the record of those it gave.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::common::Ended;

/// The codes of each verb, with the name of the error in JSON; no name where no error is printed.
///
/// Code 5 is a busy store, or a state that `gc` or `forget` deleted while it was read. Code 3 never
/// appears: damage is a false alarm here.
const EXPECTED: [(&str, &[(i32, &str)]); 18] = [
    // If a rotation comes between the reading of the key and the commit, the new key is read.
    ("put", &[(0, ""), (5, "busy")]),
    ("put --ref", &[(0, ""), (5, "busy")]),
    // A `gc` deletes no state of a ref, so the record is there, unless an earlier `rm` was killed.
    ("rm", &[(0, ""), (5, "busy"), (1, "not-found")]),
    // Some batches are committed, and the next one meets a busy store.
    ("apply", &[(0, ""), (5, "busy"), (6, "partly-done")]),
    ("import", &[(0, ""), (5, "busy"), (1, "conflict")]),
    ("import --ref", &[(0, ""), (5, "busy"), (1, "conflict")]),
    // Readers keep the file as large as it is: remains are left for the next `gc`.
    ("gc", &[(0, ""), (5, "busy"), (6, "")]),
    // A reset and a `gc` may have deleted all states with the record.
    ("forget", &[(0, ""), (5, "busy"), (6, ""), (6, "partly-done"), (1, "not-found")]),
    // The ref has moved, or `gc` has deleted the earlier state.
    ("reset", &[(0, ""), (5, "busy"), (1, "conflict"), (1, "not-found")]),
    // `gc` may have deleted the state that both sides started from, or the one before a reset.
    ("merge", &[(0, ""), (5, "busy"), (1, "conflict"), (1, "unrelated")]),
    ("key rotate", &[(0, ""), (5, "busy"), (1, "conflict")]),
    ("get", &[(0, ""), (5, "busy")]),
    // A reset may have come since the write; the loop checks that.
    ("get (own of HEAD)", &[(0, ""), (5, "busy"), (1, "not-found")]),
    ("ls", &[(0, ""), (5, "busy")]),
    ("log", &[(0, ""), (5, "busy")]),
    ("verify --history", &[(0, ""), (5, "busy")]),
    ("export", &[(0, ""), (5, "busy")]),
    ("verify FILE", &[(0, "")]),
];

/// Tells whether a verb may end like this.
pub(super) fn is_expected(verb: &str, code: i32, error: &str) -> bool {
    let (_, expected) = EXPECTED.iter().find(|(known, _)| *known == verb).unwrap();
    expected.contains(&(code, error))
}

/// The name of the error, as `--json` prints it last on standard error.
pub(super) fn error_of(ended: &Ended) -> String {
    let last = ended.stderr.lines().last().unwrap_or_default();
    let error: Option<Value> = serde_json::from_str(last).ok();
    error.and_then(|error| Some(error["error"].as_str()?.to_owned())).unwrap_or_default()
}

/// How often each verb gave each answer.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<String, BTreeMap<String, u32>>);

impl Tally {
    pub(super) fn add(&mut self, verb: &str, code: i32, error: &str) {
        let answer = format!("{code} {error}").trim_end().to_owned();
        *self.0.entry(verb.to_owned()).or_default().entry(answer).or_default() += 1;
    }

    /// How often a verb was done.
    pub(super) fn done(&self, verb: &str) -> u32 {
        self.0.get(verb).and_then(|answers| answers.get("0")).copied().unwrap_or(0)
    }

    /// How many answers were given.
    pub(super) fn all(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).map(|count| *count as usize).sum()
    }

    pub(super) fn lines(&self) -> String {
        self.0.iter().fold(String::new(), |lines, (verb, answers)| {
            let answers: Vec<String> =
                answers.iter().map(|(answer, count)| format!("{answer} ×{count}")).collect();
            lines + &format!("  {verb:<17} {}\n", answers.join(", "))
        })
    }
}

/// The record of all that happened, outside the repository.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) tally: Tally,
    pub(super) failures: Vec<String>,
    /// How many commands that may take HEAD back are running.
    pub(super) resetting: usize,
    /// The last end of such a command.
    pub(super) reset: Option<Instant>,
    /// The texts of records that were forgotten, or are as soon as `gc` completes it.
    pub(super) forgotten: Vec<String>,
}

impl Ledger {
    /// Tells whether HEAD may have gone back since a moment.
    pub(super) fn may_be_reset_since(&self, moment: Instant) -> bool {
        self.resetting > 0 || self.reset.is_some_and(|reset| reset >= moment)
    }
}

/// The errors of a report, or the start of any other answer.
pub(super) fn gist(text: &str) -> String {
    let report: Value = serde_json::from_str(text).unwrap_or_default();
    let errors = report["findings"].as_array().map(|findings| {
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    });
    start_of(&errors.unwrap_or_else(|| text.to_owned()))
}

pub(super) fn start_of(text: &str) -> String {
    text.chars().take(800).collect()
}
