//! All the work in turns: each round does everything once, each piece in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::data::Data;
use crate::measured::{Measured, name};
use crate::meter::Outcome;
use crate::page;
use crate::plan::{TASKS, Task};
use crate::report::Report;
use crate::subject::Subject;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often everything is done; the figures are medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only work whose name has this in it; may be given more than once
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,

    /// Only repositories of these many records
    #[arg(long, value_name = "RECORDS", value_delimiter = ',')]
    sizes: Vec<usize>,

    /// Only these subjects, and pds
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',')]
    only: Vec<Subject>,

    /// Write the page to this file, and its tables into a directory next to it
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Runs what is asked for, and prints the table; fails where results differ.
pub(crate) fn run(options: &Options, data: &Data) -> Result<ExitCode> {
    ensure!(data.pds.is_file(), "no binary {}: build it, or name it by --pds", data.pds.display());
    let mut measured = options.chosen();
    ensure!(!measured.is_empty(), "there is no such work");
    let records = |m: &Measured| m.task.work.log().is_none().then_some(m.records);
    for records in measured.iter().filter_map(records).collect::<BTreeSet<_>>() {
        data.forget_stores(records)?;
        data.prepare(records)?;
    }
    for (log, rows) in measured.iter().flat_map(Measured::logs).collect::<BTreeSet<_>>() {
        data.prepare_log(log, rows)?;
    }

    for round in 1..=options.rounds {
        for measured in &mut measured {
            eprintln!("round {round} of {}: {}", options.rounds, measured.name());
            for subject in measured.task.subjects.iter().copied() {
                if options.wants_subject(subject) {
                    match measured.task.work.log() {
                        Some(log) => data.warm_log(log, subject.log_rows(measured.records))?,
                        None => data.warm(measured.records)?,
                    }
                    let outcome = in_a_process(measured, subject, data)?;
                    measured.outcomes.entry(subject).or_default().push(outcome);
                }
            }
        }
    }

    let report = Report { measured: &measured, rounds: options.rounds, data };
    print!("{}", report.tables());
    if let Some(page) = &options.page {
        page::write(&report, page)?;
    }
    let mut agreed = true;
    for measured in &measured {
        if let Some(disagreement) = measured.disagreement() {
            eprintln!("{}: {disagreement}", measured.name());
            agreed = false;
        }
    }
    Ok(if agreed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    /// The work that is asked for, none of it done yet.
    fn chosen(&self) -> Vec<Measured> {
        let named = |task: &&Task| {
            let name = name(&task.work);
            self.filter.is_empty() || self.filter.iter().any(|text| name.contains(text))
        };
        let sized = |records: usize| self.sizes.is_empty() || self.sizes.contains(&records);
        let mut chosen = Vec::new();
        for task in TASKS.iter().filter(named) {
            for (records, targets) in task.sizes.iter().copied() {
                if sized(records) {
                    chosen.push(Measured { task, records, targets, outcomes: BTreeMap::new() });
                }
            }
        }
        chosen
    }

    fn wants_subject(&self, subject: Subject) -> bool {
        let is_built_in = cfg!(feature = "peers") || !subject.is_peer();
        let chosen = self.only.is_empty() || self.only.contains(&subject);
        is_built_in && (subject == Subject::Pds || chosen)
    }
}

fn in_a_process(measured: &Measured, subject: Subject, data: &Data) -> Result<Outcome> {
    let (work, who) = (name(&measured.task.work), name(&subject));
    let output = Command::new(std::env::current_exe()?)
        .args(["case", &work, &who, &measured.records.to_string()])
        .arg("--data")
        .arg(&data.dir)
        .arg("--pds")
        .arg(&data.pds)
        .stderr(Stdio::inherit())
        .output()?;
    let what = || format!("{who}: {}", measured.name());
    ensure!(output.status.success(), "{} failed", what());
    serde_json::from_slice(&output.stdout).with_context(what)
}
