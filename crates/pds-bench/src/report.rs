//! The tables of a run.

use std::fmt::Write;

use crate::data::Data;
use crate::figures::{cpu_each, median, megabytes, ratio, wall_each};
use crate::measured::{Measured, name};
use crate::meter::Outcome;
use crate::plan::{Target, Task};
use crate::subject::Subject;
use crate::target::{Verdict, judge};
use crate::text::{number, wrapped};
use crate::work::{PARALLEL, Work};

pub(crate) struct Report<'a> {
    pub(crate) measured: &'a [Measured],
    pub(crate) rounds: u32,
    pub(crate) data: &'a Data,
}

impl Report<'_> {
    /// Everything that was measured: the targets, the growth, the parallel reads and every figure.
    pub(crate) fn tables(&self) -> String {
        format!(
            "## Targets\n\n{}{}{}\n## Every figure\n\n{}",
            self.targets(|_| true),
            self.growth(),
            self.parallel(),
            self.figures("###")
        )
    }

    /// Counts the targets that are met, and all targets.
    pub(crate) fn met(&self) -> (usize, usize) {
        let verdicts = || self.verdicts().map(|(_, verdict)| verdict);
        (verdicts().filter(|verdict| verdict.is_met).count(), verdicts().count())
    }

    /// The targets that are wanted, as a table.
    pub(crate) fn targets(&self, wanted: impl Fn(&Verdict) -> bool) -> String {
        let mut out = TARGETS_HEAD.to_owned();
        for (measured, verdict) in self.verdicts().filter(|(_, verdict)| wanted(verdict)) {
            let met = if verdict.is_met { "met" } else { "**missed**" };
            let (work, records) = (name(&measured.task.work), number(measured.records as u64));
            let (aim, found) = (verdict.aim, verdict.found);
            let _ = writeln!(out, "| {work} | {records} | {aim} | {found} | {met} |");
        }
        out
    }

    fn verdicts(&self) -> impl Iterator<Item = (&Measured, Verdict)> {
        self.measured.iter().flat_map(|measured| {
            let judged = |target: &Target| judge(*target, measured, self.data);
            measured.targets.iter().filter_map(judged).map(move |verdict| (measured, verdict))
        })
    }

    /// The fastest of the other libraries at the largest size of each piece of work, as a table.
    pub(crate) fn peers(&self) -> String {
        let mut rows: Vec<(&Measured, String)> = Vec::new();
        for measured in self.measured {
            let cpu = |subject: &Subject| {
                let outcomes = measured.outcomes.get(subject)?;
                Some(median(outcomes.iter().map(|outcome| outcome.cpu_s)))
            };
            let memory = |subject: &Subject| {
                let outcomes = measured.outcomes.get(subject)?;
                Some(median(outcomes.iter().map(megabytes)))
            };
            let peers = measured.outcomes.keys().filter(|subject| subject.is_peer());
            let fastest = peers.min_by(|a, b| {
                f64::total_cmp(&cpu(a).unwrap_or(f64::NAN), &cpu(b).unwrap_or(f64::NAN))
            });
            let Some(fastest) = fastest else { continue };
            let Some(to) = ratio(measured, *fastest, cpu_each) else { continue };
            let pds = &Subject::Pds;
            let (Some(our_cpu), Some(our_memory)) = (cpu(pds), memory(pds)) else { continue };
            let (Some(cpu), Some(memory)) = (cpu(fastest), memory(fastest)) else { continue };
            let row = format!(
                "| {} | {} | {our_cpu:.3} | {} {cpu:.3} | {to:.2} | {our_memory:.0} | {memory:.0} |",
                name(&measured.task.work),
                number(measured.records as u64),
                fastest.title(),
            );
            // The sizes ascend: a larger one takes the place of a smaller one.
            rows.retain(|(smaller, _)| smaller.task.work != measured.task.work);
            rows.push((measured, row));
        }
        let rows: Vec<String> = rows.into_iter().map(|(_, row)| row + "\n").collect();
        format!("{PEERS_HEAD}{}", rows.concat())
    }

    /// What one put and one get cost, from small to large repositories.
    pub(crate) fn growth(&self) -> String {
        let mut out = String::new();
        for work in [Work::Put, Work::GetFromDisk] {
            let (ours, theirs) =
                (self.grown(work, Subject::Pds), self.grown(work, Subject::Sqlite));
            let [(small, first), .., (large, last)] = ours[..] else { continue };
            let (by, logarithm) = (last / first, (large as f64).ln() / (small as f64).ln());
            let met = if by <= logarithm { "met" } else { "**missed**" };
            let mut text = format!(
                "Growth of `{}`, CPU each: {}. That is {by:.2}x, and the logarithm grows {logarithm:.2}x: {met}.",
                name(&work),
                listed(&ours)
            );
            if let [(_, first), .., (_, last)] = theirs[..] {
                let _ = write!(text, " Raw SQLite: {}, {:.2}x.", listed(&theirs), last / first);
            }
            let _ = write!(out, "\n{}", wrapped(&text));
        }
        for (import, put) in
            [(Work::SliceOfOne, Work::PutOfOne), (Work::SliceOfHundred, Work::PutOfHundred)]
        {
            let (read, by_puts) = (self.blocks_read(import), self.blocks_read(put));
            let [(_, first), .., (_, last)] = read[..] else { continue };
            let listed = |sizes: &[(usize, f64)]| {
                let size = |(records, blocks): &(usize, f64)| {
                    format!("{blocks:.1} at {}", number(*records as u64))
                };
                sizes.iter().map(size).collect::<Vec<_>>().join(", ")
            };
            let by = last / first;
            let met = if by <= 3.0 { "met" } else { "**missed**" };
            let text = format!(
                "Blocks that one import of `{}` reads from the store: {}. That is {by:.2}x, and the target is 3x: {met}. The puts read {}.",
                name(&import),
                listed(&read),
                listed(&by_puts)
            );
            let _ = write!(out, "\n{}", wrapped(&text));
        }
        out
    }

    /// Returns the number of blocks that one commit reads, by the number of records.
    fn blocks_read(&self, work: Work) -> Vec<(usize, f64)> {
        let measured = self.measured.iter().filter(|measured| measured.task.work == work);
        let each = |measured: &Measured| {
            let outcomes = measured.outcomes.get(&Subject::Pds)?;
            let read = |outcome: &Outcome| Some(outcome.blocks_read? as f64 / outcome.times as f64);
            Some((measured.records, median(outcomes.iter().filter_map(read))))
        };
        measured.filter_map(each).collect()
    }

    /// The speed of parallel reads on the clock, all threads together.
    pub(crate) fn parallel(&self) -> String {
        let (mut out, mut head) = (String::new(), PARALLEL_HEAD);
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
        out
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

    /// Every figure, a table for each piece of work under a heading like this.
    pub(crate) fn figures(&self, heading: &str) -> String {
        let mut out = LEGEND.to_owned();
        let mut task: Option<&Task> = None;
        for measured in self.measured {
            if task.is_none_or(|task| task.work != measured.task.work) {
                task = Some(measured.task);
                let _ = writeln!(
                    out,
                    "\n{heading} {}\n\n{}\n{HEAD}",
                    name(&measured.task.work),
                    wrapped(measured.task.title)
                );
            }
            for subject in measured.task.subjects {
                figure(measured, *subject, &mut out);
            }
        }
        out
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

fn listed(sizes: &[(usize, f64)]) -> String {
    let size =
        |(records, micros): &(usize, f64)| format!("{micros:.1} µs at {}", number(*records as u64));
    sizes.iter().map(size).collect::<Vec<_>>().join(", ")
}

const LEGEND: &str = "\
\"each\" is the CPU time for one record, key or commit. \"CPU to it\" and \"wall to it\" are the time of pds as a multiple of
the time of that row: below 1, pds is faster. Memory is the peak above an empty process; for work that runs as a
process of its own, it is all memory of that process.
";

const TARGETS_HEAD: &str = "\
| work | records | target | measured | |
|---|--:|---|--:|---|
";

const PEERS_HEAD: &str = "\
| work | records | pds, CPU s | fastest other library, CPU s | ratio | pds, MB | other, MB |
|---|--:|--:|--:|--:|--:|--:|
";

const HEAD: &str = "\
| records | | CPU s | wall s | each µs | memory MB | CPU to it | wall to it |
|--:|---|--:|--:|--:|--:|--:|--:|";

const PARALLEL_HEAD: &str = "
Parallel reads: thousands of records a second on the clock, all threads together. The last column is the speed of pds
as a share of the speed of raw SQLite with the same number of threads.

| threads | pds | raw SQLite | share |
|--:|--:|--:|--:|
";
