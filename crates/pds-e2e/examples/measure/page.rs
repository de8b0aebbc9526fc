//! The page with the figures.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::Bench;

/// A row of the table.
pub(crate) struct Row {
    work: String,
    goal: String,
    most: f64,
    against: String,
    pairs: Vec<(Duration, Duration)>,
    /// The figure, if it is no ratio, and whether the goal is met.
    amount: Option<(String, bool)>,
}

impl Row {
    /// A row of ratios, with the largest one that meets the goal.
    pub(crate) fn ratios(work: &str, most: f64) -> Self {
        let (work, goal) = (work.to_owned(), format!("≤ {most} x"));
        Self { work, goal, most, against: String::new(), pairs: Vec::new(), amount: None }
    }

    /// A row with one figure.
    pub(crate) fn amount(work: &str, goal: &str, measured: &str, is_met: bool) -> Self {
        let amount = Some((measured.to_owned(), is_met));
        Self { amount, goal: format!("≤ {goal}"), ..Self::ratios(work, 0.0) }
    }

    /// Adds what was measured, and what it is compared with.
    pub(crate) fn add(&mut self, ours: Duration, anchor: Duration) {
        self.pairs.push((ours, anchor));
    }

    pub(crate) fn against(mut self, anchor: &str) -> Self {
        self.against = anchor.to_owned();
        self
    }

    fn text(&self) -> String {
        let Self { work, goal, against, .. } = self;
        let (measured, is_met) = self.amount.clone().unwrap_or_else(|| {
            let mut ratios: Vec<f64> = self
                .pairs
                .iter()
                .map(|(ours, anchor)| ours.as_secs_f64() / anchor.as_secs_f64())
                .collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios[ratios.len() / 2];
            (format!("{median:.2}"), median <= self.most)
        });
        let verdict = if is_met { "met" } else { "**missed**" };
        format!("| {work} | {against} | {goal} | {measured} | {verdict} |")
    }
}

/// Returns the page.
pub(crate) fn page(rows: &[Row], bench: &Bench) -> String {
    let mut text = BEGINNING.to_owned();
    for row in rows {
        writeln!(text, "{}", row.text()).unwrap();
    }
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().unwrap();
    let Bench { records, blobs, rounds, .. } = bench;
    writeln!(
        text,
        "\nThe account has {records} records and {blobs} blobs of 20,000 bytes. Rounds of clones: {rounds}.\n\
        Machine: {model}, {cores} cores, shared by the host and the client."
    )
    .unwrap();
    text
}

const BEGINNING: &str = "\
# The network

`just bench-network` writes this page. It starts a real host on this machine, fills an account, and runs the release
build of `pds` against it. What is compared runs in the same round, with gzip. Ratios are medians; CPU time is that of
the client.

| work | compared with | goal | measured | |
|---|---|---|--:|---|
";
