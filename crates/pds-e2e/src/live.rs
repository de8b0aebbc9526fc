//! A command that goes on, whose lines are read as they come.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// A command that runs. It is killed with this value.
#[derive(Debug)]
pub struct Live {
    child: Child,
    lines: mpsc::Receiver<String>,
    messages: Arc<Mutex<Vec<String>>>,
}

impl Live {
    /// Starts a command, which prints lines of JSON.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = mpsc::channel();
        read_lines(child.stdout.take().unwrap(), move |line| drop(sender.send(line)));
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let said = Arc::clone(&messages);
        read_lines(child.stderr.take().unwrap(), move |line| said.lock().unwrap().push(line));
        Self { child, lines, messages }
    }

    /// Waits for the next line.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn line(&self) -> Json {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("no line came: {:?}", self.messages()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Waits for the first line that meets a condition, and drops the lines before it.
    pub fn line_with(&self, condition: impl Fn(&Json) -> bool) -> Json {
        std::iter::repeat_with(|| self.line()).find(|line| condition(line)).unwrap()
    }

    /// Returns a line that has come, if there is one.
    pub fn ready_line(&self) -> Option<Json> {
        self.lines.try_recv().ok().map(|line| serde_json::from_str(&line).unwrap())
    }

    /// Waits until a message with this text is on standard error.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn says(&self, text: &str) {
        let start = Instant::now();
        while !self.messages().iter().any(|line| line.contains(text)) {
            assert!(start.elapsed() < PATIENCE, "it does not say {text}: {:?}", self.messages());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the messages so far.
    pub fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    /// Kills the command.
    ///
    /// # Panics
    /// If it panicked or had ended before.
    pub fn kill(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it has ended: {:?}", self.messages());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        assert!(!self.messages().iter().any(|line| line.contains("panicked")));
    }

    /// Waits for the end of the command, and returns its exit code.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn code(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {:?}", self.messages());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(from: impl Read + Send + 'static, mut take: impl FnMut(String) + Send + 'static) {
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).for_each(&mut take);
    });
}

/// A step that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
