//! One run of a program: its input, output, exit and memory.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A program that is about to run.
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// The most memory it held at a time.
    pub(crate) peak_kib: u64,
}

impl Run {
    pub(crate) fn new(command: Command) -> Self {
        Self { command, stdin: Vec::new() }
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs in another directory.
    pub(crate) fn within(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Starts it with pipes for all streams, for tests that use them directly.
    pub(crate) fn start(mut self) -> Child {
        let piped = || Stdio::piped();
        self.command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap()
    }

    /// Runs it to its end, which must come in time and without a panic.
    pub(crate) fn ended(self) -> Ended {
        let what = self.what();
        let ended = self.ended_within(PATIENCE);
        ended.unwrap_or_else(|| panic!("still running after {PATIENCE:?}: {what}"))
    }

    /// Runs it to its end, which must come in time.
    pub(crate) fn ended_anyhow(self) -> Ended {
        let what = self.what();
        let ended = self.watched(PATIENCE);
        ended.unwrap_or_else(|| panic!("still running after {PATIENCE:?}: {what}"))
    }

    /// Runs it to its end, which must come without a panic. Returns `None` after killing a process
    /// that is still running at the end of the time.
    pub(crate) fn ended_within(self, patience: Duration) -> Option<Ended> {
        let what = self.what();
        let ended = self.watched(patience)?;
        ended.assert_calm(&what);
        Some(ended)
    }

    /// Runs it to its end, or kills it at the end of some time. It must not panic.
    pub(crate) fn killed_after(self, time: Duration) -> Ended {
        let what = self.what();
        let (ended, _) = self.run_for(time);
        ended.assert_calm(&what);
        ended
    }

    fn what(&self) -> String {
        format!("{:?}", self.command.get_args().collect::<Vec<_>>())
    }

    fn watched(self, patience: Duration) -> Option<Ended> {
        let (ended, is_in_time) = self.run_for(patience);
        is_in_time.then_some(ended)
    }

    /// Runs it, and kills it if it is still running at the end of the time. Tells whether it ended before.
    fn run_for(self, patience: Duration) -> (Ended, bool) {
        let input = self.stdin.clone();
        let mut child = self.start();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input closes the pipe.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let (status, peak_kib, is_in_time) = wait(&mut child, patience);
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        writer.join().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        (Ended { status, stdout, stderr, peak_kib }, is_in_time)
    }

    /// Runs it, expects success and silence on standard error, and returns what it prints.
    pub(crate) fn ok(self) -> String {
        let ended = self.ended();
        assert_eq!(ended.stderr, "");
        ended.done()
    }

    /// Runs it, expects an exit code and no answer, and returns what it says.
    pub(crate) fn fails(self, code: i32) -> String {
        let ended = self.ended();
        assert_eq!((ended.code(), ended.text()), (code, String::new()), "{}", ended.stderr);
        ended.stderr
    }
}

impl Ended {
    /// Checks that it has printed no panic and no escape code on standard error.
    fn assert_calm(&self, what: &str) {
        assert!(!self.stderr.contains("panicked"), "{what}: {}", self.stderr);
        assert!(!self.stderr.contains('\x1b'), "{what}: {:?}", self.stderr);
    }

    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{}: {}", self.status, self.stderr))
    }

    /// The signal that ended it, if one did.
    #[cfg(unix)]
    pub(crate) fn signal(&self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.status)
    }

    /// The exit code; none if a signal ended the program.
    pub(crate) fn exit(&self) -> Option<i32> {
        self.status.code()
    }

    /// What it printed, which must be free of escape codes.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8(self.stdout.clone()).unwrap();
        let raw = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
        assert_eq!(raw, None, "{text:?}");
        text
    }

    /// Expects success and returns what was printed.
    pub(crate) fn done(&self) -> String {
        assert_eq!(self.code(), 0, "{}", self.stderr);
        self.text()
    }
}

/// The next lines that a running process prints; each must come in time.
pub(crate) struct Lines(mpsc::Receiver<String>);

impl Lines {
    pub(crate) fn of(child: &mut Child) -> Self {
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().try_for_each(|line| send.send(line.unwrap())));
        Self(lines)
    }

    pub(crate) fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("no line was printed in time")
    }

    /// The lines that a process has printed up to its end.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.0.iter().collect()
    }
}

/// The most memory that a running process has held; 0 where that is not known.
fn peak_kib(id: u32) -> u64 {
    // Until `exec`, the process shows the memory of the test runner.
    let exe = |id: &str| std::fs::read_link(format!("/proc/{id}/exe"));
    if !exe(&id.to_string()).is_ok_and(|exe_of_id| exe("self").is_ok_and(|own| own != exe_of_id)) {
        return 0;
    }
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Waits for a process, and kills it at the end of the time. Returns its end, its memory, and whether it ended in time.
fn wait(child: &mut Child, patience: Duration) -> (ExitStatus, u64, bool) {
    let (started, mut peak) = (Instant::now(), 0);
    loop {
        peak = peak.max(peak_kib(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            return (status, peak, true);
        }
        if started.elapsed() > patience {
            child.kill().unwrap();
            return (child.wait().unwrap(), peak, false);
        }
        thread::sleep(Duration::from_micros(500));
    }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.by_ref().take(MOST_OUTPUT_BYTES).read_to_end(&mut bytes).unwrap();
        bytes
    })
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Beyond this the pipe is closed.
const MOST_OUTPUT_BYTES: u64 = 256 << 20;
