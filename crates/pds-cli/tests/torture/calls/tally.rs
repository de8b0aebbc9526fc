//! The counts of the tries of a scenario with one fault.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use super::judge::Left;
use super::strace::Point;
use crate::common::torture;

#[derive(Default)]
pub(super) struct Tally {
    tried: usize,
    killed: usize,
    done: usize,
    codes: BTreeMap<i32, usize>,
    left: BTreeMap<Left, usize>,
    /// The calls that failed in a run that succeeded, and that change a file.
    passed: BTreeSet<String>,
    pub(super) failures: Vec<String>,
}

impl Tally {
    pub(super) fn add(
        &mut self,
        point: &Point,
        exit: Option<i32>,
        is_done: bool,
        left: Result<Left, String>,
    ) {
        self.tried += 1;
        match exit {
            None => self.killed += 1,
            Some(_) if is_done => self.done += 1,
            Some(code) => *self.codes.entry(code).or_default() += 1,
        }
        if is_done && (point.changes_a_file() || point.descriptor == Some(1)) {
            self.passed.insert(format!("{} {}", point.call, point.file));
        }
        match left {
            Ok(left) => *self.left.entry(left).or_default() += 1,
            Err(failure) => self.failures.push(failure),
        }
    }

    /// Checks that runs were cut off before the change and after it, or that calls have failed.
    pub(super) fn assert_faults_were_met(&self, fault: Fault) {
        let has = |left| self.left.contains_key(&left) || !self.failures.is_empty();
        assert!(has(Left::Old) && has(Left::New), "before and after the change: {:?}", self.left);
        match fault {
            Fault::Kill => assert!(self.killed > 0, "no run was killed"),
            Fault::Eio | Fault::Enospc => assert!(!self.codes.is_empty(), "no run has failed"),
        }
    }

    /// Adds the row of the scenario and the fault.
    pub(super) fn report(&mut self, name: &str, fault: Fault, calls: usize) {
        let Self { killed, done, codes, left, passed, failures, .. } = self;
        let mut found = format!("of {calls} calls; ");
        found += &match fault {
            Fault::Kill => format!("killed {killed}, done {done}"),
            _ => format!("done {done}, exit codes {codes:?}"),
        };
        found += &format!("; left {left:?}; failures {}", failures.len());
        if fault != Fault::Kill {
            found += &format!("; passed over {passed:?}");
        }
        torture::row(&format!("calls: {name}: {}", fault.name()), self.tried, &found);
    }
}
