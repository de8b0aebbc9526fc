//! Questions before work that cannot be undone, or that concerns many records.
//!
//! A question is asked on standard error and answered on standard input, if both are terminals. `--yes` answers it.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::{Context, Result};

use crate::failures::exit::Stated;
use crate::terminal::messages::question_text;

/// The options of a verb that deletes: a plan without a change, and the answer to its question.
#[derive(Debug, clap::Args)]
pub(crate) struct DeletionArgs {
    /// Show what would be deleted, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do it without a question
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Tells whether the user can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The error for work that needs an answer, if the user cannot be asked.
pub(crate) fn needs_yes<T>(work: &str) -> Result<T> {
    Stated::usage(format!("{work} needs an answer, and there is no terminal to ask on"))
        .hint("add --yes to do it without a question; --dry-run shows what it would do")
        .fail()
}

/// Asks a question that is answered with yes or no. Any other answer is no.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    let answer = ask(&format!("{question} [y/N]"))?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a number: only the expected one means yes.
pub(crate) fn confirm_number(question: &str, expected: u64) -> Result<bool> {
    let answer = ask(&format!("{question} ({expected}):"))?;
    Ok(answer.replace(',', "").parse() == Ok(expected))
}

/// Ends a command because the answer was no.
pub(crate) fn declined<T>() -> Result<T> {
    Stated::no("declined", "nothing was changed").fail()
}

fn ask(prompt: &str) -> Result<String> {
    let mut to = io::stderr().lock();
    write!(to, "{}", question_text(prompt)).and_then(|()| to.flush()).context("cannot ask")?;
    drop(to);
    let mut line = String::new();
    let mut from = io::stdin().lock().take(MAX_ANSWER_BYTES);
    if from.read_line(&mut line).context("cannot read the answer")? == 0 {
        // The shell continues on a line of its own.
        let _ = writeln!(io::stderr());
    }
    Ok(line.trim().to_owned())
}

/// No answer is longer.
const MAX_ANSWER_BYTES: u64 = 1_000;
