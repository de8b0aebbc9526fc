//! Standard output, through a pager if an answer is longer than the screen.

use std::io::{self, StdoutLock, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::terminal::lent::{Lent, lend};
use crate::terminal::looks::is_dumb;
use crate::terminal::messages::message_text;
use crate::terminal::screen_size::ScreenSize;

/// Standard output. With a pager, text is held back until it is longer than the screen.
pub(crate) struct Sink {
    out: StdoutLock<'static>,
    state: State,
    /// Whether anything has left the process.
    has_written: bool,
}

enum State {
    /// Text goes to standard output.
    Direct,
    /// Text that fits the screen so far.
    Held { text: Vec<u8>, rows: usize, screen: ScreenSize, command: String, before: fn() },
    /// Text goes to the pager.
    Paged { child: Child, stdin: Option<ChildStdin>, _lent: Lent },
}

impl Sink {
    /// Makes a sink without a pager.
    pub(crate) fn direct() -> Self {
        Self { out: io::stdout().lock(), state: State::Direct, has_written: false }
    }

    /// Makes a sink that starts the pager of the user if the text is longer than the screen. `before` clears the
    /// screen for it.
    pub(crate) fn paged(screen: ScreenSize, before: fn()) -> Self {
        let state = match pager_command() {
            Some(command) => State::Held { text: Vec::new(), rows: 0, screen, command, before },
            None => State::Direct,
        };
        let mut sink = Self::direct();
        sink.state = state;
        sink
    }

    pub(crate) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Tells whether text is held back now.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    /// Forgets text that was held back.
    pub(crate) fn take_back(&mut self) {
        if let State::Held { text, rows, .. } = &mut self.state {
            text.clear();
            *rows = 0;
        }
    }

    /// Writes the text that was held back, or waits until the user leaves the pager.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Direct) {
            State::Direct => {}
            State::Held { text, .. } => {
                self.has_written |= !text.is_empty();
                self.out.write_all(&text)?;
            }
            State::Paged { mut child, stdin, _lent } => {
                drop(stdin);
                child.wait()?;
            }
        }
        self.out.flush()
    }

    /// Adds text that is held back. Returns whether it is longer than the screen.
    fn hold(&mut self, bytes: &[u8]) -> bool {
        let State::Held { text, rows, screen, .. } = &mut self.state else { return false };
        text.extend_from_slice(bytes);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Long lines take several rows. Escape codes count as well, which starts the pager a little early.
            *rows += line.len() / screen.columns.max(1) + usize::from(line.ends_with(b"\n"));
        }
        *rows >= screen.rows
    }

    /// Starts the pager, and gives it the text that was held back.
    fn start(&mut self) -> io::Result<()> {
        let State::Held { text, command, before, .. } =
            std::mem::replace(&mut self.state, State::Direct)
        else {
            return Ok(());
        };
        before();
        self.has_written = true;
        // As in git, an interrupt is for the pager.
        let _lent = lend();
        match start_pager(&command) {
            Ok(mut child) => {
                let stdin = child.stdin.take();
                self.state = State::Paged { child, stdin, _lent };
                self.write_all(&text)
            }
            // Without its pager, the answer is still printed.
            Err(_) => self.out.write_all(&text),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Direct => {
                self.has_written = true;
                self.out.write(bytes)
            }
            State::Paged { stdin: Some(stdin), .. } => stdin.write(bytes),
            State::Paged { stdin: None, .. } => Err(io::ErrorKind::BrokenPipe.into()),
            State::Held { .. } => {
                if self.hold(bytes) {
                    self.start()?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Direct => self.out.flush(),
            State::Paged { stdin: Some(stdin), .. } => stdin.flush(),
            State::Paged { stdin: None, .. } | State::Held { .. } => Ok(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // After an error, the user may still read the pager.
        let _ = self.finish();
    }
}

/// Returns the command of the pager; `None` if the user wants none, or if the terminal is too plain for the usual one.
fn pager_command() -> Option<String> {
    let named = ["PDS_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
    let usual = if is_dumb() { "" } else { DEFAULT_PAGER };
    let command = named.as_deref().unwrap_or(usual).trim();
    (!command.is_empty() && command != "cat").then(|| command.to_owned())
}

/// Tells whether the shell finds the program of a command. A command that begins with settings is not looked for.
fn is_installed(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    if cfg!(windows) || program.contains(['=', '\'', '"', '$', '(', '{']) {
        return true;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "command -v \"$1\"", "sh", program]).stdout(Stdio::null());
    shell.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|found| found.success())
}

/// Starts a pager with the shell, as git does.
fn start_pager(command: &str) -> io::Result<Child> {
    if !is_installed(command) {
        let message = message_text(&format!("warning: the pager {command:?} is not installed"));
        // If standard error fails, no way is left to report it.
        let _ = writeln!(io::stderr(), "{message}");
        return Err(io::ErrorKind::NotFound.into());
    }
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut pager = Command::new(shell);
    pager.arg(option).arg(command).stdin(Stdio::piped());
    // `less` shows colours, and leaves short text on the screen.
    if std::env::var_os("LESS").is_none() {
        pager.env("LESS", "FRX");
    }
    if std::env::var_os("LV").is_none() {
        pager.env("LV", "-c");
    }
    pager.spawn()
}

const DEFAULT_PAGER: &str = "less -FRX";
