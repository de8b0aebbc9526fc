//! The page about performance, and the tables in files next to it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::report::Report;
use crate::text::wrapped;

/// Writes the page, and `targets.md` and `figures.md` into a directory of the page's name.
pub(crate) fn write(report: &Report<'_>, page: &Path) -> Result<()> {
    let tables = page.with_extension("");
    let room = tables.file_name().and_then(|name| name.to_str()).context("a page has a name")?;
    fs::create_dir_all(&tables)?;
    let written_by = "`just bench` writes this file.";
    let targets = report.targets(|_| true);
    fs::write(tables.join("targets.md"), format!("# Targets\n\n{written_by}\n\n{targets}"))?;
    let figures = report.figures("##");
    fs::write(tables.join("figures.md"), format!("# Figures\n\n{written_by}\n\n{figures}"))?;
    fs::write(page, text(report, room)?)?;
    Ok(())
}

fn text(report: &Report<'_>, room: &str) -> Result<String> {
    let machine = wrapped(&Machine::here()?.to_string());
    let rounds = report.rounds;
    let (met, all) = report.met();
    let count = format!("{met} of {all} targets are met ([all targets]({room}/targets.md)).");
    let missed = match all - met {
        0 => "\n".to_owned(),
        _ => format!(" The others:\n\n{}", report.targets(|verdict| !verdict.is_met)),
    };
    let (peers, growth, parallel) = (report.peers(), report.growth(), report.parallel());
    Ok(format!(
        "# Performance\n\n{INTRODUCTION}\nEvery figure is in [{room}/figures.md]({room}/figures.md). Rounds: {rounds}.\n\n\
         {machine}\n## Targets\n\n{count}{missed}\n{MISSED}\n## Other libraries\n\n{PEERS}\n{peers}\n\
         ## Growth and threads\n{growth}{parallel}"
    ))
}

const INTRODUCTION: &str = "\
`just bench` builds `pds` and runs one program (`crates/pds-bench`). It does the same work with this library, with five
other libraries, and with the least that the machine needs for it: SQLite alone, hashing alone, signing alone.

- The repositories are generated, the same in each run: 30% posts, 50% likes, 20% follows, TID keys, one commit.
- Each piece of work runs in a process of its own. The rounds are interleaved, so that other load on the machine slows
  all of them alike.
- Figures are medians; ratios are medians of the ratios of each round. Ratios and CPU time depend least on other load.
  A figure within a fifth of its target may fall on either side in another run.
- The results of all libraries are compared, and a run in which two of them differ fails.

`just bench-postgres` measures the store in PostgreSQL ([performance/postgres.md](performance/postgres.md)), and
`just bench-network` clone, pull and follow with a real host ([performance/network.md](performance/network.md)).
";

const PEERS: &str = "\
CPU time and memory at the largest size, next to the other library that takes the least CPU time. The ratio is pds as
a multiple of that library: below 1, pds is faster.
";

/// Written by hand after a run: the reasons for missed targets.
const MISSED: &str = include_str!("missed.md");
