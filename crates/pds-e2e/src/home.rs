//! A directory for one test, and runs of the binary in it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// A directory in which the binary runs. Nothing is inherited.
#[derive(Debug)]
pub struct Home {
    dir: tempfile::TempDir,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// All that it printed.
    pub stdout: String,
    /// All that it printed on standard error.
    pub stderr: String,
}

impl Home {
    /// Creates an empty directory, which is removed with this value.
    #[expect(clippy::new_without_default, reason = "it creates a directory")]
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Returns the path of the directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Returns the binary with some arguments.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.program(binary(), arguments)
    }

    /// Returns an example of this crate with some arguments.
    pub fn example<A: AsRef<OsStr>>(
        &self,
        name: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.program(binary().with_file_name("examples").join(name), arguments)
    }

    fn program<A: AsRef<OsStr>>(
        &self,
        program: PathBuf,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("HOME", self.dir()).current_dir(self.dir());
        command
    }

    /// Runs the binary to its end.
    pub fn pds<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        ended(&mut self.command(arguments), b"")
    }
}

impl Ended {
    /// Expects an exit code, and returns what was printed.
    ///
    /// # Panics
    /// If the code is another.
    pub fn with(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// Expects success, and returns the answer as one JSON value.
    pub fn json(&self) -> Json {
        serde_json::from_str(self.with(0)).unwrap()
    }
}

/// A running process, whose output is collected.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Running {
    /// Starts a process and writes its input.
    pub(crate) fn start(command: &mut Command, input: &[u8]) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // A process that does not read its input closes the pipe.
        thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Waits until the process ends or a condition holds. Returns whether it has ended.
    pub(crate) fn is_ended_before(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            if condition() {
                return false;
            }
            thread::sleep(Duration::from_micros(500));
        }
    }

    /// Kills the process if it still runs, and returns its end.
    pub(crate) fn killed(mut self) -> Ended {
        self.child.kill().unwrap();
        let status: ExitStatus = self.child.wait().unwrap();
        let [stdout, stderr] = [self.stdout, self.stderr].map(|text| text.join().unwrap());
        let ended = Ended { code: status.code(), stdout, stderr };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// Runs a process to its end, which must come in time and without a panic.
pub fn ended(command: &mut Command, input: &[u8]) -> Ended {
    let (mut running, start) = (Running::start(command, input), Instant::now());
    let is_ended = running.is_ended_before(|| start.elapsed() > PATIENCE);
    let ended = running.killed();
    assert!(is_ended, "still running after {PATIENCE:?}: {command:?}: {}", ended.stderr);
    ended
}

/// Returns the binary that was compiled with these tests.
///
/// # Panics
/// If it does not exist.
pub fn binary() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    // Test binaries are in `deps`, next to the binary.
    let binary = exe.parent().unwrap().parent().unwrap().join("pds");
    assert!(binary.exists(), "{} is missing: run cargo build -p atpds-cli", binary.display());
    binary
}

/// Returns the target directory of the running test.
pub(crate) fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let profile = exe.parent().unwrap().parent().unwrap();
    profile.parent().unwrap().to_owned()
}

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
