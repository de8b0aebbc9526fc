//! Measures `pds` against other libraries and against what the machine can do.

mod case;
mod data;
#[cfg(feature = "postgres")]
mod database;
mod figures;
mod files;
mod generate;
mod limits;
mod loaded;
mod logs;
mod machine;
mod measured;
mod meter;
mod ours;
mod page;
#[cfg(feature = "peers")]
mod peers;
mod plan;
mod prepare;
mod report;
mod rows;
mod run;
mod sqlite;
mod subject;
mod target;
mod text;
mod threads;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::data::Data;
use crate::subject::Subject;
use crate::work::Work;

/// Measure pds against other libraries and the limits of the machine
#[derive(Debug, Parser)]
#[command(name = "pds-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Where the made-up repositories are kept
    #[arg(long, global = true, value_name = "DIR", default_value = "target/pds-bench")]
    data: PathBuf,

    /// The binary that is measured as a process
    #[arg(long, global = true, value_name = "FILE", default_value = "target/release/pds")]
    pds: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make repositories of these many records
    Generate {
        #[arg(default_values_t = [1_000, 100_000, 1_000_000])]
        records: Vec<usize>,
    },
    /// Do one piece of work in this process, and print what it cost
    Case {
        work: Work,
        subject: Subject,
        #[arg(default_value_t = 100_000)]
        records: usize,
    },
    /// Do all the work in turns, each in a process of its own, and print the table
    Run(run::Options),
    /// Measure the store in PostgreSQL, next to bare statements and to the store in SQLite
    #[cfg(feature = "postgres")]
    Postgres(database::run::DatabaseOptions),
}

fn main() -> Result<ExitCode> {
    meter::note_empty_process()?;
    let arguments = Arguments::parse();
    let data = Data { dir: arguments.data, pds: arguments.pds };
    match arguments.command {
        Command::Generate { records } => {
            for records in records {
                data.prepare(records)?;
            }
        }
        Command::Case { work, subject, records } => {
            let outcome = case::run(work, subject, records, &data)?;
            println!("{}", serde_json::to_string(&outcome)?);
        }
        Command::Run(options) => return run::run(&options, &data),
        #[cfg(feature = "postgres")]
        Command::Postgres(options) => return database::run::run(&options, &data),
    }
    Ok(ExitCode::SUCCESS)
}
