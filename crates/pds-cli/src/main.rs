//! `pds`: git for AT Protocol repositories.
//!
//! Parses, runs one command, and turns what came of it into an exit code. Each verb is a file in
//! `commands`; they share nothing but how a source is opened and how output is written.

mod args;
mod commands;
mod destination;
mod failure;
mod gaps;
mod harms;
mod identity;
mod json_input;
mod open;
mod output;
mod progress;
mod state;

use std::process::ExitCode;

use crate::args::Cli;
use crate::failure::{Failure, is_closed_pipe, is_swept};
use crate::output::Output;

fn main() -> ExitCode {
    output::survive_file_size_limits();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return failure::of_usage(&error),
    };
    let json = cli.json;
    let mut out = Output::new(json);
    // What was done before a failure has been acknowledged and is to be seen.
    let mut ended = commands::run(cli, &mut out);
    // A reader begins again while nothing of its answer has left: gc or forget was faster.
    for _ in 0..MAX_TRIES {
        match &ended {
            Err(error) if is_swept(error) && out.take_back() => {}
            _ => break,
        }
        let Ok(cli) = Cli::read() else { break };
        ended = commands::run(cli, &mut out);
    }
    let flushed = out.flush();
    let failed = |error: &anyhow::Error| {
        let failure = Failure::of(error);
        failure.print(json);
        failure.code.into()
    };
    match (ended, flushed) {
        (Ok(exit), Ok(())) => exit.into(),
        // Whoever read the bytes of a file has seen enough.
        (Err(error), _) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        (Err(error), _) | (Ok(_), Err(error)) => failed(&error),
    }
}

/// How often a command begins again whose state was deleted while it was being read.
const MAX_TRIES: usize = 20;
