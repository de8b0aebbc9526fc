//! `pds`: git for AT Protocol repositories.
//!
//! Parses, runs one command, and turns what came of it into an exit code. Each verb is a file in
//! `commands`; they share nothing but how a source is opened and how output is written.

mod args;
mod commands;
mod failure;
mod open;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::{Failure, is_closed_pipe};
use crate::output::Output;

fn main() -> ExitCode {
    output::survive_file_size_limits();
    let cli = Cli::parse();
    let json = cli.json;
    let mut out = Output::new(json);
    let ended = commands::run(cli, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was done before the failure has been acknowledged and is to be seen.
            let _ = out.flush();
            let failure = Failure::of(&error);
            failure.print(json);
            failure.code.into()
        }
    }
}
