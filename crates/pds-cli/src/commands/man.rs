//! `pds man`

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::failures::exit::Exit;
use crate::help::manual::pages;
use crate::process::output::Output;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds man | man -l -\n  pds man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write one page per verb into this directory instead
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, program: clap::Command, out: &mut Output) -> Result<Exit> {
        let pages = pages(program)?;
        match &self.dir {
            Some(dir) => {
                let write = || {
                    std::fs::create_dir_all(dir)?;
                    pages
                        .iter()
                        .try_for_each(|page| std::fs::write(dir.join(&page.file), &page.text))
                };
                write().with_context(|| format!("cannot write to {}", dir.display()))?;
            }
            None => {
                for page in pages.iter().take(1) {
                    out.bytes().write_all(&page.text)?;
                }
            }
        }
        Ok(Exit::Done)
    }
}
