//! `pds`: git for AT Protocol repositories.
//!
//! Parses the command line, runs one command, and turns its result into an exit code. Each verb is a file
//! in `commands`, and its answers are files in `answers` (JSON) and `screens` (terminals).

mod answers;
mod args;
mod arguments;
mod commands;
mod completion;
mod failures;
mod help;
mod input;
mod patch;
mod process;
mod record_export;
mod records;
mod repository;
mod screens;
mod terminal;

use std::process::ExitCode;

use crate::args::Cli;
use crate::failures::errors::{is_closed_pipe, is_swept};
use crate::failures::failure::Failure;
use crate::failures::partial::{after_change, exit_with_faults};
use crate::process::output::Output;
use crate::terminal::looks::set_messages;

fn main() -> ExitCode {
    process::output::survive_file_size_limits();
    if completion::answer::answer(Cli::program) {
        return ExitCode::SUCCESS;
    }
    #[cfg(unix)]
    process::signals::end_cleanly();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return failures::failure::of_usage(&error, Cli::program()),
    };
    let (json, is_about_one_block) = (cli.json, cli.is_about_one_block());
    set_messages(cli.color);
    let mut out = Output::new(cli.form());
    // Output of a command that fails later is still written: it acknowledges finished work.
    let mut ended = cli.run(&mut out);
    // `gc` or `forget` may delete a state while a command reads it. The command then starts over, unless part
    // of its answer has left the process.
    for _ in 0..MAX_TRIES {
        match &ended {
            Err(error) if is_swept(error) && out.take_back() => {}
            _ => break,
        }
        let Ok(cli) = Cli::read() else { break };
        ended = cli.run(&mut out);
    }
    let flushed = out.finish();
    let failed = |error: &anyhow::Error| {
        let failure = Failure::of(error);
        failure.print(json);
        process::editor::name_kept();
        failure.code.into()
    };
    match (ended, flushed) {
        (Ok(exit), Ok(())) if is_about_one_block => exit.into(),
        (Ok(exit), Ok(())) => exit_with_faults(exit).into(),
        // The reader of standard output closed the pipe: it has seen enough.
        (Err(error), _) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        (Err(error), _) if out.is_done() => failed(&after_change(error)),
        (Err(error), _) | (Ok(_), Err(error)) => failed(&error),
    }
}

/// How many times a command starts over if its state is deleted while it is read.
const MAX_TRIES: usize = 20;
