//! All the work in turns, with a server that the program starts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::data::Data;
use crate::database::accounts::{create_filled, new_did};
use crate::database::clock::Clock;
use crate::database::goal::{Goal, Line};
use crate::database::page::Page;
use crate::database::proxy::Proxy;
use crate::database::reads::{Proxies, READS};
use crate::database::server::Server;
use crate::database::{import, many, put, reads};
use crate::text::number;

#[derive(Debug, clap::Args)]
pub(crate) struct DatabaseOptions {
    /// How often everything is done; the figures are medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Write the page to this file
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Runs everything, and prints the table. Fails if results differ.
pub(crate) fn run(options: &DatabaseOptions, data: &Data) -> Result<ExitCode> {
    for records in [many::RECORDS, put::RECORDS, import::RECORDS] {
        data.forget_stores(records)?;
        data.prepare(records)?;
    }
    let server = Server::start()?;
    let is_one_disk = fs::metadata(&server.dir)?.dev() == fs::metadata(&data.dir)?.dev();
    ensure!(
        is_one_disk,
        "the data of the server is on another disk: set TMPDIR to a directory on that of --data"
    );
    let delayed = |delay| Proxy::start(server.port, delay);
    let proxies = Proxies { near: delayed(Duration::ZERO)?, far: delayed(LATENCY)? };
    let read = new_did()?;
    create_filled(server.port, &read, reads::RECORDS, data)?;

    let clock = Clock::of(&server)?;
    let mut lines = lines();
    for round in 1..=options.rounds {
        let say = |work: &str| eprintln!("round {round} of {}: {work}", options.rounds);
        let [one, many, import, reads @ ..] = &mut lines;
        say(&one.work);
        let (found, trips) = put::one_account(&server, &proxies.near, data)?;
        one.rounds.push(found);
        one.trips = one.trips.max(Some(trips));
        say(&many.work);
        many.rounds.push(many::accounts(&server, data)?);
        say(&import.work);
        let (found, blocks) = import::whole_repository(&server, data)?;
        import.rounds.push(found);
        import.times = blocks;
        import.work = format!("import {} blocks", number(blocks as u64));
        for (line, one) in reads.iter_mut().zip(&READS) {
            say(&line.work);
            let (found, trips) = one.run((&clock, &proxies), &read, data)?;
            line.rounds.push(found);
            line.trips = Some(trips);
        }
    }

    let page = Page { lines: &lines, rounds: options.rounds, server: &server };
    print!("{}\n{}", page.table(), page.processors());
    if let Some(path) = &options.page {
        fs::write(path, page.text()?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of the table, in the order in which a round does the work.
fn lines() -> [Line; 6] {
    let line = |work: String, anchor, times, goal| {
        let (trips, rounds) = (None, Vec::new());
        Line { work, anchor, times, goal, trips, rounds }
    };
    let one = "put, one account".to_owned();
    let many = format!("puts, {} accounts at once", many::ACCOUNTS);
    let statement = "one bare statement";
    let [verify, list, export] = READS.each_ref().map(|read| {
        let work = format!("{} {} records, 1 ms a trip", read.name, number(reads::RECORDS as u64));
        line(work, "without latency", read.times, Goal::Wall(2.0))
    });
    [
        line(one, statement, put::PUTS, Goal::Wall(1.5)),
        line(many, statement, many::ACCOUNTS * many::PUTS_EACH, Goal::Rate(0.7)),
        line("import".to_owned(), "bare batches", 1, Goal::Wall(1.2)),
        verify,
        list,
        export,
    ]
}

/// The delay of each round trip.
const LATENCY: Duration = Duration::from_millis(1);
