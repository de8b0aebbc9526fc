//! What a run has measured so far.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::meter::Outcome;
use crate::plan::{Target, Task};
use crate::subject::Subject;
use crate::work::Log;

/// A piece of work on repositories of one size, and what came out in each round.
pub(crate) struct Measured {
    pub(crate) task: &'static Task,
    pub(crate) records: usize,
    pub(crate) targets: &'static [Target],
    /// For each subject as many outcomes as there were rounds.
    pub(crate) outcomes: BTreeMap<Subject, Vec<Outcome>>,
}

impl Measured {
    /// The name of the work and the number of records.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", name(&self.task.work), self.records)
    }

    /// The logs that the subjects work with, if the work is about logs.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (Log, usize)> {
        let log = self.task.work.log().into_iter();
        log.flat_map(move |log| {
            self.task.subjects.iter().map(move |who| (log, who.log_rows(self.records)))
        })
    }

    /// Returns the first two libraries whose results of the same work differ.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let mut checks = self.outcomes.iter().flat_map(|(subject, outcomes)| {
            outcomes.iter().filter_map(move |outcome| Some((*subject, outcome.check.as_deref()?)))
        });
        let (first, expected) = checks.next()?;
        let (other, found) = checks.find(|(_, check)| *check != expected)?;
        let (first, other) = (first.title(), other.title());
        Some(format!("{first} has {expected}, {other} has {found}"))
    }
}

/// What the command line calls it.
pub(crate) fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
}
