//! `pds man`

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::exit::Exit;
use crate::output::Output;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds man | man -l -\n  pds man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write one page per verb into this directory instead
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, command: clap::Command, out: &mut Output) -> Result<Exit> {
        match &self.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)
                    .and_then(|()| clap_mangen::generate_to(command, dir))
                    .with_context(|| format!("cannot write to {}", dir.display()))?;
            }
            None => clap_mangen::Man::new(command).render(out.bytes())?,
        }
        Ok(Exit::Done)
    }
}
