//! `pds completions`

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Exit;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  pds completions bash > ~/.local/share/bash-completion/completions/pds"
)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        // Generated into memory first: the generator does not survive a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pds", &mut script);
        std::io::Write::write_all(out.bytes(), &script)?;
        Ok(Exit::Done)
    }
}
