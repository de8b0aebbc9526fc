//! `pds completions`

use std::io::Write;

use anyhow::{Context, Result};
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::completion::answer::VARIABLE;
use crate::completion::shells::SHELLS;
use crate::failures::exit::Exit;
use crate::process::output::Output;

/// Print a completion script for a shell
///
/// The script calls `pds`, which offers verbs and options, and the collections, record keys, refs and revisions of the
/// repository that the command line names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds completions bash > ~/.local/share/bash-completion/completions/pds\n  \
    pds completions fish > ~/.config/fish/completions/pds.fish\n  \
    pds completions zsh > ~/.zfunc/_pds      for a directory in $fpath"
)]
pub(crate) struct Args {
    /// Shell to complete for
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let name = self.shell.to_string();
        let shells = Shells(&SHELLS);
        let shell = shells.completer(&name).context("no script for this shell")?;
        // Written to memory first: a closed pipe is no failure of the script.
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, "pds", "pds", "pds", &mut script)?;
        out.bytes().write_all(&script)?;
        Ok(Exit::Done)
    }
}
