//! The editor of the user, and the file that it opens.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use pds::syntax::RecordPath;

use crate::failures::exit::Stated;
use crate::process::text::say;
use crate::terminal::lent::lend;
use crate::terminal::looks::is_dumb;

/// A command that opens a file for editing.
pub(crate) struct Editor {
    command: String,
    /// How the user names another one.
    hint: &'static str,
}

impl Editor {
    /// Finds the editor as git does: `VISUAL` if the terminal can show it, `EDITOR`, or `vi`.
    pub(crate) fn of_user() -> Result<Self> {
        let named = |name: &str| std::env::var(name).ok().filter(|command| !command.is_empty());
        let visual = named("VISUAL").filter(|_| !is_dumb());
        let visual = visual.map(|command| (command, "VISUAL names the editor"));
        let editor = || named("EDITOR").map(|command| (command, "EDITOR names the editor"));
        match visual.or_else(editor) {
            Some((command, hint)) => Ok(Self { command: format!("{command} \"$@\""), hint }),
            None if io::stdin().is_terminal() && !is_dumb() => {
                Ok(Self { command: DEFAULT.to_owned(), hint: "EDITOR names the editor" })
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
                let message = format!("the editor failed ({status}): nothing was written");
                Stated::no("editor-failed", message).hint(self.hint).fail()
            }
        }
    }
}

/// The text of a record in a temporary file that only its owner can read.
///
/// If it is not discarded, [`name_kept`] names it when the process ends.
pub(crate) struct Draft(Text);

/// A text, and the file that began with it.
#[derive(Clone)]
struct Text {
    path: PathBuf,
    text: String,
}

impl Draft {
    pub(crate) fn new(record: &RecordPath, text: &str) -> Result<Self> {
        let prefix = format!("pds-edit-{}-", record.collection);
        let made = tempfile::Builder::new().prefix(&prefix).suffix(".json").tempfile();
        let mut file = made.context("cannot create a temporary file")?;
        file.write_all(text.as_bytes()).context("cannot write a temporary file")?;
        let (_, path) = file.keep().context("cannot keep a temporary file")?;
        let draft = Text { path, text: text.to_owned() };
        *present() = Some(draft.clone());
        Ok(Self(draft))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Tells whether the file has another text than at the beginning. Editors may replace the file.
    pub(crate) fn is_changed(&self) -> Result<bool> {
        let is_changed = self.0.is_changed();
        is_changed.with_context(|| format!("cannot read {}", self.path().display()))
    }

    /// Tells whether the user has deleted all of the text.
    pub(crate) fn is_blank(&self) -> Result<bool> {
        let length = std::fs::metadata(self.path()).map(|file| file.len());
        let is_blank = match length {
            Ok(0) => Ok(true),
            Ok(1..=MAX_BLANK_BYTES) => {
                std::fs::read(self.path()).map(|text| text.trim_ascii().is_empty())
            }
            other => other.map(|_| false),
        };
        is_blank.with_context(|| format!("cannot read {}", self.path().display()))
    }

    /// Deletes the file.
    pub(crate) fn discard(self) {
        *present() = None;
        // The text is stored; a copy that cannot be deleted does no harm.
        let _ = std::fs::remove_file(self.path());
    }
}

/// A longer file is not looked at for text.
const MAX_BLANK_BYTES: u64 = 1_000;

impl Text {
    fn is_changed(&self) -> io::Result<bool> {
        let mut start = Vec::new();
        let file = std::fs::File::open(&self.path)?;
        file.take(self.text.len() as u64 + 1).read_to_end(&mut start)?;
        Ok(start != self.text.as_bytes())
    }
}

/// Names the text that was not stored, if there is one. A text that is as it was is deleted instead.
pub(crate) fn name_kept() {
    let Some(draft) = present().take() else { return };
    match draft.is_changed() {
        Ok(false) => drop(std::fs::remove_file(&draft.path)),
        Ok(true) => say(&format!("the text is kept in {}", draft.path.display())),
        // The editor has deleted the file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => say(&format!("the text may be in {}", draft.path.display())),
    }
}

fn present() -> MutexGuard<'static, Option<Text>> {
    PRESENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text that is being edited.
static PRESENT: Mutex<Option<Text>> = Mutex::new(None);

const DEFAULT: &str =
    "if command -v vi > /dev/null; then exec vi \"$@\"; else exec nano \"$@\"; fi";
