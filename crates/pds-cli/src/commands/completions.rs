//! `pds completions`

use anyhow::Result;
use clap_complete::Shell;

use crate::exit::Exit;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  pds completions bash > ~/.local/share/bash-completion/completions/pds"
)]
pub(crate) struct Args {
    /// Shell to complete for
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self, mut command: clap::Command, out: &mut Output) -> Result<Exit> {
        // Written to memory first, because the generator panics on a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "pds", &mut script);
        std::io::Write::write_all(out.bytes(), &script)?;
        Ok(Exit::Done)
    }
}
