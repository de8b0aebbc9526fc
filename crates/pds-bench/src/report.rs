//! The tables, and the page with them.

use std::fmt::Write;

use anyhow::Result;

use crate::case::Subject;
use crate::data::Data;
use crate::machine::Machine;
use crate::meter::Outcome;
use crate::plan::Task;
use crate::run::{Measured, name};
use crate::target::judge;
use crate::work::{PARALLEL, Work};

pub(crate) struct Report<'a> {
    pub(crate) measured: &'a [Measured],
    pub(crate) rounds: u32,
    pub(crate) data: &'a Data,
}

impl Report<'_> {
    /// The whole page.
    pub(crate) fn page(&self) -> Result<String> {
        let machine = Machine::here()?;
        let rounds = self.rounds;
        Ok(format!(
            "# Performance\n\n{INTRODUCTION}\n{machine}\nRounds: {rounds}. Command: `just bench`, \
             which builds `pds` and runs `pds-bench run`.\n\n{}",
            self.tables(MISSED)
        ))
    }

    /// The targets, the growth, the parallel reads, what is to be said of them, and every figure.
    pub(crate) fn tables(&self, remarks: &str) -> String {
        let mut out = String::new();
        self.targets(&mut out);
        self.growth(&mut out);
        self.parallel(&mut out);
        if !remarks.is_empty() {
            let _ = write!(out, "\n{remarks}");
        }
        self.figures(&mut out);
        out
    }

    fn targets(&self, out: &mut String) {
        out.push_str(
            "## Targets\n\n| work | records | target | measured | |\n|---|--:|---|--:|---|\n",
        );
        for measured in self.measured {
            for target in measured.targets {
                let Some(verdict) = judge(*target, measured, self.data) else { continue };
                let met = if verdict.is_met { "met" } else { "**missed**" };
                let (work, records) = (name(&measured.task.work), number(measured.records as u64));
                let (aim, found) = (verdict.aim, verdict.found);
                let _ = writeln!(out, "| {work} | {records} | {aim} | {found} | {met} |");
            }
        }
    }

    /// What one put and one get cost, from small to large repositories.
    fn growth(&self, out: &mut String) {
        for work in [Work::Put, Work::GetFromDisk] {
            let (ours, theirs) =
                (self.grown(work, Subject::Pds), self.grown(work, Subject::Sqlite));
            let [(small, first), .., (large, last)] = ours[..] else { continue };
            let (by, logarithm) = (last / first, (large as f64).ln() / (small as f64).ln());
            let met = if by <= logarithm { "met" } else { "**missed**" };
            let _ = writeln!(
                out,
                "\nGrowth of `{}`, CPU each: {}. That is {by:.2}x, where the logarithm grows {logarithm:.2}x: {met}.",
                name(&work),
                listed(&ours)
            );
            if let [(_, first), .., (_, last)] = theirs[..] {
                let _ = writeln!(out, "Raw SQLite: {}, {:.2}x.", listed(&theirs), last / first);
            }
        }
    }

    /// The speed of parallel reads on the clock, all threads together.
    fn parallel(&self, out: &mut String) {
        let mut head = PARALLEL_HEAD;
        for measured in self.measured.iter().filter(|m| PARALLEL.contains(&m.task.work)) {
            let speed = |subject: Subject| {
                let outcomes = measured.outcomes.get(&subject)?;
                let thousands = 1e-3 / median(outcomes.iter().map(wall_each));
                Some(format!("{thousands:.1}"))
            };
            let Some(ours) = speed(Subject::Pds) else { continue };
            let theirs = speed(Subject::Sqlite).unwrap_or_default();
            let share = ratio(measured, Subject::Sqlite, wall_each)
                .map_or_else(String::new, |ratio| format!("{:.2}", 1.0 / ratio));
            let threads = measured.task.work.threads();
            let _ = writeln!(out, "{head}| {threads} | {ours} | {theirs} | {share} |");
            head = "";
        }
    }

    /// CPU microseconds each, by the number of records.
    fn grown(&self, work: Work, subject: Subject) -> Vec<(usize, f64)> {
        let measured = self.measured.iter().filter(|measured| measured.task.work == work);
        let each = |measured: &Measured| {
            let outcomes = measured.outcomes.get(&subject)?;
            Some((measured.records, median(outcomes.iter().map(cpu_each)) * 1e6))
        };
        measured.filter_map(each).collect()
    }

    fn figures(&self, out: &mut String) {
        let _ = writeln!(out, "\n## Every figure\n\n{LEGEND}");
        let mut task: Option<&Task> = None;
        for measured in self.measured {
            if task.is_none_or(|task| task.work != measured.task.work) {
                task = Some(measured.task);
                let _ = writeln!(
                    out,
                    "\n### {}\n\n{}\n\n{HEAD}",
                    name(&measured.task.work),
                    measured.task.title
                );
            }
            for subject in measured.task.subjects {
                figure(measured, *subject, out);
            }
        }
    }
}

fn figure(measured: &Measured, subject: Subject, out: &mut String) {
    let Some(outcomes) = measured.outcomes.get(&subject) else { return };
    let cpu = median(outcomes.iter().map(|outcome| outcome.cpu_s));
    let wall = median(outcomes.iter().map(|outcome| outcome.wall_s));
    let each = median(outcomes.iter().map(|outcome| outcome.cpu_s * 1e6 / outcome.times as f64));
    let memory = median(outcomes.iter().map(megabytes));
    let to = |figure: fn(&Outcome) -> f64| match ratio(measured, subject, figure) {
        Some(ratio) if subject != Subject::Pds => format!("{ratio:.2}"),
        _ => String::new(),
    };
    let (cpu_to, wall_to) = (to(cpu_each), to(wall_each));
    let _ = writeln!(
        out,
        "| {} | {} | {cpu:.4} | {wall:.4} | {each:.2} | {memory:.1} | {cpu_to} | {wall_to} |",
        number(measured.records as u64),
        subject.title()
    );
}

/// Ours as a multiple of theirs: the median of the rounds' ratios.
pub(crate) fn ratio(
    measured: &Measured,
    to: Subject,
    figure: impl Fn(&Outcome) -> f64,
) -> Option<f64> {
    let (ours, theirs) = (measured.outcomes.get(&Subject::Pds)?, measured.outcomes.get(&to)?);
    Some(median(ours.iter().zip(theirs).map(|(ours, theirs)| figure(ours) / figure(theirs))))
}

pub(crate) fn cpu_each(outcome: &Outcome) -> f64 {
    outcome.cpu_s / outcome.times as f64
}

pub(crate) fn wall_each(outcome: &Outcome) -> f64 {
    outcome.wall_s / outcome.times as f64
}

pub(crate) fn megabytes(outcome: &Outcome) -> f64 {
    outcome.peak_bytes as f64 / 1e6
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(figures[middle - 1], figures[middle]),
        _ => figures[middle],
    }
}

fn listed(sizes: &[(usize, f64)]) -> String {
    let size =
        |(records, micros): &(usize, f64)| format!("{micros:.1} µs at {}", number(*records as u64));
    sizes.iter().map(size).collect::<Vec<_>>().join(", ")
}

/// With commas between thousands.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

const INTRODUCTION: &str = "\
Every figure below is from one run of one program (`crates/pds-bench`), which does the same work with this library, with the
other libraries of the field, and with the least the machine needs for it. The repositories are made up and the same each time:
30% posts, 50% likes, 20% follows, TID keys, one signed commit. Each piece of work has a process of its own; the rounds are
interleaved, so that what else the machine does meets everyone alike. Figures are medians, ratios are medians of the ratios of
each round. Read the ratios and the CPU time: the clock carries the neighbours. What comes out of each piece of work is compared,
and a run in which two disagree fails.
";

const LEGEND: &str = "\
\"each\" is CPU time for one record, key or commit. \"CPU to it\" and \"wall to it\" are ours as a multiple of theirs: below 1, ours is
less. Memory is the peak beyond an empty process; for the work of a process it is all that the process had.";

const HEAD: &str = "\
| records | | CPU s | wall s | each µs | memory MB | CPU to it | wall to it |
|--:|---|--:|--:|--:|--:|--:|--:|";

const PARALLEL_HEAD: &str = "
Parallel reads: thousands of records a second on the clock, all threads together. The last column is the speed of pds
as a share of the speed of raw SQLite with the same number of threads.

| threads | pds | raw SQLite | share |
|--:|--:|--:|--:|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < f64::EPSILON);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn numbers_are_parted_by_thousands() {
        let texts = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}

/// Written by hand, after a run: why what is missed is missed.
const MISSED: &str = include_str!("missed.md");
