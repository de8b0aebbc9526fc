//! Failures as users and scripts see them: an exit code, a name, a sentence and a hint.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use pds::model::revision_error::Candidate;
use pds::syntax::Tid;
use serde_json::json;

use crate::failures::errors::classify;
use crate::failures::exit::Exit;
use crate::failures::usage::{Typed, advice, habit, message_of};
use crate::input::secrets::hide_secrets;
use crate::process::text::counted_plain;
use crate::terminal::looks::messages_have_colour;
use crate::terminal::messages::message_text;
use crate::terminal::safe_text::printable;
use crate::terminal::short_cids::ShortCids;
use crate::terminal::times::Times;

/// A failure, ready to be printed.
pub(crate) struct Failure {
    pub(crate) code: Exit,
    name: &'static str,
    message: String,
    /// The message on several lines, for a terminal, if it is easier to read so.
    screen: Option<String>,
    hint: Option<Cow<'static, str>>,
}

impl Failure {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let (code, name, hint) = classify(error);
        let mut message = error.to_string();
        let mut last = message.clone();
        for cause in error.chain().skip(1) {
            let text = cause.to_string();
            // A transparent error repeats the error that it wraps, and an SQLite error nearly does.
            if !message.ends_with(&text) && !text.ends_with(&last) {
                message.push_str(": ");
                message.push_str(&text);
                last = text;
            }
        }
        let screen = error.downcast_ref().and_then(revision_screen);
        let hint = hint.map(Cow::Borrowed);
        Self { code, name, message: hide_secrets(&message).into_owned(), screen, hint }
    }

    /// Returns the name of the failure for scripts.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Tells whether the failure has a next step.
    pub(crate) fn has_hint(&self) -> bool {
        self.hint.is_some()
    }

    /// Prints the failure on standard error, as one line and an optional hint.
    pub(crate) fn print(&self, json: bool) {
        let mut err = io::stderr().lock();
        // If standard error fails too, no way is left to report it.
        let _ = if json {
            let line = json!({ "error": self.name, "message": self.message }).to_string();
            writeln!(err, "{}", printable(&line))
        } else {
            let hint = self.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
            let lines = match &self.screen {
                Some(screen) if err.is_terminal() => screen.clone(),
                _ => one_line(&self.message),
            };
            let message = format!("error: {lines}{}", hint.unwrap_or_default());
            writeln!(err, "{}", message_text(&message))
        };
    }
}

/// Returns an unknown revision with the reason on its own line. Commits that fit have their times.
fn revision_screen(error: &pds::Error) -> Option<String> {
    let pds::Error::Revision(error) = error else { return None };
    let times = Times::of_system(false);
    let mut short = ShortCids::default();
    error.candidates.iter().for_each(|one| short.note(&one.commit));
    let mut shown = |one: &Candidate| {
        let time = one.rev.and_then(Tid::rev_micros);
        let time = time.map(|time| format!(" ({})", times.relative(time).render(false)));
        format!("{}{}", short.short(&one.commit), time.unwrap_or_default())
    };
    let reason = match error.candidates.len() {
        0 => error.reason.clone(),
        count => {
            let shown: Vec<String> = error.candidates.iter().map(&mut shown).collect();
            format!("{} begin with it: {}", counted_plain(count as u64, "commit"), shown.join(", "))
        }
    };
    Some(format!("unknown revision \"{}\"\n  {}", one_line(&error.text), one_line(&reason)))
}

/// Reports a command line that cannot be parsed, or prints the help that the user asked for.
pub(crate) fn of_usage(error: &clap::Error, mut command: clap::Command) -> ExitCode {
    let json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if !error.use_stderr() {
        // If standard output fails, no way is left to report it.
        let _ = error.print();
        return Exit::Done.into();
    }
    command.build();
    let typed = Typed::read(std::env::args_os().skip(1), &command);
    if let Some((message, hint)) = habit(error, &typed) {
        let message = hide_secrets(&message).into_owned();
        let hint = Some(Cow::Owned(hide_secrets(&hint).into_owned()));
        Failure { code: Exit::Usage, name: "usage", message, screen: None, hint }.print(json);
        return Exit::Usage.into();
    }
    // With PDS_REPO or an option, the command line is not empty, and clap has another name for the same.
    let has_no_command = matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    );
    if has_no_command && !json {
        let _ = write!(io::stderr().lock(), "{}", help_of(typed.command));
        return Exit::Usage.into();
    }
    let message = match has_no_command {
        true => "no command was given".to_owned(),
        false => hide_secrets(&message_of(error)).into_owned(),
    };
    let hint = advice(error, &typed).map(|hint| Cow::Owned(hide_secrets(&hint).into_owned()));
    Failure { code: Exit::Usage, name: "usage", message, screen: None, hint }.print(json);
    Exit::Usage.into()
}

/// Returns the help of a command for standard error.
fn help_of(command: &clap::Command) -> String {
    let help = command.clone().render_help();
    match messages_have_colour() {
        true => help.ansi().to_string(),
        false => help.to_string(),
    }
}

/// Replaces control characters, which may come from hostile input, by spaces.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
