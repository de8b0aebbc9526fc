//! `pds`: git for AT Protocol repositories.
//!
//! Parses the command line, runs one command, and turns its result into an exit code. Each verb is a file
//! in `commands`, and its answers are a file in `answers`.

mod answers;
mod args;
mod arrivals;
mod blob_files;
mod blob_notes;
mod bsky_url;
mod changes;
mod clock;
mod commands;
mod completion;
mod damage;
mod database;
mod destination;
mod editor;
mod errors;
mod exit;
mod exported_line;
mod failure;
mod filled_file;
mod first_argument;
mod foreign_file;
mod habits;
mod help;
mod history_args;
mod identity;
mod json_form;
mod json_input;
mod leftovers;
mod manual;
mod open;
mod output;
mod partial;
mod patch;
mod portable_name;
mod progress;
mod progress_line;
mod questions;
mod record;
mod record_at;
mod record_directory;
mod record_envelope;
mod record_export;
mod record_files;
mod record_line;
mod record_pattern;
mod record_reader;
mod record_time;
mod screens;
mod secret_file;
mod secrets;
mod short_cid;
mod shown;
#[cfg(unix)]
mod signals;
mod signed;
mod spool;
mod state_arg;
mod statistics;
mod store_arg;
mod stored_handles;
mod stream;
mod terminal;
mod text;
mod usage;
mod when;
mod write_input;

use std::process::ExitCode;

use crate::args::Cli;
use crate::errors::{is_closed_pipe, is_swept};
use crate::failure::Failure;
use crate::output::Output;
use crate::partial::exit_with_faults;
use crate::terminal::looks::set_messages;

fn main() -> ExitCode {
    output::survive_file_size_limits();
    if completion::answer::answer(Cli::program) {
        return ExitCode::SUCCESS;
    }
    #[cfg(unix)]
    signals::end_cleanly();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return failure::of_usage(error, Cli::program()),
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
        failure.code.into()
    };
    match (ended, flushed) {
        (Ok(exit), Ok(())) if is_about_one_block => exit.into(),
        (Ok(exit), Ok(())) => exit_with_faults(exit).into(),
        // The reader of standard output closed the pipe: it has seen enough.
        (Err(error), _) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        (Err(error), _) | (Ok(_), Err(error)) => failed(&error),
    }
}

/// How many times a command starts over if its state is deleted while it is read.
const MAX_TRIES: usize = 20;
