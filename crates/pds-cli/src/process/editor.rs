//! The editor of the user, and the file that it opens.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use pds::syntax::RecordPath;

use crate::failures::exit::Stated;
use crate::terminal::lent::lend;
use crate::terminal::looks::is_dumb;

/// A command that opens a file for editing.
pub(crate) struct Editor {
    command: String,
}

impl Editor {
    /// Finds the editor as git does: `VISUAL` if the terminal can show it, `EDITOR`, or `vi`.
    pub(crate) fn of_user() -> Result<Self> {
        let named = |name: &str| std::env::var(name).ok().filter(|command| !command.is_empty());
        let visual = named("VISUAL").filter(|_| !is_dumb());
        match visual.or_else(|| named("EDITOR")) {
            Some(command) => Ok(Self { command: format!("{command} \"$@\"") }),
            None if io::stdin().is_terminal() && !is_dumb() => {
                Ok(Self { command: DEFAULT.to_owned() })
            }
            None => {
                let message = "no editor is known, and there is no terminal for vi";
                Stated::usage(message).hint("name one: EDITOR=nano pds edit PATH").fail()
            }
        }
    }

    /// Opens a file and waits until the editor ends. Interrupts are for the editor.
    pub(crate) fn open(&self, file: &Path) -> Result<()> {
        let _lent = lend();
        let mut command = if cfg!(windows) {
            let mut command = Command::new("cmd");
            command.arg("/C").arg(self.command.replace("\"$@\"", "")).arg(file);
            command
        } else {
            let mut command = Command::new("sh");
            // The first argument is the name of the shell script in messages.
            command.arg("-c").arg(&self.command).arg("editor").arg(file);
            command
        };
        let status = command.status().context("cannot start the editor")?;
        match status.success() {
            true => Ok(()),
            false => {
                let file = file.display();
                let message = format!(
                    "the editor failed ({status}): nothing was written, and the text is kept in {file}"
                );
                Stated::no("editor-failed", message).hint("EDITOR names the editor").fail()
            }
        }
    }
}

/// The text of a record in a temporary file that only its owner can read. If it is not discarded, it stays.
pub(crate) struct Draft {
    path: PathBuf,
}

impl Draft {
    pub(crate) fn new(record: &RecordPath, text: &str) -> Result<Self> {
        let prefix = format!("pds-edit-{}-", record.collection);
        let made = tempfile::Builder::new().prefix(&prefix).suffix(".json").tempfile();
        let mut file = made.context("cannot create a temporary file")?;
        file.write_all(text.as_bytes()).context("cannot write a temporary file")?;
        let (_, path) = file.keep().context("cannot keep a temporary file")?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether the file has another text than this one. Editors may replace the file.
    pub(crate) fn is_changed(&self, text: &str) -> Result<bool> {
        let file = std::fs::File::open(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        let mut start = Vec::new();
        file.take(text.len() as u64 + 1).read_to_end(&mut start).context("cannot read the text")?;
        Ok(start != text.as_bytes())
    }

    /// Deletes the file.
    pub(crate) fn discard(self) {
        // The text is stored; a copy that cannot be deleted does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

const DEFAULT: &str =
    "if command -v vi > /dev/null; then exec vi \"$@\"; else exec nano \"$@\"; fi";
