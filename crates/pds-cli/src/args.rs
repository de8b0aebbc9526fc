//! The command line as a whole.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::arguments::first_argument::moved;
use crate::commands::{
    apply, blob, cid, clone, completions, diff, edit, export, forget, gc, get, help, identity,
    import, info, init, key, log, ls, man, merge, mst, prove, pull, put, recover, reflog, refs,
    repair, reset, revert, rm, show, stats, tid, unpack, verify, verify_proof,
};
use crate::failures::exit::Exit;
use crate::failures::usage::with_counts;
use crate::help::overview::overview;
use crate::process::output::{Form, Output};
use crate::repository::open::Place;
use crate::terminal::looks::ColorWhen;

/// git for AT Protocol repositories: keep, read, check and change them on your own disk
#[derive(Debug, Parser)]
#[command(
    name = "pds",
    version,
    styles = STYLES,
    max_term_width = 100,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// Repository directory, or a CAR file or the address of an account in a database to read [default: the nearest
    /// repository from here upwards]. Verbs that only read accept it as their first argument, too
    #[arg(
        help_heading = GLOBAL,
        short = 'R',
        long = "repo",
        value_name = "PATH",
        env = "PDS_REPO",
        hide_env_values = true,
        global = true,
        allow_hyphen_values = true,
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) repo: Option<PathBuf>,

    /// Print JSON: one value, or one line for each item of a list
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,

    /// Print in colour: auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true,
        global = true,
        help_heading = GLOBAL
    )]
    pub(crate) color: ColorWhen,

    /// Print long answers without a pager
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) no_pager: bool,

    /// Print times in UTC, as 2026-11-28T15:58:20Z
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) utc: bool,

    /// Print help: -h a summary, --help all of it
    #[arg(short, long, action = ArgAction::Help, global = true, help_heading = GLOBAL)]
    help: Option<bool>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Returns the whole command line.
    pub(crate) fn program() -> clap::Command {
        let program = Self::command();
        let overview = overview(&program);
        program.override_help(overview).color(colour_of_help())
    }

    /// Reads the command line and the environment.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let program = Self::program();
        let args = moved(std::env::args_os().collect(), &program)?;
        let matches = program.clone().try_get_matches_from(args.clone()).or_else(|error| {
            let Some(args) = with_counts(args, &error, &program) else { return Err(error) };
            program.try_get_matches_from(args).map_err(|_| error)
        })?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if cli.repo.as_ref().is_some_and(|repo| repo.as_os_str().is_empty()) {
            // An empty variable counts as unset; an empty argument is an error.
            if matches.value_source("repo") != Some(ValueSource::EnvVariable) {
                let message = "the PATH of '--repo <PATH>' is empty";
                return Err(Self::program().error(ErrorKind::InvalidValue, message));
            }
            cli.repo = None;
        }
        if let Command::Help(help) = &cli.command
            && let Some(line) = help.command_line()
        {
            // Help that is printed counts as an error here.
            Self::program().try_get_matches_from(line)?;
        }
        Ok(cli)
    }

    /// Returns the form of the answers.
    pub(crate) fn form(&self) -> Form {
        let pager = !self.no_pager && self.command.is_a_listing();
        Form { json: self.json, color: self.color, pager, utc: self.utc }
    }

    /// Returns whether the command prints one block, which the CID proves to be whole.
    pub(crate) fn is_about_one_block(&self) -> bool {
        matches!(self.command, Command::Get(_) | Command::Show(_))
    }

    /// Runs the command that the user gave.
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let place = Place { named: self.repo };
        match self.command {
            Command::Init(args) => args.run(out),
            Command::Clone(args) => args.run(out),
            Command::Info(args) => args.run(&place, out),
            Command::Put(args) => args.run(&place, out),
            Command::Edit(args) => args.run(&place, out),
            Command::Get(args) => args.run(&place, out),
            Command::Rm(args) => args.run(&place, out),
            Command::Ls(args) => args.run(&place, out),
            Command::Apply(args) => args.run(&place, out),
            Command::Blob(args) => args.run(&place, out),
            Command::Pull(args) => args.run(&place, out),
            Command::Identity(args) => args.run(&place, out),
            Command::Import(args) => args.run(&place, out),
            Command::Export(args) => args.run(&place, out),
            Command::Unpack(args) => args.run(&place, out),
            Command::Verify(args) => args.run(&place, out),
            Command::Prove(args) => args.run(&place, out),
            Command::VerifyProof(args) => args.run(out),
            Command::Log(args) => args.run(&place, out),
            Command::Reflog(args) => args.run(&place, out),
            Command::Diff(args) => args.run(&place, out),
            Command::Show(args) => args.run(&place, out),
            Command::Stats(args) => args.run(&place, out),
            Command::Mst(args) => args.run(&place, out),
            Command::Ref(args) => args.run(&place, out),
            Command::Reset(args) => args.run(&place, out),
            Command::Revert(args) => args.run(&place, out),
            Command::Merge(args) => args.run(&place, out),
            Command::Forget(args) => args.run(&place, out),
            Command::Gc(args) => args.run(&place, out),
            Command::Recover(args) => args.run(out),
            Command::Repair(args) => args.run(&place, out),
            Command::Key(args) => args.run(&place, out),
            Command::Tid(args) => args.run(out),
            Command::Cid(args) => args.run(out),
            Command::Completions(args) => args.run(out),
            Command::Man(args) => args.run(Self::program(), out),
            Command::Help(args) => args.run(out),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Clone(clone::Args),
    Info(info::Args),
    Put(put::Args),
    Edit(edit::Args),
    Get(get::Args),
    Rm(rm::Args),
    Ls(ls::Args),
    Apply(apply::Args),
    Blob(blob::Args),
    Pull(pull::Args),
    Identity(identity::Args),
    Import(import::Args),
    Export(export::Args),
    Unpack(unpack::Args),
    #[command(visible_alias = "fsck")]
    Verify(verify::Args),
    Prove(prove::Args),
    VerifyProof(verify_proof::Args),
    Log(log::Args),
    Reflog(reflog::Args),
    Diff(diff::Args),
    Show(show::Args),
    Stats(stats::Args),
    Mst(mst::Args),
    Ref(refs::Args),
    Reset(reset::Args),
    Revert(revert::Args),
    Merge(merge::Args),
    Forget(forget::Args),
    Gc(gc::Args),
    Repair(repair::Args),
    Recover(recover::Args),
    Key(key::Args),
    Tid(tid::Args),
    Cid(cid::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

impl Command {
    /// Tells whether the command only reads, and may print more than a screen.
    fn is_a_listing(&self) -> bool {
        match self {
            Self::Blob(args) => args.is_a_listing(),
            Self::Info(_)
            | Self::Get(_)
            | Self::Ls(_)
            | Self::Log(_)
            | Self::Reflog(_)
            | Self::Diff(_)
            | Self::Show(_)
            | Self::Mst(_)
            | Self::Help(_) => true,
            _ => false,
        }
    }
}

/// The heading of the options that every command has.
const GLOBAL: &str = "Options of every command";

/// Returns whether help and usage errors have colours: they are printed before the command line is parsed.
fn colour_of_help() -> ColorChoice {
    let args: Vec<String> =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let given = args.iter().enumerate().find_map(|(at, arg)| match arg.strip_prefix("--color=") {
        None if arg == "--color" => args.get(at + 1).map(String::as_str),
        value => value,
    });
    match given {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .error(AnsiColor::Red.on_default().bold())
    .literal(Style::new())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
