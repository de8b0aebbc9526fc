//! `pds man`

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Exit;
use crate::output::Output;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds man | man -l -\n  pds man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write a page for each verb into this directory instead
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        match &self.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)
                    .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
                    .with_context(|| format!("cannot write to {}", dir.display()))?;
            }
            None => clap_mangen::Man::new(Cli::command()).render(out.bytes())?,
        }
        Ok(Exit::Done)
    }
}
