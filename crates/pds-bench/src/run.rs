//! All the work in turns: each round does everything once, each piece in a process of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::case::Subject;
use crate::data::Data;
use crate::meter::Outcome;
use crate::plan::{ROWS, Row};
use crate::report::Report;

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

    /// Write the page here, too
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// A row and what came out in each round.
pub(crate) struct Measured {
    pub(crate) row: &'static Row,
    /// For each subject as many outcomes as there were rounds.
    pub(crate) outcomes: BTreeMap<Subject, Vec<Outcome>>,
}

impl Measured {
    /// Says where two who did the same work do not agree on what came out.
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

/// Runs what is asked for, and prints the table; fails where results differ.
pub(crate) fn run(options: &Options, data: &Data) -> Result<ExitCode> {
    ensure!(data.pds.is_file(), "no binary {}: build it, or name it by --pds", data.pds.display());
    let rows: Vec<&'static Row> = ROWS.iter().filter(|row| options.wants(row)).collect();
    ensure!(!rows.is_empty(), "there is no such work");
    let mut sizes: Vec<usize> = rows.iter().map(|row| row.records).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for records in sizes {
        data.forget_stores(records)?;
        data.prepare(records)?;
    }

    let empty = |row| Measured { row, outcomes: BTreeMap::new() };
    let mut measured: Vec<Measured> = rows.into_iter().map(empty).collect();
    for round in 1..=options.rounds {
        for Measured { row, outcomes } in &mut measured {
            eprintln!("round {round} of {}: {} {}", options.rounds, name(row.work), row.records);
            for subject in row.subjects.iter().filter(|subject| options.wants_subject(**subject)) {
                let outcome = in_a_process(row, *subject, data)?;
                outcomes.entry(*subject).or_default().push(outcome);
            }
        }
    }

    let report = Report { measured: &measured, rounds: options.rounds, data };
    print!("{}", report.tables());
    if let Some(page) = &options.page {
        std::fs::write(page, report.page()?)?;
    }
    let mut agreed = true;
    for measured in &measured {
        if let Some(disagreement) = measured.disagreement() {
            eprintln!("{} {}: {disagreement}", name(measured.row.work), measured.row.records);
            agreed = false;
        }
    }
    Ok(if agreed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    fn wants(&self, row: &Row) -> bool {
        let name = name(row.work);
        let named = self.filter.is_empty() || self.filter.iter().any(|text| name.contains(text));
        named && (self.sizes.is_empty() || self.sizes.contains(&row.records))
    }

    fn wants_subject(&self, subject: Subject) -> bool {
        let is_built_in = cfg!(feature = "peers") || !subject.is_peer();
        let chosen = self.only.is_empty() || self.only.contains(&subject);
        is_built_in && (subject == Subject::Pds || chosen)
    }
}

fn in_a_process(row: &Row, subject: Subject, data: &Data) -> Result<Outcome> {
    let output = Command::new(std::env::current_exe()?)
        .args(["case", &name(row.work), &name(subject), &row.records.to_string()])
        .arg("--data")
        .arg(&data.dir)
        .arg("--pds")
        .arg(&data.pds)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let what = || format!("{} {} {}", name(row.work), name(subject), row.records);
    ensure!(output.status.success(), "{} failed", what());
    serde_json::from_slice(&output.stdout).with_context(what)
}

/// What the command line calls it.
pub(crate) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
}
