//! The page about the store in PostgreSQL.

use std::fmt::Write;

use anyhow::Result;

use crate::database::goal::{Line, Round};
use crate::database::server::Server;
use crate::machine::{Machine, version};
use crate::text::{number, wrapped};

pub(crate) struct Page<'a> {
    pub(crate) lines: &'a [Line],
    pub(crate) rounds: u32,
    pub(crate) server: &'a Server,
}

impl Page<'_> {
    /// The table of the goals.
    pub(crate) fn table(&self) -> String {
        let mut out = HEAD.to_owned();
        for line in self.lines {
            let (goal, found, is_met) = line.verdict();
            let Line { work, anchor, .. } = line;
            let time = |subject: fn(&Round) -> f64| time(line.each(subject));
            let (ours, theirs) = (time(|round| round.store.wall), time(|round| round.anchor.wall));
            let sqlite = time(|round| round.sqlite.wall);
            let (is_met, trips) = (met(is_met), line.trips.map_or("–".to_owned(), number));
            let over = line.over_sqlite();
            let _ = writeln!(
                out,
                "| {work} | {ours} | {anchor}: {theirs} | {goal} | {found:.2} | {is_met} | {trips} | {sqlite} | {over:.1} |"
            );
            if line.work.starts_with("put,")
                && let Some(trips) = line.trips
            {
                let is_met = met(trips <= MOST_TRIPS);
                let _ = writeln!(
                    out,
                    "| {work}: trips | | | ≤ {MOST_TRIPS} trips | {trips} | {is_met} | | | |"
                );
            }
        }
        out
    }

    /// The table of the CPU times. Where there is a proxy, this process is also the proxy.
    pub(crate) fn processors(&self) -> String {
        let mut out = CPU_HEAD.to_owned();
        for line in self.lines.iter().take_while(|line| line.anchor != "without latency") {
            let micros = |figure: fn(&Round) -> f64| format!("{:.1}", line.each(figure) * 1e6);
            let cells = [
                micros(|round| round.store.client),
                micros(|round| round.store.server),
                micros(|round| round.anchor.client),
                micros(|round| round.anchor.server),
                micros(|round| round.sqlite.client),
            ];
            let _ = writeln!(out, "| {} | {} |", line.work, cells.join(" | "));
        }
        out
    }

    pub(crate) fn text(&self) -> Result<String> {
        let (table, processors, rounds) = (self.table(), self.processors(), self.rounds);
        let settings = ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method"];
        let mut shown = Vec::new();
        for name in settings.into_iter().chain(["shared_buffers", "max_wal_size"]) {
            shown.push(format!("`{name} = {}`", self.server.setting(name)?));
        }
        let server = self.server.setting("server_version")?;
        let driver = version("postgres").unwrap_or_default();
        let machine = Machine::here()?;
        let sqlite = rusqlite::version();
        let machine = wrapped(&format!(
            "{}. PostgreSQL {server} with {}; the driver {driver}; SQLite {sqlite}. Rounds: {rounds}.",
            machine.computer(),
            shown.join(", "),
        ));
        Ok(format!("{INTRODUCTION}\n{table}\n{machine}\n{CPU}\n{processors}\n{NOTES}"))
    }
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

fn time(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{long:.2} s"),
        short if short >= 1e-3 => format!("{:.2} ms", short * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}

const HEAD: &str = "\
| work | PostgreSQL | anchor | goal | measured | | trips | SQLite | x SQLite |
|---|--:|--:|---|--:|---|--:|--:|--:|
";

const INTRODUCTION: &str = "\
# The store in PostgreSQL

`just bench-postgres` writes this page. It starts a server of its own as an ordinary user, from the programs of the
system (or of `PDS_POSTGRES_BIN`), on the disk that the SQLite files are on.

- Each round does all the work, and the subjects take turns. Times are medians; ratios are medians of the ratios of
  each round. The time of puts and of the import is that of one put and of one block.
- **put**: a signed commit on HEAD, a new version of one of 20 posts whose paths are in the cache, in a repository of
  30,000 records. The anchor is one prepared statement in one trip. It writes the same rows to the same tables: the
  blocks, the log row and the row of the account. With 32 accounts, each has 1,000 records, a thread, a store and a
  connection. The time is the wall time of all puts together, divided by their number.
- **import**: a CAR file into an empty account, with every hash, the tree and the signature checked. The anchor is the
  same rows in the same batches of 2,000, an `unnest` each, in one transaction. They are in memory.
- **verify**, **list**, **export**: the whole repository, with empty caches. A proxy delays each round trip by 1 ms. The
  anchor is the same work through such a proxy without a delay. `trips` is the number of round trips of the work, and
  of a put the most that any put needed.
- **SQLite** does the same work in a directory on disk, durable as always, without a proxy.
- The results are compared: roots, numbers and bytes of the rows, answers, and the exported file. A run in which two of
  them differ fails.
";

const CPU: &str = "\
## CPU time

Microseconds of CPU time for each put and each block: of this process, and of all processes of the server. If all cores
are busy, as with 32 accounts, the sum of both decides about the rate.
";

const CPU_HEAD: &str = "\
| work | pds | its server | anchor | its server | pds with SQLite |
|---|--:|--:|--:|--:|--:|
";

const MOST_TRIPS: u64 = 2;

/// Written by hand after a run: the reasons for missed goals.
const NOTES: &str = include_str!("notes.md");
