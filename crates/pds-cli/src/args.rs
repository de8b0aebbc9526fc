//! The command line as a whole.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    apply, blob, cid, clone, completions, diff, export, forget, gc, get, import, info, init, key,
    log, ls, man, merge, mst, prove, put, recover, refs, repair, reset, revert, rm, show, tid,
    unpack, verify, verify_proof,
};

/// git for AT Protocol repositories: keep, read, check and change them on your own disk
#[derive(Debug, Parser)]
#[command(
    name = "pds",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = "Examples:\n  \
        pds clone backup.car alice      a local repository from a CAR file\n  \
        pds -R alice verify             every check there is\n  \
        pds -R backup.car ls            look into a CAR file without importing it\n  \
        pds init mine --did did:web:example.com   a repository of your own\n\n\
        Exit codes: 0 done · 1 the answer is no · 2 usage · 3 bad input · 4 network · 5 busy · 6 partly done"
)]
pub(crate) struct Cli {
    /// The repository: its directory, or a .car file for reading
    #[arg(
        short = 'R',
        long = "repo",
        value_name = "PATH",
        env = "PDS_REPO",
        global = true,
        allow_hyphen_values = true,
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) repo: Option<PathBuf>,

    /// Answer in JSON: one value, or a line for each item of a list
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the command line and the environment.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches()?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if cli.repo.as_ref().is_some_and(|repo| repo.as_os_str().is_empty()) {
            // A variable that is set to nothing is as good as none; an argument is not.
            if matches.value_source("repo") != Some(ValueSource::EnvVariable) {
                let message = "the PATH of '--repo <PATH>' is empty";
                return Err(Self::command().error(ErrorKind::InvalidValue, message));
            }
            cli.repo = None;
        }
        Ok(cli)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Clone(clone::Args),
    Info(info::Args),
    Put(put::Args),
    Get(get::Args),
    Rm(rm::Args),
    Ls(ls::Args),
    Apply(apply::Args),
    Blob(blob::Args),
    Import(import::Args),
    Export(export::Args),
    Unpack(unpack::Args),
    #[command(visible_alias = "fsck")]
    Verify(verify::Args),
    Prove(prove::Args),
    VerifyProof(verify_proof::Args),
    Log(log::Args),
    Diff(diff::Args),
    Show(show::Args),
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
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
